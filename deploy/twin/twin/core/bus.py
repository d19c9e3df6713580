"""Notifications: published by real oslo.messaging Notifiers, as many to an exchange as its service has workers.

With one worker they go out in the order they were emitted; with more only those of one request do, as from a real API.
"""

import asyncio
import contextlib
import logging
import queue
import threading
import time
import zlib
from collections import deque
from dataclasses import dataclass
from typing import Any

import orjson

from twin.core.caller import NotificationContext

log = logging.getLogger(__name__)

MAX_PENDING = 200_000
"""Notifications waiting for the broker; past it new ones are dropped and counted, as memory is bounded."""
CATCH_UP_SECONDS = 1.0
"""How long an answer waits for its notifications when the broker is slow or away."""
KEPT = 5_000
"""How many of the latest notifications `/twin/notifications` shows."""


@dataclass(frozen=True, slots=True)
class Notification:
    """One message, encoded to be small while it waits: `context` holds the `_context_*` fields, None where the service sends none."""

    exchange: str
    topic: str
    publisher_id: str
    event_type: str
    payload: bytes
    context: bytes | None
    priority: str = "info"
    copies: int = 1
    request_id: str = ""
    emitted_at: float = 0.0
    """Seconds since the epoch, on the twin's clock."""

    def as_document(self) -> dict[str, Any]:
        """For the control API."""
        return {
            "exchange": self.exchange,
            "routing_key": f"{self.topic}.{self.priority}",
            "publisher_id": self.publisher_id,
            "event_type": self.event_type,
            "emitted_at": self.emitted_at,
            "payload": orjson.loads(self.payload),
            "context": orjson.loads(self.context) if self.context is not None else None,
        }


def _context(encoded: bytes | None) -> NotificationContext | None:
    return NotificationContext(orjson.loads(encoded)) if encoded is not None else None


_MAKING = threading.Lock()
"""Transports are made one at a time."""


class Lane:
    """One worker's queue and thread: order is kept within it, and none waits for another."""

    def __init__(self, exchange: str, url: str, extra_topics: tuple[str, ...]) -> None:
        self._exchange = exchange
        self._url = url
        self._extra_topics = extra_topics
        self._queue: queue.SimpleQueue[Notification | None] = queue.SimpleQueue()
        self._notifiers: dict[tuple[str, int], Any] = {}
        self._transport: Any = None
        self._waiting: list[tuple[int, asyncio.Future[None]]] = []
        self._loop: asyncio.AbstractEventLoop | None = None
        self.taken = 0
        self.published = 0
        self.failed = 0
        self._thread = threading.Thread(target=self._work, name=f"notifications {exchange}", daemon=True)
        self._thread.start()

    @property
    def pending(self) -> int:
        """Waiting for the broker."""
        return self.taken - self.published - self.failed

    def put(self, notification: Notification) -> None:
        """Takes a notification in; never blocks."""
        self.taken += 1
        self._queue.put(notification)

    def stop(self, timeout_seconds: float) -> None:
        """Publishes what waits, within the time given, and closes the connection."""
        self._queue.put(None)
        self._thread.join(timeout_seconds)

    async def caught_up(self) -> None:
        """Waits, for a second at most, until everything taken in so far went out."""
        self._loop = asyncio.get_running_loop()
        done = self._loop.create_future()
        self._waiting.append((self.taken, done))
        self._release()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(done, CATCH_UP_SECONDS)

    def _release(self) -> None:
        out = self.published + self.failed
        kept: list[tuple[int, asyncio.Future[None]]] = []
        for target, done in self._waiting:
            if done.done():
                continue
            if target > out:
                kept.append((target, done))
            else:
                done.set_result(None)
        self._waiting = kept

    def _work(self) -> None:
        while (notification := self._queue.get()) is not None:
            try:
                self._publish(notification)
                self.published += 1
            except Exception:
                self.failed += 1
                log.exception("notification %s was not published", notification.event_type)
            if self._waiting and self._loop is not None:
                with contextlib.suppress(RuntimeError):
                    self._loop.call_soon_threadsafe(self._release)
        if self._transport is not None:
            self._transport.cleanup()

    def _publish(self, notification: Notification) -> None:
        notifier = self._notifier(notification.topic, notification.copies)
        context = _context(notification.context)
        publish = notifier.prepare(publisher_id=notification.publisher_id)
        getattr(publish, notification.priority)(context, notification.event_type, orjson.loads(notification.payload))

    def _notifier(self, topic: str, copies: int) -> Any:
        key = (topic, copies)
        if key not in self._notifiers:
            import oslo_messaging

            # A topic named twice sends the same message twice, its id included: a doubled notification.
            topics = [topic] * copies + list(self._extra_topics) * copies
            self._notifiers[key] = oslo_messaging.Notifier(
                self._connected(), driver="messagingv2", topics=topics, publisher_id=self._exchange
            )
        return self._notifiers[key]

    def _connected(self) -> Any:
        if self._transport is None:
            import oslo_messaging
            from oslo_config import cfg

            with _MAKING:
                # The exchange is read when the transport is made, from a default that the process shares.
                oslo_messaging.set_transport_defaults(control_exchange=self._exchange)
                conf = cfg.ConfigOpts()
                conf([], project="twin")
                self._transport = oslo_messaging.get_notification_transport(conf, url=self._url)
        return self._transport


class Publisher:
    """`workers` lanes for each exchange; without an AMQP URL only the latest notifications are kept."""

    def __init__(self, amqp_url: str | None, extra_topics: tuple[str, ...] = (), workers: int = 1) -> None:
        self._url = amqp_url.replace("amqp://", "rabbit://", 1) if amqp_url else None
        self._extra_topics = extra_topics
        self._workers = workers
        self._lanes: dict[tuple[str, int], Lane] = {}
        self.latest: deque[Notification] = deque(maxlen=KEPT)
        self.dropped = 0

    @property
    def pending(self) -> int:
        """Waiting for the broker."""
        return sum(lane.pending for lane in self._lanes.values())

    @property
    def published(self) -> int:
        """Handed to the broker."""
        return sum(lane.published for lane in self._lanes.values())

    @property
    def failed(self) -> int:
        """Given up with an error."""
        return sum(lane.failed for lane in self._lanes.values())

    def stop(self, timeout_seconds: float = 5.0) -> None:
        """Publishes what waits, within the time given, and closes the connections."""
        deadline = time.monotonic() + timeout_seconds
        for lane in self._lanes.values():
            lane.stop(max(0.0, deadline - time.monotonic()))
        self._lanes.clear()

    def put(self, notification: Notification) -> None:
        """Takes a notification in; never blocks."""
        self.latest.append(notification)
        if self._url is None:
            return
        if self.pending >= MAX_PENDING:
            self.dropped += 1
            return
        key = notification.exchange, zlib.crc32(notification.request_id.encode()) % self._workers
        lane = self._lanes.get(key)
        if lane is None:
            lane = self._lanes[key] = Lane(notification.exchange, self._url, self._extra_topics)
        lane.put(notification)

    def marks(self) -> dict[tuple[str, int], int]:
        """How much each lane has taken in."""
        return {name: lane.taken for name, lane in self._lanes.items()}

    async def caught_up(self, since: dict[tuple[str, int], int]) -> None:
        """Waits until what was taken in since the marks went out.

        OpenStack's APIs publish before they answer; so does the twin with this, as long as the broker keeps up.
        """
        for key, lane in list(self._lanes.items()):
            if lane.taken > since.get(key, 0):
                await lane.caught_up()
