"""Consuming Tresor's own bus with FastStream, under a supervisor that rebuilds everything when anything is amiss.

Layers that reconnect by themselves lose consumers without a word; so the broker is asked every few seconds whether
it still sees ours, on a connection of our own, and whenever it doesn't, all of it is built anew.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import Generic, Literal

import aio_pika
from aio_pika.abc import AbstractChannel, AbstractConnection, AbstractIncomingMessage
from aiormq.abc import FieldTable
from faststream import AckPolicy
from faststream.rabbit import Channel, RabbitBroker, RabbitMessage, RabbitQueue

from contracts.envelope import SIGNATURE_HEADER
from shared.admission import Input
from shared.arrivals import Arrivals
from shared.intake import Delivery, Intake
from shared.queries import Queries
from shared.runtime import Runtime
from shared.telemetry import logger
from shared.topology import Queue, declare
from shared.work import C

WATCH_SECONDS = 3.0
LONGEST_BACK_OFF_SECONDS = 5.0
TIMEOUT_SECONDS = 10.0
CONSUME_TIMEOUT_SECONDS = 6.0
SILENT_STARTS = 3
PROMPT_SECONDS = 1.0
"""Within that a broker declares everything that has time enough to answer `basic.consume`."""
FIRST_CHANNEL = 11
"""Of the consumers' own channels; FastStream opens the lower ones for itself."""
HEARTBEAT_SECONDS = 12


async def connect(url: str, name: str) -> AbstractConnection:
    """A plain connection that does not reconnect by itself: whoever holds it decides what a loss means."""
    properties: FieldTable = {"connection_name": name}
    return await aio_pika.connect(
        f"{url}{'&' if '?' in url else '?'}heartbeat={HEARTBEAT_SECONDS}",
        timeout=TIMEOUT_SECONDS,
        client_properties=properties,
    )


def _delivery(message: AbstractIncomingMessage, kind: Literal["event", "command"]) -> Delivery:
    signature = message.headers.get(SIGNATURE_HEADER)
    return Delivery(kind, Input(message.body, signature if isinstance(signature, str) else None, message.user_id))


class Bus(Generic[C]):
    """A service's consumers."""

    def __init__(self, runtime: Runtime[C], url: str, queues: tuple[Queue, ...], prefetch: int) -> None:
        self._runtime = runtime
        self._url = url
        self._queues = queues
        self._prefetch = prefetch
        self._intake = Intake(runtime)
        self._queries = Queries(runtime)
        self._silent_starts = 0
        self.connected = asyncio.Event()
        """Set while the broker sees our consumers."""

    async def run(self) -> None:
        """Consume, for ever."""
        intake = asyncio.create_task(self._intake.run())
        pause = 0.2
        try:
            while True:
                try:
                    await self._session()
                    pause = 0.2
                except Exception as error:
                    logger().warning(
                        "bus.lost", error=f"{type(error).__name__}: {error}"[:300], retry_after_seconds=pause
                    )
                if intake.done():
                    await intake
                await self._runtime.clock.sleep(self._runtime.identity.ids.jittered(pause))
                pause = min(2 * pause, LONGEST_BACK_OFF_SECONDS)
        finally:
            intake.cancel()

    async def _session(self) -> None:
        service = self._runtime.identity.service
        watch = await connect(self._url, f"{service} watch")
        broker = self._broker()
        endings: list[Callable[[], Awaitable[None]]] = [broker.stop]
        try:
            async with asyncio.timeout(TIMEOUT_SECONDS):
                channel = await watch.channel()
                await declare(channel, self._queues)
                # Stopping waits for what is being stored, which without a database takes longer than it may: a
                # connection that was left open would keep its consumers, and the queues theirs.
                endings.append((await broker.connect()).close)
            await self._start(broker, channel)
            self.connected.set()
            self._runtime.wakes.all()
            logger().info("bus.connected", queues=[queue.name for queue in self._queues])
            await self._watch(watch, channel)
        finally:
            self.connected.clear()
            for end in (*endings, watch.close):
                with contextlib.suppress(Exception):
                    await asyncio.wait_for(end(), 3)

    async def _start(self, broker: RabbitBroker, channel: AbstractChannel) -> None:
        """Begin to consume. Queues that can be declared but never consumed are made anew (decision record 0003)."""
        try:
            async with asyncio.timeout(CONSUME_TIMEOUT_SECONDS):
                await broker.start()
        except TimeoutError:
            # A broker that is slow with everything, or a machine that is, says nothing about the queues.
            async with asyncio.timeout(PROMPT_SECONDS):
                await declare(channel, self._queues)
            self._silent_starts += 1
            if self._silent_starts >= SILENT_STARTS:
                self._silent_starts = 0
                for queue in self._queues:
                    logger().warning("bus.queue-made-anew", queue=queue.name)
                    async with asyncio.timeout(TIMEOUT_SECONDS):
                        await channel.queue_delete(queue.name)
            raise ConnectionError("the broker did not answer basic.consume") from None
        self._silent_starts = 0

    async def _watch(self, connection: AbstractConnection, channel: AbstractChannel) -> None:
        """Declares everything again and again, as bindings and exchanges can be lost as well; raises when we are not seen."""
        closed = asyncio.Event()
        connection.close_callbacks.add(lambda *_: closed.set())
        while not closed.is_set():
            async with asyncio.timeout(TIMEOUT_SECONDS):
                for name, consumers in (await declare(channel, self._queues)).items():
                    if not consumers:
                        raise ConnectionError(f"the broker sees no consumer on {name}")
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(closed.wait(), WATCH_SECONDS)
        raise ConnectionError("the connection was closed")

    def _broker(self) -> RabbitBroker:
        broker = RabbitBroker(
            self._url,
            timeout=TIMEOUT_SECONDS,
            reconnect_interval=3600,  # the supervisor is quicker, and builds all of it
            apply_types=False,  # the intake reads what comes, in its own order: bounds, signature, model
            logger=None,
        )
        handlers: dict[str, Callable[[AbstractIncomingMessage], Awaitable[None]]] = {
            "commands": lambda message: self._intake.store(_delivery(message, "command")),
            "events": lambda message: self._intake.store(_delivery(message, "event")),
            "queries": self._queries.take,
        }
        for number, queue in enumerate(self._queues, start=FIRST_CHANNEL):
            self._subscribe(broker, queue, number, handlers[queue.name.rsplit(".", 1)[1]])
        return broker

    def _subscribe(
        self,
        broker: RabbitBroker,
        queue: Queue,
        number: int,
        handler: Callable[[AbstractIncomingMessage], Awaitable[None]],
    ) -> None:
        """Consume the queue on channel `number`, which is its own, as its deliveries are counted."""
        arrivals = Arrivals()

        async def as_it_came(message: RabbitMessage) -> RabbitMessage:
            return message

        @broker.subscriber(
            RabbitQueue(queue.name, declare=False),
            channel=Channel(prefetch_count=self._prefetch, channel_number=number),
            ack_policy=AckPolicy.MANUAL,
            decoder=as_it_came,
            no_reply=True,
        )
        async def consume(message: RabbitMessage) -> None:
            delivery = message.raw_message
            tag = delivery.delivery_tag or 0
            await arrivals.turn(tag)
            handled = handler(delivery)  # takes its place in the intake's queue before it waits for anything
            arrivals.through(tag)
            await handled
            await delivery.ack()
