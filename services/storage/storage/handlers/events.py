"""The other services' events: what they make of a workspace, in one transaction each."""

from collections.abc import Callable

from contracts.network_policy import PolicyEnforced
from contracts.provisioner import WorkspaceDeclared, WorkspaceDeleting, WorkspaceEmptied
from contracts.storage import StorageReleased
from shared.work import Work
from storage import store
from storage.domain import state
from storage.domain.state import Known, State
from storage.handlers.register import Context, handlers


@handlers.on(WorkspaceDeclared)
async def on_workspace_declared(seen: WorkspaceDeclared, tx: Work[Context]) -> None:
    """Remember the document; nothing is made before its policy is proven."""
    await _take(seen.workspace, tx, lambda known: state.declare(known, seen))


@handlers.on(PolicyEnforced)
async def on_policy_enforced(seen: PolicyEnforced, tx: Work[Context]) -> None:
    """Isolation is proven: shares and volumes may be made."""
    await _take(seen.workspace, tx, lambda known: state.enforce(known, seen.workspace, seen.generation))


@handlers.on(WorkspaceDeleting)
async def on_workspace_deleting(seen: WorkspaceDeleting, tx: Work[Context]) -> None:
    """Make nothing more; servers may still write."""
    await _take(seen.workspace, tx, lambda known: state.stop(known, seen))


@handlers.on(WorkspaceEmptied)
async def on_workspace_emptied(seen: WorkspaceEmptied, tx: Work[Context]) -> None:
    """No server is left: shares and volumes go. Where nothing was ever made, that is told at once."""
    known = await _take(seen.workspace, tx, lambda known: state.empty(known, seen))
    if known is not None and known.state is State.RELEASED:
        await store.forget(tx.connection, seen.workspace)
        tx.emit(StorageReleased(workspace=seen.workspace, generation=known.deleting_generation))


async def _take(workspace: str, tx: Work[Context], decide: Callable[[Known | None], Known | None]) -> Known | None:
    """Read, decide, write and have it looked at; None when the event was stale."""
    decided = decide(await store.lock(tx.connection, workspace))
    if decided is None:
        return None
    if not await store.save(tx.connection, decided, tx.now):
        raise RuntimeError(f"the row of {workspace} changed while it was locked")
    if decided.state is not State.RELEASED:
        tx.reconcile(workspace)
    return decided
