"""What OpenStack's full queue let go unread: told of once, scanned for at once instead, and over when nothing goes any more.

The count comes from the broker (`notifications.drops`), so that it outlives this process; where it stands is kept in the
database, so that whichever replica counts goes on with it.
"""

from datetime import timedelta
from typing import Any

from shared.db import INTERRUPTED
from shared.runtime import Runtime
from shared.telemetry import logger
from shared.work import Work

QUIET_SECONDS = 60.0
"""A queue that dropped nothing for that long is read as fast as it fills."""

_MORE = """
INSERT INTO loss (queue, since, latest_at, messages) VALUES ($1, $2, $2, $3)
ON CONFLICT (queue) DO UPDATE SET latest_at = $2, messages = loss.messages + $3, scanned = false
RETURNING since, messages
"""
_UNSCANNED = "UPDATE loss SET scanned = true WHERE queue = $1 AND NOT scanned RETURNING true"
# One in the future was written by a clock that has been set right.
_OVER = """
DELETE FROM loss WHERE queue = $1 AND (latest_at <= $2 OR latest_at > $3) RETURNING since, messages
"""
_AT_ONCE = "UPDATE timer SET due_at = $2 WHERE name = ANY($1) AND due_at > $2"


class Losses:
    """The firehose's counts, made durable and told."""

    def __init__(self, runtime: Runtime[Any]) -> None:
        self._runtime = runtime

    async def count(self, queue: str, messages: int) -> bool:
        """So many more were dropped, or none; False when the database did not take it, so that it is to be said again."""
        try:
            async with self._runtime.work(hint=True) as work:
                if messages:
                    await self._dropped(work, queue, messages)
                else:
                    await self._kept_all(work, queue)
        except INTERRUPTED as error:
            logger().warning("notifications.loss_not_kept", queue=queue, error=str(error) or type(error).__name__)
            return False
        return True

    async def _dropped(self, work: Work[Any], queue: str, messages: int) -> None:
        row = await work.connection.fetchrow(_MORE, queue, work.now, messages)
        assert row is not None
        logger().warning("notifications.dropped", queue=queue, at_least=messages, altogether=row["messages"])
        if row["messages"] > messages:
            return  # while it goes on the scan comes round as ever, lest it hold the service up even more
        event = self._runtime.handlers.chassis.unheard
        work.emit(event(queue=queue, messages=messages, since=row["since"], scans=await self._scan(work)))

    async def _kept_all(self, work: Work[Any], queue: str) -> None:
        if await work.connection.fetchval(_UNSCANNED, queue):
            await self._scan(work)
            return
        row = await work.connection.fetchrow(_OVER, queue, work.now - timedelta(seconds=QUIET_SECONDS), work.now)
        if row is not None:
            event = self._runtime.handlers.chassis.recovered
            work.emit(event(queue=queue, messages=row["messages"], since=row["since"]))

    async def _scan(self, work: Work[Any]) -> bool:
        """Have everything looked at in the next moment; False where nothing ever looks."""
        scans = [timer.name for timer in self._runtime.handlers.timers if timer.is_scan]
        await work.connection.execute(_AT_ONCE, scans, work.now)
        return bool(scans)
