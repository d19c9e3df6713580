"""Messages passed from a reading thread to the event loop, without a thread switch for each."""

import asyncio
import threading
from typing import NamedTuple

from shared.notifications.raw import Raw


class Batch(NamedTuple):
    """What had come when it was taken; `tag` acknowledges all of it at once."""

    messages: list[Raw]
    tag: int


class Handover:
    """Made in the event loop; `put` and `end` are the thread's, `take` the loop's."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._arrived = asyncio.Event()
        self._lock = threading.Lock()
        self._messages: list[Raw] = []
        self._tag = 0
        self._woken = False
        self._failure: str | None = None
        self.waiting_bytes = 0
        """Octets of bodies that nobody has taken."""

    def put(self, messages: list[Raw], tag: int) -> None:
        """Offer messages; `tag` is the last one's."""
        with self._lock:
            self._messages += messages
            self._tag = tag
            self.waiting_bytes += sum([len(raw.body) for raw in messages])
            woken, self._woken = self._woken, True
        if not woken:
            self._wake()

    def end(self, failure: str) -> None:
        """Nothing more will come."""
        with self._lock:
            self._failure = failure
        self._wake()

    def _wake(self) -> None:
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._arrived.set)

    async def take(self) -> Batch:
        """All that has come since the last time; waits for the first. Raises ConnectionError when it is over."""
        while True:
            await self._arrived.wait()
            self._arrived.clear()
            with self._lock:
                taken, self._messages = self._messages, []
                self._woken, self.waiting_bytes = False, 0
                tag, failure = self._tag, self._failure
            if taken:
                if failure is not None:
                    self._arrived.set()
                return Batch(taken, tag)
            if failure is not None:
                raise ConnectionError(failure)
