"""When a clock that was ahead is set right: what it had put off comes when it should have come.

Times of day are written wherever something waits. Those that a wrong clock wrote would stand still until the hour it
was wrong about; nothing here waits that long, so they are known by it.
"""

from datetime import timedelta
from typing import Any

from shared.clock import Clock
from shared.db import LOST, STATEMENT_TIMEOUT_SECONDS
from shared.runtime import Runtime
from shared.telemetry import logger

TOLERANCE_SECONDS = 1.0
LATELY_SECONDS = 2.0 * STATEMENT_TIMEOUT_SECONDS
LONGEST_WAIT = timedelta(seconds=90)
"""Beyond every back-off."""

_MESSAGES = "UPDATE inbox SET next_attempt_at = $1::timestamptz WHERE state = 'pending' AND next_attempt_at > $1::timestamptz + $2::interval"
_KEYS = (
    "UPDATE dirty SET due_at = $1 WHERE due_at > $1::timestamptz + $2::interval AND (attempts > 0 OR marked_at > $1)"
)
_CALLS = "UPDATE intent SET sent_at = $1 WHERE state IN ('sent', 'unknown') AND sent_at > $1"
_GAPS = "UPDATE heard SET asked_at = NULL WHERE asked_at > $1"
_TIMER = "UPDATE timer SET due_at = $2 WHERE name = $1 AND due_at > $2::timestamptz + $3::interval"


class ClockWatch:
    """Notices a clock that goes back. What it showed before the process began nobody knows: at first it says yes."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._ahead_seconds: float | None = None
        self._until_monotonic = 0.0

    def went_back(self) -> bool:
        """Whether it did lately: what was begun before may still be written with the time it showed then."""
        monotonic = self._clock.monotonic_seconds()
        ahead = self._clock.now().timestamp() - monotonic
        if self._ahead_seconds is None or ahead < self._ahead_seconds - TOLERANCE_SECONDS:
            self._until_monotonic = monotonic + LATELY_SECONDS
        self._ahead_seconds = ahead
        return monotonic < self._until_monotonic


async def bring_forward(runtime: Runtime[Any], watch: ClockWatch) -> None:
    """If the clock went back lately, have everything that waits for longer than it may be looked at anew."""
    if not watch.went_back():
        return
    now = runtime.clock.now()
    try:
        async with runtime.work() as work:
            for statement in (_MESSAGES, _KEYS):
                await work.connection.execute(statement, now, LONGEST_WAIT)
            for statement in (_CALLS, _GAPS):
                await work.connection.execute(statement, now)
            for timer in runtime.handlers.timers:
                period = timedelta(seconds=2 * timer.seconds(runtime.context))
                await work.connection.execute(_TIMER, timer.name, now, period)
    except LOST as error:
        logger().warning("clock.not-set-right", error=str(error) or type(error).__name__)
        return
    runtime.wakes.all()
