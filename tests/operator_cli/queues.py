"""The provisioner's queue of commands, seen from outside."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aio_pika
from aio_pika.abc import AbstractQueue
from aiormq.abc import FieldTable

from bootstrap.leases import BrokerLease
from contracts.envelope import COMMANDS_EXCHANGE

COMMANDS = "tresor.provisioner.commands"
WAIT_SECONDS = 40.0


@asynccontextmanager
async def full_queue(broker: BrokerLease) -> AsyncIterator[AbstractQueue]:
    """One with more in it than it has room for, which is when a quorum queue refuses."""
    async with await aio_pika.connect(broker.url) as connection:
        channel = await connection.channel()
        limit: FieldTable = {"x-queue-type": "quorum", "x-overflow": "reject-publish", "x-max-length": 1}
        queue = await channel.declare_queue(COMMANDS, durable=True, arguments=limit)
        await queue.bind(COMMANDS_EXCHANGE, "provisioner.#")
        for _ in range(2):
            await channel.default_exchange.publish(aio_pika.Message(b"in the way"), COMMANDS)
        yield queue


async def given(broker: BrokerLease, count: int) -> None:
    """Until so many commands wait in the queue, whose service is away."""
    async with await aio_pika.connect(broker.url) as connection, asyncio.timeout(WAIT_SECONDS):
        channel = await connection.channel()
        while True:
            queue = await channel.declare_queue(COMMANDS, passive=True)
            if (queue.declaration_result.message_count or 0) >= count:
                return
            await asyncio.sleep(0.1)
