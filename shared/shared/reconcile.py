"""The reconcile lane: keys that were marked, each looked at by one lane at a time, until what is, is what should be."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Generic

from shared import metrics
from shared.clock import Clock, Ids
from shared.db import INTERRUPTED, LOST, transaction
from shared.effects import make_effect
from shared.effects_together import make_effects
from shared.errors import CredentialsRefused, LeaseLost, Transient, Unsettled
from shared.runtime import Runtime, wait
from shared.telemetry import cleaned, logger, span
from shared.work import C, Work

POLL_SECONDS = 0.5
LONGEST_BACK_OFF_SECONDS = 60.0
RENEW_SHARE = 1 / 3

_DUE = """
SELECT key, bucket, version, attempts, due_at, traceparent, correlation_id::text FROM dirty
WHERE bucket = ANY($1) AND due_at <= $2 AND NOT key = ANY($3) ORDER BY due_at LIMIT $4
"""
_NEXT_DUE = "SELECT count(*), min(due_at) FROM dirty WHERE bucket = ANY($1)"
_SETTLED = "DELETE FROM dirty WHERE key = $1 AND version = $2"
# What became of a call without an answer has been seen, once everything is as it should be.
_OBSERVED = """
UPDATE intent SET state = 'done', error = 'no answer; what it did was observed', settled_at = $2
WHERE key = $1 AND state IN ('sent', 'unknown')
"""
_AGAIN = """
UPDATE dirty SET attempts = $3, error = $4, due_at = CASE WHEN version = $2 THEN $5 ELSE LEAST(due_at, $5) END WHERE key = $1
"""
_TIMERS = "SELECT name, due_at FROM timer WHERE due_at <= $1 AND name = ANY($2) FOR UPDATE SKIP LOCKED"
_ARM = "INSERT INTO timer (name, due_at) SELECT name, $2 FROM unnest($1::text[]) AS name ON CONFLICT DO NOTHING"


class LaneTurn(Generic[C]):
    """One look at one key (see `handlers.Turn`)."""

    def __init__(self, runtime: Runtime[C], row: Any, fence: int) -> None:
        self._runtime = runtime
        self.key: str = row["key"]
        self.cause: str | None = row["correlation_id"]
        self.lane = (int(row["bucket"]), fence)
        self.context = runtime.context

    @property
    def now(self) -> datetime:
        return self._runtime.clock.now()

    @property
    def clock(self) -> Clock:
        return self._runtime.clock

    @property
    def ids(self) -> Ids:
        return self._runtime.identity.ids

    def transaction(self) -> AbstractAsyncContextManager[Work[C]]:
        return self._transaction()

    @asynccontextmanager
    async def _transaction(self) -> AsyncIterator[Work[C]]:
        async with self._runtime.work(lane=self.lane, correlation_id=self.cause) as work:
            yield work

    def surely_ours(self) -> bool:
        """Whether no other replica can be at this key: asked last before a call (invariant I18)."""
        return self._runtime.leases.holds(self.lane[0]) == self.lane[1]

    async def effect(
        self,
        step: str,
        marker: str,
        call: Callable[[str], Awaitable[str | None]],
        *,
        find: Callable[[], Awaitable[str | None]] | None = None,
        workspace: str | None = None,
        repeatable: bool = False,
    ) -> str | None:
        message = self._runtime.handlers.chassis.effect
        return await make_effect(
            self, message, step, marker, call, find=find, workspace=workspace or self.key, repeatable=repeatable
        )

    async def effects(
        self, step: str, calls: Mapping[str, Callable[[str], Awaitable[str | None]]], *, workspace: str | None = None
    ) -> dict[str, Exception]:
        message = self._runtime.handlers.chassis.effect
        return await make_effects(self, message, step, calls, workspace=workspace or self.key)


class ReconcileLane(Generic[C]):
    """Works the marked keys of the buckets that this replica holds, and its timers."""

    def __init__(self, runtime: Runtime[C]) -> None:
        self._runtime = runtime
        self._busy: dict[str, asyncio.Task[None]] = {}
        self._timers_at_monotonic = 0.0

    async def run(self) -> None:
        """Work, for ever; cancelled, it stops what has begun at its next await: it can be begun again anywhere."""
        try:
            await self._arm_timers()
            while True:
                pause = await self._dispatch()
                await wait(self._runtime.wakes.reconcile, pause)
        finally:
            for task in self._busy.values():
                task.cancel()
            if self._busy:
                await asyncio.wait(self._busy.values(), timeout=5)

    async def _arm_timers(self) -> None:
        while True:
            try:
                names = [timer.name for timer in self._runtime.handlers.timers]
                await self._runtime.pool.execute(_ARM, names, self._runtime.clock.now())
                return
            except LOST:
                await self._runtime.clock.sleep(0.5)

    async def _dispatch(self) -> float:
        """Begin what is due and can be begun; returns seconds until there may be more."""
        now = self._runtime.clock.now()
        held = [bucket for bucket in self._runtime.leases.held if self._runtime.leases.holds(bucket) is not None]
        free = self._runtime.work_concurrency - len(self._busy)
        try:
            if 0 in held and self._runtime.clock.monotonic_seconds() >= self._timers_at_monotonic:
                await self._run_timers(now)
                self._timers_at_monotonic = self._runtime.clock.monotonic_seconds() + POLL_SECONDS
            if free <= 0 or self._runtime.handlers.reconciler is None:
                return POLL_SECONDS
            rows = await self._runtime.pool.fetch(_DUE, held, now, list(self._busy), free)
            count, first = await self._runtime.pool.fetchrow(_NEXT_DUE, held)  # type: ignore[misc]
        except LOST as error:
            logger().warning("reconcile.database-lost", error=str(error) or type(error).__name__)
            return POLL_SECONDS
        metrics.DIRTY_KEYS.set(count)
        metrics.OLDEST_DIRTY_SECONDS.set(max(0.0, (now - first).total_seconds()) if first else 0.0)
        for row in rows:
            fence = self._runtime.leases.holds(row["bucket"])
            if fence is not None:
                task = asyncio.create_task(self._look(row, fence))
                self._busy[row["key"]] = task
                task.add_done_callback(partial(self._ended, row["key"]))
        until_first = (first - now).total_seconds() if first else POLL_SECONDS
        return min(POLL_SECONDS, until_first) if until_first > 0 else POLL_SECONDS

    def _ended(self, key: str, _: object) -> None:
        del self._busy[key]
        self._runtime.wakes.reconcile.set()

    async def _run_timers(self, now: datetime) -> None:
        timers = {timer.name: timer for timer in self._runtime.handlers.timers}
        if not timers:
            return
        async with self._runtime.work(hint=True) as work:
            for row in await work.connection.fetch(_TIMERS, now, list(timers)):
                timer = timers[row["name"]]
                with span(f"timer {timer.name}"):
                    await timer.handler(work)
                pause = timedelta(seconds=work.ids.jittered(timer.seconds(self._runtime.context)))
                await work.connection.execute("UPDATE timer SET due_at = $2 WHERE name = $1", timer.name, now + pause)

    async def _look(self, row: Any, fence: int) -> None:
        reconciler = self._runtime.handlers.reconciler
        assert reconciler is not None
        began = self._runtime.clock.monotonic_seconds()
        attempts, said, outcome = 0, None, "settled"
        pause: float | None
        try:
            with span("reconcile", row["traceparent"], key=row["key"]):
                pause = await reconciler(LaneTurn(self._runtime, row, fence))
                outcome = "settled" if pause is None else "again"
        except LeaseLost:
            return
        except INTERRUPTED as error:
            logger().warning("reconcile.database-lost", key=row["key"], error=str(error) or type(error).__name__)
            await self._runtime.clock.sleep(0.5)
            return
        except Exception as error:
            attempts, outcome = row["attempts"] + 1, "failed"
            pause = self._back_off(error, attempts)
            said = cleaned(f"{type(error).__name__}: {error}")[:1000]
            if isinstance(error, (CredentialsRefused, Transient, Unsettled)):
                logger().warning("reconcile.put-off", key=row["key"], error=said, retry_after_seconds=round(pause, 1))
            else:
                logger().exception("reconcile.failed", key=row["key"], attempts=attempts)
        metrics.RECONCILE_SECONDS.labels(outcome).observe(self._runtime.clock.monotonic_seconds() - began)
        await self._settle(row, (int(row["bucket"]), fence), pause, attempts, said)

    def _back_off(self, error: Exception, attempts: int) -> float:
        asked = getattr(error, "retry_after_seconds", None)
        longest = LONGEST_BACK_OFF_SECONDS
        return (
            float(asked) if asked else self._runtime.identity.ids.jittered(min(0.25 * 2 ** min(attempts, 10), longest))
        )

    async def _settle(
        self, row: Any, lane: tuple[int, int], pause: float | None, attempts: int, said: str | None
    ) -> None:
        try:
            async with transaction(self._runtime.pool) as connection:
                await self._runtime.leases.guard(connection, *lane)
                if pause is None:
                    await connection.execute(_OBSERVED, row["key"], self._runtime.clock.now())
                    if await connection.execute(_SETTLED, row["key"], row["version"]) == "DELETE 1":
                        return
                due = self._runtime.clock.now() + timedelta(seconds=pause or 0.0)
                await connection.execute(_AGAIN, row["key"], row["version"], attempts, said, due)
        except LeaseLost:
            logger().info("reconcile.lease-lost", key=row["key"])
        except INTERRUPTED as error:
            logger().warning("reconcile.not-settled", key=row["key"], error=str(error) or type(error).__name__)
