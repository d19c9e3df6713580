"""Burst-scheduler on a real broker and database."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bootstrap.leases import BrokerLease, DatabaseLease
from burst_scheduler.domain.pools import Known
from burst_scheduler.handlers import handlers
from burst_scheduler.main import make_context
from burst_scheduler.settings import Settings
from burst_scheduler.store import pools as store
from contracts.burst_scheduler import ListPools, Pool, PoolList, PoolReady, PoolRemoved
from contracts.envelope import Role
from contracts.examples import WORKSPACE
from contracts.workspace import Burst
from shared.clock import SystemClock
from shared.db import Pool as Connections
from shared.db import close, open_pool, transaction
from shared.migrate import migrate
from shared.testing import Site
from tests.burst_scheduler.test_domain import BURST, declared, deleting, ready


@pytest.fixture
async def site(broker: BrokerLease, database: DatabaseLease, tmp_path: Path) -> AsyncIterator[Site]:
    """An open site without services."""
    async with Site(tmp_path, broker.url_of, database.dsn, broker.url).open() as opened:
        yield opened


@pytest.fixture
async def pool(database: DatabaseLease) -> AsyncIterator[Connections]:
    """Burst-scheduler's schema, as its own role."""
    made = await open_pool(database.dsn("burst-scheduler"), "burst-scheduler", SystemClock())
    await migrate(made, "burst-scheduler")
    yield made
    await close(made)


async def listed(site: Site) -> tuple[Pool, ...]:
    answer = await site.ask(ListPools())
    assert isinstance(answer, PoolList)
    return answer.pools


async def test_the_life_of_a_pool(site: Site) -> None:
    """Registered on ready, listed with what it has used, changed with the document, removed on delete."""
    service = await site.start(handlers, make_context, Settings)
    assert await listed(site) == ()
    await site.tell(declared(1, BURST))
    await site.tell(ready(1))
    told = await site.tap.until(PoolReady, workspace=WORKSPACE)
    assert told == PoolReady(workspace=WORKSPACE, generation=1, **BURST)
    assert await listed(site) == (Pool(workspace=WORKSPACE, spent_this_month=0, nodes=0, **BURST),)

    await site.stop(service)
    await site.tell(declared(2, {**BURST, "max_nodes": 5}))
    await site.tell(ready(2))
    await site.start(handlers, make_context, Settings)
    await site.tap.until(PoolReady, workspace=WORKSPACE, where=lambda event: event.max_nodes == 5)

    await site.tell(deleting(3))
    removed = await site.tap.until(PoolRemoved, workspace=WORKSPACE)
    assert removed.generation == 3
    assert await listed(site) == ()


async def test_a_changed_pool_keeps_what_it_has_spent(pool: Connections) -> None:
    known = Known(WORKSPACE, 1, Burst.model_validate(BURST), 1, 0, Burst.model_validate(BURST), 1)
    async with transaction(pool) as connection:
        await store.save(connection, known)
        assert await store.lock(connection, WORKSPACE) == known
        await connection.execute("UPDATE pool SET spent_this_month = 12.5")
        await store.save(connection, known)
        (found,) = await store.pools(connection)
    assert (found.spent_this_month, found.nodes) == (12.5, 0)


async def test_events_of_a_new_workspace_wait_for_one_another(pool: Connections) -> None:
    """A row that is not there can't be locked: the key itself is."""

    async def take() -> None:
        async with transaction(pool) as connection:
            known = await store.lock(connection, WORKSPACE)
            await asyncio.sleep(0.01)
            await store.save(connection, Known(WORKSPACE, known.generation + 1 if known else 1))

    await asyncio.gather(*(take() for _ in range(8)))
    async with transaction(pool) as connection:
        known = await store.lock(connection, WORKSPACE)
    assert known is not None
    assert known.generation == 8


async def test_a_key_for_other_workspaces_is_told_of_no_pool(site: Site) -> None:
    site.keys.add("ben", frozenset({Role.OPERATOR}), workspaces=("physics-*",))
    site.keys.add("eva", frozenset({Role.OPERATOR}), workspaces=(WORKSPACE,))
    await site.start(handlers, make_context, Settings)
    await site.tell(declared(1, BURST))
    await site.tell(ready(1))
    await site.tap.until(PoolReady, workspace=WORKSPACE)
    told = [await site.ask(ListPools(), holder) for holder in ("ben", "eva")]
    assert [[pool.workspace for pool in one.pools] for one in told if isinstance(one, PoolList)] == [[], [WORKSPACE]]
