"""Duplicate MAC addresses: found with each full scan, told once, and a spurious port deleted on command."""

from collections.abc import Iterable, Mapping, Set

from contracts.envelope import Problem
from contracts.network_policy import (
    Duplicate,
    DuplicateFound,
    DuplicateResolved,
    DuplicatesListed,
    ListDuplicates,
    RemoveDuplicate,
)
from network_policy.domain.duplicates import Looked, duplicate, same_macs, unchanged
from network_policy.domain.world import World
from network_policy.handlers.context import WHOLE_CLOUD, Context, handlers
from network_policy.store import duplicates as store
from network_policy.store.duplicates import Removal
from shared.errors import Conflict, Rejected
from shared.handlers import Turn
from shared.signing import Coverage
from shared.work import Work

PORT_KEY = ":port:"
"""The key of a port that is to be removed; no workspace can be called so."""
MAX_LISTED = 500
CHANGED_SECONDS = 0.2
MAX_DUPLICATES = 1000
"""MAC addresses looked at in one scan: beyond, something other than a duplicate is wrong."""
REFRESHED_DUPLICATES = 10
"""Unchanged ones looked at again in one scan."""


async def look_for_duplicates(turn: Turn[Context], world: World, workspaces: Mapping[str, str]) -> None:
    """Find them among all ports, and tell what is new, changed or over. `workspaces`: by their projects.

    Looked at is what has changed since the last look; those that are known come first, so that nobody hides one behind
    many others, and what was not looked at is not over.
    """
    async with turn.transaction() as tx:
        known = {each.mac_address: each.evidence for each in await store.duplicates(tx.connection)}
    macs = same_macs(world.ports)
    looked = turn.context.looked_macs
    for mac_address in [each for each, one in looked.items() if one.evidence != known.get(each)]:
        del looked[mac_address]  # another replica has looked since
    of_ports = {port.id: port.revision for port in world.ports}
    revisions = {mac: tuple((each, of_ports[each]) for each in sorted(sayers)) for mac, sayers in macs.items()}
    same = unchanged(revisions, looked, REFRESHED_DUPLICATES)
    ordered = sorted(macs.keys() - same, key=lambda each: (each not in known, each))
    unseen = set(ordered[MAX_DUPLICATES:])
    for mac_address in (looked.keys() - macs.keys()) | unseen:
        looked.pop(mac_address, None)
    for mac_address in ordered[:MAX_DUPLICATES]:
        sayers = await turn.context.cloud.sayers(mac_address, macs[mac_address])
        named = (each.model_copy(update={"workspace": workspaces.get(each.project_id)}) for each in sayers)
        looked[mac_address] = Looked(revisions[mac_address], duplicate(mac_address, named), turn.now)
    found = [each.found for each in looked.values() if each.found is not None]
    async with turn.transaction() as tx:
        await _tell(tx, found, unseen)
        await store.save_scanned(tx.connection, tx.now)


async def _tell(tx: Work[Context], found: Iterable[Duplicate], unseen: Set[str]) -> None:
    known = {each.mac_address: each.evidence for each in await store.duplicates(tx.connection)}
    seen = {each.mac_address: each for each in found}
    for mac_address, one in seen.items():
        if known.get(mac_address) != one.evidence:
            await store.save_duplicate(tx.connection, one, tx.now)
            tx.emit(DuplicateFound(duplicate=one))
    for mac_address in sorted(known.keys() - seen.keys() - unseen):
        await store.forget_duplicate(tx.connection, mac_address)
        tx.emit(DuplicateResolved(mac_address=mac_address))


@handlers.answer(ListDuplicates)
async def list_duplicates(query: ListDuplicates, tx: Work[Context]) -> DuplicatesListed:
    """Those of the last scan that touch a workspace in the asker's coverage, or none at all."""
    found = [each for each in await store.duplicates(tx.connection) if _is_told(each, tx.coverage)]
    return DuplicatesListed(
        duplicates=tuple(found[:MAX_LISTED]),
        scanned_at=await store.scanned_at(tx.connection),
        truncated=len(found) > MAX_LISTED,
    )


