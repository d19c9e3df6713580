"""What a reader of OpenStack's broker has to set up, and what it must do: the port behind which the client is chosen."""

from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol

from shared.notifications.handover import Batch
from shared.notifications.topology import Binding, QueueLimits


class Subscription(NamedTuple):
    """What a reader sets up on its connection."""

    url: str
    queue: str
    bindings: Sequence[Binding]
    limits: QueueLimits
    prefetch: int
    client_name: str
    monotonic_seconds: Callable[[], float]
    rebind_seconds: float = 3.0
    """How often exchanges that are missing are looked for."""
    liveness_seconds: float = 10.0
    """How often the broker is asked whether it sees the consumer, all bindings are made again, and what was dropped is counted."""
    heartbeat_seconds: int = 15
    on_dropped: Callable[[int], bool] = lambda _: True
    """Told at each count how many messages the queue dropped unread, at the least; False: say it again. From the reader's thread."""


class Reader(Protocol):
    """One connection's life: from its opening until it is lost or closed."""

    bound: frozenset[str]
    """The exchanges that exist and are bound."""
    consuming: bool
    """Whether the consumer stands."""

    def start(self) -> None:
        """Begin connecting; returns at once."""
        ...

    async def take(self) -> Batch:
        """What has come since the last time; waits for the first message. Raises ConnectionError when it is over."""
        ...

    def acknowledge(self, tag: int) -> None:
        """Everything up to this tag is durable."""
        ...

    async def close(self) -> None:
        """End it; unacknowledged messages go back to the queue."""
        ...
