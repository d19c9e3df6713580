"""Whoever asks: signs commands and queries, publishes them, hears events and answers. No database, no handlers.

Publishing and hearing have a connection each, since a broker under a disk or memory alarm blocks a connection that has
published. Every wait has its limit.
"""

import asyncio
from collections import OrderedDict
from collections.abc import AsyncIterator, Iterable
from contextlib import suppress
from types import TracebackType
from typing import Any, Self, TypeVar
from urllib.parse import unquote, urlsplit

import aio_pika
from aio_pika.abc import AbstractChannel, AbstractConnection, AbstractIncomingMessage, AbstractQueue
from aio_pika.exceptions import (
    CONNECTION_EXCEPTIONS,
    AMQPError,
    AuthenticationError,
    ChannelClosed,
    DeliveryError,
    ProbableAuthenticationError,
    PublishError,
)
from pydantic import ValidationError

from contracts.envelope import (
    COMMANDS_EXCHANGE,
    CONTENT_TYPE,
    EVENTS_EXCHANGE,
    MAX_BODY_BYTES,
    QUERIES_EXCHANGE,
    QUERY_REFUSED_TYPE,
    SIGNATURE_HEADER,
    Answer,
    Envelope,
    EventEnvelope,
    Problem,
    Role,
)
from shared import strict_json
from shared.client.errors import Declined, NobodyThere, NotPermitted, Unanswered, Unreachable, reason_of
from shared.client.heard import Gap, Heard
from shared.client.signed import Signed
from shared.clock import Clock, Ids
from shared.errors import TresorError
from shared.signing import Keyring, Untrusted

A = TypeVar("A", bound=Answer)

CONNECT_SECONDS = 8.0
PUBLISH_SECONDS = 8.0
REPEAT_SECONDS = 4.0
"""A query without an answer is asked again after that; a command without an outcome is published again."""
MAX_WAITING_EVENTS = 5_000
MAX_REMEMBERED_EVENTS = 20_000
MAX_ANSWER_BYTES = 8 * 1024 * 1024


