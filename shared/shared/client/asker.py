"""Whoever asks: publishes signed commands and queries, hears events and answers. No database, no handlers.

Publishing and hearing have a connection each, since a broker under a disk or memory alarm blocks a connection that has
published. Every wait has its limit.
"""

import asyncio
from collections.abc import AsyncIterator
from types import TracebackType
from typing import Any, Self

import aio_pika
from aio_pika.abc import AbstractChannel, AbstractExchange, AbstractIncomingMessage
from aio_pika.exceptions import CONNECTION_EXCEPTIONS, AMQPError, ChannelClosed, DeliveryError, PublishError

from contracts.envelope import COMMANDS_EXCHANGE, CONTENT_TYPE, QUERIES_EXCHANGE, SIGNATURE_HEADER
from shared.client.broker import Broker, Line
from shared.client.errors import NobodyThere, Unanswered, Unreachable, reason_of
from shared.client.heard import Gap, Heard
from shared.client.listener import Listener
from shared.client.reader import A, Reader
from shared.client.signed import Signed
from shared.clock import Clock, Ids
from shared.signing import Keyring

PUBLISH_SECONDS = 8.0
REFUSED_PAUSE_SECONDS = 0.3
"""A queue that is full, or whose leader is not there for the moment, refuses: a message is offered to it again."""
REPEAT_SECONDS = 4.0
"""A query without an answer is asked again after that; a command without an outcome is published again."""


class Client:
    """One asker on the broker. An asynchronous context manager: entering connects, or raises Unreachable.

    `name` begins the names of its queues (`tresor.operator`); a random part follows.
    """

    def __init__(self, url: str, *, name: str, clock: Clock, ids: Ids, keyring: Keyring | None = None) -> None:
        self._broker = Broker(url)
        self._name = name
        self._ids = ids
        self._reader = Reader(keyring, clock)
        self._hearing = Line(self._broker)
        self._publishing = Line(self._broker)
        self._publishing_channel: AbstractChannel | None = None
        self._listener = Listener(self._broker, self._hearing, self._reader, name=name, clock=clock, ids=ids)
        self._answers: dict[str, asyncio.Future[AbstractIncomingMessage]] = {}
        self._answer_channel: AbstractChannel | None = None
        self._answer_queue = ""

    @property
    def where(self) -> str:
        """The broker without its password, for a person."""
        return self._broker.where

    @property
    def user(self) -> str:
        """The broker's user."""
        return self._broker.user

    @property
    def forged(self) -> int:
        """How many events were dropped because their owner had not signed them."""
        return self._reader.forged

    async def __aenter__(self) -> Self:
        await self._hearing.open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._listener.stop()
        await self._publishing.close()
        await self._hearing.close()

    async def hear(self, *bindings: str) -> None:
        """Bind to events with these routing keys (AMQP patterns) from here on; `events` yields them."""
        await self._listener.start(bindings)

    async def events(self) -> AsyncIterator[Heard | Gap]:
        """What is heard, as it comes, for ever; after a lost connection, a Gap first."""
        while True:
            yield await self._listener.heard.get()

    async def command(self, signed: Signed) -> None:
        """Hand it to the broker, confirmed. Raises Unreachable, NobodyThere or NotPermitted."""
        await self._publish(signed, COMMANDS_EXCHANGE)

    async def ask(self, signed: Signed, answer: type[A], timeout_seconds: float) -> A:
        """The answer to a query. Asked again every few seconds; raises Unanswered when none came in time."""
        future: asyncio.Future[AbstractIncomingMessage] = asyncio.get_running_loop().create_future()
        self._answers[signed.id] = future
        try:
            async with asyncio.timeout(timeout_seconds):
                while not future.done():
                    reply_to = await self._take_answers()
                    await self._publish(signed, QUERIES_EXCHANGE, reply_to=reply_to, correlation_id=signed.id)
                    await asyncio.wait([future], timeout=REPEAT_SECONDS)
            return self._reader.answer(future.result(), answer)
        except TimeoutError:
            owner = signed.type.partition(".")[0]
            raise Unanswered(f"{owner} did not answer {signed.type} within {timeout_seconds:.0f} s") from None
        finally:
            del self._answers[signed.id]

    async def _take_answers(self) -> str:
        """The queue of answers; a new one where the last one went with its connection."""
        if self._answer_channel is None or self._answer_channel.is_closed:
            channel = await (await self._hearing.open()).channel(publisher_confirms=False)
            queue = await self._broker.own_queue(channel, f"{self._name}.{self._ids.uuid()}")
            await queue.consume(self._on_answer, no_ack=True)
            self._answer_channel, self._answer_queue = channel, queue.name
        return self._answer_queue

    async def _on_answer(self, message: AbstractIncomingMessage) -> None:
        future = self._answers.get(message.correlation_id or "")
        if future is not None and not future.done():
            future.set_result(message)

    async def _publish(self, signed: Signed, exchange_name: str, **properties: Any) -> None:
        message = aio_pika.Message(
            signed.body,
            content_type=CONTENT_TYPE,
            headers={SIGNATURE_HEADER: signed.signature},
            delivery_mode=aio_pika.DeliveryMode.PERSISTENT,
            message_id=signed.id,
            type=signed.type,
            user_id=self.user,
            **properties,
        )
        owner = signed.type.partition(".")[0]
        is_refused = False
        try:
            async with asyncio.timeout(PUBLISH_SECONDS):
                channel = await self._open_publishing()
                exchange = await channel.get_exchange(exchange_name, ensure=False)
                while not await _is_taken(exchange, message, signed.type):
                    is_refused = True
                    await asyncio.sleep(REFUSED_PAUSE_SECONDS)
        except TimeoutError:
            if is_refused:
                raise Unreachable(f"the broker refuses {signed.type}: the queue of {owner} is full") from None
            raise Unreachable(
                f"the broker at {self.where} took no message within {PUBLISH_SECONDS:.0f} s; it may be under a disk or memory alarm"
            ) from None
        except PublishError:
            raise NobodyThere(
                f"no queue takes {signed.type}: {owner} never started at this broker, or its queue was deleted"
            ) from None
        except ChannelClosed as error:
            raise self._broker.refusal(error, f"publish {signed.type} to {exchange_name}") from None
        except (*CONNECTION_EXCEPTIONS, AMQPError, OSError) as error:
            raise Unreachable(f"the broker at {self.where} was lost: {reason_of(error)}") from None

    async def _open_publishing(self) -> AbstractChannel:
        connection = await self._publishing.open()
        if self._publishing_channel is None or self._publishing_channel.is_closed:
            self._publishing_channel = await connection.channel(publisher_confirms=True, on_return_raises=True)
        return self._publishing_channel


async def _is_taken(exchange: AbstractExchange, message: aio_pika.Message, key: str) -> bool:
    """Whether a queue has stored it; False when one refused it. Raises PublishError when there is none."""
    try:
        await exchange.publish(message, routing_key=key, mandatory=True)
    except PublishError:
        raise
    except DeliveryError:
        return False
    return True
