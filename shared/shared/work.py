"""One transaction of a service: what it changes, what it tells, and which keys it wants looked at, committed as one."""

import json
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Generic, TypeVar

from contracts.envelope import Command, Envelope, Event, Problem
from contracts.outcome import CommandOutcome
from shared.clock import Ids
from shared.db import Connection
from shared.outbox import Identity, Told, bucket_of, tell
from shared.signing import EVERYTHING, Coverage
from shared.telemetry import traceparent

C = TypeVar("C")

_MARK = """
INSERT INTO dirty (key, bucket, due_at, marked_at, traceparent, correlation_id)
SELECT * FROM unnest($1::text[], $2::smallint[], $3::timestamptz[], $4::timestamptz[], $5::text[], $6::uuid[])
ON CONFLICT (key) DO UPDATE SET
    version = dirty.version + 1,
    due_at = CASE WHEN $7 AND dirty.attempts > 0 THEN dirty.due_at ELSE LEAST(dirty.due_at, excluded.due_at) END,
    traceparent = coalesce(excluded.traceparent, dirty.traceparent),
    correlation_id = coalesce(excluded.correlation_id, dirty.correlation_id)
"""

_INTEND = """
INSERT INTO intent (intent_id, key, step, marker, request_id, fence, state, sent_at)
SELECT intent_id, key, step, marker, request_id, fence, 'sent', $14
FROM unnest($8::uuid[], $9::text[], $10::text[], $11::text[], $12::text[], $13::bigint[])
     AS call (intent_id, key, step, marker, request_id, fence)
"""
_MARK_AND_INTEND = f"WITH intended AS ({_INTEND}) {_MARK}"  # one round trip: repairs wait for it

_END_COMMAND = """
UPDATE inbox SET state = $2, problems = $3, finished_at = $4
WHERE message_id = $1 AND kind = 'command' AND state IN ('pending', 'held', 'waiting')
RETURNING type, holder, aggregate, body
"""


@dataclass(frozen=True)
class Call:
    """What a call that changes the cloud does, and to which resource; `asked`: the values that it sets, if any."""

    step: str
    marker: str
    make: Callable[[str], Awaitable[str | None]]
    """Gets the request id to carry, returns the resource's id, if there is one."""
    asked: Any = None


@dataclass(frozen=True)
class Settled:
    """What became of one call; `about` is what it was given with. What is told of it is told below `traceparent`."""

    about: Any
    made: bool
    traceparent: str | None


Settle = Callable[["Work[Any]", Sequence[Settled]], Awaitable[None]]


@dataclass(frozen=True)
class AtOnce:
    """A call that changes the cloud, decided in a transaction that tells of it, made when that has committed (I13)."""

    intent_id: str
    key: str
    fence: int
    call: Call
    request_id: str
    about: Any
    settle: Settle
    traceparent: str | None


