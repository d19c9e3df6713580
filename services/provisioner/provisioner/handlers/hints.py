"""OpenStack's notifications and the scan: they say where to look, never what is so."""

from contracts.openstack import Notification
from provisioner import store
from provisioner.domain.names import SITE_KEY
from provisioner.handlers.context import Context, handlers
from shared.work import Work

CATALOG_SECONDS = 300.0
IDLE_PHASES = ("start", "progress")
"""Something begins: there is nothing new to see yet."""


@handlers.notified("compute.instance", "instance")
async def on_server_notified(seen: Notification, tx: Work[Context]) -> None:
    """A server changed: its workspace is known by the server, or by the project for one that was just made."""
    if seen.phase not in IDLE_PHASES:
        await _mark(tx, seen, await store.of_server(tx.connection, seen.resource_id) if seen.resource_id else None)


@handlers.notified("port", "trunk", "network", "subnet", "router", "router.interface")
async def on_network_notified(seen: Notification, tx: Work[Context]) -> None:
    """A piece of a network changed or went."""
    if seen.phase not in IDLE_PHASES:
        await _mark(tx, seen, None)


@handlers.notified("identity.project.deleted", "identity.project.updated", "identity.project.disabled")
async def on_project_notified(seen: Notification, tx: Work[Context]) -> None:
    """A project changed or went."""
    if seen.resource_id:
        name = await store.of_project(tx.connection, seen.resource_id)
        if name is not None:
            tx.reconcile(name)


@handlers.every(CATALOG_SECONDS)
async def scan_site(tx: Work[Context]) -> None:
    """Read again what the cloud offers; plans rest on it. An admission reads it anew in any case."""
    tx.reconcile(SITE_KEY)


@handlers.every(lambda context: context.scan_seconds, is_scan=True)
async def scan(tx: Work[Context]) -> None:
    """Look at every workspace again: notifications get lost, and of some things there are none (facts 4 and 5)."""
    for name in await store.names_present(tx.connection):
        tx.reconcile(name)


async def _mark(tx: Work[Context], seen: Notification, name: str | None) -> None:
    owner = seen.payload.owner_project_id or seen.project_id
    if name is None and owner:
        name = await store.of_project(tx.connection, owner)
    if name is not None:
        tx.reconcile(name)
