"""What commands and other services' events do to a workspace's record."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime

from contracts import documents
from contracts.envelope import Event, Problem
from contracts.network_policy import (
    DeletionCleared,
    PolicyEnforced,
    PolicyWithdrawn,
    PortHolder,
    WithdrawalHeld,
    WorkspaceQuarantined,
    WorkspaceReleased,
)
from contracts.provisioner import WorkspaceDeleting, WorkspaceFailed
from contracts.site import Site
from contracts.storage import StorageFailed, StorageReady, StorageReleased
from contracts.workspace import Workspace
from provisioner.domain import change, custody
from provisioner.domain.plan import Custody, Gates
from provisioner.domain.record import Nodes, Proposal, Record

HELD = "security-groups"
"""What a problem is about that ports make which hold a deleted workspace's groups."""
_FREE = "have whoever owns it take it out of the group, or delete it; the deletion goes on by itself"


@dataclass(frozen=True)
class Decision:
    """A record as it is to be stored, and what is to be told."""

    record: Record
    events: tuple[Event, ...] = ()


def in_document(problems: Iterable[Problem]) -> tuple[Problem, ...]:
    """Problems of a document as problems of the message that carries it."""
    return tuple(
        problem.model_copy(update={"field": f"document.{problem.field}"}) if problem.field else problem
        for problem in problems
    )


def stands_at(known: Record | None) -> int:
    """The generation that an asker may expect: 0 before the first."""
    return known.generation if known is not None else 0


def objections(known: Record | None, document: Workspace, site: Site) -> tuple[Problem, ...]:
    """What speaks against the document without asking the cloud: its own rules, and the workspace's present state."""
    found = documents.problems(document, site)
    if known is None or not known.is_present:
        return found
    if known.state == "deleting":
        return (
            Problem(
                field="name",
                reason=f"workspace '{known.name}' is being deleted",
                remedy="wait until it is deleted, then create it again",
            ),
        )
    return (*found, *change.problems(known.document, document), *custody.change_problems(known, document))


def is_fulfilled(known: Record | None, document: Workspace) -> bool:
    """The document is the one in force, and nothing has to be begun anew for it."""
    return known is not None and known.document == document and known.state in ("creating", "ready")


def accept(known: Record | None, proposal: Proposal) -> Record:
    """The workspace with the proposed document in force, as a new generation."""
    if known is None or not known.is_present:
        return Record(
            name=proposal.workspace,
            generation=stands_at(known) + 1,
            state="creating",
            document=proposal.document,
            holder=proposal.holder,
            begun_at=proposal.proposed_at,
            step="accepted",
        )
    return replace(
        known,
        generation=known.generation + 1,
        state="creating",
        document=proposal.document,
        holder=proposal.holder,
        begun_at=proposal.proposed_at,
        problems=(),
        step="accepted",
        done=0,
        total=0,
    )


def renewed(nodes: Nodes) -> Nodes:
    """The nodes with a fresh count of attempts, as each new generation gives them."""
    return tuple(replace(node, attempts=0) for node in nodes)


def delete(known: Record, holder: str, now: datetime) -> Decision:
    """The workspace on its way out, as a new generation."""
    record = replace(
        known,
        generation=known.generation + 1,
        state="deleting",
        holder=holder,
        begun_at=now,
        problems=(),
        step="accepted",
        done=0,
        total=0,
    )
    told = WorkspaceDeleting(workspace=record.name, generation=record.generation, project_id=record.project_id)
    return Decision(record, (told,))


def fail(record: Record, problems: Iterable[Problem]) -> Decision:
    """The workspace given up as things are."""
    found = tuple(problems)
    failed = replace(record, state="failed", problems=found, step="failed")
    return Decision(failed, (WorkspaceFailed(workspace=record.name, generation=record.generation, problems=found),))


