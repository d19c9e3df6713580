"""Until the service has nothing left to do with what was told and seen: for tests of what happens next."""

import asyncio
from urllib.parse import quote

import asyncpg

from bootstrap.leases import BrokerLease
from tests.network_policy.stage import Stage

STILL_SECONDS = 1.0
LIMIT_SECONDS = 40.0
_BUSY = """
SELECT EXISTS (SELECT FROM inbox WHERE state IN ('pending', 'held'))
    OR EXISTS (SELECT FROM intent WHERE state IN ('sent', 'unknown'))
    OR EXISTS (SELECT FROM dirty)
    OR (SELECT count(*) FROM node_port WHERE workspace = $1) < $2
"""


async def settled(stage: Stage, nodes: int = 3, pool: "asyncpg.Pool[asyncpg.Record] | None" = None) -> None:
    """Until it knows so many ports of nodes and is through with every look, and nothing new has come for a second.

    `pool`: to the database of a service that runs as a process of its own.
    """
    if pool is None:
        assert stage.running is not None
        pool = stage.running.pool
    loop = asyncio.get_running_loop()
    async with asyncio.timeout(LIMIT_SECONDS):
        still_since = loop.time()
        while loop.time() - still_since < STILL_SECONDS:
            if await pool.fetchval(_BUSY, stage.name, nodes):
                still_since = loop.time()
            await asyncio.sleep(0.05)


async def known(stage: Stage, nodes: int = 3) -> None:
    """Until it knows so many ports of nodes, and a scan has ended that saw them all."""
    assert stage.running is not None
    pool = stage.running.pool
    async with asyncio.timeout(LIMIT_SECONDS):
        while await pool.fetchval("SELECT count(*) FROM node_port WHERE workspace = $1", stage.name) < nodes:
            await asyncio.sleep(0.05)
    await scanned_since(stage)


async def scanned_since(stage: Stage) -> None:
    """Until a full scan has ended that listed the cloud after this: what was so until here is known."""
    assert stage.running is not None
    here = stage.site.clock.now()
    async with asyncio.timeout(LIMIT_SECONDS):
        while not await stage.running.pool.fetchval("SELECT max(ended_at) > $1 FROM observed_span", here):
            await asyncio.sleep(0.05)


async def neutron_is_heard(broker: BrokerLease) -> None:
    """Until network-policy's queue is bound to Neutron's exchange, which appears with its first notification."""
    path = f"/exchanges/{quote(broker.openstack_vhost, safe='')}/neutron/bindings/source"
    async with asyncio.timeout(LIMIT_SECONDS):
        while not any(
            "network-policy" in each["destination"]
            for each in await asyncio.to_thread(broker.admin.request, "GET", path)
        ):
            await asyncio.sleep(0.2)
