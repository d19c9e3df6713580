"""One look at a key: a workspace, or the whole cloud."""

from network_policy import store
from network_policy.handlers.applying import keep_applied
from network_policy.handlers.context import WHOLE_CLOUD, Context, handlers
from network_policy.handlers.duplicates import PORT_KEY, remove_duplicate
from network_policy.handlers.enforcing import enforce
from network_policy.handlers.quarantining import keep_confined
from network_policy.handlers.scanning import scan_cloud
from network_policy.handlers.withdrawing import withdraw
from network_policy.store import Known
from shared.handlers import Turn

NOT_WORTH_WAITING_SECONDS = 0.02
ASKED_AGAIN_SECONDS = 2.5
"""How soon a look that waits for its slot asks whether there is an earlier one, as repairs have ended."""


@handlers.reconcile
async def reconcile(turn: Turn[Context]) -> float | None:
    """Observe, compare, repair, prove, tell."""
    if turn.key == WHOLE_CLOUD:
        return await scan_cloud(turn)
    if turn.key.startswith(PORT_KEY):
        return await remove_duplicate(turn)
    too_early_seconds = turn.context.pace.seconds_left(turn.key, turn.now)
    if too_early_seconds > NOT_WORTH_WAITING_SECONDS:
        return min(too_early_seconds, ASKED_AGAIN_SECONDS)
    turn.context.pace.begin(turn.key)
    async with turn.transaction() as tx:
        known = await store.load(tx.connection, turn.key)
    if known is None or known.state == "withdrawn":
        return None
    if known.state == "emptied":
        return await withdraw(turn, known)
    if not known.is_ready_to_enforce:
        return None
    return await keep_applied(turn, known, _keep)


async def _keep(turn: Turn[Context], known: Known) -> float | None:
    return await keep_confined(turn, known, enforce)
