"""What burst-scheduler does about which message; it calls no cloud: nodes are the provisioner's to make."""

from collections.abc import Callable
from dataclasses import dataclass

from burst_scheduler import domain, store
from burst_scheduler.domain import Decision, Known
from contracts import burst_scheduler as messages
from contracts.burst_scheduler import ListPools, PoolList
from contracts.provisioner import WorkspaceDeclared, WorkspaceDeleting, WorkspaceReady
from contracts.site import Site
from shared.handlers import Handlers
from shared.work import Work


@dataclass(frozen=True)
class Context:
    """One running burst-scheduler."""

    site: Site


handlers: Handlers[Context] = Handlers(messages)


@handlers.on(WorkspaceDeclared)
async def on_workspace_declared(seen: WorkspaceDeclared, tx: Work[Context]) -> None:
    """Remember the burst section; there is no pool before the workspace is ready."""
    await _take(seen.workspace, tx, lambda known: domain.declare(known, seen))


@handlers.on(WorkspaceReady)
async def on_workspace_ready(seen: WorkspaceReady, tx: Work[Context]) -> None:
    """Register or change the pool."""
    await _take(seen.workspace, tx, lambda known: domain.make_ready(known, seen))


@handlers.on(WorkspaceDeleting)
async def on_workspace_deleting(seen: WorkspaceDeleting, tx: Work[Context]) -> None:
    """Take the pool away."""
    await _take(seen.workspace, tx, lambda known: domain.delete(known, seen))


@handlers.answer(ListPools)
async def list_pools(query: ListPools, tx: Work[Context]) -> PoolList:
    """Every pool of the workspaces in the asker's coverage, with what it has used."""
    pools = await store.pools(tx.connection)
    return PoolList(pools=tuple(pool for pool in pools if tx.coverage.covers(pool.workspace)))


async def _take(workspace: str, tx: Work[Context], decide: Callable[[Known | None], Decision | None]) -> None:
    decision = decide(await store.lock(tx.connection, workspace))
    if decision is not None:
        await store.save(tx.connection, decision.known)
        tx.emit(*decision.events)
