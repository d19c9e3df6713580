"""What a service does about which message: the register that its `handlers` room fills and the chassis reads."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime
from types import ModuleType
from typing import Any, Generic, Protocol, TypeVar

from contracts.chassis import ChassisMessages
from contracts.envelope import Answer, Command, Event, Message, Query
from contracts.openstack import Notification
from shared import approvals, parked
from shared.clock import Clock, Ids
from shared.work import C, Call, Work

M = TypeVar("M", bound=Event | Command)
Q = TypeVar("Q", bound=Query)

MessageHandler = Callable[[Any, Work[C]], Awaitable[None]]
QueryHandler = Callable[[Any, Work[C]], Awaitable[Answer]]
NotificationHandler = Callable[[Any, Work[C]], Awaitable[None]]
BatchHandler = Callable[[Sequence["Heard"], Work[C]], Awaitable[None]]
TellsOf = Callable[[Notification, Call], bool]
NotificationSink = Callable[[Sequence[Any], Work[C]], Awaitable[None]]
TimerHandler = Callable[[Work[C]], Awaitable[None]]


@dataclass(frozen=True, slots=True, eq=False)
class Heard:
    """A notification of a batch. What is told of it is told below its span (`telemetry.below`)."""

    notification: Notification
    traceparent: str | None


class Turn(Protocol[C]):
    """One look at one key, by the only lane that may look at it."""

    key: str
    lane: tuple[int, int]
    """The key's bucket, and the fence that it is held with: another one after it was another replica's."""
    context: C
    cause: str | None
    """The correlation id of the latest message that marked the key."""

    @property
    def now(self) -> datetime:
        """The time of day, UTC."""
        ...

    @property
    def clock(self) -> Clock: ...

    @property
    def ids(self) -> Ids: ...

    def transaction(self) -> AbstractAsyncContextManager[Work[C]]:
        """A transaction that commits only while this lane is still ours. Raises LeaseLost otherwise."""
        ...

    async def effect(
        self,
        step: str,
        marker: str,
        call: Callable[[str], Awaitable[str | None]],
        *,
        find: Callable[[], Awaitable[str | None]] | None = None,
        workspace: str | None = None,
        repeatable: bool = False,
    ) -> str | None:
        """Make one call that changes the cloud, between two commits that tell of it.

        `call` gets the request id to carry and returns the resource's id, if there is one. `marker` names what the
        call makes, so that a call whose answer was lost is looked up (`find`) before it is made again. `workspace`
        names whom it is for, when the key does not. `repeatable`: made twice it does what it does once, as deletes do, so
        that an unknown outcome need not be waited for. Raises what `call` raises, and Unsettled.
        """
        ...

    async def effects(
        self, step: str, calls: Mapping[str, Callable[[str], Awaitable[str | None]]], *, workspace: str | None = None
    ) -> dict[str, Exception]:
        """Make many repeatable calls of one kind side by side, by their markers. Returns the failures by marker."""
        ...


ReconcileHandler = Callable[[Turn[C]], Awaitable[float | None]]


@dataclass(frozen=True)
class Timer(Generic[C]):
    """Something that is done again and again by one replica."""

    name: str
    seconds: Callable[[C], float]
    handler: TimerHandler[C]
    is_scan: bool = False
    """It finds what notifications would have told: when some are lost it is done at once."""


@dataclass(frozen=True)
class Forgets:
    """One table's rows that go after a time."""

    table: str
    days: Callable[[Any], float]
    """From the service's settings."""
    delete: str
    """Deletes at most $2 rows older than $1."""


