"""Hears every notification of the cloud under test through a queue of its own; nobody else loses one."""

import json
import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pika
import pika.exceptions

EXCHANGES = ("nova", "neutron", "keystone", "glance", "ironic", "openstack")
"""The exchanges that carry notifications; Cinder and Manila share `openstack`, the default of oslo.messaging."""

TOPICS = ("notifications.*", "versioned_notifications.*", "ironic_versioned_notifications.*")
BIND_AGAIN_SECONDS = 1.0
QUIET_SECONDS = 1.5
"""How long nothing may arrive before a silence counts as one: three times the longest gap seen between two events of
one call, since a publisher's own queue adds up to half a second."""
LATE_SECONDS = 0.7
"""How long what was done before may still be on its way."""
LONGEST_LATE_SECONDS = 5.0


def on_this_machine(seconds: float) -> float:
    """That long on a machine with a processor to spare; up to five times as long where more wants to run than can."""
    return seconds * min(max(os.getloadavg()[0] / (os.cpu_count() or 1), 1.0), 5.0)


@dataclass(frozen=True)
class Notification:
    """One message as it came."""

    exchange: str
    routing_key: str
    properties: dict[str, Any]
    envelope: dict[str, Any]
    message: dict[str, Any]

    @property
    def event_type(self) -> str:
        """OpenStack's event type."""
        return str(self.message["event_type"])

    @property
    def publisher(self) -> str:
        """The publisher's name without its host: `network`, `nova-compute`, `compute`."""
        return str(self.message["publisher_id"]).replace(":", ".").split(".")[0]

    @property
    def payload(self) -> dict[str, Any]:
        """The payload; of a versioned notification the object's data."""
        payload: dict[str, Any] = self.message["payload"]
        data: dict[str, Any] | None = payload.get("nova_object.data") or payload.get("ironic_object.data")
        return data if data is not None else payload

    @property
    def versioned(self) -> bool:
        """Is it one of Nova's or Ironic's versioned notifications?"""
        return "versioned_notifications" in self.routing_key

    def mentions(self, text: str) -> bool:
        """Does the payload hold the text anywhere?"""
        return text in json.dumps(self.message["payload"])


def declared(connection: Any, exchange: str) -> bool:
    """Does the exchange exist? A passive declaration that fails closes its channel, so it gets one of its own."""
    probe = connection.channel()
    try:
        probe.exchange_declare(exchange, passive=True)
    except pika.exceptions.ChannelClosedByBroker:
        return False
    probe.close()
    return True


class Recorder:
    """A thread with a connection of its own; reading is safe from any thread."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._heard: list[Notification] = []
        self._condition = threading.Condition()
        self._stop = threading.Event()
        self._bound: set[str] = set()
        self._thread = threading.Thread(target=self._listen, name="notification recorder", daemon=True)

    def __enter__(self) -> "Recorder":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(timeout=10)

    def wait_until_bound(self, timeout_seconds: float = 20.0) -> None:
        """Waits for the exchanges, some of which exist only from their service's first publish on. Raises TimeoutError."""
        with self._condition:
            if not self._condition.wait_for(lambda: set(EXCHANGES) == self._bound, timeout_seconds):
                raise TimeoutError(f"no exchange {set(EXCHANGES) - self._bound}")

    def exchange_exists(self, exchange: str) -> bool:
        """Is there an exchange of that name? Asked on a connection of its own."""
        with pika.BlockingConnection(pika.URLParameters(self._url)) as connection:
            return declared(connection, exchange)

    def mark(self) -> int:
        """A place in the stream, to be given to the other methods: what was done before has come, as a rule."""
        limit = time.monotonic() + LONGEST_LATE_SECONDS
        with self._condition:
            while time.monotonic() < limit:
                heard = len(self._heard)
                if not self._condition.wait(on_this_machine(LATE_SECONDS)) and len(self._heard) == heard:
                    break
            return len(self._heard)

    def since(self, mark: int, about: Callable[[Notification], bool] = lambda _: True) -> list[Notification]:
        """What was heard since the mark, in order of arrival."""
        with self._condition:
            return [heard for heard in self._heard[mark:] if about(heard)]

    def wait_for(
        self, mark: int, about: Callable[[Notification], bool], count: int = 1, timeout_seconds: float = 30.0
    ) -> list[Notification]:
        """Waits until `count` matching notifications have come. Raises AssertionError that tells what did come."""
        with self._condition:
            if self._condition.wait_for(lambda: sum(map(about, self._heard[mark:])) >= count, timeout_seconds):
                return [heard for heard in self._heard[mark:] if about(heard)]
            came = [(heard.exchange, heard.routing_key, heard.event_type) for heard in self._heard[mark:]]
        raise AssertionError(f"{count} notifications were expected within {timeout_seconds:.0f} s; came: {came}")

    def wait_for_quiet(
        self, mark: int, about: Callable[[Notification], bool], timeout_seconds: float = 30.0
    ) -> list[Notification]:
        """Waits until nothing that matches came for QUIET_SECONDS or longer, and gives all that matched since the mark."""
        deadline = time.monotonic() + timeout_seconds
        count, since, quiet_seconds = -1, time.monotonic(), on_this_machine(QUIET_SECONDS)
        while time.monotonic() < deadline:
            heard = self.since(mark, about)
            if len(heard) != count:
                count, since = len(heard), time.monotonic()
            elif time.monotonic() - since >= quiet_seconds:
                return heard
            time.sleep(0.1)
        raise AssertionError(f"the cloud did not fall silent within {timeout_seconds:.0f} s")

    def _listen(self) -> None:
        connection = pika.BlockingConnection(pika.URLParameters(self._url))
        channel = connection.channel()
        # The prefix is what the lab's account for listeners may configure.
        queue = channel.queue_declare(f"tresor.conformance.{id(self)}", exclusive=True, auto_delete=True).method.queue
        bound_at = 0.0
        for method, properties, body in channel.consume(queue, auto_ack=True, inactivity_timeout=0.2):
            if time.monotonic() - bound_at > BIND_AGAIN_SECONDS and len(self._bound) < len(EXCHANGES):
                self._bind(connection, channel, queue)
                bound_at = time.monotonic()
            if method is not None:
                envelope = json.loads(body)
                message = json.loads(envelope["oslo.message"])
                known = {key: value for key, value in vars(properties).items() if value is not None}
                heard = Notification(method.exchange, method.routing_key, known, envelope, message)
                with self._condition:
                    self._heard.append(heard)
                    self._condition.notify_all()
            if self._stop.is_set():
                break
        connection.close()

    def _bind(self, connection: Any, channel: Any, queue: str) -> None:
        for exchange in EXCHANGES:
            if exchange in self._bound:
                continue
            if not declared(connection, exchange):
                continue
            for topic in TOPICS:
                channel.queue_bind(queue, exchange, topic)
            with self._condition:
                self._bound.add(exchange)
                self._condition.notify_all()
