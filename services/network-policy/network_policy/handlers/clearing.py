"""Leave to delete: a quarantined workspace is evidence, and stays until two people have released it (row L27)."""

from contracts.network_policy import DeletionCleared
from network_policy import store
from network_policy.handlers.context import Context
from shared.work import Work


async def clear_deletion(tx: Work[Context], workspace: str) -> None:
    """Tell that the workspace's nodes and ports may go, if it is being deleted and no quarantine is left."""
    generation = await store.may_clear_deletion(tx.connection, workspace)
    if generation is not None:
        tx.emit(DeletionCleared(workspace=workspace, generation=generation))