class Handlers(Generic[C]):
    """A service's handlers. `owner` is its module in `contracts`.

    Without `hears_begun` no notification of what has only begun (`….start`) is handed on, nor any that `tells_of` finds to
    tell of nothing but a call that this process made at once (`Work.call_at_once`): no transaction is made for them.
    """

    def __init__(self, owner: ModuleType, *, hears_begun: bool = True, tells_of: TellsOf | None = None) -> None:
        self.hears_begun, self.tells_of = hears_begun, tells_of
        self.service: str = owner.OWNER
        self.chassis: ChassisMessages = owner.CHASSIS
        self.messages: dict[str, tuple[type[Message], MessageHandler[C]]] = {}
        self.queries: dict[str, tuple[type[Query], QueryHandler[C]]] = {}
        self.notifications: list[tuple[tuple[str, ...], NotificationHandler[C]]] = []
        self.batches: list[tuple[tuple[str, ...], BatchHandler[C]]] = []
        self.timers: list[Timer[C]] = []
        self.forgetting: list[Forgets] = []
        self.reconciler: ReconcileHandler[C] | None = None
        self.every_event: MessageHandler[C] | None = None
        self.notification_sink: NotificationSink[C] | None = None
        parked.take_part(self)

    def on(self, message: type[M]) -> Callable[[Callable[[M, Work[C]], Awaitable[None]]], MessageHandler[C]]:
        """Handle an event of any service, or a command of our own, in one transaction."""
        if issubclass(message, Command) and message.owner() != self.service:
            raise TypeError(f"{message.type} is a command of {message.owner()}, not of {self.service}")

        def register(handler: Callable[[M, Work[C]], Awaitable[None]]) -> MessageHandler[C]:
            if message.type in self.messages:
                raise TypeError(f"{message.type} has a handler already")
            self.messages[message.type] = (message, handler)
            if issubclass(message, Command) and message.approvals:
                approvals.take_part(self)
            return handler

        return register

    def on_every_event(self, handler: MessageHandler[C]) -> MessageHandler[C]:
        """Handle the envelope of every event of every service; beside the handlers of single types."""
        self.every_event = handler
        return handler

    def answer(self, query: type[Q]) -> Callable[[Callable[[Q, Work[C]], Awaitable[Answer]]], QueryHandler[C]]:
        """Answer a query of our own, in a transaction that can't write."""
        if query.owner() != self.service:
            raise TypeError(f"{query.type} is a query of {query.owner()}, not of {self.service}")

        def register(handler: Callable[[Q, Work[C]], Awaitable[Answer]]) -> QueryHandler[C]:
            self.queries[query.type] = (query, handler)
            return handler

        return register

    def notified(self, *prefixes: str) -> Callable[[NotificationHandler[C]], NotificationHandler[C]]:
        """Hear OpenStack's notifications whose event type begins with one of these words, in their batch's transaction.

        `port` means `port.create.end` but not `port_forwarding.create.end`; an empty prefix means all of them.
        """

        def register(handler: NotificationHandler[C]) -> NotificationHandler[C]:
            self.notifications.append((prefixes, handler))
            return handler

        return register

    def notified_together(self, *prefixes: str) -> Callable[[BatchHandler[C]], BatchHandler[C]]:
        """Hear those of a batch together, in their order, so that what belongs to all of them is asked for once."""

        def register(handler: BatchHandler[C]) -> BatchHandler[C]:
            self.batches.append((prefixes, handler))
            return handler

        return register

    def on_notifications(self, sink: NotificationSink[C]) -> NotificationSink[C]:
        """Take whole batches of raw notifications instead, in one transaction each: for what stores them all."""
        self.notification_sink = sink
        return sink

    def every(
        self, seconds: Callable[[C], float] | float, *, is_scan: bool = False
    ) -> Callable[[TimerHandler[C]], TimerHandler[C]]:
        """Do this again and again, give or take a fifth, in one replica only; a scan also when notifications were lost."""
        period = seconds if callable(seconds) else lambda _: seconds

        def register(handler: TimerHandler[C]) -> TimerHandler[C]:
            self.timers.append(Timer(handler.__name__, period, handler, is_scan))
            return handler

        return register

    def forgets(self, table: str, days: Callable[[Any], float], delete: str) -> None:
        """Have rows of a table of the service's own go after `days(settings)`: `delete` takes $2 rows older than $1."""
        self.forgetting.append(Forgets(table, days, delete))

    def reconcile(self, handler: ReconcileHandler[C]) -> ReconcileHandler[C]:
        """Look at a key that was marked: observe, plan, act. Returns seconds until the next look, None when settled."""
        self.reconciler = handler
        return handler

    def producers(self) -> frozenset[str]:
        """Whose events this service listens to."""
        return frozenset(
            kind.owner()
            for kind, _ in self.messages.values()
            if issubclass(kind, Event) and kind.owner() != self.service
        )