@dataclass
class Work(Generic[C]):
    """What a handler is given. Nothing that it does is seen by anybody before the commit."""

    connection: Connection
    identity: Identity
    context: C
    cause: Envelope | None = None
    """What is being handled; None in a scan."""
    holder: str = ""
    """Who signed the command or query that is being handled."""
    correlation_id: str | None = None
    hint: bool = False
    """Marks made here come from notifications or scans: they don't cut short the back-off of a key that keeps failing."""
    held: bool = False
    fence_of: Callable[[int], int | None] = lambda _: None
    """The fence of a bucket that this replica surely holds."""
    at_once: list[AtOnce] = field(default_factory=list)
    """What is called as soon as this has committed."""
    coverage: Coverage = EVERYTHING
    """What whoever asked may be told of: an answer about many workspaces names those alone."""
    ended: set[str] = field(default_factory=set)
    """The commands whose end was told here."""
    _told: list[Told] = field(default_factory=list)
    _marked: dict[str, "_Mark"] = field(default_factory=dict)

    @property
    def now(self) -> datetime:
        """The time of day, UTC."""
        return self.identity.clock.now()

    @property
    def ids(self) -> Ids:
        return self.identity.ids

    def emit(self, *messages: Event | Command) -> None:
        """Tell these, in this order, once the transaction has committed. Commands are signed for their owner."""
        self._told.extend(
            Told(message, self._correlation(), self.cause.id if self.cause else None, traceparent())
            for message in messages
        )

    def reconcile(self, key: str, after_seconds: float = 0.0) -> None:
        """Have the key looked at, at the earliest after that long; marks of one key melt into one."""
        due = self.now + timedelta(seconds=after_seconds)
        before = self._marked.get(key)
        self._marked[key] = _Mark(min(due, before.due_at) if before else due, traceparent())

    def may_call(self, key: str) -> bool:
        """Whether this replica works on the key: else a call is for another one to make."""
        return self.fence_of(bucket_of(key)) is not None

    def call_at_once(self, key: str, call: Call, about: Any, settle: Settle) -> None:
        """Make a call that does once what it does twice as soon as this commits, ahead of any look at `key`.

        `settle` is told, in the transaction that tells of the outcomes, what became of all that it was given for.
        `may_call` must hold, and the key be marked as well, as this process may die before the call.
        """
        fence = self.fence_of(bucket_of(key))
        assert fence is not None
        self.at_once.append(
            AtOnce(self.ids.uuid(), key, fence, call, self.ids.request_id(), about, settle, traceparent())
        )

    def hold(self) -> None:
        """The command being handled isn't finished by this transaction; a later one says applied, rejected or failed."""
        self.held = True

    async def applied(self, command_id: str) -> None:
        """All that the command asked is so. Does nothing if the command has ended already."""
        await self._end(command_id, "applied", self.identity.messages.applied, ())

    async def rejected(self, command_id: str, problems: Iterable[Problem]) -> None:
        """The command is refused; nothing was done for it."""
        await self._end(command_id, "rejected", self.identity.messages.rejected, tuple(problems))

    async def failed(self, command_id: str, problems: Iterable[Problem]) -> None:
        """The command was begun and is given up."""
        await self._end(command_id, "failed", self.identity.messages.failed, tuple(problems))

    async def _end(
        self, command_id: str, state: str, outcome: type[CommandOutcome], problems: tuple[Problem, ...]
    ) -> None:
        stored = json.dumps([problem.model_dump() for problem in problems]) if problems else None
        row = await self.connection.fetchrow(_END_COMMAND, command_id, state, stored, self.now)
        if row is None:
            return
        self.ended.add(command_id)
        if self.correlation_id is None:
            self.correlation_id = json.loads(row["body"])["correlationid"]
        fields: dict[str, Any] = {"problems": problems} if "problems" in outcome.model_fields else {}
        self.emit(
            outcome(
                command_id=command_id,
                command_type=row["type"],
                holder=row["holder"],
                subject=row["aggregate"],
                **fields,
            )
        )

    def has_marks(self, within_seconds: float) -> bool:
        """Whether a key is to be looked at that soon."""
        soon = self.now + timedelta(seconds=within_seconds)
        return any(mark.due_at <= soon for mark in self._marked.values())

    async def write_marks(self) -> None:
        """Write which keys are to be looked at, and the calls that follow the commit."""
        if not self._marked:
            assert not self.at_once
            return
        keys = sorted(self._marked)  # always in the same order, so that two transactions never lock crosswise
        due = [self._marked[key] for key in keys]
        marks = (
            keys,
            [bucket_of(key) for key in keys],
            [mark.due_at for mark in due],
            [self.now] * len(keys),
            [mark.traceparent for mark in due],
            [self._correlation()] * len(keys),
            self.hint,
        )
        if not self.at_once:
            await self.connection.execute(_MARK, *marks)
            return
        calls = zip(
            *(
                (one.intent_id, one.key, one.call.step, one.call.marker, one.request_id, one.fence)
                for one in self.at_once
            ),
            strict=True,
        )
        await self.connection.execute(_MARK_AND_INTEND, *marks, *(list(column) for column in calls), self.now)

    def _correlation(self) -> str | None:
        return self.correlation_id or (self.cause.correlationid if self.cause else None)

    @property
    def told(self) -> list[Told]:
        """What is to be told, in its order."""
        return self._told


@dataclass(frozen=True)
class _Mark:
    due_at: datetime
    traceparent: str | None


async def flush(works: Sequence[Work[Any]]) -> None:
    """Write the marks and the events of works that share a transaction: the last thing before its commit."""
    for work in works:
        await work.write_marks()
    if told := [one for work in works for one in work.told]:
        await tell(works[0].connection, works[0].identity, told)
