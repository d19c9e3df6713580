"""Pools come and go with their workspaces."""

from collections.abc import Callable

from burst_scheduler.domain import nodes, pools
from burst_scheduler.domain.pools import Decision, Known
from burst_scheduler.handlers.context import Context, handlers
from burst_scheduler.store import ledger
from burst_scheduler.store import pools as store
from contracts.burst_scheduler import ListPools, PoolList
from contracts.provisioner import WorkspaceDeclared, WorkspaceDeleting, WorkspaceReady
from shared.work import Work


@handlers.on(WorkspaceDeclared)
async def on_workspace_declared(seen: WorkspaceDeclared, tx: Work[Context]) -> None:
    """Remember the burst section; there is no pool before the workspace is ready."""
    await _take(seen.workspace, tx, lambda known: pools.declare(known, seen))


@handlers.on(WorkspaceReady)
async def on_workspace_ready(seen: WorkspaceReady, tx: Work[Context]) -> None:
    """Register or change the pool."""
    await _take(seen.workspace, tx, lambda known: pools.make_ready(known, seen))


@handlers.on(WorkspaceDeleting)
async def on_workspace_deleting(seen: WorkspaceDeleting, tx: Work[Context]) -> None:
    """Take the pool away."""
    await _take(seen.workspace, tx, lambda known: pools.delete(known, seen))


@handlers.answer(ListPools)
async def list_pools(query: ListPools, tx: Work[Context]) -> PoolList:
    """Every pool of the workspaces in the asker's coverage, with what it has used."""
    found = await store.pools(tx.connection)
    return PoolList(pools=tuple(pool for pool in found if tx.coverage.covers(pool.workspace)))


async def _take(workspace: str, tx: Work[Context], decide: Callable[[Known | None], Decision | None]) -> None:
    known = await store.lock(tx.connection, workspace)
    decision = decide(known)
    if decision is None:
        return
    if known is not None and known.pool is not None and decision.known.pool is None:
        change = nodes.let_all_go(workspace, await ledger.load(tx.connection, workspace), tx.now)
        await ledger.save(tx.connection, workspace, change.changed)
        tx.emit(*change.events)
    await store.save(tx.connection, decision.known)
    tx.emit(*decision.events)
