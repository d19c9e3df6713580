"""The other services' events: each opens a gate of the generation that it is told for, or changes nothing."""

from contracts.burst_scheduler import PoolRemoved
from contracts.network_policy import (
    DeletionCleared,
    PolicyEnforced,
    PolicyWithdrawn,
    WithdrawalHeld,
    WorkspaceQuarantined,
    WorkspaceReleased,
)
from contracts.storage import StorageFailed, StorageReady, StorageReleased
from provisioner import store
from provisioner.domain import life
from provisioner.domain.record import Record
from provisioner.handlers.context import Context, handlers
from provisioner.handlers.ending import give_up
from shared.work import Work


@handlers.on(PolicyEnforced)
async def on_policy_enforced(seen: PolicyEnforced, tx: Work[Context]) -> None:
    """Ports may be born in the groups told here, as soon as storage is ready too."""
    known = await store.load(tx.connection, seen.workspace, lock=True)
    await _keep(tx, known and life.enforced(known, seen))


@handlers.on(StorageReady)
async def on_storage_ready(seen: StorageReady, tx: Work[Context]) -> None:
    """Nodes may be made, as soon as the policy is enforced too; their volumes are attached."""
    known = await store.load(tx.connection, seen.workspace, lock=True)
    await _keep(tx, known and life.stored(known, seen))


@handlers.on(StorageFailed)
async def on_storage_failed(seen: StorageFailed, tx: Work[Context]) -> None:
    """The workspace can't be finished."""
    known = await store.load(tx.connection, seen.workspace, lock=True)
    decision = known and life.unstored(known, seen)
    if decision:
        await store.save(tx.connection, decision.record)
        await store.remember(tx.connection, decision.record, tx.now)
        tx.emit(*decision.events)
        await give_up(tx, decision.record, seen.problems)


@handlers.on(PolicyWithdrawn)
async def on_policy_withdrawn(seen: PolicyWithdrawn, tx: Work[Context]) -> None:
    """The groups of a workspace that goes are gone."""
    known = await store.load(tx.connection, seen.workspace, lock=True)
    await _keep(tx, known and life.withdrawn(known, seen))


@handlers.on(WithdrawalHeld)
async def on_withdrawal_held(seen: WithdrawalHeld, tx: Work[Context]) -> None:
    """Somebody's ports are in the groups of a workspace that goes: whoever asks what it waits for is told whose."""
    known = await store.load(tx.connection, seen.workspace, lock=True)
    if held := known and life.held_up(known, seen):
        await store.save(tx.connection, held)


@handlers.on(DeletionCleared)
async def on_deletion_cleared(seen: DeletionCleared, tx: Work[Context]) -> None:
    """No quarantine stands in the way: nodes and ports of a workspace that goes may go."""
    known = await store.load(tx.connection, seen.workspace, lock=True)
    await _keep(tx, known and life.cleared(known, seen))


@handlers.on(WorkspaceQuarantined)
async def on_quarantined(seen: WorkspaceQuarantined, tx: Work[Context]) -> None:
    """What is in quarantine is not taken away, also by a deletion that is under way."""
    known = await store.load(tx.connection, seen.workspace, lock=True)
    nodes = await store.load_nodes(tx.connection, seen.workspace)
    await _keep(tx, known and life.quarantined(known, nodes, seen))


@handlers.on(WorkspaceReleased)
async def on_released(seen: WorkspaceReleased, tx: Work[Context]) -> None:
    """What waited for the quarantine's end goes on."""
    known = await store.load(tx.connection, seen.workspace, lock=True)
    await _keep(tx, known and life.freed(known, seen))


@handlers.on(StorageReleased)
async def on_storage_released(seen: StorageReleased, tx: Work[Context]) -> None:
    """The shares and volumes of a workspace that goes are gone."""
    known = await store.load(tx.connection, seen.workspace, lock=True)
    await _keep(tx, known and life.released(known, seen))


@handlers.on(PoolRemoved)
async def on_pool_removed(seen: PoolRemoved, tx: Work[Context]) -> None:
    """The pool of a workspace that goes takes no more demand."""
    known = await store.load(tx.connection, seen.workspace, lock=True)
    await _keep(tx, known and life.unpooled(known, seen.generation))


async def _keep(tx: Work[Context], opened: Record | None) -> None:
    if opened is not None:
        await store.save(tx.connection, opened)
        tx.reconcile(opened.name)
