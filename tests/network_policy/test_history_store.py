"""The history's rows: only what changed, whoever looked when, and a world of any moment out of them."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any
from unittest.mock import AsyncMock

import pytest

from bootstrap.leases import DatabaseLease
from network_policy.domain.world import World
from network_policy.handlers import past, remembering
from network_policy.store import Known, history
from network_policy.store.changes import note_change
from network_policy.store.history import (
    KINDS,
    forget_history,
    known_spans,
    observe,
    scanned,
    things_of,
    versions,
    world_at,
)
from shared.clock import SystemClock
from shared.db import Connection, close, open_pool
from shared.errors import Rejected
from shared.migrate import migrate
from tests.network_policy.enclaves import Enclave, document, rule, with_port, with_rule

START = datetime(2026, 3, 3, 12, 0, tzinfo=UTC)


def after(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


@pytest.fixture
async def connection(database: DatabaseLease) -> AsyncIterator[Connection]:
    pool = await open_pool(database.dsn("network-policy"), "network-policy", SystemClock())
    await migrate(pool, "network-policy")
    async with pool.acquire() as connection:
        yield connection
    await close(pool)


async def see(connection: Connection, world: World, seconds: float) -> int:
    return await observe(
        connection, things_of(world), after(seconds), kinds=tuple(KINDS), project_id=None, workspace=None
    )


async def stood(connection: Connection, seconds: float) -> World:
    at = after(seconds)
    return world_at(await versions(connection, at, at, None), at)


def same(found: World, expected: World) -> bool:
    """Whether they hold the same, in whatever order."""
    return {(one.kind, one.resource_id, one.value) for one in things_of(found)} == {
        (one.kind, one.resource_id, one.value) for one in things_of(expected)
    }


async def test_every_world_is_built_again_as_it_was(connection: Connection) -> None:
    first = Enclave(document(), "p1").world
    group_id = first.groups[0].id
    opened = with_rule(first, group_id, "rogue", rule(protocol="tcp", port_range_min=22, port_range_max=22))
    escaped = with_port(opened, first.ports[0].id, port_security=False, group_ids=())
    fewer = replace(first, ports=first.ports[1:])
    for seconds, world in ((0, first), (10, opened), (20, escaped), (30, first), (40, fewer)):
        await see(connection, world, seconds)
    for seconds, world in ((5, first), (15, opened), (25, escaped), (35, first), (45, fewer)):
        assert same(await stood(connection, seconds), world), seconds
    assert await stood(connection, -1) == World(whole=True)


async def test_nothing_is_written_where_nothing_changed(connection: Connection) -> None:
    world = Enclave(document(), "p1").world
    assert await see(connection, world, 0) > 0
    assert await see(connection, world, 10) == 0
    one_more = with_rule(world, world.groups[0].id, "rogue", rule())
    assert await see(connection, one_more, 20) == 1
    assert await see(connection, world, 30) == 1


async def test_a_late_observation_overwrites_no_later_one_i9(connection: Connection) -> None:
    world = Enclave(document(), "p1").world
    opened = with_rule(world, world.groups[0].id, "rogue", rule())
    await see(connection, world, 0)
    await see(connection, opened, 20)
    await see(connection, world, 30)
    before = await connection.fetch("SELECT * FROM history ORDER BY kind, resource_id, valid_from")
    await see(connection, opened, 25)
    assert await connection.fetch("SELECT * FROM history ORDER BY kind, resource_id, valid_from") == before


async def test_what_a_look_saw_before_its_notification_came_is_put_down_to_who_did_it(connection: Connection) -> None:
    world = Enclave(document(), "p1").world
    await see(connection, world, 0)
    await connection.execute("INSERT INTO workspace (workspace, generation, state) VALUES ('openhpc', 1, 'declared')")
    opened = with_rule(world, world.groups[0].id, "rogue", rule())
    moved = with_port(opened, opened.ports[0].id, port_security=False, group_ids=())
    await see(connection, moved, 20)
    for resource_id, seconds in (("rogue", 19), (opened.ports[0].id, 18), (opened.ports[1].id, 17)):
        await note_change(
            connection, "openhpc", [resource_id], "security_group_rule.create.end", happened_at=after(seconds),
            seen_at=after(21), actor="mallory", request_id=f"req-{seconds}",
        )  # fmt: skip
    await scanned(connection, after(30), 54.0)
    told = {each.resource_id: each for each in await versions(connection, after(25), after(25), None)}
    assert (told["rogue"].seen_by, told["rogue"].actor) == ("notification", "mallory")
    assert (told["rogue"].request_id, told["rogue"].valid_from) == ("req-19", after(19))
    # What the port was before stood, as far as was seen, until the look.
    port = told[opened.ports[0].id]
    assert (port.actor, port.request_id, port.valid_from) == ("mallory", "req-18", after(20))
    # Seen before it was changed, and not seen changed.
    assert told[opened.ports[1].id].seen_by == "look"


async def test_a_change_that_nobody_told_of_is_not_put_down_to_who_changed_the_same_before(
    connection: Connection,
) -> None:
    world = Enclave(document(), "p1").world
    port_id = world.ports[0].id
    await see(connection, world, 0)
    await connection.execute("INSERT INTO workspace (workspace, generation, state) VALUES ('openhpc', 1, 'declared')")
    await note_change(
        connection, "openhpc", [port_id], "port.update.end", happened_at=after(10), seen_at=after(10), actor="ana",
        request_id="req-ana",
    )  # fmt: skip
    for seconds, changes in ((11, {"address_pairs": ()}), (20, {"port_security": False, "group_ids": ()})):
        changed = with_port(world, port_id, revision=seconds, **changes)
        await see(connection, changed, seconds)
        await scanned(connection, after(seconds), 54.0)
    (first,) = [each for each in await versions(connection, after(15), after(15), None) if each.resource_id == port_id]
    (second,) = [each for each in await versions(connection, after(25), after(25), None) if each.resource_id == port_id]
    assert (first.actor, second.actor) == ("ana", "")


async def test_gaps_between_scans_are_told_and_old_versions_forgotten(connection: Connection) -> None:
    for seconds in (0, 50, 100, 900, 950):
        await scanned(connection, after(seconds), 54.0)
    assert await known_spans(connection) == [(after(0), after(100)), (after(900), after(950))]
    world = Enclave(document(), "p1").world
    await see(connection, world, 0)
    await see(connection, replace(world, ports=()), 10)
    await forget_history(connection, after(500))
    assert await known_spans(connection) == [(after(900), after(950))]
    assert (await stood(connection, 5)).ports == ()
    assert same(await stood(connection, 20), replace(world, ports=()))


async def test_what_is_too_much_is_refused_and_not_cut(connection: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    world = Enclave(document(), "p1").world
    await see(connection, world, 0)
    everything = len(await versions(connection, after(5), after(5), None))
    monkeypatch.setattr(history, "MAX_VERSIONS", everything)
    assert len(await versions(connection, after(5), after(5), None)) == everything
    await see(connection, with_rule(world, world.groups[0].id, "rogue", rule()), 10)
    with pytest.raises(history.TooMuch, match=f"more than {everything} versions"):
        await versions(connection, after(5), after(15), None)
    assert len(await versions(connection, after(5), after(5), None)) == everything
    assert await versions(connection, after(5), after(15), ["another project"])
    work: Any = SimpleNamespace(connection=connection)
    with pytest.raises(Rejected) as refused:
        await past._versions(work, after(5), after(15), None)
    (problem,) = refused.value.problems
    assert "a shorter time than" in problem.remedy
    assert "workspace:<name>" in problem.remedy


async def test_a_row_to_append_is_looked_up_by_the_index(connection: Connection) -> None:
    world = Enclave(document(), "p1").world
    await see(connection, world, 0)
    columns = [["ports"], ["p"], ["t"], [b""], ["{}"], [after(1)], ["look"], [""], [""]]
    plan = [row[0] for row in await connection.fetch(f"EXPLAIN {history._APPEND}", *columns)]
    assert any("SubPlan" in line for line in plan)
    assert not any("Join" in line for line in plan)


async def test_a_look_that_saw_nothing_new_compares_nothing_until_a_scan_wrote(
    connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = AsyncMock(wraps=observe)
    monkeypatch.setattr(remembering, "observe", seen)
    world = Enclave(document(), "p1").world

    @asynccontextmanager
    async def transaction() -> AsyncIterator[Any]:
        yield SimpleNamespace(connection=connection)

    turn: Any = SimpleNamespace(
        lane=(7, 1), transaction=transaction, context=SimpleNamespace(remembered={}), key="openhpc"
    )
    known = Known(
        "openhpc", 1, "declared", "p1", document(), (), 1, 1, {}, {}, violation="", suspect=False, observed_at=None
    )

    async def look(world: World, known: Known, seconds: float) -> int:
        sight: Any = SimpleNamespace(project_id="p1", groups=world.groups, ports=world.ports)
        before = seen.await_count
        await remembering.remember_project(turn, known, sight, after(seconds))
        return seen.await_count - before

    assert await look(world, known, 0) == 1
    assert await look(replace(world), known, 10) == 0
    assert await look(with_port(world, world.ports[0].id, group_ids=()), known, 20) == 1
    assert await look(world, known, 30) == 1
    assert await look(world, replace(known, scanned_at=after(35)), 40) == 1, "a scan has written since"
    turn.lane = (7, 2)
    assert await look(world, replace(known, scanned_at=after(35)), 50) == 1, "another replica may have"
