"""kill -9 before and after every commit on the way of a command, one by one: it ends once, with one effect (I1, I2, I3)."""

import asyncio
from pathlib import Path
from typing import Any
from unittest.mock import AsyncMock

import pytest
from asyncpg.transaction import Transaction

import shared.effects
import shared.service
from bootstrap.leases import BrokerLease, DatabaseLease
from contracts import provisioner
from shared.errors import LeaseLost
from tests.faults.checks_of_work import Maker
from tests.faults.crash import crash
from tests.faults.ground import Ground, ground
from tests.faults.pair import under_way

COMMITS = (
    "the command is stored",
    "the command is handled",
    "a former call is looked for",
    "the call is written down",
    "the call is settled",
    "the thing is told of",
    "the look is over",
)
"""In the order in which they come, after a service has started."""
IN_EVERY_RUN = {("the command is handled", "after"), ("the call is settled", "before")}
UPKEEP = {"leases", "reconcile"}
"""Parts of a service that renew leases and run timers; a look has a task of its own."""
PATIENCE_SECONDS = 30.0
CHOSEN = [
    pytest.param(number, when, id=f"{when} {name}", marks=() if (name, when) in IN_EVERY_RUN else pytest.mark.campaign)
    for number, name in enumerate(COMMITS, start=1)
    for when in ("before", "after")
]


class Death:
    """Stops a service at one of its commits, and lets nothing go on that stands there until it is dead."""

    def __init__(self, number: int, when: str) -> None:
        self._number = number
        self._is_after = when == "after"
        self.commits = 0
        self.is_armed = False
        self.is_there = asyncio.Event()
        self.is_over = asyncio.Event()

    def lie_in_wait(self, patch: pytest.MonkeyPatch) -> None:
        end = Transaction.__aexit__
        death = self

        async def at_the_commit(self: Any, kind: Any, error: Any, trace: Any) -> None:
            task = asyncio.current_task()
            is_upkeep = task is not None and task.get_name() in UPKEEP
            if not death.is_armed or is_upkeep or error is not None:
                await end(self, kind, error, trace)
                return
            death.commits += 1
            if death.commits < death._number:
                await end(self, kind, error, trace)
                return
            if death.commits == death._number and death._is_after:
                await end(self, kind, error, trace)
            death.is_there.set()
            await death.is_over.wait()
            raise LeaseLost("it is dead")

        patch.setattr(Transaction, "__aexit__", at_the_commit)


async def give(here: Ground, maker: Maker) -> None:
    maker.is_found = True
    await maker.give()


@pytest.fixture(autouse=True)
def only_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    """No other transactions than those on its way."""
    monkeypatch.setattr(shared.service, "bring_forward", AsyncMock())
    monkeypatch.setattr("shared.retention.Retention.run", asyncio.Event().wait)
    monkeypatch.setattr(shared.effects, "UNSETTLED_SECONDS", 1.0)


@pytest.mark.parametrize(("number", "when"), CHOSEN)
async def test_killed_there(
    broker: BrokerLease,
    database: DatabaseLease,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    number: int,
    when: str,
) -> None:
    death = Death(number, when)
    async with ground(broker, database, tmp_path, PATIENCE_SECONDS) as here:
        maker = Maker(here)
        service = await here.start(maker.handlers)
        await asyncio.sleep(0.5)
        with monkeypatch.context() as patch:
            death.lie_in_wait(patch)
            death.is_armed = True
            await give(here, maker)
            await asyncio.wait_for(death.is_there.wait(), PATIENCE_SECONDS)
            here.amqp.reset()
            dying = asyncio.create_task(crash(here.site, service))
            await asyncio.sleep(0)  # its database sessions are cut
            death.is_over.set()
            await dying
        service = await here.start(maker.handlers)
        await here.told(provisioner.CHASSIS.applied)
        await here.told(provisioner.WorkspaceEmptied)

        async def nothing_is_left() -> bool:
            return not await under_way(service)

        await here.until(nothing_is_left, "nothing is under way")
        assert len(maker.made) == 1
        ended = "SELECT count(*) FROM outbox WHERE type = $1"
        assert await service.pool.fetchval(ended, provisioner.CHASSIS.applied.type) == 1


async def test_these_are_all_of_them(
    broker: BrokerLease, database: DatabaseLease, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    death = Death(1000, "before")
    async with ground(broker, database, tmp_path, PATIENCE_SECONDS) as here:
        maker = Maker(here)
        service = await here.start(maker.handlers)
        await asyncio.sleep(0.5)
        death.lie_in_wait(monkeypatch)
        death.is_armed = True
        await give(here, maker)
        await here.told(provisioner.WorkspaceEmptied)

        async def nothing_is_left() -> bool:
            return not await under_way(service)

        await here.until(nothing_is_left, "nothing is under way")
        assert death.commits == len(COMMITS)
        death.is_armed = False
