"""The end of a service in this process as kill -9 ends one: nothing is finished, given back or said."""

import asyncio
from typing import Any

from shared.service import Service
from shared.testing import Site


async def crash(site: Site, service: Service[Any]) -> None:
    """End it at whatever it awaits. Cut its wires to the broker first: a process that dies closes its connections.

    Its database sessions are cut here, so that no cleaning up reaches the database.
    """
    site.forget(service)
    service.pool.terminate()
    for task in service.tasks.values():
        task.cancel()
    await asyncio.wait(service.tasks.values(), timeout=10)
    service.health.stop()
