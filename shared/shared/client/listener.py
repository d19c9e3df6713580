"""Hears events for as long as it is wanted, through whatever happens to the connection."""

import asyncio
from collections import OrderedDict
from contextlib import suppress

from aio_pika.abc import AbstractIncomingMessage
from aio_pika.exceptions import ChannelClosed

from contracts.envelope import EVENTS_EXCHANGE
from shared.client.broker import MAX_WAITING_MESSAGES, Broker, Line
from shared.client.heard import Gap, Heard
from shared.client.reader import Reader
from shared.clock import Clock, Ids

MAX_REMEMBERED_EVENTS = 20_000
PREFETCH = 256


class Listener:
    """Events with the given routing keys (AMQP patterns), each once; `heard` has them in order."""

    def __init__(self, broker: Broker, line: Line, reader: Reader, *, name: str, clock: Clock, ids: Ids) -> None:
        self._broker = broker
        self._line = line
        self._reader = reader
        self._name = name
        self._clock = clock
        self._ids = ids
        self._keeper: asyncio.Task[None] | None = None
        self._told: OrderedDict[str, None] = OrderedDict()
        self.heard: asyncio.Queue[Heard | Gap] = asyncio.Queue(MAX_WAITING_MESSAGES)

    async def start(self, bindings: tuple[str, ...]) -> None:
        """Hear from here on. Raises Unreachable or NotPermitted."""
        gone = await self._listen(bindings)
        self._keeper = asyncio.create_task(self._keep_hearing(bindings, gone))

    async def stop(self) -> None:
        """Hear no more; the line stays open."""
        if self._keeper is not None:
            self._keeper.cancel()
            with suppress(asyncio.CancelledError):
                await self._keeper

    async def _listen(self, bindings: tuple[str, ...]) -> asyncio.Event:
        """Consume; the event is set when that has ended."""
        connection = await self._line.open()
        channel = await connection.channel(publisher_confirms=False)
        await channel.set_qos(prefetch_count=PREFETCH)
        queue = await self._broker.own_queue(channel, f"{self._name}.{self._ids.uuid()}")
        try:
            for key in bindings:
                await queue.bind(EVENTS_EXCHANGE, key)
        except ChannelClosed as error:
            raise self._broker.refusal(error, f"hear events of {EVENTS_EXCHANGE}") from None
        gone = asyncio.Event()
        for closing in (connection, channel, queue):
            closing.close_callbacks.add(lambda *_: gone.set())
        await queue.consume(self._on_event)
        return gone

    async def _keep_hearing(self, bindings: tuple[str, ...], gone: asyncio.Event) -> None:
        while True:
            await gone.wait()
            since, wait_seconds = self._clock.now(), 0.5
            while True:
                try:
                    await self._line.close()
                    gone = await self._listen(bindings)
                    break
                except Exception:  # whatever kept us from it, the way back is to try again
                    await self._clock.sleep(self._ids.jittered(wait_seconds))
                    wait_seconds = min(wait_seconds * 2, 10.0)
            await self.heard.put(Gap(since))

    async def _on_event(self, message: AbstractIncomingMessage) -> None:
        heard = self._reader.event(message)
        if heard is not None and self._is_new(heard.envelope.id):
            await self.heard.put(heard)
        await message.ack()

    def _is_new(self, event_id: str) -> bool:
        """Whether the event was not heard before: a producer tells again what it isn't sure to have told."""
        if event_id in self._told:
            return False
        self._told[event_id] = None
        if len(self._told) > MAX_REMEMBERED_EVENTS:
            self._told.popitem(last=False)
        return True
