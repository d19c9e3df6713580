"""What goes on by itself: what is stored, committed, marked or confirmed, and what waits for room. See `test_self_test`."""

import asyncio
from contextlib import ExitStack
from typing import Any
from unittest.mock import AsyncMock, patch

import asyncpg

import shared.bus
import shared.lanes
import shared.reconcile
import shared.relay
import shared.service
from contracts import provisioner
from shared.handlers import Handlers, Turn
from shared.relay import Relay
from shared.work import Work
from tests.faults.checks_of_messages import worker
from tests.faults.ground import LEASE_SECONDS, Ground
from tests.faults.no_room import fill, make_room

CHASSIS = provisioner.CHASSIS
AN_HOUR_SECONDS = 3600.0
CRASHES = 8
UNSENT = "SELECT count(*) FROM outbox WHERE sent_at IS NULL"


def hesitant(begun: asyncio.Event, go_on: asyncio.Event) -> Handlers[None]:
    """The provisioner: waits over its first command, and tells of each workspace when it looks at it."""
    handlers: Handlers[None] = Handlers(provisioner)

    @handlers.on(provisioner.CreateWorkspace)
    async def create(command: provisioner.CreateWorkspace, tx: Work[None]) -> None:
        begun.set()
        await go_on.wait()
        tx.reconcile(command.document.name)

    @handlers.reconcile
    async def reconcile(turn: Turn[None]) -> float | None:
        async with turn.transaction() as tx:
            tx.emit(provisioner.WorkspaceEmptied(workspace=turn.key, generation=1))
        return None

    return handlers


async def nothing_waits_to_be_polled_for(ground: Ground) -> None:
    """What is stored, committed and marked is gone on with for that reason: every poll is an hour away.

    A message that is stored while another of its aggregate is handled is the one that a lane could forget.
    """
    begun, go_on = asyncio.Event(), asyncio.Event()
    with ExitStack() as stack:
        for lane in (shared.lanes, shared.reconcile, shared.relay):
            stack.enter_context(patch.object(lane, "POLL_SECONDS", AN_HOUR_SECONDS))
        # At first a service wakes everything again and again, as its clock may have been wrong before.
        stack.enter_context(patch.object(shared.service, "bring_forward", AsyncMock()))
        service = await ground.start(hesitant(begun, go_on))
        await asyncio.sleep(0.5)  # everything has looked once, and sleeps
        body, signature, _ = ground.signed()
        await ground.give(body, signature)

        async def has_begun() -> bool:
            return begun.is_set()

        await ground.until(has_begun, "what was stored is handled")
        body, signature, _ = ground.signed()
        await ground.give(body, signature)

        async def is_stored() -> bool:
            return bool(await service.pool.fetchval("SELECT count(*) = 2 FROM inbox"))

        await ground.until(is_stored, "the second one is stored")
        await asyncio.sleep(0.2)
        go_on.set()
        await ground.told(CHASSIS.applied, 2)
        await ground.told(provisioner.WorkspaceEmptied)


async def what_was_confirmed_is_noted(ground: Ground) -> None:
    """I15: it does not count as unsent for long, and is not told again."""
    service = await ground.start(worker(ground))
    async with service.runtime.work() as work:
        work.emit(provisioner.WorkspaceEmptied(workspace="genome-42", generation=1))
    await ground.told(provisioner.WorkspaceEmptied)

    async def is_noted() -> bool:
        return not await service.pool.fetchval(UNSENT)

    await ground.until(is_noted, "what was confirmed is noted")

    async def is_told_again() -> bool:
        return [one["type"] for one in ground.site.tap.events].count(provisioner.WorkspaceEmptied.type) > 1

    await ground.never(is_told_again, "it is told again", 1.0)


async def what_was_confirmed_says_nothing_of_others(ground: Ground) -> None:
    """I5: an event of another aggregate has the same number, and the broker did not take it."""
    service = await ground.start(worker(ground))
    takes = asyncio.Event()
    publish = Relay._publish

    async def all_but_one(self: Relay[Any], exchange: Any, row: Any) -> None:
        if row["aggregate"] == "genome-43" and not takes.is_set():
            raise ConnectionError("a nack")
        await publish(self, exchange, row)

    with patch.object(Relay, "_publish", all_but_one):
        async with service.runtime.work() as work:
            for name in ("genome-42", "genome-43"):
                work.emit(provisioner.WorkspaceEmptied(workspace=name, generation=1))
        await ground.told(provisioner.WorkspaceEmptied, workspace="genome-42")
        await asyncio.sleep(0.5)
        takes.set()
        await ground.told(provisioner.WorkspaceEmptied, workspace="genome-43")


async def a_database_without_room_ends_nothing(ground: Ground) -> None:
    """I16: every part of the service waits for room, and the command that came meanwhile is taken then."""
    service = await ground.start(worker(ground))
    keeper = await asyncpg.connect(ground.database.dsn())
    try:
        await fill(keeper)
        body, signature, _ = ground.signed()
        await ground.give(body, signature)
        await asyncio.sleep(LEASE_SECONDS)
        assert not [name for name, task in service.tasks.items() if task.done()]
        await make_room(keeper)
    finally:
        await keeper.close()
    await ground.told(CHASSIS.applied)


async def a_command_outlives_its_consumers(ground: Ground) -> None:
    """I1: many of them die while they hold it, and none of that is the command's fault."""
    with patch.object(shared.bus, "LONGEST_BACK_OFF_SECONDS", 0.3):
        service = await ground.start(worker(ground))
        ground.sql.stall()
        body, signature, _ = ground.signed()
        await ground.give(body, signature)
        for number in range(CRASHES):

            async def has_come(times: int = number) -> bool:
                return len(service.bus._intake._waiting) >= times

            await ground.until(has_come, f"it is delivered {number + 1} times")
            await asyncio.sleep(0.2)
            ground.amqp.reset()
        ground.sql.heal()
        await ground.told(CHASSIS.applied)
    assert ground.handled == ["genome-42"]
