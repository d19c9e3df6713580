"""A reader on pika's blocking connection, in a thread of its own."""

import asyncio
import threading
from contextlib import suppress
from typing import Any

import pika
import pika.exceptions

from shared.notifications.drops import dropped_name
from shared.notifications.handover import Batch, Handover
from shared.notifications.raw import MAX_BODY_BYTES, Raw
from shared.notifications.subscription import Subscription


class PikaReader:
    """See `Reader`."""

    def __init__(self, subscription: Subscription) -> None:
        self._want = subscription
        self._handover = Handover()
        self._failure: str | None = None
        self._stopping = False
        self._connection: Any = None
        self._channel: Any = None
        self._thread = threading.Thread(target=self._run, name=subscription.client_name, daemon=True)
        self.bound: frozenset[str] = frozenset()
        self.consuming = False

    def start(self) -> None:
        """Begin connecting; returns at once."""
        self._thread.start()

    async def take(self) -> Batch:
        """What has come since the last time. Raises ConnectionError when the connection is over."""
        return await self._handover.take()

    def acknowledge(self, tag: int) -> None:
        """Everything up to this tag is durable; of no effect on a lost connection."""
        connection, channel = self._connection, self._channel
        if connection is not None and self._failure is None:
            try:
                connection.add_callback_threadsafe(lambda: channel.basic_ack(tag, multiple=True))
            except pika.exceptions.ConnectionWrongStateError:
                return

    async def close(self) -> None:
        """End the connection and its thread."""
        self._stopping = True
        connection = self._connection
        if connection is not None:
            with suppress(pika.exceptions.ConnectionWrongStateError):
                connection.add_callback_threadsafe(lambda: None)
        await asyncio.to_thread(self._thread.join, 5.0)

    def _run(self) -> None:
        try:
            self._read()
            failure = "closed"
        except Exception as error:
            failure = f"{type(error).__name__}: {error}"[:300]
        finally:
            self._disconnect()
        self.consuming = False
        self._failure = failure
        self._handover.end(failure)

    def _disconnect(self) -> None:
        connection = self._connection
        if connection is not None and connection.is_open:
            try:
                connection.close()
            except Exception:
                return

    def _read(self) -> None:
        want = self._want
        parameters = pika.URLParameters(want.url)
        parameters.heartbeat = want.heartbeat_seconds
        parameters.blocked_connection_timeout = 60
        parameters.client_properties = {"connection_name": want.client_name}
        self._connection = connection = pika.BlockingConnection(parameters)
        self._channel = channel = connection.channel()
        self._declare(channel)
        channel = self._channel
        missing = self._bind_all()
        channel.basic_qos(prefetch_count=want.prefetch)
        channel.add_on_cancel_callback(self._on_cancel)
        channel.basic_consume(want.queue, self._on_message)
        self.consuming = True
        since_rebind = since_liveness = 0.0
        step = min(want.rebind_seconds, want.liveness_seconds)
        ticks = {"due": False}
        tick: Any = None
        while not self._stopping:
            if tick is None:
                tick = connection.call_later(step, lambda: ticks.__setitem__("due", True))
            connection.process_data_events(time_limit=None)
            if not ticks["due"]:
                continue
            ticks["due"], tick = False, None
            since_rebind += step
            since_liveness += step
            if since_liveness >= want.liveness_seconds:
                since_liveness = 0.0
                self._check_consumer()
                missing = self._bind_all()
            elif missing and since_rebind >= want.rebind_seconds:
                since_rebind = 0.0
                missing = self._bind_all()

    def _declare(self, channel: Any) -> None:
        """Our queue; one that exists with other arguments, or that we may not declare, is used as it is."""
        want = self._want
        try:
            channel.queue_declare(want.queue, durable=True, arguments=want.limits.arguments(dropped_name(want.queue)))
        except pika.exceptions.ChannelClosedByBroker as error:
            if error.reply_code not in (403, 406):
                raise
            self._channel = self._connection.channel()
            self._channel.queue_declare(want.queue, passive=True)

    def _bind_all(self) -> int:
        """Bind to each exchange that exists; returns how many do not."""
        bound = set()
        for binding in self._want.bindings:
            probe = self._connection.channel()
            try:
                probe.exchange_declare(binding.exchange, passive=True)
                for pattern in binding.patterns:
                    probe.queue_bind(self._want.queue, binding.exchange, pattern)
                bound.add(binding.exchange)
                probe.close()
            except pika.exceptions.ChannelClosedByBroker as error:
                if error.reply_code not in (403, 404):
                    raise
        self.bound = frozenset(bound)
        return len(self._want.bindings) - len(bound)

    def _check_consumer(self) -> None:
        probe = self._connection.channel()
        found = probe.queue_declare(self._want.queue, passive=True)
        probe.close()
        if found.method.consumer_count < 1:
            raise ConnectionError("the broker sees no consumer on our queue")

    def _on_cancel(self, _frame: Any) -> None:
        raise ConnectionError("the broker cancelled the consumer: the queue is gone")

    def _on_message(self, _channel: Any, method: Any, _properties: Any, body: bytes) -> None:
        size = len(body)
        if size > MAX_BODY_BYTES:
            body = b""
        raw = Raw(body, method.exchange, method.routing_key, method.redelivered, size)
        self._handover.put([raw], method.delivery_tag)
