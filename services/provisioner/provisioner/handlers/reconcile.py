"""One look at one workspace: what was asked is admitted, what is to be is built, what is to go is removed."""

from provisioner import store
from provisioner.domain.names import SITE_KEY
from provisioner.handlers.admission import admit, read_catalog
from provisioner.handlers.building import build
from provisioner.handlers.context import Context, handlers
from provisioner.handlers.removing import remove
from shared.handlers import Turn


@handlers.reconcile
async def reconcile(turn: Turn[Context]) -> float | None:
    """Returns the seconds until the workspace is to be looked at again; None when a message will tell."""
    if turn.key == SITE_KEY:
        await read_catalog(turn)
        return None
    while await admit(turn):
        pass
    async with turn.transaction() as tx:
        record = await store.load(tx.connection, turn.key)
    if record is None or record.state in ("failed", "deleted"):
        return None
    if record.state == "deleting":
        return await remove(turn)
    return await build(turn)
