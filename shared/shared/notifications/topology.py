"""Which of OpenStack's exchanges are listened to, and the queue of our own that their messages come through.

An exchange belongs to the service that publishes to it and is never declared here: with guessed flags OpenStack's own
declaration would fail (406). `notifications.info` and its like belong to whoever else reads them.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

TOPICS = ("notifications", "versioned_notifications", "ironic_versioned_notifications")
"""oslo.messaging's default topic, Nova's and Ironic's versioned ones; the routing key is `<topic>.<priority>`."""

EXCHANGES = (
    "nova",
    "neutron",
    "keystone",
    "openstack",
    "cinder",
    "manila",
    "glance",
    "ironic",
    "placement",
    "swift",
    "barbican",
    "octavia",
    "designate",
    "heat",
    "magnum",
)
"""`control_exchange` of each service; Cinder and Manila publish on `openstack` unless told otherwise."""


@dataclass(frozen=True, slots=True)
class Binding:
    """One exchange and what is wanted from it; an exchange that does not exist is looked for again and again."""

    exchange: str
    patterns: tuple[str, ...]


def bindings_for(exchanges: Iterable[str] = EXCHANGES, topics: Iterable[str] = TOPICS) -> tuple[Binding, ...]:
    """Bindings to all priorities of these topics on these exchanges."""
    patterns = tuple(f"{topic}.*" for topic in topics)
    return tuple(Binding(exchange, patterns) for exchange in exchanges)


def queue_name(service: str) -> str:
    """The service's own queue on OpenStack's broker."""
    return f"tresor.{service}.notifications"


@dataclass(frozen=True, slots=True)
class QueueLimits:
    """What bounds the queue while nobody reads it: the oldest go first, the resync finds what they would have told."""

    max_messages: int = 500_000
    max_bytes: int = 2 * 1024**3
    message_ttl_seconds: int = 24 * 3600
    unused_expiry_seconds: int = 7 * 24 * 3600
    """The queue of a Tresor that is gone disappears after that."""

    def arguments(self, dropped_to: str = "") -> dict[str, Any]:
        """As RabbitMQ's queue arguments; `dropped_to` is the exchange that what goes is given to, if any."""
        return {
            "x-max-length": self.max_messages,
            "x-max-length-bytes": self.max_bytes,
            "x-overflow": "drop-head",
            "x-message-ttl": self.message_ttl_seconds * 1000,
            "x-expires": self.unused_expiry_seconds * 1000,
            **({"x-dead-letter-exchange": dropped_to} if dropped_to else {}),
        }
