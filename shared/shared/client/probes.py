"""Looking at a broker without changing it: what is there, who reads it, what this user may do, who publishes.

A refusal closes the channel it comes on, so each look has a channel of its own.
"""

import json
from collections import Counter
from dataclasses import dataclass
from typing import Any, Self

from aio_pika.abc import AbstractChannel, AbstractConnection, AbstractIncomingMessage
from aio_pika.exceptions import ChannelClosed

from shared.client.broker import Broker
from shared.client.errors import NotPermitted, reason_of
from shared.clock import Clock, Ids

MAX_LOOKED_AT_BYTES = 64 * 1024


@dataclass(frozen=True)
class QueueState:
    """A queue as the broker counts it."""

    messages: int
    consumers: int


class Probe:
    """A connection for looking. Use as an asynchronous context manager; raises Unreachable or NotPermitted."""

    def __init__(self, url: str, clock: Clock, ids: Ids) -> None:
        self._broker = Broker(url)
        self._clock = clock
        self._ids = ids
        self._connection: AbstractConnection | None = None

    @property
    def user(self) -> str:
        """The broker's user."""
        return self._broker.user

    @property
    def where(self) -> str:
        """The broker without its password."""
        return self._broker.where

    async def __aenter__(self) -> Self:
        self._connection = await self._broker.connect()
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._connection is not None:
            await self._connection.close()

    @property
    def version(self) -> str:
        """The broker's version, as it says itself; empty when it does not."""
        transport = getattr(self._connection, "transport", None)
        said = getattr(getattr(transport, "connection", None), "server_properties", {}).get("version", "")
        return said.decode() if isinstance(said, bytes) else str(said)

    async def _channel(self) -> AbstractChannel:
        assert self._connection is not None
        return await self._connection.channel(publisher_confirms=False)

    async def has_exchange(self, name: str) -> bool:
        """Whether there is an exchange of that name."""
        try:
            channel = await self._channel()
            await channel.get_exchange(name, ensure=True)
            await channel.close()
        except ChannelClosed as error:
            if "NOT_FOUND" in str(error):
                return False
            raise NotPermitted(reason_of(error)) from None
        return True

    async def queue(self, name: str) -> QueueState | None:
        """The queue's state; None when there is none."""
        try:
            channel = await self._channel()
            declared = (await channel.declare_queue(name, passive=True)).declaration_result
            await channel.close()
        except ChannelClosed as error:
            if "NOT_FOUND" in str(error):
                return None
            raise NotPermitted(reason_of(error)) from None
        return QueueState(declared.message_count or 0, declared.consumer_count or 0)

    async def may_make_queue(self, name: str) -> bool:
        """Whether this user may make a queue of that name; one that could be made is gone at once."""
        try:
            channel = await self._channel()
            queue = await channel.declare_queue(name, exclusive=True, auto_delete=True)
            await queue.delete()
            await channel.close()
        except ChannelClosed:
            return False
        return True

    async def may_bind(self, queue_prefix: str, exchange: str, key: str) -> bool:
        """Whether this user may have what goes through the exchange with that routing key."""
        try:
            channel = await self._channel()
            queue = await channel.declare_queue(f"{queue_prefix}.{self._ids.uuid()}", exclusive=True, auto_delete=True)
            await queue.bind(exchange, key)
            await queue.delete()
            await channel.close()
        except ChannelClosed:
            return False
        return True

    async def publishers(
        self, queue_prefix: str, exchanges: list[str], keys: tuple[str, ...], seconds: float
    ) -> Counter[tuple[str, str]]:
        """Listen to OpenStack's notifications for so long: how many came, by exchange and publisher.

        A queue of its own, gone afterwards, so nobody else misses a message.
        """
        channel = await self._channel()
        counted: Counter[tuple[str, str]] = Counter()
        queue = await channel.declare_queue(
            f"{queue_prefix}.{self._ids.uuid()}", exclusive=True, auto_delete=True, arguments={"x-max-length": 1000}
        )
        for exchange in exchanges:
            for key in keys:
                await queue.bind(exchange, key)

        async def count(message: AbstractIncomingMessage) -> None:
            counted[(message.exchange or "", publisher_of(message.body))] += 1

        await queue.consume(count, no_ack=True)
        await self._clock.sleep(seconds)
        await channel.close()
        return counted


def publisher_of(body: bytes) -> str:
    """The `publisher_id` of a notification; a question mark when it names none."""
    if len(body) > MAX_LOOKED_AT_BYTES:
        return "?"
    try:
        said: Any = json.loads(body)
        inner = said.get("oslo.message")
        said = json.loads(inner) if isinstance(inner, str) else said
        return str(said.get("publisher_id", "?"))[:100]
    except (ValueError, AttributeError, RecursionError):
        return "?"
