"""Calls that were decided while a notification was heard: made when its transaction has committed, settled in groups.

They change nothing that a look would not change as well; they only do not wait for one. Of a call that this process
did not come to make, or whose outcome it did not come to write down, the look that the key is marked for takes care.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Iterable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any, Generic

from shared import metrics
from shared.db import LOST, RACED
from shared.effects import SETTLE
from shared.errors import Unknown
from shared.lease import Leases
from shared.outbox import Identity, bucket_of
from shared.telemetry import below, cleaned, logger, span
from shared.work import AtOnce, C, Call, Settle, Settled, Work

MAX_GROUP = 64
GATHER_SECONDS = 0.1
"""How long an outcome waits for others to be written down with it."""
OWN_SECONDS = 60.0
MAX_REMEMBERED_CALLS = 20_000


@dataclass(frozen=True)
class _Outcome:
    one: AtOnce
    state: str
    resource_id: str | None
    error: str
    duration_seconds: float


class Urgent(Generic[C]):
    """One process's urgent calls."""

    def __init__(
        self, identity: Identity, leases: Leases, work: Callable[[], AbstractAsyncContextManager[Work[C]]]
    ) -> None:
        self._identity = identity
        self._leases = leases
        self._work = work
        self._calling: set[asyncio.Task[None]] = set()
        self._outcomes: list[_Outcome] = []
        self._settling: asyncio.Task[None] | None = None
        self._made: OrderedDict[str, tuple[float, Call]] = OrderedDict()

    def made(self, request_id: str | None) -> Call | None:
        """The call of that request id, if this process made it within the last minute."""
        made_at, call = self._made.get(request_id or "", (0.0, None))
        return call if call and self._identity.clock.monotonic_seconds() - made_at < OWN_SECONDS else None

    def begin(self, calls: Iterable[AtOnce]) -> None:
        """Make the calls, each in a task of its own; returns at once."""
        for one in calls:
            self._made[one.request_id] = (self._identity.clock.monotonic_seconds(), one.call)
            if len(self._made) > MAX_REMEMBERED_CALLS:
                self._made.popitem(last=False)
            task = asyncio.create_task(self._make(one))
            self._calling.add(task)
            task.add_done_callback(self._calling.discard)

    async def stop(self, timeout_seconds: float = 5.0) -> None:
        """Let what has begun end."""
        if self._calling:
            await asyncio.wait(set(self._calling), timeout=timeout_seconds)
        if self._settling is not None:
            await asyncio.wait({self._settling}, timeout=timeout_seconds)

    async def _make(self, one: AtOnce) -> None:
        clock = self._identity.clock
        began = clock.monotonic_seconds()
        resource_id: str | None = None
        state, said = "done", ""
        with span(f"effect {one.call.step}", one.traceparent, marker=one.call.marker, request_id=one.request_id):
            try:
                if self._leases.holds(bucket_of(one.key)) != one.fence:
                    state, said = "failed", "not made: the lease had ended"
                else:
                    resource_id = await one.call.make(one.request_id)
            except Exception as error:
                state = "unknown" if isinstance(error, Unknown) else "failed"
                said = cleaned(f"{type(error).__name__}: {error}")[:1000]
        metrics.EFFECTS.labels(one.call.step, state).inc()
        self._outcomes.append(_Outcome(one, state, resource_id, said, clock.monotonic_seconds() - began))
        if self._settling is None or self._settling.done():
            self._settling = asyncio.create_task(self._settle())

    async def _settle(self) -> None:
        """Write down what became of the calls: whatever ended while the last commit ran goes with the next."""
        await self._identity.clock.sleep(GATHER_SECONDS)
        while self._outcomes:
            group, self._outcomes = self._outcomes[:MAX_GROUP], self._outcomes[MAX_GROUP:]
            while True:
                try:
                    async with self._work() as work:
                        await self._write(group, work)
                    break
                except RACED:
                    continue
                except LOST as error:
                    logger().warning("urgent.database-lost", error=str(error) or type(error).__name__)
                    await self._identity.clock.sleep(0.5)
                except Exception:
                    logger().exception("urgent.unsettled", calls=len(group))
                    break  # the look that the keys are marked for observes what became of them

    async def _write(self, group: list[_Outcome], work: Work[Any]) -> None:
        settled = [(each.one.intent_id, each.state, each.resource_id, each.error or None, work.now) for each in group]
        await work.connection.executemany(SETTLE, settled)
        together: dict[Settle, list[Settled]] = {}
        for each in group:
            with below(each.one.traceparent):
                work.emit(
                    self._identity.messages.effect(
                        workspace=each.one.key,
                        step=each.one.call.step,
                        marker=each.one.call.marker,
                        request_id=each.one.request_id,
                        outcome=each.state,
                        resource_id=each.resource_id,
                        error=each.error,
                        duration_seconds=each.duration_seconds,
                    )
                )
            settled_one = Settled(each.one.about, each.state == "done", each.one.traceparent)
            together.setdefault(each.one.settle, []).append(settled_one)
        for settle, outcomes in together.items():
            await settle(work, outcomes)
