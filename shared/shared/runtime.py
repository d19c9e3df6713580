"""What the chassis' parts of one running service share."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Generic

from contracts.envelope import Envelope
from shared.clock import Clock
from shared.db import Pool, transaction
from shared.handlers import Handlers
from shared.lease import Leases
from shared.signing import Keyring
from shared.urgent import Urgent
from shared.work import C, Identity, Work


@dataclass
class Wakes:
    """Who has something to do; the events only wake, the work itself is in PostgreSQL."""

    decide: asyncio.Event = field(default_factory=asyncio.Event)
    reconcile: asyncio.Event = field(default_factory=asyncio.Event)
    relay: asyncio.Event = field(default_factory=asyncio.Event)

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
    keyring: Keyring
    work_concurrency: int
    wakes: Wakes = field(default_factory=Wakes)
    urgent: Urgent[C] = field(init=False)

    def __post_init__(self) -> None:
        self.urgent = Urgent(self.identity, self.leases, self.work)

    @property
    def clock(self) -> Clock:
        return self.identity.clock

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
        async with transaction(self.pool) as connection:
            if lane is not None:
                await self.leases.guard(connection, *lane)
            work = Work(connection, self.identity, self.context, cause, holder, correlation_id, hint)
            work.fence_of = self.leases.holds
            yield work
            await work.flush()
        self.urgent.begin(work.at_once)
        self.wakes.relay.set()
        if work.has_marks:
            self.wakes.reconcile.set()


async def wait(wake: asyncio.Event, timeout_seconds: float) -> None:
    """Until woken, or that long at the most."""
    try:
        async with asyncio.timeout(timeout_seconds):
            await wake.wait()
    except TimeoutError:
        return
    finally:
        wake.clear()
