"""A service whose clock is an hour off, and is set right: what it wrote meanwhile holds nothing up afterwards."""

import asyncio
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from bootstrap.leases import BrokerLease, DatabaseLease
from contracts import provisioner
from contracts.examples import DOCUMENT
from contracts.workspace import Workspace
from shared.clock import SystemClock
from shared.errors import Unknown
from shared.handlers import Handlers, Turn
from shared.testing import Site
from shared.work import Work
from tests.faults.crash import crash
from tests.faults.pair import nothing, rows_of, start_pair

HOUR = timedelta(hours=1)


class Wrong(SystemClock):
    """The machine's clock, as far off as the test says. Its monotonic time is right."""

    off = timedelta(0)

    def now(self) -> datetime:
        return super().now() + self.off


@pytest.mark.parametrize("hours", [1, pytest.param(-1, marks=pytest.mark.campaign)])
async def test_it_is_wrong_for_a_while(
    broker: BrokerLease, database: DatabaseLease, tmp_path: Path, hours: int
) -> None:
    clock = Wrong()
    async with Site(tmp_path, broker.url_of, database.dsn, broker.url).open() as site:
        pair = await start_pair(site, broker, clock)

        async def fault() -> None:
            async with asyncio.timeout(30):  # what is begun too late by the service's own clock it rightly rejects
                while await rows_of(pair.teller, "SELECT 1 FROM inbox WHERE state = 'pending'"):
                    await asyncio.sleep(0.02)
            clock.off = hours * HOUR
            await asyncio.sleep(4)
            clock.off = timedelta(0)

        untimely = ("expired", "not-yet-valid", "revoked-key")  # given to a service that is at another hour
        assert await pair.survive(fault, refused=untimely) < 30


def slow_worker(ticks: list[datetime]) -> Handlers[None]:
    """Takes three looks for what is asked of it; the first one's call stays without an answer. Has a timer."""
    handlers: Handlers[None] = Handlers(provisioner)
    looks: dict[str, int] = {}

    @handlers.on(provisioner.CreateWorkspace)
    async def create(command: provisioner.CreateWorkspace, tx: Work[None]) -> None:
        tx.reconcile(command.document.name, after_seconds=1)

    @handlers.every(seconds=1)
    async def tick(tx: Work[None]) -> None:
        ticks.append(tx.now)

    @handlers.reconcile
    async def reconcile(turn: Turn[None]) -> float | None:
        looks[turn.key] = looks.get(turn.key, 0) + 1
        if looks[turn.key] == 1:

            async def call(_: str) -> str:
                raise Unknown("the answer was lost")

            await turn.effect("thing.create", turn.key, call)
        if looks[turn.key] == 2:
            raise RuntimeError("not yet")
        async with turn.transaction() as tx:
            tx.emit(provisioner.WorkspaceEmptied(workspace=turn.key, generation=1))
        return None

    return handlers


@pytest.mark.parametrize("dies", [True, False])
async def test_what_was_put_off_by_a_clock_that_was_ahead(
    broker: BrokerLease, database: DatabaseLease, tmp_path: Path, dies: bool
) -> None:
    """Leases, timers, looks and calls written with an hour too much do not stand still for it, nor if it died since."""
    clock = Wrong()
    clock.off = HOUR
    ticks: list[datetime] = []
    worker = slow_worker(ticks)
    async with Site(tmp_path, broker.url_of, database.dsn, broker.url, clock=clock).open() as site:
        service = await site.start(worker, nothing, lane_lease_seconds=3)
        await site.command(provisioner.CreateWorkspace(document=Workspace.model_validate(DOCUMENT)))
        await site.tap.until(provisioner.CHASSIS.effect)
        if dies:
            await crash(site, service)
        clock.off = timedelta(0)
        if dies:
            service = await site.start(worker, nothing, lane_lease_seconds=3)
        ticks.clear()
        await site.tap.until(provisioner.WorkspaceEmptied, seconds=20)
        async with asyncio.timeout(20):
            while len(ticks) < 2:
                await asyncio.sleep(0.1)
        assert not await service.pool.fetchval("SELECT count(*) FROM lane WHERE owner <> $1", service.replica)