class Client:
    """One asker on the broker. An asynchronous context manager: entering connects, or raises Unreachable.

    `name` begins the names of its queues (`tresor.operator`); a random part follows.
    """

    def __init__(self, url: str, *, name: str, clock: Clock, ids: Ids, keyring: Keyring | None = None) -> None:
        self._url = url
        self._name = name
        self._clock = clock
        self._ids = ids
        self._keyring = keyring
        self._hearing: AbstractConnection | None = None
        self._publishing: AbstractConnection | None = None
        self._channel: AbstractChannel | None = None
        self._answers: dict[str, asyncio.Future[AbstractIncomingMessage]] = {}
        self._answer_queue: str | None = None
        self._events: asyncio.Queue[Heard | Gap] = asyncio.Queue(MAX_WAITING_EVENTS)
        self._keeper: asyncio.Task[None] | None = None
        self._told: OrderedDict[str, None] = OrderedDict()
        self.forged = 0
        """How many events were dropped because their owner had not signed them."""

    @property
    def where(self) -> str:
        """The broker without its password, for a person."""
        parts = urlsplit(self._url)
        return f"{parts.hostname}:{parts.port or 5672}{parts.path}"

    @property
    def user(self) -> str:
        """The broker's user."""
        return unquote(urlsplit(self._url).username or "guest")

    async def __aenter__(self) -> Self:
        self._hearing = await self._connect()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._keeper is not None:
            self._keeper.cancel()
            with suppress(asyncio.CancelledError):
                await self._keeper
        for connection in (self._publishing, self._hearing):
            if connection is not None:
                with suppress(Exception):  # it ends either way; a blocked broker must not hold us
                    async with asyncio.timeout(2):
                        await connection.close()

    async def _connect(self) -> AbstractConnection:
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                return await aio_pika.connect(self._url, timeout=CONNECT_SECONDS, heartbeat=15)
        except (AuthenticationError, ProbableAuthenticationError):
            raise NotPermitted(f"the broker at {self.where} refuses user '{self.user}' or its password") from None
        except TimeoutError:
            raise Unreachable(f"the broker at {self.where} did not answer within {CONNECT_SECONDS:.0f} s") from None
        except (*CONNECTION_EXCEPTIONS, AMQPError, OSError) as error:
            raise Unreachable(f"the broker at {self.where} can't be reached: {reason_of(error)}") from None

    async def channel(self) -> AbstractChannel:
        """A channel of one's own on the hearing connection, for looking at what is there."""
        if self._hearing is None or self._hearing.is_closed:
            self._hearing = await self._connect()
        return await self._hearing.channel(publisher_confirms=False)

    # -- publishing

    async def command(self, signed: Signed) -> None:
        """Hand it to the broker, confirmed. Raises Unreachable, NobodyThere or NotPermitted."""
        await self._publish(signed, COMMANDS_EXCHANGE)

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
        try:
            async with asyncio.timeout(PUBLISH_SECONDS):
                if self._publishing is None or self._publishing.is_closed:
                    self._publishing = await self._connect()
                if self._channel is None or self._channel.is_closed:
                    self._channel = await self._publishing.channel(publisher_confirms=True, on_return_raises=True)
                exchange = await self._channel.get_exchange(exchange_name, ensure=False)
                await exchange.publish(message, routing_key=signed.type, mandatory=True)
        except TimeoutError:
            raise Unreachable(
                f"the broker at {self.where} took no message within {PUBLISH_SECONDS:.0f} s; it may be under a disk or memory alarm"
            ) from None
        except PublishError:
            raise NobodyThere(
                f"no queue takes {signed.type}: {owner} never started at this broker, or its queue was deleted"
            ) from None
        except DeliveryError:
            raise Unreachable(f"the broker refuses {signed.type}: the queue of {owner} is full") from None
        except ChannelClosed as error:
            raise self._closed(error, f"publish {signed.type} to {exchange_name}") from None
        except (*CONNECTION_EXCEPTIONS, AMQPError, OSError) as error:
            raise Unreachable(f"the broker at {self.where} was lost: {reason_of(error)}") from None

    def _closed(self, error: Exception, doing: str) -> TresorError:
        text = reason_of(error)
        if "ACCESS_REFUSED" in text:
            return NotPermitted(f"the broker does not let user '{self.user}' {doing}")
        if "NOT_FOUND" in text:
            return NobodyThere(f"can't {doing}: {text}")
        return Unreachable(f"can't {doing}: {text}")

    # -- asking

    async def ask(self, signed: Signed, answer: type[A], timeout_seconds: float) -> A:
        """The answer to a query. Asked again every few seconds; raises Unanswered when none came in time."""
        if self._answer_queue is None:
            self._answer_queue = await self._take_answers()
        future: asyncio.Future[AbstractIncomingMessage] = asyncio.get_running_loop().create_future()
        self._answers[signed.id] = future
        try:
            async with asyncio.timeout(timeout_seconds):
                while not future.done():
                    await self._publish(signed, QUERIES_EXCHANGE, reply_to=self._answer_queue, correlation_id=signed.id)
                    await asyncio.wait([future], timeout=REPEAT_SECONDS)
            return self._answer(future.result(), answer)
        except TimeoutError:
            owner = signed.type.partition(".")[0]
            raise Unanswered(f"{owner} did not answer {signed.type} within {timeout_seconds:.0f} s") from None
        finally:
            del self._answers[signed.id]

    async def _take_answers(self) -> str:
        queue = await self._own_queue(await self.channel())
        await queue.consume(self._on_answer, no_ack=True)
        return queue.name

    async def _on_answer(self, message: AbstractIncomingMessage) -> None:
        future = self._answers.get(message.correlation_id or "")
        if future is not None and not future.done():
            future.set_result(message)

    def _answer(self, message: AbstractIncomingMessage, answer: type[A]) -> A:
        """What a reply says. Raises Declined, or Unanswered when it is no such answer or not its owner's."""
        if self._keyring is not None and not self._signed_by(answer.owner(), message):
            raise Unanswered(f"an answer came for {answer.type} that {answer.owner()} has not signed")
        try:
            fields = strict_json.parse(message.body, max_bytes=MAX_ANSWER_BYTES, max_nodes=1_000_000)
            kind, data = fields["type"], fields["data"]
            if kind == QUERY_REFUSED_TYPE:
                raise Declined(tuple(Problem.model_validate(problem) for problem in data["problems"]))
            if kind != answer.type:
                raise Unanswered(f"expected {answer.type}, but was answered with {str(kind)[:100]}")
            return answer.model_validate(data)
        except (strict_json.MalformedJson, ValidationError, KeyError, TypeError) as error:
            raise Unanswered(
                f"the answer {answer.type} can't be read ({type(error).__name__}): versions may differ"
            ) from None

    def _signed_by(self, owner: str, message: AbstractIncomingMessage) -> bool:
        """Whether the message is signed with a good key of that service. Without a keyring nothing is."""
        if self._keyring is None:
            return False
        self._keyring.refresh()
        signature = message.headers.get(SIGNATURE_HEADER)
        try:
            key = self._keyring.verify(
                message.body, signature if isinstance(signature, str) else None, self._clock.now()
            )
        except Untrusted:
            return False
        return Role.SERVICE in key.roles and key.holder == owner

    async def _own_queue(self, channel: AbstractChannel) -> AbstractQueue:
        name = f"{self._name}.{self._ids.uuid()}"
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                return await channel.declare_queue(
                    name, exclusive=True, auto_delete=True, arguments={"x-max-length": MAX_WAITING_EVENTS}
                )
        except ChannelClosed as error:
            raise self._closed(error, f"make its queue {name}") from None
        except TimeoutError:
            raise Unreachable(f"the broker at {self.where} did not answer within {CONNECT_SECONDS:.0f} s") from None

    # -- hearing

    async def hear(self, *bindings: str) -> None:
        """Bind to events with these routing keys (AMQP patterns) from here on; `events` yields them."""
        gone = await self._listen(bindings)
        self._keeper = asyncio.create_task(self._keep_hearing(bindings, gone))

    async def events(self) -> AsyncIterator[Heard | Gap]:
        """What is heard, as it comes, for ever; after a lost connection, a Gap first."""
        while True:
            yield await self._events.get()

    async def _listen(self, bindings: Iterable[str]) -> asyncio.Event:
        channel = await self.channel()
        await channel.set_qos(prefetch_count=256)
        queue = await self._own_queue(channel)
        try:
            for key in bindings:
                await queue.bind(EVENTS_EXCHANGE, key)
        except ChannelClosed as error:
            raise self._closed(error, f"hear events of {EVENTS_EXCHANGE}") from None
        gone = asyncio.Event()
        assert self._hearing is not None
        self._hearing.close_callbacks.add(lambda *_: gone.set())
        channel.close_callbacks.add(lambda *_: gone.set())
        queue.close_callbacks.add(lambda *_: gone.set())
        await queue.consume(self._on_event)
        return gone

    async def _keep_hearing(self, bindings: tuple[str, ...], gone: asyncio.Event) -> None:
        while True:
            await gone.wait()
            since, wait_seconds = self._clock.now(), 0.5
            while True:
                lost, self._hearing = self._hearing, None
                try:
                    if lost is not None and not lost.is_closed:
                        await asyncio.wait_for(lost.close(), 2)
                    gone = await self._listen(bindings)
                    break
                except Exception:  # whatever kept us from it, the way back is to try again
                    await self._clock.sleep(self._ids.jittered(wait_seconds))
                    wait_seconds = min(wait_seconds * 2, 10.0)
            self._answer_queue = None
            await self._events.put(Gap(since))

    async def _on_event(self, message: AbstractIncomingMessage) -> None:
        heard = self._believe(message)
        if heard is not None and self._is_new(heard.envelope.id):
            await self._events.put(heard)
        await message.ack()

    def _is_new(self, event_id: str) -> bool:
        """Whether the event was not heard before: a producer tells again what it isn't sure to have told."""
        if event_id in self._told:
            return False
        self._told[event_id] = None
        if len(self._told) > MAX_REMEMBERED_EVENTS:
            self._told.popitem(last=False)
        return True

    def _believe(self, message: AbstractIncomingMessage) -> Heard | None:
        if len(message.body) > MAX_BODY_BYTES:
            return None
        try:
            fields = strict_json.parse(message.body, max_bytes=MAX_BODY_BYTES)
            kind = EventEnvelope if isinstance(fields, dict) and "sequence" in fields else Envelope
            envelope = kind.model_validate(fields)
        except (strict_json.MalformedJson, ValidationError):
            self.forged += 1
            return None
        verified = self._signed_by(envelope.type.partition(".")[0], message)
        if self._keyring is not None and not verified:
            self.forged += 1
            return None
        return Heard(envelope, verified)
