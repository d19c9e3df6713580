"""The order in which a channel's deliveries came, kept although each is handled by a task of its own.

Delivery tags of a channel count 1, 2, 3 … without a gap (AMQP 0-9-1), so whoever has tag n waits for n-1 to be through.
"""

import asyncio

PATIENCE_SECONDS = 1.0
"""How long a missing tag is waited for; order beyond that is the business of the events' own numbers."""


class Arrivals:
    """One channel's turnstile."""

    def __init__(self) -> None:
        self._next = 1
        self._waiting: dict[int, asyncio.Event] = {}

    async def turn(self, tag: int) -> None:
        """Returns when every delivery before this one is through."""
        if tag <= self._next:
            return
        mine = self._waiting[tag] = asyncio.Event()
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                await mine.wait()
        except TimeoutError:
            return
        finally:
            del self._waiting[tag]

    def through(self, tag: int) -> None:
        """This delivery has its place; the next one may take its own."""
        self._next = max(self._next, tag + 1)
        following = self._waiting.get(self._next)
        if following is not None:
            following.set()
