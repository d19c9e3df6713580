"""The decide lane: stored messages of an aggregate, one after another, each with its handler in a transaction."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from functools import partial
from typing import Any, Generic

from contracts.envelope import Command, CommandEnvelope, Envelope, EventEnvelope, Problem
from shared import approvals, metrics
from shared.db import LOST, RACED
from shared.errors import LeaseLost, Rejected
from shared.quarantine import quarantine
from shared.runtime import Runtime, wait
from shared.telemetry import cleaned, logger, span
from shared.work import C, Work

POLL_SECONDS = 0.5
AFTERWARDS_SECONDS = 0.02
"""So soon after a handler has ended is looked for what it may have let go on; what was stored wakes the lane itself."""
MAX_ATTEMPTS = 8
MAX_TOGETHER = 16
_NOT_THEIRS: tuple[type[BaseException], ...] = (LeaseLost, *LOST)
"""What goes wrong whatever the messages are."""
LONGEST_BACK_OFF_SECONDS = 30.0

_WAITING = """
SELECT * FROM (
    SELECT DISTINCT ON (aggregate) *, count(*) OVER (PARTITION BY aggregate) > 1 AS more FROM inbox
    WHERE state = 'pending' AND bucket = ANY($1) AND NOT aggregate = ANY($3) ORDER BY aggregate, position) AS first
WHERE next_attempt_at <= $2 ORDER BY aggregate
"""
_FOLLOWING = """
SELECT next.*, true AS more FROM unnest($1::smallint[], $2::text[]) AS given (bucket, aggregate)
CROSS JOIN LATERAL (
    SELECT * FROM inbox WHERE state = 'pending' AND inbox.bucket = given.bucket AND inbox.aggregate = given.aggregate
    ORDER BY position LIMIT 1) AS next
WHERE next_attempt_at <= $3 ORDER BY aggregate
"""
# What of it is still to be done, as a commit whose answer was lost may have done it; and whether the lanes are ours, so
# that nobody can take them before the commit. Row by row: a plan made while the inbox was small must not scan it later.
_OPEN = """
WITH ours AS MATERIALIZED (
    SELECT 1 FROM lane JOIN unnest($3::smallint[], $4::bigint[]) AS held (bucket, fence) USING (bucket, fence)
    WHERE owner = $5 AND lease_until > clock_timestamp() FOR SHARE OF lane)
SELECT pending.source, pending.message_id, (SELECT count(*) FROM ours) AS lanes
FROM unnest($1::text[], $2::uuid[]) AS given (source, message_id) CROSS JOIN LATERAL (
    SELECT source, message_id FROM inbox
    WHERE inbox.source = given.source AND inbox.message_id = given.message_id AND state = 'pending' FOR UPDATE) AS pending
