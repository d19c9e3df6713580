"""What somebody with rights may do to the broker's queues, bindings and exchanges while services use them."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import aio_pika
import pytest

from bootstrap.leases import BrokerLease, DatabaseLease
from contracts.envelope import COMMANDS_EXCHANGE, EVENTS_EXCHANGE
from shared.testing import Site
from tests.faults.pair import Pair, start_pair

COMMANDS_QUEUE, EVENTS_QUEUE = "tresor.provisioner.commands", "tresor.network-policy.events"


@pytest.fixture
async def pair(broker: BrokerLease, database: DatabaseLease, tmp_path: Path) -> AsyncIterator[Pair]:
    async with Site(tmp_path, broker.url_of, database.dsn, broker.url).open() as site:
        yield await start_pair(site, broker)


async def test_queues_deleted_under_their_consumers(pair: Pair, broker: BrokerLease) -> None:
    """Nobody tells the consumer; it is found out (trap 2)."""

    async def fault() -> None:
        for queue in (EVENTS_QUEUE, COMMANDS_QUEUE):
            await broker.delete_queue(queue)

    await pair.survive(fault)


async def test_queues_purged(pair: Pair, broker: BrokerLease) -> None:
    """Whoever may read a queue may empty it: the gap is seen, and what is missing is told again (trap 4)."""

    async def fault() -> None:
        for _ in range(20):
            for queue in (EVENTS_QUEUE, COMMANDS_QUEUE):
                await broker.purge_queue(queue)
            await asyncio.sleep(0.05)

    await pair.survive(fault)


async def test_bindings_removed(pair: Pair, broker: BrokerLease) -> None:
    """What is told meanwhile is not routed: returned to whoever insists, else missed and asked for."""

    async def fault() -> None:
        connection = await aio_pika.connect(broker.url)
        async with connection:
            channel = await connection.channel()
            for _ in range(2):
                for name, exchange, key in (
                    (EVENTS_QUEUE, EVENTS_EXCHANGE, "provisioner.#"),
                    (COMMANDS_QUEUE, COMMANDS_EXCHANGE, "provisioner.#"),
                ):
                    queue = await channel.get_queue(name, ensure=False)
                    await queue.unbind(exchange, key)
                await asyncio.sleep(1)

    await pair.survive(fault)


async def test_exchange_deleted(pair: Pair, broker: BrokerLease) -> None:
    async def fault() -> None:
        await broker.delete_exchange(EVENTS_EXCHANGE)

    await pair.survive(fault)
