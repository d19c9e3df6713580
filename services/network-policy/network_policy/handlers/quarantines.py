"""The commands that begin and end a quarantine, and the list of them."""

from contracts.envelope import CommandEnvelope, Problem
from contracts.network_policy import (
    EvidenceShown,
    ListQuarantines,
    QuarantinesListed,
    QuarantineWorkspace,
    ReleaseWorkspace,
    ShowEvidence,
)
from contracts.network_policy.quarantine import MAX_EVIDENCE_PART_CHARACTERS
from contracts.workspace import Workspace
from network_policy import store
from network_policy.domain.custody import parts
from network_policy.domain.names import role_of_node
from network_policy.handlers.context import Context, handlers
from network_policy.store import Known
from shared.errors import Rejected
from shared.work import Work

MAX_LISTED = 200


@handlers.on(QuarantineWorkspace)
async def order_quarantine(command: QuarantineWorkspace, tx: Work[Context]) -> None:
    """Cut off what the command names; in force from this commit on, applied once nothing passes."""
    known = await _known(command.workspace, tx)
    _require_generation(tx, known)
    assert known.document is not None
    if command.role is not None and command.role not in {role.name for role in known.document.roles}:
        raise Rejected(Problem(field="role", reason=f"{known.workspace} has no role '{command.role}'"))
    if command.node is not None and not _is_node(command.node, known, known.document):
        raise Rejected(
            Problem(
                field="node",
                reason=f"'{command.node}' is neither a node's name in {known.workspace} nor the id of a server of it",
                remedy=f"`tresor workspace show {known.workspace}` lists both",
            )
        )
    assert tx.cause is not None
    for held in known.quarantines:
        if (held.role, held.node) == (command.role, command.node) and held.state != "releasing":
            if held.state in ("cut", "held"):
                return  # it is so already
            await store.join_quarantine(tx.connection, held.quarantine_id, tx.cause.id)
            break
    else:
        await store.order_quarantine(
            tx.connection,
            tx.cause.id,
            known.workspace,
            role=command.role,
            node=command.node,
            reason=command.reason,
            holder=tx.holder,
            now=tx.now,
        )
    tx.hold()
    tx.context.pace.hurry(known.workspace)
    tx.reconcile(known.workspace)


@handlers.on(ReleaseWorkspace)
async def order_release(command: ReleaseWorkspace, tx: Work[Context]) -> None:
    """End a quarantine. The chassis has had it approved by another person; the generation is checked here."""
    known = await _known(command.workspace, tx)
    _require_generation(tx, known, is_needed=True)
    held = next((each for each in known.quarantines if each.quarantine_id == command.quarantine_id), None)
    if held is None or held.state == "releasing":
        raise Rejected(
            Problem(
                field="quarantine_id",
                reason=f"{known.workspace} is in no quarantine {command.quarantine_id}",
                remedy="`tresor quarantine list` shows those there are",
            )
        )
    assert tx.cause is not None
    await store.order_release(tx.connection, held.quarantine_id, tx.cause.id, holder=tx.holder, reason=command.reason)
    tx.hold()
    tx.context.pace.hurry(known.workspace)
    tx.reconcile(known.workspace)


@handlers.answer(ListQuarantines)
async def list_quarantines(query: ListQuarantines, tx: Work[Context]) -> QuarantinesListed:
    """Those in force, or all."""
    found = await store.list_quarantines(
        tx.connection, query.of, ended=query.ended, limit=MAX_LISTED + 1, coverage=tx.coverage
    )
    return QuarantinesListed(quarantines=tuple(found[:MAX_LISTED]), truncated=len(found) > MAX_LISTED)


@handlers.answer(ShowEvidence)
async def show_evidence(query: ShowEvidence, tx: Work[Context]) -> EvidenceShown:
    """What stood before the quarantine changed anything, as it was kept."""
    found = await store.evidence_of(tx.connection, query.of, query.quarantine_id)
    if found is None:
        raise Rejected(
            Problem(
                field="quarantine_id",
                reason=f"{query.of} has no quarantine {query.quarantine_id}",
                remedy="`tresor quarantine list --ended` shows those there are",
            )
        )
    held, kept = found
    if not kept:
        return EvidenceShown(quarantine=held, part=0, parts=0, content="")
    pieces = parts(kept, MAX_EVIDENCE_PART_CHARACTERS)
    if query.part > len(pieces):
        raise Rejected(Problem(field="part", reason=f"the evidence has {len(pieces)} parts"))
    return EvidenceShown(quarantine=held, part=query.part, parts=len(pieces), content=pieces[query.part - 1])


async def _known(workspace: str, tx: Work[Context]) -> Known:
    if not tx.context.is_enforcing:
        raise Rejected(
            "network-policy only observes: it writes nothing to the cloud", "start it with TRESOR_MODE=enforce"
        )
    known = await store.load(tx.connection, workspace)
    if known is None or known.state in ("emptied", "withdrawn"):
        raise Rejected(Problem(field="workspace", reason=f"there is no workspace '{workspace}'"))
    if not known.is_ready_to_enforce:
        raise Rejected(Problem(field="workspace", reason=f"{workspace} has no network yet, so nothing to cut off"))
    return known


def _require_generation(tx: Work[Context], known: Known, *, is_needed: bool = False) -> None:
    expected = tx.cause.expectedgeneration if isinstance(tx.cause, CommandEnvelope) else None
    if expected is None and is_needed:
        raise Rejected("the release names no generation", "give it with `tresor release`")
    if expected is not None and expected != known.generation:
        raise Rejected(
            f"{known.workspace} stands at generation {known.generation}, not at {expected}",
            "look at what has changed, then give the command anew",
        )


def _is_node(node: str, known: Known, document: Workspace) -> bool:
    roles = frozenset(role.name for role in document.roles)
    return node in known.nodes.server_ids or role_of_node(known.workspace, roles, node) is not None
