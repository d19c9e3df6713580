"""What is of no use any more goes, a few rows at a time, so that no database grows for ever.

Kept whatever its age: commands (their ids are good once), what is unsent, pending, parked or of unknown outcome, and every
event that the audit log does not have yet (invariant I6). Of events that it has, the last of each type stays.
"""

import asyncio
from datetime import datetime, timedelta
from typing import Generic

from contracts.chassis import chassis_messages
from shared import metrics
from shared.db import INTERRUPTED, transaction
from shared.handlers import Forgets
from shared.runtime import Runtime
from shared.settings import ServiceSettings
from shared.telemetry import logger
from shared.work import C

FIRST_ROUND_SECONDS = 300.0
"""After the start: a service that is started anew often forgets, too."""
ROUND_SECONDS = 3600.0
BATCH_ROWS = 500
PAUSE_SECONDS = 0.05
"""Between two batches: whoever works for somebody goes first."""
MAX_HEADS = 2000

_EVENTS_HANDLED = """
DELETE FROM inbox WHERE ctid = ANY(ARRAY(
    SELECT ctid FROM inbox WHERE state IN ('done', 'dropped') AND finished_at < $1
    ORDER BY finished_at LIMIT $2 FOR UPDATE SKIP LOCKED))
"""
_COMMANDS_TOLD = """
DELETE FROM outbox WHERE ctid = ANY(ARRAY(
    SELECT ctid FROM outbox WHERE sent_at < $1 AND aggregate ~ '^!' ORDER BY sent_at LIMIT $2 FOR UPDATE SKIP LOCKED))
"""
_EFFECTS_SETTLED = """
DELETE FROM intent WHERE ctid = ANY(ARRAY(
    SELECT ctid FROM intent WHERE settled_at < $1 AND state IN ('done', 'failed')
    ORDER BY settled_at LIMIT $2 FOR UPDATE SKIP LOCKED))
"""
_REFUSED = """
DELETE FROM quarantine WHERE ctid = ANY(ARRAY(
    SELECT ctid FROM quarantine WHERE received_at < $1 ORDER BY quarantine_id LIMIT $2 FOR UPDATE SKIP LOCKED))
"""
_THICK = "SELECT aggregate FROM stream WHERE acknowledged > thinned AND aggregate !~ '^!' ORDER BY aggregate"
_OVERTAKEN = """
WITH last AS (SELECT type, max(sequence) AS sequence FROM outbox WHERE aggregate = $1 GROUP BY type)
DELETE FROM outbox WHERE ctid = ANY(ARRAY(
    SELECT told.ctid FROM outbox AS told JOIN last USING (type) JOIN stream USING (aggregate)
    WHERE told.aggregate = $1 AND told.sequence < last.sequence AND told.sequence <= stream.acknowledged
      AND told.sent_at < $2
    ORDER BY told.sequence LIMIT $3))
RETURNING sequence
"""
_THINNED = "UPDATE stream SET thinned = GREATEST(thinned, $2) WHERE aggregate = $1"
# What waits or is set aside is not in the audit log yet, nor anything after it.
_IN_THE_AUDIT_LOG = """
WITH waits AS (
    SELECT holder AS producer, aggregate, min(sequence) AS first FROM (
        SELECT holder, aggregate, sequence FROM inbox WHERE state = 'pending' AND kind = 'event'
        UNION ALL SELECT holder, aggregate, sequence FROM inbox WHERE state = 'parked' AND kind = 'event') AS waiting
    GROUP BY holder, aggregate)
SELECT producer, aggregate, LEAST(sequence, first - 1) AS sequence FROM heard LEFT JOIN waits USING (producer, aggregate)
ORDER BY producer, aggregate
"""


_CHASSIS = (
    Forgets("inbox", lambda settings: settings.inbox_days, _EVENTS_HANDLED),
    Forgets("outbox", lambda settings: settings.outbox_days, _COMMANDS_TOLD),
    Forgets("intent", lambda settings: settings.effects_days, _EFFECTS_SETTLED),
    Forgets("quarantine", lambda settings: settings.refused_days, _REFUSED),
)


class Retention(Generic[C]):
    """Forgets, in one replica at a time: the one that holds the first lane."""

    def __init__(self, runtime: Runtime[C], settings: ServiceSettings) -> None:
        self._runtime = runtime
        self._settings = settings

    async def run(self) -> None:
        """Forget, for ever; what fails in one round is tried in the next."""
        pause = FIRST_ROUND_SECONDS
        while True:
            await self._runtime.clock.sleep(self._runtime.identity.ids.jittered(pause))
            pause = ROUND_SECONDS
            if self._runtime.leases.holds(0) is None:
                continue
            try:
                await self.round()
            except INTERRUPTED as error:
                logger().warning("retention.interrupted", error=str(error) or type(error).__name__)
            except Exception:
                logger().exception("retention.failed")

    async def round(self) -> dict[str, int]:
        """One look at all tables; how many rows went from each. The clock that is behind is believed."""
        with metrics.FORGETTING_SECONDS.time():
            if self._runtime.handlers.every_event is not None:
                await self._acknowledge()
            now = min(self._runtime.clock.now(), await self._runtime.pool.fetchval("SELECT now()"))
            gone = {one.table: await self._forget(one, now) for one in (*_CHASSIS, *self._runtime.handlers.forgetting)}
            gone["outbox"] += await self._thin(now - timedelta(days=self._settings.outbox_days))
        for table, rows in gone.items():
            metrics.ROWS_FORGOTTEN.labels(table).inc(rows)
        if any(gone.values()):
            logger().info("retention.forgotten", **gone)
        return gone

    async def _forget(self, one: Forgets, now: datetime) -> int:
        rows = 0
        before = now - timedelta(days=one.days(self._settings))
        while True:
            async with transaction(self._runtime.pool) as connection:
                said = await connection.execute(one.delete, before, BATCH_ROWS)
            went = int(said.rpartition(" ")[2])
            rows += went
            if went < BATCH_ROWS:
                return rows
            await asyncio.sleep(PAUSE_SECONDS)

    async def _thin(self, before: datetime) -> int:
        """Of the events that the audit log has, keep the last of each type where they are old."""
        rows = 0
        for row in await self._runtime.pool.fetch(_THICK):
            went = BATCH_ROWS
            while went == BATCH_ROWS:
                async with transaction(self._runtime.pool) as connection:
                    gone = await connection.fetch(_OVERTAKEN, row["aggregate"], before, BATCH_ROWS)
                    if gone:
                        await connection.execute(_THINNED, row["aggregate"], max(each["sequence"] for each in gone))
                went = len(gone)
                rows += went
                await asyncio.sleep(PAUSE_SECONDS if gone else 0)
        return rows

    async def _acknowledge(self) -> None:
        """Tell each producer how far the audit log has its events."""
        async with self._runtime.work() as work:
            heads: dict[str, dict[str, int]] = {}
            for row in await work.connection.fetch(_IN_THE_AUDIT_LOG):
                if row["sequence"] > 0:
                    heads.setdefault(row["producer"], {})[row["aggregate"]] = row["sequence"]
            for producer, last in heads.items():
                kind = chassis_messages(producer).acknowledge
                aggregates = sorted(last)
                for start in range(0, len(aggregates), MAX_HEADS):
                    work.emit(kind(heads={name: last[name] for name in aggregates[start : start + MAX_HEADS]}))
