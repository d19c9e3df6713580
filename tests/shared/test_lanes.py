"""Messages of several aggregates in one transaction: what is wrong with one of them is its own affair."""

import asyncio
from collections import Counter

from contracts import provisioner
from contracts.envelope import Problem
from shared.errors import Rejected
from shared.handlers import Handlers
from shared.testing import Site
from shared.work import Work

_STATES = "SELECT state, count(*) FROM inbox GROUP BY state"
OTHERS = tuple(f"w-{number}" for number in range(9))


def make_handlers(begun: Counter[str]) -> Handlers[None]:
    handlers: Handlers[None] = Handlers(provisioner)

    @handlers.on(provisioner.DeleteWorkspace)
    async def delete(command: provisioner.DeleteWorkspace, tx: Work[None]) -> None:
        begun[command.workspace] += 1
        await tx.connection.execute("INSERT INTO decided (workspace) VALUES ($1)", command.workspace)
        if command.workspace == "poison" and begun["poison"] < 4:
            raise ZeroDivisionError("a fault of the handler")
        if command.workspace == "refused":
            raise Rejected([Problem(reason="not this one")])
        if command.workspace == "held":
            tx.hold()
        if command.workspace == "ended":
            assert tx.cause is not None
            await tx.failed(tx.cause.id, [Problem(reason="its handler says so")])
        tx.emit(provisioner.WorkspaceDeleted(workspace=command.workspace, generation=1))

    return handlers


async def make_context(*_: object) -> None:
    return None


async def test_several_at_once_and_one_of_them_at_fault(site: Site) -> None:
    begun: Counter[str] = Counter()
    first = await site.start(make_handlers(begun), make_context)
    await first.pool.execute("CREATE TABLE decided (workspace text PRIMARY KEY)")
    await site.stop(first)
    names = (*OTHERS[:4], "poison", "refused", *OTHERS[4:], "held", "ended")
    ids = {name: await site.command(provisioner.DeleteWorkspace(workspace=name)) for name in names}
    service = await site.start(make_handlers(begun), make_context)
    chassis = provisioner.CHASSIS
    async with asyncio.timeout(60):
        while len(site.tap.of(chassis.applied)) < len(OTHERS) + 1:
            await asyncio.sleep(0.05)
    applied = Counter(one.command_id for one in site.tap.of(chassis.applied))
    assert applied == Counter(ids[name] for name in (*OTHERS, "poison")), "each once, the poison at its fourth attempt"
    assert begun["poison"] == 4
    assert [one.command_id for one in site.tap.of(chassis.rejected)] == [ids["refused"]]
    assert [one.command_id for one in site.tap.of(chassis.failed)] == [ids["ended"]]
    told = Counter(one.workspace for one in site.tap.of(provisioner.WorkspaceDeleted))
    assert told == Counter((*OTHERS, "poison", "held", "ended"))
    decided = {row["workspace"] for row in await service.pool.fetch("SELECT workspace FROM decided")}
    assert decided == {*OTHERS, "poison", "held", "ended"}, "the refused one has left nothing"
    states = {row["state"]: row["count"] for row in await service.pool.fetch(_STATES)}
    assert states == {"applied": len(OTHERS) + 1, "rejected": 1, "held": 1, "failed": 1}
    assert max(begun[name] for name in OTHERS) <= 2, "together once, alone once"
