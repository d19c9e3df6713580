"""All of OpenStack's notifications, in batches, to a sink that makes them durable; acknowledged only then.

A connection of its own, to OpenStack's broker. Whatever happens to the connection, the queue, the exchanges or the
broker, everything is built anew until it stands; a connection that looks alive is asked whether the broker still sees
the consumer.
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence

from shared.clock import Clock, Ids, SystemClock
from shared.metrics import NOTIFICATIONS, NOTIFICATIONS_DROPPED
from shared.notifications.frame_reader import FrameReader
from shared.notifications.raw import Raw
from shared.notifications.subscription import Reader, Subscription
from shared.notifications.topology import Binding, QueueLimits, bindings_for, queue_name
from shared.telemetry import logger

Sink = Callable[[list[Raw]], Awaitable[None]]
"""Makes a batch durable, or raises: then the same batch comes again. Broken messages are its to put into quarantine."""
KeepCount = Callable[[str, int], Awaitable[bool]]
"""Told at each count which queue dropped how many messages unread, none mostly; False: it could not keep that."""

PREFETCH = 1750
"""Messages that the broker sends ahead of their acknowledgement; each takes 5 to 6 kB while it waits. Fewer leave the
database idle between batches, more take memory: with these, an ingest at full speed stays within 80 MB."""
_FIRST_RETRY_SECONDS = 0.2
_LONGEST_RETRY_SECONDS = 10.0
_SETTLED_SECONDS = 30.0
_SLICE_MESSAGES = 16
_COUNT_SECONDS = 5.0
"""So long the reader waits for a count to be kept: its heartbeats must not wait longer."""


class Firehose:
    """Runs until it is stopped; see the module."""

    def __init__(
        self,
        url: str,
        *,
        service: str,
        sink: Sink,
        clock: Clock | None = None,
        ids: Ids | None = None,
        bindings: Sequence[Binding] | None = None,
        limits: QueueLimits | None = None,
        prefetch: int = PREFETCH,
        rebind_seconds: float = 3.0,
        liveness_seconds: float = 10.0,
        prepare: Callable[[Raw], Raw] | None = None,
        reader: Callable[[Subscription], Reader] = FrameReader,
        keep_count: KeepCount | None = None,
    ) -> None:
        """`prepare` is applied to each message while the sink waits for its database; it must not raise."""
        self.subscription = Subscription(
            url=url,
            queue=queue_name(service),
            bindings=tuple(bindings if bindings is not None else bindings_for()),
            limits=limits or QueueLimits(),
            prefetch=prefetch,
            client_name=f"tresor-{service}-notifications",
            monotonic_seconds=(clock or SystemClock()).monotonic_seconds,
            rebind_seconds=rebind_seconds,
            liveness_seconds=liveness_seconds,
            on_dropped=self._count_dropped,
        )
        self._sink = sink
        self._clock = clock or SystemClock()
        self._ids = ids or Ids()
        self._prepare = prepare
        self._make_reader = reader
        self._keep_count = keep_count
        self._loop: asyncio.AbstractEventLoop | None = None
        self._ready: list[Raw] = []
        self._ready_tag = 0
        self._is_ready = asyncio.Event()
        self._reader: Reader | None = None
        self._stopping = asyncio.Event()
        self.connections = 0
        self.received = 0
        self.acknowledged = 0
        self.sink_failures = 0
        self.dropped = 0
        """Messages that the full queue let go unread, at the least."""

    @property
    def bound(self) -> frozenset[str]:
        """The exchanges that are being listened to; empty without a connection."""
        return self._reader.bound if self._reader else frozenset()

    @property
    def connected(self) -> bool:
        """Whether the broker has taken us as a consumer."""
        return self._reader is not None and self._reader.consuming

    def stop(self) -> None:
        """Have `run` return once the batch in hand is durable."""
        self._stopping.set()

    async def run(self) -> None:
        """Take notifications until `stop`. Never raises for what the broker or the sink does."""
        self._loop = asyncio.get_running_loop()
        delay_seconds = _FIRST_RETRY_SECONDS
        while not self._stopping.is_set():
            began = self._clock.monotonic_seconds()
            try:
                await self._one_connection()
            except ConnectionError as error:
                logger().warning(
                    "notifications.connection_lost", error=str(error), retry_seconds=round(delay_seconds, 1)
                )
            if self._clock.monotonic_seconds() - began > _SETTLED_SECONDS:
                delay_seconds = _FIRST_RETRY_SECONDS
            await self._pause(self._ids.jittered(delay_seconds))
            delay_seconds = min(delay_seconds * 2, _LONGEST_RETRY_SECONDS)

    async def _one_connection(self) -> None:
        reader = self._make_reader(self.subscription)
        self._reader = reader
        self._ready, self._ready_tag = [], 0
        self._is_ready.clear()
        reader.start()
        self.connections += 1
        taking = asyncio.ensure_future(self._take(reader))
        stopping = asyncio.ensure_future(self._stopping.wait())
        try:
            while not self._stopping.is_set():
                ready = asyncio.ensure_future(self._is_ready.wait())
                await asyncio.wait({ready, taking, stopping}, return_when=asyncio.FIRST_COMPLETED)
                ready.cancel()
                if self._ready:
                    await self._pass_on(reader)
                elif taking.done():
                    taking.result()
        finally:
            stopping.cancel()
            taking.cancel()
            await asyncio.gather(taking, return_exceptions=True)
            self._reader = None
            await reader.close()

    async def _take(self, reader: Reader) -> None:
        """Take what comes and make it ready, a slice at a time, so that the sink's answers are never kept waiting."""
        while True:
            batch = await reader.take()
            self.received += len(batch.messages)
            if self._prepare is None:
                self._offer(batch.messages, batch.tag)
                continue
            before = batch.tag - len(batch.messages)  # one consumer on its channel: its tags have no gaps
            for begin in range(0, len(batch.messages), _SLICE_MESSAGES):
                ready = [self._prepare(raw) for raw in batch.messages[begin : begin + _SLICE_MESSAGES]]
                self._offer(ready, before + begin + len(ready))
                await asyncio.sleep(0)

    def _offer(self, messages: list[Raw], tag: int) -> None:
        self._ready += messages
        self._ready_tag = tag
        self._is_ready.set()

    async def _pass_on(self, reader: Reader) -> None:
        """All that is ready to the sink, then its acknowledgement."""
        messages, tag = self._ready, self._ready_tag
        self._ready = []
        self._is_ready.clear()
        if await self._deliver(messages):
            reader.acknowledge(tag)
            self.acknowledged += len(messages)
            for exchange, count in Counter(raw.exchange for raw in messages).items():
                NOTIFICATIONS.labels(exchange).inc(count)

    async def _deliver(self, messages: list[Raw]) -> bool:
        """Offer the batch until the sink takes it; False when told to stop before that."""
        delay_seconds = _FIRST_RETRY_SECONDS
        while True:
            try:
                await self._sink(messages)
                return True
            except Exception as error:
                self.sink_failures += 1
                logger().warning(
                    "notifications.sink_failed", error=f"{type(error).__name__}: {error}"[:300], messages=len(messages)
                )
            await self._pause(self._ids.jittered(delay_seconds))
            if self._stopping.is_set():
                return False
            delay_seconds = min(delay_seconds * 2, _LONGEST_RETRY_SECONDS)

    def _count_dropped(self, count: int) -> bool:
        """In the reader's thread, which waits for what is to be kept, and not for a count of nothing."""
        if self._keep_count is not None and self._loop is not None:
            kept = asyncio.run_coroutine_threadsafe(self._kept(self.subscription.queue, count), self._loop)
            try:
                if count and not kept.result(_COUNT_SECONDS):
                    return False
            except TimeoutError:
                return False
        self.dropped += count
        NOTIFICATIONS_DROPPED.inc(count)
        return True

    async def _kept(self, queue: str, count: int) -> bool:
        assert self._keep_count is not None
        try:
            return await self._keep_count(queue, count)
        except Exception:
            logger().exception("notifications.count_not_kept", queue=queue, dropped=count)
            return False

    async def _pause(self, seconds: float) -> None:
        sleeping = asyncio.ensure_future(self._clock.sleep(seconds))
        stopping = asyncio.ensure_future(self._stopping.wait())
        await asyncio.wait({sleeping, stopping}, return_when=asyncio.FIRST_COMPLETED)
        sleeping.cancel()
        stopping.cancel()
