"""The way of a workspace, as the provisioner tells it."""

from contracts.provisioner import (
    NetworkReady,
    NodeActive,
    WorkspaceDeclared,
    WorkspaceDeleting,
    WorkspaceEmptied,
)
from network_policy import store
from network_policy.handlers.clearing import clear_deletion
from network_policy.handlers.context import Context, handlers
from shared.work import Work


@handlers.on(WorkspaceDeclared)
async def on_workspace_declared(seen: WorkspaceDeclared, tx: Work[Context]) -> None:
    """A document to compile; the groups are made once the networks are there."""
    if await store.save_declared(tx.connection, seen.workspace, seen.generation, seen.project_id, seen.document):
        tx.reconcile(seen.workspace)


@handlers.on(NetworkReady)
async def on_network_ready(seen: NetworkReady, tx: Work[Context]) -> None:
    """The networks that the workspace's ports will be on."""
    ids = [network.network_id for network in seen.networks]
    if await store.save_networks(tx.connection, seen.workspace, seen.generation, ids):
        tx.reconcile(seen.workspace)


@handlers.on(NodeActive)
async def on_node_active(seen: NodeActive, tx: Work[Context]) -> None:
    """The role of a node's ports, by id: from here a port's name says nothing any more."""
    known = await store.load(tx.connection, seen.workspace)
    if known is None or seen.generation < known.generation or known.state != "declared":
        return
    await store.save_node(tx.connection, seen.workspace, seen.role, seen.server_id, seen.port_ids)
    tx.reconcile(seen.workspace)


@handlers.on(WorkspaceDeleting)
async def on_workspace_deleting(seen: WorkspaceDeleting, tx: Work[Context]) -> None:
    """The policy stays while there are ports, and the ports while there is a quarantine."""
    await store.save_deleting(tx.connection, seen.workspace, seen.generation, seen.project_id)
    await clear_deletion(tx, seen.workspace)


@handlers.on(WorkspaceEmptied)
async def on_workspace_emptied(seen: WorkspaceEmptied, tx: Work[Context]) -> None:
    """No port is left: the groups go."""
    if await store.emptied(tx.connection, seen.workspace, seen.generation, seen.project_id):
        tx.reconcile(seen.workspace)