"""
_DONE = """
UPDATE inbox SET state = $3, error = NULL, finished_at = CASE WHEN $3 <> 'held' THEN $4::timestamptz END
WHERE source = $1 AND message_id = $2 AND state = 'pending'
"""
_FAILED = """
UPDATE inbox SET attempts = attempts + 1, next_attempt_at = $3, error = $4 WHERE source = $1 AND message_id = $2
"""
_PARKED = """
UPDATE inbox SET state = 'parked', attempts = attempts + 1, finished_at = $3, error = $4
WHERE source = $1 AND message_id = $2
"""


class DecideLane(Generic[C]):
    """Works the inbox of the buckets that this replica holds; aggregates side by side, one aggregate in order.

    What several aggregates wait with is handled in one transaction; if anything goes wrong in it, each in one of its own.
    """

    def __init__(self, runtime: Runtime[C]) -> None:
        self._runtime = runtime
        self._busy: dict[str, asyncio.Task[None]] = {}
        self._slots = asyncio.Semaphore(runtime.work_concurrency)
        self._looks = 0
        self._looks_at_last_end = -1
        self._afterwards: asyncio.Task[None] | None = None

    async def run(self) -> None:
        """Work, for ever; cancelled, it lets what has begun end."""
        try:
            while True:
                await self._dispatch()
                await wait(self._runtime.wakes.decide, POLL_SECONDS)
        finally:
            if self._afterwards is not None:
                self._afterwards.cancel()
            if self._busy:
                await asyncio.wait(set(self._busy.values()), timeout=5)

    async def _dispatch(self) -> None:
        self._looks += 1
        self._runtime.wakes.stored &= self._busy.keys()  # those are passed over here
        held = [bucket for bucket in self._runtime.leases.held if self._runtime.leases.holds(bucket) is not None]
        try:
            rows = await self._runtime.pool.fetch(_WAITING, held, self._runtime.clock.now(), list(self._busy))
        except LOST as error:
            logger().warning("decide.database-lost", error=str(error) or type(error).__name__)
            return
        for start in range(0, len(rows), MAX_TOGETHER):
            some = rows[start : start + MAX_TOGETHER]
            task = asyncio.create_task(self._drain(some))
            aggregates = [row["aggregate"] for row in some]
            self._busy.update(dict.fromkeys(aggregates, task))
            task.add_done_callback(partial(self._ended, aggregates))

    def _ended(self, aggregates: list[str], _: object) -> None:
        for aggregate in aggregates:
            del self._busy[aggregate]
        wakes = self._runtime.wakes
        if not wakes.stored.isdisjoint(aggregates):
            wakes.decide.set()
            return
        self._looks_at_last_end = self._looks
        if self._afterwards is None or self._afterwards.done():
            self._afterwards = asyncio.create_task(self._look_afterwards())

    async def _look_afterwards(self) -> None:
        """Wake the lane unless it has looked meanwhile, as it does all the time when there is much to do."""
        await self._runtime.clock.sleep(AFTERWARDS_SECONDS)
        if self._looks == self._looks_at_last_end:
            self._runtime.wakes.decide.set()

    async def _drain(self, rows: Sequence[Any]) -> None:
        """Handle the aggregates' messages, from these first ones on, as long as they may be."""
        async with self._slots:
            while rows:
                try:
                    await self._handle(rows)
                    rows = await self._following(rows)
                except LeaseLost:
                    return
                except RACED:
                    continue
                except LOST as error:
                    logger().warning("decide.database-lost", error=str(error) or type(error).__name__)
                    await self._runtime.clock.sleep(0.5)

    async def _following(self, rows: Sequence[Any]) -> Sequence[Any]:
        """What comes after `rows` in their aggregates."""
        longer = [row for row in rows if row["more"]]
        if not longer:
            return ()
        buckets, aggregates = [row["bucket"] for row in longer], [row["aggregate"] for row in longer]
        found: Sequence[Any] = await self._runtime.pool.fetch(
            _FOLLOWING, buckets, aggregates, self._runtime.clock.now()
        )
        return found

    async def _handle(self, rows: Sequence[Any]) -> None:
        """Handle messages of different aggregates. Raises LeaseLost, and what INTERRUPTED names."""
        try:
            await self._attempt(rows)
        except _NOT_THEIRS:
            raise
        except Exception as error:
            if len(rows) > 1:  # one of them is at fault: the others must not suffer for it
                for row in rows:
                    await self._handle([row])
                return
            if isinstance(error, RACED):
                raise
            await self._went_wrong(rows[0], error)

    async def _attempt(self, rows: Sequence[Any]) -> None:
        runtime = self._runtime
        began = runtime.clock.monotonic_seconds()
        fences = {row["bucket"]: self._fence(row["bucket"]) for row in rows}
        keys = [row["source"] for row in rows], [row["message_id"] for row in rows]
        ended: list[tuple[str, Any, str]] = []
        async with runtime.works() as (connection, make):
            opened = await connection.fetch(_OPEN, *keys, list(fences), list(fences.values()), runtime.leases.replica)
            if opened and opened[0]["lanes"] < len(fences):
                raise LeaseLost("a lane was taken by another replica")
            pending = {(row["source"], row["message_id"]) for row in opened}
            for row in rows:
                if (row["source"], row["message_id"]) in pending:
                    envelope = _envelope(row)
                    with span(row["type"], envelope.traceparent, subject=row["aggregate"]):
                        state = await self._decide(row, envelope, make(envelope, row["holder"]))
                    if state is not None:
                        ended.append((row["source"], row["message_id"], state))
            if ended:
                now = runtime.clock.now()
                await connection.executemany(_DONE, [(*one, now) for one in ended])
        seconds = runtime.clock.monotonic_seconds() - began
        for row in rows:
            metrics.MESSAGE_SECONDS.labels(row["type"]).observe(seconds)

    def _fence(self, bucket: int) -> int:
        fence = self._runtime.leases.holds(bucket)
        if fence is None:
            raise LeaseLost(f"bucket {bucket} is no longer leased")
        return fence

    async def _decide(self, row: Any, envelope: Envelope, work: Work[C]) -> str | None:
        """Have the message handled; the state that it is in afterwards, None where that is written already."""
        handlers = self._runtime.handlers
        if isinstance(envelope, CommandEnvelope) and envelope.executeby < work.now:
            late = Problem(reason=f"not begun before {envelope.executeby.isoformat()}", remedy="give the command again")
            await work.rejected(envelope.id, (late,))
            return None
        if handlers.every_event is not None and row["kind"] == "event":
            await handlers.every_event(envelope, work)
        if row["type"] not in handlers.messages:
            return "done"
        message_type, handler = handlers.messages[row["type"]]
        if isinstance(envelope, CommandEnvelope) and await approvals.must_wait(
            row, message_type, self._runtime.keyring, envelope.executeby, work
        ):
            return None
        await handler(message_type.model_validate(envelope.data), work)
        if work.held:
            return "held"
        if not issubclass(message_type, Command):
            return "done"
        if envelope.id in work.ended:
            return None
        work.emit(
            handlers.chassis.applied(
                command_id=envelope.id, command_type=row["type"], holder=row["holder"], subject=row["aggregate"]
            )
        )
        return "applied"

    async def _went_wrong(self, row: Any, error: Exception) -> None:
        envelope = _envelope(row)
        lane = row["bucket"], self._fence(row["bucket"])
        if isinstance(error, Rejected) and row["kind"] == "command":
            async with self._runtime.work(lane=lane, cause=envelope, holder=row["holder"]) as work:
                await work.rejected(str(row["message_id"]), error.problems)
            return
        if not isinstance(error, Rejected):
            logger().error(
                "decide.failed",
                type=row["type"],
                aggregate=row["aggregate"],
                attempts=row["attempts"] + 1,
                exc_info=error,
            )
        await self._failed(row, envelope, lane, error)

    async def _failed(self, row: Any, envelope: Envelope, lane: tuple[int, int], error: Exception) -> None:
        said = cleaned(f"{type(error).__name__}: {error}")[:1000]
        attempts = row["attempts"] + 1
        async with self._runtime.work(lane=lane, cause=envelope) as work:
            if attempts < MAX_ATTEMPTS:
                pause = timedelta(seconds=work.ids.jittered(min(0.1 * 2**attempts, LONGEST_BACK_OFF_SECONDS)))
                await work.connection.execute(_FAILED, row["source"], row["message_id"], work.now + pause, said)
                return
            metrics.MESSAGES_PARKED.labels(row["type"]).inc()
            await quarantine(work, row["body"], f"inbox:{row['source']}", "parked", said)
            work.emit(
                self._runtime.handlers.chassis.parked(
                    workspace=row["aggregate"],
                    message_id=str(row["message_id"]),
                    message_type=row["type"],
                    attempts=attempts,
                    error=said,
                )
            )
            if row["kind"] == "command":
                await work.failed(envelope.id, (Problem(reason=f"the service could not handle it: {said}"),))
            else:
                await work.connection.execute(_PARKED, row["source"], row["message_id"], work.now, said)


def _envelope(row: Any) -> Envelope:
    kind = CommandEnvelope if row["kind"] == "command" else EventEnvelope
    return kind.model_validate_json(row["body"])
