"""What the chassis' parts of one running service share."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Generic, Protocol

from contracts.envelope import Envelope
from shared.clock import Clock
from shared.db import Connection, Pool, transaction
from shared.handlers import Handlers
from shared.lease import Leases
from shared.outbox import Identity
from shared.signing import Keyring
from shared.urgent import Urgent
from shared.work import C, Work, flush

SOON_SECONDS = 0.5
"""What is due later is found when the reconcile lane looks by itself, which it does as often."""


class MakeWork(Protocol[C]):
    """Makes a work of the transaction for what is being handled."""

    def __call__(
        self, cause: Envelope | None, holder: str, correlation_id: str | None = None, hint: bool = False
    ) -> Work[C]: ...


@dataclass
class Wakes:
    """Who has something to do; the events only wake, the work itself is in PostgreSQL."""

    decide: asyncio.Event = field(default_factory=asyncio.Event)
    reconcile: asyncio.Event = field(default_factory=asyncio.Event)
    relay: asyncio.Event = field(default_factory=asyncio.Event)
    stored: set[str] = field(default_factory=set)
    """The aggregates of messages stored since the decide lane last looked at them."""

    def all(self) -> None:
        self.decide.set()
        self.reconcile.set()
        self.relay.set()


@dataclass
class Runtime(Generic[C]):
    """One service in one process."""

    identity: Identity
    pool: Pool
    handlers: Handlers[C]
    context: C
    leases: Leases
    work_concurrency: int
    wakes: Wakes = field(default_factory=Wakes)
    urgent: Urgent[C] = field(init=False)

    def __post_init__(self) -> None:
        self.urgent = Urgent(self.identity, self.leases, self.work)

    @property
    def clock(self) -> Clock:
        return self.identity.clock

    @property
    def keyring(self) -> Keyring:
        return self.identity.keyring

    @asynccontextmanager
    async def works(self) -> AsyncIterator[tuple[Connection, MakeWork[C]]]:
        """A transaction for several works, each with its own marks and events, told in the order they were made in."""
        made: list[Work[C]] = []

        def make(cause: Envelope | None, holder: str, correlation_id: str | None = None, hint: bool = False) -> Work[C]:
            work = Work(connection, self.identity, self.context, cause, holder, correlation_id, hint)
            work.fence_of = self.leases.holds
            made.append(work)
            return work

        async with transaction(self.pool) as connection:
            yield connection, make
            await flush(made)
        for work in made:
            self.urgent.begin(work.at_once)
        self.wakes.relay.set()
        if any(work.has_marks(SOON_SECONDS) for work in made):
            self.wakes.reconcile.set()

    @asynccontextmanager
    async def work(
        self,
        *,
        lane: tuple[int, int] | None = None,
        cause: Envelope | None = None,
        holder: str = "",
        correlation_id: str | None = None,
        hint: bool = False,
    ) -> AsyncIterator[Work[C]]:
        """A transaction with its marks and events; `lane` is the bucket and fence that it is good under."""
        async with self.works() as (connection, make):
            if lane is not None:
                await self.leases.guard(connection, *lane)
            yield make(cause, holder, correlation_id, hint)


async def wait(wake: asyncio.Event, timeout_seconds: float) -> None:
    """Until woken, or that long at the most."""
    try:
        async with asyncio.timeout(timeout_seconds):
            await wake.wait()
    except TimeoutError:
        return
    finally:
        wake.clear()
