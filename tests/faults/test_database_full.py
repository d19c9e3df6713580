"""PostgreSQL without room: nothing is lost, refused or parked; readyz says so; all goes on once there is room again."""

import asyncio
import urllib.error
import urllib.request
from pathlib import Path

import asyncpg

from bootstrap.leases import PrivateBrokerLease, PrivateDatabaseLease
from shared.testing import Site
from tests.faults.no_room import fill, make_room
from tests.faults.pair import start_pair

FULL_SECONDS = 8.0
"""Longer than the lease of a lane."""


async def status_of(port: int) -> int:
    """What /readyz answers."""
    try:
        answer = await asyncio.to_thread(urllib.request.urlopen, f"http://127.0.0.1:{port}/readyz", None, 5)
    except urllib.error.HTTPError as error:
        return error.code
    return int(answer.status)


async def test_no_room_in_the_database(
    private_broker: PrivateBrokerLease, private_database: PrivateDatabaseLease, tmp_path: Path
) -> None:
    async with Site(tmp_path, private_broker.url_of, private_database.dsn, private_broker.url).open() as site:
        pair = await start_pair(site, private_broker)
        port = await pair.teller.health.port()
        assert await status_of(port) == 200
        keeper = await asyncpg.connect(private_database.dsn())

        async def fault() -> None:
            await fill(keeper)
            async with asyncio.timeout(2 * FULL_SECONDS):
                while await status_of(port) != 503:
                    await asyncio.sleep(0.2)
            await asyncio.sleep(FULL_SECONDS)
            assert not [
                task.get_name() for one in (pair.teller, pair.answerer) for task in one.tasks.values() if task.done()
            ]
            await make_room(keeper)

        try:
            await pair.survive(fault)
            assert await status_of(port) == 200
        finally:
            await keeper.close()
