"""The end of a service in this process as kill -9 ends one: nothing is finished, given back or said."""

import asyncio
from typing import Any

from shared.service import Service
from shared.testing import Site

CANCEL_SECONDS = 1.0
MOST_CANCELS = 10


async def crash(site: Site, service: Service[Any]) -> None:
    """End it at whatever it awaits. Cut its wires to the broker first: a process that dies closes its connections.

    Its database sessions are cut here, so that no cleaning up reaches the database.
    """
    site.forget(service)
    service.pool.terminate()
    going: set[asyncio.Task[None]] = set(service.tasks.values())
    for _ in range(MOST_CANCELS):
        for task in going:
            task.cancel()  # once more where a lost session was told of at the same moment, which hides it
        _, going = await asyncio.wait(going, timeout=CANCEL_SECONDS)
        if not going:
            break
    service.health.stop()
