"""The tables on a real PostgreSQL: what is stored comes back, and writers that race never undo one another."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from bootstrap.leases import DatabaseLease
from contracts.envelope import Problem
from contracts.provisioner import ReadyNetwork
from contracts.workspace import NetworkClass
from provisioner import store
from provisioner.domain import life
from provisioner.domain.nodes import NodeRecord
from provisioner.domain.plan import Gates
from provisioner.domain.record import Proposal, Record
from shared.clock import SystemClock
from shared.db import Pool, close, open_pool, transaction
from shared.migrate import migrate
from shared.signing import Coverage
from tests.provisioner.story import BEGUN, CATALOG, document

COMMAND_ID = "0198c0de-0000-7000-8000-000000000001"


@pytest.fixture
async def pool(database: DatabaseLease) -> AsyncIterator[Pool]:
    opened = await open_pool(database.dsn("provisioner"), "provisioner", SystemClock())
    await migrate(opened, "provisioner")
    yield opened
    await close(opened)


def proposal(name: str = "openhpc") -> Proposal:
    return Proposal(name, document(name=name), COMMAND_ID, "ana", BEGUN)


def full(name: str = "openhpc") -> Record:
    """A record with something in every field."""
    return replace(
        life.accept(None, proposal(name)),
        project_id=f"project-{name}",
        prepared_generation=1,
        declared_generation=1,
        networked_generation=1,
        ready_generation=1,
        emptied_generation=1,
        are_quotas_forgotten=True,
        gates=Gates(1, {"login": "g1"}, 1, (("data", "v1", "openhpc-login-0"),), 1, 1, 1),
        networks=(
            ReadyNetwork(
                name="cluster",
                network_class=NetworkClass.PRIVATE,
                network_id="n1",
                subnet_ids=("s1",),
                prefixes=("10.42.0.0/24",),
            ),
        ),
        problems=(Problem(field="roles.0", reason="because"),),
        step="half way",
        done=3,
        total=9,
    )


async def test_a_record_comes_back_as_it_was_stored(pool: Pool) -> None:
    record = full()
    async with transaction(pool) as connection:
        await store.save(connection, record)
    async with transaction(pool) as connection:
        assert await store.load(connection, "openhpc") == record
        assert await store.load(connection, "other") is None
        assert await store.of_project(connection, "project-openhpc") == "openhpc"


async def test_nodes_come_back_and_undeclared_ones_go(pool: Pool) -> None:
    nodes = (
        NodeRecord("openhpc-login-0", "login", 0),
        NodeRecord(
            "openhpc-compute-0", "compute", 0, "server-1", "ACTIVE", 2, "no host", "server-0", "server-1",
            datetime(2026, 11, 21, tzinfo=UTC), ("p1", "p2"), ("10.42.0.4",), "hv1",
        ),
    )  # fmt: skip
    async with transaction(pool) as connection:
        await store.save(connection, full())
        await store.save_nodes(connection, "openhpc", (), nodes)
    async with transaction(pool) as connection:
        found = await store.load_nodes(connection, "openhpc")
        assert set(found) == set(nodes)
        assert await store.of_server(connection, "server-1") == "openhpc"
        assert await store.statuses_of(connection, "openhpc") == (2, 1)
        await store.save_nodes(connection, "openhpc", found, found[:1])
        assert await store.load_nodes(connection, "openhpc") == found[:1]


async def test_a_stale_generation_never_overwrites_a_newer_one(pool: Pool) -> None:
    newer = replace(full(), generation=5, state="ready")
    async with transaction(pool) as connection:
        await store.save(connection, newer)
        await store.save(connection, replace(full(), generation=4, state="creating"))
        assert await store.load(connection, "openhpc") == newer


async def test_racing_gates_are_both_opened(pool: Pool) -> None:
    """Each loads with the name locked, so the second sees what the first has stored."""
    async with transaction(pool) as connection:
        await store.save(connection, life.accept(None, proposal()))

    async def open_gate(**gates: Any) -> None:
        async with transaction(pool) as connection:
            known = await store.load(connection, "openhpc", lock=True)
            assert known is not None
            await asyncio.sleep(0.05)
            await store.save(connection, replace(known, gates=replace(known.gates, **gates)))

    await asyncio.gather(open_gate(policy_generation=1), open_gate(storage_generation=1))
    async with transaction(pool) as connection:
        known = await store.load(connection, "openhpc")
    assert known is not None
    assert (known.gates.policy_generation, known.gates.storage_generation) == (1, 1)


async def test_the_name_is_locked_before_there_is_a_row(pool: Pool) -> None:
    """`FOR UPDATE` would lock nothing here (a trap seen): both would find nothing and both would create."""
    created = 0

    async def create() -> None:
        nonlocal created
        async with transaction(pool) as connection:
            if await store.load(connection, "openhpc", lock=True) is None:
                await asyncio.sleep(0.05)
                created += 1
                await store.save(connection, full())

    await asyncio.gather(*(create() for _ in range(4)))
    assert created == 1


async def test_a_proposal_is_dropped_once_and_commands_end_with_their_generation(pool: Pool) -> None:
    async with transaction(pool) as connection:
        await store.propose(connection, proposal())
        await store.propose(connection, proposal())
        assert await store.proposals_of(connection, "openhpc") == [proposal()]
        assert await store.names_present(connection) == ["openhpc"]
        assert await store.drop_proposal(connection, COMMAND_ID)
        assert not await store.drop_proposal(connection, COMMAND_ID)
        await store.await_generation(connection, COMMAND_ID, "openhpc", 2)
        assert await store.awaited_by(connection, "openhpc", 1) == []
        assert await store.awaited_by(connection, "openhpc", 2) == [(COMMAND_ID, 2)]
        assert await store.awaited_by(connection, "openhpc", 2) == []


async def test_l29_the_register_lists_the_living_and_the_deleted(pool: Pool) -> None:
    async with transaction(pool) as connection:
        await store.save(connection, full("one"))
        await store.save(connection, replace(full("two"), state="deleted", generation=2))
        await store.remember(connection, full("one"), BEGUN)
        present = await store.listed(connection, deleted=False, limit=10)
        register = await store.listed(connection, deleted=True, limit=10)
        history = await store.history_of(connection, "one", 10)
        documents = await store.documents_present(connection)
    assert [row[0].name for row in present] == ["one"]
    assert {row[0].name for row in register} == {"one", "two"}
    assert [(row.generation, row.state, row.holder) for row in history] == [(1, "creating", "ana")]
    assert [each.name for each in documents] == ["one"]


async def test_the_catalog_keeps_its_newest_reading(pool: Pool) -> None:
    async with transaction(pool) as connection:
        assert await store.load_catalog(connection, BEGUN) is None
        await store.save_catalog(connection, CATALOG, BEGUN)
        reading = await store.load_catalog(connection, BEGUN.replace(minute=1))
        assert reading is not None
        assert (reading.catalog, reading.age_seconds) == (CATALOG, 60.0)
        await store.save_catalog(connection, CATALOG.model_copy(update={"keypairs": ("old",)}), BEGUN.replace(hour=9))
        reading = await store.load_catalog(connection, BEGUN)
        assert reading is not None
        assert reading.catalog == CATALOG


async def test_the_register_is_as_long_as_it_may_be_of_what_a_key_covers(pool: Pool) -> None:
    async with transaction(pool) as connection:
        for name in ("genome-1", "physics-1", "physics-2"):
            await store.save(connection, full(name))
        found = await store.listed(connection, deleted=True, limit=2, coverage=Coverage(("physics-*",)))
        none = await store.listed(connection, deleted=True, limit=2, coverage=Coverage(("physics",)))
    assert [row[0].name for row in found] == ["physics-1", "physics-2"]
    assert none == []
