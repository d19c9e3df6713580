"""The decide lane: stored messages of an aggregate, one after another, each with its handler in one transaction."""

import asyncio
from datetime import timedelta
from functools import partial
from typing import Any, Generic

from contracts.envelope import Command, CommandEnvelope, Envelope, EventEnvelope, Problem
from shared import approvals, metrics
from shared.db import INTERRUPTED, LOST, RACED
from shared.errors import LeaseLost, Rejected
from shared.quarantine import quarantine
from shared.runtime import Runtime, wait
from shared.telemetry import cleaned, logger, span
from shared.work import C, Work

POLL_SECONDS = 0.5
MAX_ATTEMPTS = 8
LONGEST_BACK_OFF_SECONDS = 30.0

_WAITING = """
SELECT * FROM (
    SELECT DISTINCT ON (aggregate) * FROM inbox
    WHERE state = 'pending' AND bucket = ANY($1) AND NOT aggregate = ANY($3) ORDER BY aggregate, position) AS first
WHERE next_attempt_at <= $2
"""
_NEXT = "SELECT * FROM inbox WHERE state = 'pending' AND aggregate = $1 ORDER BY position LIMIT 1"
_STILL_PENDING = "SELECT 1 FROM inbox WHERE source = $1 AND message_id = $2 AND state = 'pending' FOR UPDATE"
_DONE = """
UPDATE inbox SET state = $3, finished_at = $4, error = NULL WHERE source = $1 AND message_id = $2 AND state = 'pending'
"""
_FAILED = """
UPDATE inbox SET attempts = attempts + 1, next_attempt_at = $3, error = $4 WHERE source = $1 AND message_id = $2
"""
_PARKED = "UPDATE inbox SET state = 'parked', finished_at = $3, error = $4 WHERE source = $1 AND message_id = $2"


class DecideLane(Generic[C]):
    """Works the inbox of the buckets that this replica holds; aggregates side by side, one aggregate in order."""

    def __init__(self, runtime: Runtime[C]) -> None:
        self._runtime = runtime
        self._busy: dict[str, asyncio.Task[None]] = {}
        self._slots = asyncio.Semaphore(runtime.work_concurrency)

    async def run(self) -> None:
        """Work, for ever; cancelled, it lets what has begun end."""
        try:
            while True:
                await self._dispatch()
                await wait(self._runtime.wakes.decide, POLL_SECONDS)
        finally:
            if self._busy:
                await asyncio.wait(self._busy.values(), timeout=5)

    async def _dispatch(self) -> None:
        held = [bucket for bucket in self._runtime.leases.held if self._runtime.leases.holds(bucket) is not None]
        try:
            rows = await self._runtime.pool.fetch(_WAITING, held, self._runtime.clock.now(), list(self._busy))
        except LOST as error:
            logger().warning("decide.database-lost", error=str(error) or type(error).__name__)
            return
        for row in rows:
            aggregate = row["aggregate"]
            task = asyncio.create_task(self._drain(row))
            self._busy[aggregate] = task
            task.add_done_callback(partial(self._ended, aggregate))

    def _ended(self, aggregate: str, _: object) -> None:
        del self._busy[aggregate]
        self._runtime.wakes.decide.set()  # something may have come between the last look and the task's end

    async def _drain(self, first: Any) -> None:
        """Handle an aggregate's messages, from its first one on, as long as they may be."""
        aggregate, bucket, row = first["aggregate"], first["bucket"], first
        async with self._slots:
            while True:
                fence = self._runtime.leases.holds(bucket)
                if fence is None:
                    return
                try:
                    if row is None or row["next_attempt_at"] > self._runtime.clock.now():
                        return
                    await self._handle(row, (bucket, fence))
                    row = await self._runtime.pool.fetchrow(_NEXT, aggregate)
                except LeaseLost:
                    return
                except RACED:
                    continue
                except LOST as error:
                    logger().warning("decide.database-lost", error=str(error) or type(error).__name__)
                    await self._runtime.clock.sleep(0.5)

    async def _handle(self, row: Any, lane: tuple[int, int]) -> None:
        kind = CommandEnvelope if row["kind"] == "command" else EventEnvelope
        envelope: Envelope = kind.model_validate_json(row["body"])
        began = self._runtime.clock.monotonic_seconds()
        try:
            with span(row["type"], envelope.traceparent, subject=row["aggregate"]):
                async with self._runtime.work(lane=lane, cause=envelope, holder=row["holder"]) as work:
                    await self._decide(row, envelope, work)
        except Rejected as rejected:
            if row["kind"] == "command":
                async with self._runtime.work(lane=lane, cause=envelope, holder=row["holder"]) as work:
                    await work.rejected(str(row["message_id"]), rejected.problems)
            else:
                await self._failed(row, envelope, lane, rejected)
        except LeaseLost:
            raise
        except INTERRUPTED:
            raise
        except Exception as error:
            logger().exception(
                "decide.failed", type=row["type"], aggregate=row["aggregate"], attempts=row["attempts"] + 1
            )
            await self._failed(row, envelope, lane, error)
        metrics.MESSAGE_SECONDS.labels(row["type"]).observe(self._runtime.clock.monotonic_seconds() - began)

    async def _decide(self, row: Any, envelope: Envelope, work: Work[C]) -> None:
        handlers = self._runtime.handlers
        if not await work.connection.fetchval(_STILL_PENDING, row["source"], row["message_id"]):
            return  # a commit whose answer was lost has done it
        if isinstance(envelope, CommandEnvelope) and envelope.executeby < work.now:
            late = Problem(reason=f"not begun before {envelope.executeby.isoformat()}", remedy="give the command again")
            await work.rejected(envelope.id, (late,))
            return
        if handlers.every_event is not None and row["kind"] == "event":
            await handlers.every_event(envelope, work)
        if row["type"] in handlers.messages:
            message_type, handler = handlers.messages[row["type"]]
            if isinstance(envelope, CommandEnvelope) and await approvals.must_wait(
                row, message_type, self._runtime.keyring, envelope.executeby, work
            ):
                return
            await handler(message_type.model_validate(envelope.data), work)
            if issubclass(message_type, Command) and not work.held:
                await work.applied(envelope.id)
                return  # ended by that, or by its handler
        state = "held" if work.held else "done"
        await work.connection.execute(_DONE, row["source"], row["message_id"], state, None if work.held else work.now)

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