def _is_told(each: Duplicate, coverage: Coverage) -> bool:
    workspaces = {port.workspace for port in each.ports if port.workspace is not None}
    return not workspaces or any(map(coverage.covers, workspaces))


@handlers.on(RemoveDuplicate)
async def order_removal(command: RemoveDuplicate, tx: Work[Context]) -> None:
    """Delete the port, if it is what it was told to be; that is looked at again before."""
    if not tx.context.is_enforcing:
        raise Rejected(
            "network-policy only observes: it writes nothing to the cloud", "start it with TRESOR_MODE=enforce"
        )
    one = next((each for each in await store.duplicates(tx.connection) if _is_spurious(command.port_id, each)), None)
    if one is None:
        raise Rejected(
            Problem(
                field="port_id",
                reason=f"port {command.port_id} is not known to be spurious",
                remedy="`tresor ports duplicates` shows what is known",
            )
        )
    if one.evidence != command.evidence:
        raise Rejected(_changed(command.port_id))
    assert tx.cause is not None
    removal = Removal(command.port_id, tx.cause.id, one.mac_address, one.evidence)
    if not await store.begin_removal(tx.connection, removal):
        raise Rejected(Problem(field="port_id", reason=f"port {command.port_id} is being removed already"))
    tx.hold()
    tx.reconcile(f"{PORT_KEY}{command.port_id}")


async def remove_duplicate(turn: Turn[Context]) -> float | None:
    """Look again, delete, look whether it is gone, tell."""
    port_id = turn.key.removeprefix(PORT_KEY)
    cloud = turn.context.cloud
    async with turn.transaction() as tx:
        removal = await store.load_removal(tx.connection, port_id)
        known = {each.mac_address: each for each in await store.duplicates(tx.connection)}
    if removal is None:
        return None
    revision = await cloud.revision_of(port_id)
    if revision is None:
        await _end(turn, removal)  # gone: by the call before a crash, or by somebody else
        return None
    before = known.get(removal.mac_address)
    says = {each.port_id: each.says for each in before.ports} if before else {port_id: "own"}
    now = duplicate(removal.mac_address, await cloud.sayers(removal.mac_address, says))
    if now is None or now.evidence != removal.evidence or not _is_spurious(port_id, now):
        async with turn.transaction() as tx:
            await store.end_removal(tx.connection, port_id)
            await tx.rejected(removal.command_id, (_changed(port_id, now),))
            tx.reconcile(WHOLE_CLOUD)
        return None

    async def call(request_id: str) -> str:
        await cloud.delete_port(port_id, revision=revision, request_id=request_id)
        return port_id

    try:
        await turn.effect("port.delete", port_id, call, workspace="site", repeatable=True)
    except Conflict:
        return CHANGED_SECONDS  # it has changed since it was looked at: look again
    if await cloud.revision_of(port_id) is not None:
        return CHANGED_SECONDS
    await _end(turn, removal)
    return None


async def _end(turn: Turn[Context], removal: Removal) -> None:
    async with turn.transaction() as tx:
        known = {each.mac_address: each for each in await store.duplicates(tx.connection)}
        before = known.get(removal.mac_address)
        left = [each for each in before.ports if each.port_id != removal.port_id] if before else []
        if len(left) < 2 and await store.forget_duplicate(tx.connection, removal.mac_address):
            tx.emit(DuplicateResolved(mac_address=removal.mac_address, removed_port_id=removal.port_id))
        await store.end_removal(tx.connection, removal.port_id)
        await tx.applied(removal.command_id)
        tx.reconcile(WHOLE_CLOUD)


def _is_spurious(port_id: str, one: Duplicate) -> bool:
    return any(each.port_id == port_id for each in one.spurious)


def _changed(port_id: str, now: Duplicate | None = None) -> Problem:
    port = next((each for each in now.ports if each.port_id == port_id), None) if now else None
    what = f": it is bound to {port.host}" if port and port.is_bound else ""
    return Problem(
        field="evidence",
        reason=f"what made port {port_id} spurious has changed since it was looked at{what}",
        remedy="look at it again: `tresor ports duplicates`",
    )
