"""OpenStack's side of the bus, and a firehose that runs against it."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aio_pika

from shared.notifications import Firehose, QueueLimits, Raw, bindings_for
from shared.notifications.firehose import Sink

SERVICE = "security-monitor"
QUEUE = "tresor.security-monitor.notifications"


class Publisher:
    """Exchanges as oslo.messaging declares them, and bodies."""

    def __init__(self, channel: aio_pika.abc.AbstractChannel) -> None:
        self._channel = channel
        self._exchanges: dict[str, aio_pika.abc.AbstractExchange] = {}

    async def declare(self, exchange: str) -> None:
        self._exchanges[exchange] = await self._channel.declare_exchange(exchange, aio_pika.ExchangeType.TOPIC)

    async def publish(self, exchange: str, *names: str, routing_key: str = "notifications.info") -> None:
        for name in names:
            body = json.dumps({"message_id": name, "event_type": "compute.instance.update"}).encode()
            message = aio_pika.Message(body, delivery_mode=aio_pika.DeliveryMode.PERSISTENT)
            await self._exchanges[exchange].publish(message, routing_key)

    async def publish_bytes(self, exchange: str, body: bytes) -> None:
        await self._exchanges[exchange].publish(aio_pika.Message(body), "notifications.info")


@asynccontextmanager
async def publisher(url: str) -> AsyncIterator[Publisher]:
    connection = await aio_pika.connect(url)
    async with connection:
        yield Publisher(await connection.channel())


class Collector:
    """A sink that keeps what it is given, and fails or waits when told to."""

    def __init__(self) -> None:
        self.batches: list[list[Raw]] = []
        self.failures = 0
        self.gate = asyncio.Event()
        self.gate.set()

    async def take(self, batch: list[Raw]) -> None:
        await self.gate.wait()
        if self.failures:
            self.failures -= 1
            raise OSError("the database is away")
        self.batches.append(batch)

    @property
    def names(self) -> list[str]:
        return [json.loads(raw.body)["message_id"] for batch in self.batches for raw in batch if raw.body]


@asynccontextmanager
async def running(url: str, sink: Sink, *, prefetch: int = 2000) -> AsyncIterator[Firehose]:
    firehose = Firehose(
        url,
        service=SERVICE,
        sink=sink,
        bindings=bindings_for(("nova", "neutron", "ironic")),
        limits=QueueLimits(max_messages=1000),
        prefetch=prefetch,
        rebind_seconds=0.3,
        liveness_seconds=1.0,
    )
    task = asyncio.create_task(firehose.run())
    try:
        yield firehose
    finally:
        firehose.stop()
        await asyncio.wait_for(task, 10)


async def ready_and_unacknowledged(url: str) -> tuple[int, int]:
    """Ready messages, consumers."""
    connection = await aio_pika.connect(url)
    async with connection:
        channel = await connection.channel()
        found = await channel.declare_queue(QUEUE, passive=True)
        return found.declaration_result.message_count or 0, found.declaration_result.consumer_count or 0
