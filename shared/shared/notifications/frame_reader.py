"""A reader on a wire of our own, in a thread of its own."""

import asyncio
import threading

from pamqp import commands

from shared.notifications.drops import Drops, dropped_name
from shared.notifications.handover import Batch, Handover
from shared.notifications.subscription import Subscription
from shared.notifications.wire import CONSUMER_CHANNEL, ChannelRefused, Wire
from shared.telemetry import logger

_NOT_FOUND, _ACCESS_REFUSED, _PRECONDITION_FAILED = 404, 403, 406
_MOST_WAITING_BYTES = 64 * 1024 * 1024
"""Octets taken from the broker that the sink has not taken; more are left in the socket."""


class FrameReader:
    """See `Reader`."""

    def __init__(self, subscription: Subscription) -> None:
        self._want = subscription
        self._handover = Handover()
        self._wire = Wire(
            subscription.url,
            subscription.client_name,
            subscription.heartbeat_seconds,
            self._handover.put,
            subscription.monotonic_seconds,
        )
        self._drops = Drops(self._wire, subscription.queue, subscription.limits, subscription.on_dropped)
        self._durable_tag = self._acknowledged_tag = 0
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name=subscription.client_name, daemon=True)
        self.bound: frozenset[str] = frozenset()
        self.consuming = False
        self._are_drops_counted = False

    def start(self) -> None:
        """Begin connecting; returns at once."""
        self._thread.start()

    async def take(self) -> Batch:
        """What has come since the last time. Raises ConnectionError when the connection is over."""
        return await self._handover.take()

    def acknowledge(self, tag: int) -> None:
        """Everything up to this tag is durable."""
        self._durable_tag = tag
        self._wire.wake()

    async def close(self) -> None:
        """End the connection and its thread; what isn't acknowledged goes back to the queue."""
        self._stopping = True
        self._wire.wake()
        await asyncio.to_thread(self._thread.join, 5.0)

    def _run(self) -> None:
        try:
            self._read()
            failure = "closed"
        except Exception as error:
            failure = f"{type(error).__name__}: {error}"[:300]
        self.consuming = False
        self._wire.close()
        self._handover.end(failure)

    def _read(self) -> None:
        want, wire = self._want, self._wire
        wire.connect()
        self._declare()
        self._bind()
        wire.call(CONSUMER_CHANNEL, commands.Basic.Qos(0, want.prefetch, False), commands.Basic.QosOk)
        wire.call(
            CONSUMER_CHANNEL, commands.Basic.Consume(queue=want.queue, consumer_tag="t"), commands.Basic.ConsumeOk
        )
        self.consuming = True
        rebind_at = want.monotonic_seconds() + want.rebind_seconds
        check_at = want.monotonic_seconds() + want.liveness_seconds
        while not self._stopping:
            wire.step(
                min(rebind_at, check_at) - want.monotonic_seconds(),
                read=self._handover.waiting_bytes < _MOST_WAITING_BYTES,
            )
            self._acknowledge_durable()
            now = want.monotonic_seconds()
            if now >= check_at:
                self._check_consumer()
                self._bind()
                if self._are_drops_counted:
                    self._are_drops_counted = self._drops.count()
                check_at = now + want.liveness_seconds
            elif now >= rebind_at:
                if len(self.bound) < len(want.bindings):
                    self._bind(missing_only=True)
                rebind_at = now + want.rebind_seconds
        self._acknowledge_durable()  # what became durable just before the end need not come again

    def _acknowledge_durable(self) -> None:
        if self._durable_tag > self._acknowledged_tag:
            self._acknowledged_tag = self._durable_tag
            self._wire.acknowledge(self._acknowledged_tag)

    def _declare(self) -> None:
        """Our queue; one that exists with other arguments, or that we may not declare, is used as it is."""
        want = self._want
        self._are_drops_counted = self._drops.count()
        arguments = want.limits.arguments(dropped_name(want.queue) if self._are_drops_counted else "")
        declare = commands.Queue.Declare(queue=want.queue, durable=True, arguments=arguments)
        try:
            self._wire.probe(declare, commands.Queue.DeclareOk)
        except ChannelRefused as refused:
            if refused.code not in (_ACCESS_REFUSED, _PRECONDITION_FAILED):
                raise
            logger().warning("notifications.queue_as_it_is", queue=want.queue, error=str(refused))
            if refused.code == _PRECONDITION_FAILED and self._are_drops_counted:
                self._are_drops_counted = False
                self._drops.give_up()
            self._wire.probe(commands.Queue.Declare(queue=want.queue, passive=True), commands.Queue.DeclareOk)

    def _bind(self, *, missing_only: bool = False) -> None:
        """Bind to each exchange that exists."""
        bound = set(self.bound) if missing_only else set()
        for binding in self._want.bindings:
            if binding.exchange in bound:
                continue
            try:
                self._wire.probe(
                    commands.Exchange.Declare(exchange=binding.exchange, passive=True), commands.Exchange.DeclareOk
                )
                for pattern in binding.patterns:
                    self._wire.probe(
                        commands.Queue.Bind(queue=self._want.queue, exchange=binding.exchange, routing_key=pattern),
                        commands.Queue.BindOk,
                    )
                bound.add(binding.exchange)
            except ChannelRefused as refused:
                if refused.code not in (_NOT_FOUND, _ACCESS_REFUSED):
                    raise
        self.bound = frozenset(bound)

    def _check_consumer(self) -> None:
        found = self._wire.probe(commands.Queue.Declare(queue=self._want.queue, passive=True), commands.Queue.DeclareOk)
        assert isinstance(found, commands.Queue.DeclareOk)
        if not found.consumer_count:
            raise ConnectionError("the broker sees no consumer on our queue")
