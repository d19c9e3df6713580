"""What there is only because a call outlived its caller (I2)."""

from shared.handlers import Turn
from storage import store
from storage.domain import late
from storage.domain.observed import Observed, Records
from storage.handlers.register import Context


async def came_late(turn: Turn[Context], workspace: str, observed: Observed, records: Records) -> frozenset[str]:
    """The ids of the shares and volumes that may go, although another one of their name was told of."""
    calls = late.calls_of(workspace, observed, records)
    if not calls:
        return frozenset()
    async with turn.transaction() as tx:
        sent = await store.without_outcome(tx.connection, calls)
    return late.came_late(workspace, observed, records, sent, turn.now)
