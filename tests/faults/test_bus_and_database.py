"""The chassis under broken brokers and databases, on servers of its own: `Pair.survive` says what must be so after."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bootstrap.leases import PrivateBrokerLease, PrivateDatabaseLease
from shared.testing import Site
from tests.faults.pair import Pair, start_pair


@pytest.fixture
async def pair(
    private_broker: PrivateBrokerLease, private_database: PrivateDatabaseLease, tmp_path: Path
) -> AsyncIterator[Pair]:
    async with Site(tmp_path, private_broker.url_of, private_database.dsn, private_broker.url).open() as site:
        yield await start_pair(site, private_broker)


async def test_broker_killed(pair: Pair, private_broker: PrivateBrokerLease) -> None:
    async def fault() -> None:
        await private_broker.kill()
        await private_broker.start()

    await pair.survive(fault)


async def test_broker_wiped(pair: Pair, private_broker: PrivateBrokerLease) -> None:
    """Row L11: all queues and messages gone; nothing is restarted, nothing is lost (I6)."""
    await pair.survive(private_broker.wipe_data)


async def test_connections_closed_by_the_broker(pair: Pair, private_broker: PrivateBrokerLease) -> None:
    async def fault() -> None:
        await asyncio.sleep(6)  # until the management API shows them
        await private_broker.close_connections("provisioner")
        await private_broker.close_connections("network-policy")

    await pair.survive(fault)


@pytest.mark.campaign
async def test_connections_closed_all_the_time(pair: Pair, private_broker: PrivateBrokerLease) -> None:
    """Every connection there is, by the broker's own command, ten times."""

    async def fault() -> None:
        for _ in range(10):
            await asyncio.sleep(1)
            await private_broker.control("close_all_connections", "a test closes them")

    await pair.survive(fault)


async def test_broker_stops_answering(pair: Pair, private_broker: PrivateBrokerLease) -> None:
    async def fault() -> None:
        private_broker.pause()
        await asyncio.sleep(8)
        private_broker.resume()

    await pair.survive(fault)


@pytest.mark.campaign
async def test_broker_stops_answering_for_longer_than_any_limit(pair: Pair, private_broker: PrivateBrokerLease) -> None:
    async def fault() -> None:
        private_broker.pause()
        await asyncio.sleep(40)
        private_broker.resume()

    await pair.survive(fault)


@pytest.mark.parametrize("alarm", ["disk", pytest.param("memory", marks=pytest.mark.campaign)])
async def test_broker_raises_an_alarm(pair: Pair, private_broker: PrivateBrokerLease, alarm: str) -> None:
    """Publishers are blocked without a word: they go by their own limits, and consuming goes on (trap 3)."""
    raised = {"disk": ("set_disk_free_limit", "9000GB"), "memory": ("set_vm_memory_high_watermark", "0.00001")}
    ended = {"disk": ("set_disk_free_limit", "50MB"), "memory": ("set_vm_memory_high_watermark", "0.6")}

    async def fault() -> None:
        await private_broker.control(*raised[alarm])
        try:
            await asyncio.sleep(12)  # longer than a confirm is waited for
            assert pair.teller.bus.connected.is_set(), "what only publishes must not stop what consumes"
        finally:
            await private_broker.control(*ended[alarm])

    await pair.survive(fault)


async def test_database_killed(pair: Pair, private_database: PrivateDatabaseLease) -> None:
    async def fault() -> None:
        await private_database.kill()
        await private_database.start()

    await pair.survive(fault)


async def test_database_stopped_immediately(pair: Pair, private_database: PrivateDatabaseLease) -> None:
    async def fault() -> None:
        await private_database.stop_immediately()
        await asyncio.sleep(2)
        await private_database.start()

    await pair.survive(fault)


async def test_database_stops_answering(pair: Pair, private_database: PrivateDatabaseLease) -> None:
    """For longer than a lease: nothing is done meanwhile, all afterwards."""

    async def fault() -> None:
        private_database.pause()
        await asyncio.sleep(5)
        private_database.resume()

    await pair.survive(fault)