def enforced(record: Record, seen: PolicyEnforced) -> Record | None:
    """With the policy of this generation enforced; None when it is of another (invariant I9)."""
    if seen.generation != record.generation or record.state in ("deleting", "deleted"):
        return None
    return _with_gates(record, policy_generation=seen.generation, groups=dict(seen.groups))


def stored(record: Record, seen: StorageReady) -> Record | None:
    """With this generation's storage ready; None when it is of another."""
    if seen.generation != record.generation or record.state in ("deleting", "deleted"):
        return None
    volumes = tuple((volume.name, volume.volume_id, volume.node) for volume in seen.volumes)
    return _with_gates(record, storage_generation=seen.generation, volumes=volumes)


def unstored(record: Record, seen: StorageFailed) -> Decision | None:
    """Given up because storage can't be made; None when that is of another generation, or told already."""
    if seen.generation != record.generation or record.state != "creating":
        return None
    return fail(record, seen.problems)


def withdrawn(record: Record, seen: PolicyWithdrawn) -> Record | None:
    """With its groups gone; None when that is of another generation."""
    gone = _leaving(record, seen.generation, withdrawn_generation=seen.generation)
    return gone and replace(gone, problems=tuple(each for each in gone.problems if each.field != HELD))


def held_up(record: Record, seen: WithdrawalHeld) -> Record | None:
    """With who holds its groups, for whoever asks what it waits for; None when that is of another generation."""
    if seen.generation != record.generation or record.state != "deleting":
        return None
    if record.gates.withdrawn_generation >= seen.generation:
        return None
    more = (
        (Problem(field=HELD, reason=f"{seen.more} more ports are in groups of this workspace", remedy=_FREE),)
        if seen.more
        else ()
    )
    return replace(record, problems=(*map(_holding, seen.holders), *more))


def _holding(port: PortHolder) -> Problem:
    device = " ".join(part for part in (port.device_owner, port.device_id) if part) or "no device"
    return Problem(
        field=HELD,
        reason=f"port {port.port_id} of project {port.project_id or '?'} ({device}) is in group {port.group_id}",
        remedy=f"{_FREE}: openstack port unset --security-group {port.group_id} {port.port_id}",
    )


def released(record: Record, seen: StorageReleased) -> Record | None:
    """With its shares and volumes gone; None when that is of another generation."""
    return _leaving(record, seen.generation, released_generation=seen.generation)


def unpooled(record: Record, generation: int) -> Record | None:
    """With its pool closed; None when that is of another generation."""
    return _leaving(record, generation, pool_removed_generation=generation)


def cleared(record: Record, seen: DeletionCleared) -> Record | None:
    """With network-policy's leave to take nodes and ports away; None when that is of another generation."""
    return _leaving(record, seen.generation, cleared_generation=seen.generation)


def quarantined(record: Record, nodes: Nodes, seen: WorkspaceQuarantined) -> Record | None:
    """With the quarantine in force, whatever the generation; None when it is so already, or nothing is left."""
    if not record.is_present or any(each.quarantine_id == seen.quarantine_id for each in record.gates.custody):
        return None
    node = next((each.name for each in nodes if seen.node is not None and each.server_id == seen.node), seen.node)
    held = Custody(seen.quarantine_id, seen.role, node)
    return _with_gates(record, custody=(*record.gates.custody, held))


def freed(record: Record, seen: WorkspaceReleased) -> Record | None:
    """With the quarantine ended; None when it was not known."""
    left = tuple(each for each in record.gates.custody if each.quarantine_id != seen.quarantine_id)
    return _with_gates(record, custody=left)


def _leaving(record: Record, generation: int, **gates: int) -> Record | None:
    if generation != record.generation or record.state != "deleting":
        return None
    return _with_gates(record, **gates)


def _with_gates(record: Record, **gates: object) -> Record | None:
    opened: Gates = replace(record.gates, **gates)  # type: ignore[arg-type]
    return None if opened == record.gates else replace(record, gates=opened)
