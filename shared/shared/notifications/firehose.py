"""All of OpenStack's notifications, in batches, to a sink that makes them durable; acknowledged only then.

A connection of its own, to OpenStack's broker. Whatever happens to the connection, the queue, the exchanges or the
broker, everything is built anew until it stands; a connection that looks alive is asked whether the broker still sees
the consumer.
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence

from shared.clock import Clock, Ids, SystemClock
from shared.metrics import NOTIFICATIONS
from shared.notifications.frame_reader import FrameReader
from shared.notifications.handover import Batch
from shared.notifications.raw import Raw
from shared.notifications.subscription import Reader, Subscription
from shared.notifications.topology import Binding, QueueLimits, bindings_for, queue_name
from shared.telemetry import logger

Sink = Callable[[list[Raw]], Awaitable[None]]
"""Makes a batch durable, or raises: then the same batch comes again. Broken messages are its to put into quarantine."""

PREFETCH = 2000
_FIRST_RETRY_SECONDS = 0.2
_LONGEST_RETRY_SECONDS = 10.0
_SETTLED_SECONDS = 30.0


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
        reader: Callable[[Subscription], Reader] = FrameReader,
    ) -> None:
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
        )
        self._sink = sink
        self._clock = clock or SystemClock()
        self._ids = ids or Ids()
        self._make_reader = reader
        self._reader: Reader | None = None
        self._stopping = asyncio.Event()
        self.connections = 0
        self.received = 0
        self.acknowledged = 0
        self.sink_failures = 0

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
        reader.start()
        self.connections += 1
        stopping = asyncio.ensure_future(self._stopping.wait())
        taking: asyncio.Future[Batch] | None = None
        try:
            while not self._stopping.is_set():
                taking = asyncio.ensure_future(reader.take())
                await asyncio.wait({taking, stopping}, return_when=asyncio.FIRST_COMPLETED)
                if not taking.done():
                    return
                batch = taking.result()
                self.received += len(batch.messages)
                if await self._deliver(batch.messages):
                    reader.acknowledge(batch.tag)
                    self.acknowledged += len(batch.messages)
                    for exchange, count in Counter(raw.exchange for raw in batch.messages).items():
                        NOTIFICATIONS.labels(exchange).inc(count)
        finally:
            stopping.cancel()
            if taking is not None:
                taking.cancel()
            self._reader = None
            await reader.close()

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

    async def _pause(self, seconds: float) -> None:
        sleeping = asyncio.ensure_future(self._clock.sleep(seconds))
        stopping = asyncio.ensure_future(self._stopping.wait())
        await asyncio.wait({sleeping, stopping}, return_when=asyncio.FIRST_COMPLETED)
        sleeping.cancel()
        stopping.cancel()
