"""Waiting until something holds."""

import asyncio
from collections.abc import Awaitable, Callable

PATIENCE_SECONDS = 20.0


async def until(condition: Callable[[], bool | Awaitable[bool]], seconds: float = PATIENCE_SECONDS) -> None:
    """Return once the condition holds. Raises TimeoutError when it does not in time."""
    async with asyncio.timeout(seconds):
        while True:
            found = condition()
            if found if isinstance(found, bool) else await found:
                return
            await asyncio.sleep(0.02)
