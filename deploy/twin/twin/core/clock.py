"""The twin's time: real time plus an offset, and the timers behind every asynchronous state."""

import asyncio
import heapq
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

Action = Callable[[], None]


class Clock:
    """UTC now and a queue of due actions; `advance` moves both, `paused` holds timers until `advance` says so."""

    def __init__(self) -> None:
        self._offset_seconds = 0.0
        self._paused_at: float | None = None
        self._heap: list[tuple[float, int, Action]] = []
        self._order = 0
        self._wake: asyncio.Event | None = None

    def seconds(self) -> float:
        """Seconds since the epoch on the twin's clock."""
        return (time.time() if self._paused_at is None else self._paused_at) + self._offset_seconds

    def now(self) -> datetime:
        """The twin's UTC now."""
        return datetime.fromtimestamp(self.seconds(), UTC)

    def later(self, seconds: float, action: Action) -> None:
        """Runs the action on the event loop after so many twin seconds; ties run in the order they were asked."""
        self._order += 1
        heapq.heappush(self._heap, (self.seconds() + seconds, self._order, action))
        if self._wake is not None:
            self._wake.set()

    def advance(self, seconds: float) -> None:
        """Moves the clock on and runs, in their order, the actions that fall due on the way."""
        target = self.seconds() + seconds
        while self._heap and self._heap[0][0] <= target:
            due = self._heap[0][0]
            self._offset_seconds += max(0.0, due - self.seconds())
            heapq.heappop(self._heap)[2]()
        self._offset_seconds += max(0.0, target - self.seconds())

    def pause(self, paused: bool) -> None:
        """Stops or restarts the flow of time; a stopped clock moves by `advance` only."""
        if paused and self._paused_at is None:
            self._paused_at = time.time()
        elif not paused and self._paused_at is not None:
            self._offset_seconds += self._paused_at - time.time()
            self._paused_at = None
        if self._wake is not None:
            self._wake.set()

    def clear(self) -> None:
        """Forgets every timer and sets the clock to real time."""
        self._heap.clear()
        self._offset_seconds = 0.0
        self._paused_at = None

    @property
    def pending(self) -> int:
        """How many timers are set."""
        return len(self._heap)

    async def run(self) -> None:
        """Runs due actions until cancelled."""
        self._wake = asyncio.Event()
        while True:
            self.advance(0.0)
            timeout: float | None = None
            if self._heap and self._paused_at is None:
                timeout = max(0.001, self._heap[0][0] - self.seconds())
            try:
                await asyncio.wait_for(self._wake.wait(), timeout)
            except TimeoutError:
                continue
            self._wake.clear()


def zulu(moment: datetime) -> str:
    """`2026-11-21T02:35:40Z`, as Neutron, Nova and Glance write time."""
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def micros(moment: datetime) -> str:
    """`2026-11-21T02:35:40.000000`, as Cinder, Manila and parts of Nova write time."""
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%f")


def whole(moment: datetime) -> datetime:
    """Without fractions of a second, as databases store it."""
    return moment.replace(microsecond=0)


def days(count: float) -> timedelta:
    """A span of days."""
    return timedelta(days=count)
