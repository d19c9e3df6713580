"""Turns between a thread that calculates for long and the event loop: the interpreter serves one of them at a time."""

import time
from collections.abc import Callable

from shared.clock import Clock

TURN_SECONDS = 0.0005
REST_SECONDS = 0.001


class Turns:
    """While something is urgent, the thread works a third of the time at the most."""

    def __init__(self, clock: Clock, is_urgent: Callable[[], bool]) -> None:
        self._clock = clock
        self._is_urgent = is_urgent
        self._since = 0.0

    def give_way(self) -> None:
        """For the thread to call often."""
        if self._clock.monotonic_seconds() - self._since < TURN_SECONDS:
            return
        if self._is_urgent():
            time.sleep(REST_SECONDS)
        self._since = self._clock.monotonic_seconds()
