"""Storage's rows, raced on a real PostgreSQL."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from bootstrap.leases import DatabaseLease
from contracts.envelope import Problem
from shared.clock import SystemClock
from shared.db import Pool, close, open_pool, transaction
from shared.migrate import migrate
from storage import store
from storage.domain.observed import Recorded
from storage.domain.state import Known, ShareDrift, State
from tests.storage.samples import NAME, PROJECT, document, share, told, volume

NOW = datetime(2026, 11, 21, 10, tzinfo=UTC)
KNOWN = Known(NAME, State.WAITING, 1, PROJECT, document())


@pytest.fixture
async def pool(database: DatabaseLease) -> AsyncIterator[Pool]:
    """Storage's schema, as storage's role."""
    made = await open_pool(database.dsn("storage"), "storage", SystemClock())
    await migrate(made, "storage")
    yield made
    await close(made)


async def test_what_is_saved_is_read_again(pool: Pool) -> None:
    problem = Problem(field="storage.shares.0", reason="share quota exceeded", remedy="raise it")
    drift = {"home": ShareDrift(("cephx:mallory rw",), (), NOW)}
    known = replace(
        KNOWN, state=State.FAILED, enforced_generation=1, has_begun=True, tries=3, problems=(problem,), drift=drift
    )
    async with transaction(pool) as connection:
        assert await store.save(connection, known, NOW)
        assert await store.load(connection, NAME) == replace(known, since=NOW, version=1)
        assert await store.load(connection, "another") is None
        assert await store.of_project(connection, PROJECT) == NAME
        assert await store.kept(connection) == [NAME]


async def test_since_changes_with_the_state_alone(pool: Pool) -> None:
    async with transaction(pool) as connection:
        await store.save(connection, KNOWN, NOW)
        later = NOW + timedelta(minutes=1)
        await store.save(connection, replace(KNOWN, tries=1, version=1), later)
        assert (await store.load(connection, NAME)).since == NOW  # type: ignore[union-attr]
        await store.save(connection, replace(KNOWN, state=State.RELEASED, version=2), later)
        assert (await store.load(connection, NAME)).since == later  # type: ignore[union-attr]
        assert await store.kept(connection) == []
        assert await store.of_project(connection, PROJECT) is None


async def test_of_many_writers_with_the_same_reading_one_wins(pool: Pool) -> None:
    """A look that was overtaken by an event must not overwrite it (invariant I9)."""
    async with transaction(pool) as connection:
        await store.save(connection, KNOWN, NOW)
        read = await store.load(connection, NAME)
    assert read is not None

    async def write(tries: int) -> bool:
        async with transaction(pool) as connection:
            return await store.save(connection, replace(read, tries=tries), NOW)

    won = await asyncio.gather(*(write(tries) for tries in range(1, 21)))
    assert sum(won) == 1
    async with transaction(pool) as connection:
        found = await store.load(connection, NAME)
    assert found is not None
    assert found.tries == won.index(True) + 1
    assert found.version == 2


async def test_events_of_a_new_workspace_wait_for_one_another(pool: Pool) -> None:
    """A row that is not there can't be locked: the key itself is. No event of ten is lost."""

    async def take(generation: int) -> None:
        async with transaction(pool) as connection:
            known = await store.lock(connection, NAME)
            await asyncio.sleep(0.01)
            seen = replace(known or KNOWN, generation=max(generation, known.generation if known else 0))
            assert await store.save(connection, replace(seen, tries=seen.tries + 1), NOW)

    await asyncio.gather(*(take(generation) for generation in range(1, 11)))
    async with transaction(pool) as connection:
        known = await store.load(connection, NAME)
    assert known is not None
    assert (known.tries, known.generation) == (10, 10)


async def test_records_are_kept_replaced_and_forgotten(pool: Pool) -> None:
    home = replace(told(share(), "cephx:openhpc_login rw"), protocol="CEPHFS", export_locations=("10.0.0.10:/a",))
    data = replace(told(volume()), node="openhpc-compute-0")
    async with transaction(pool) as connection:
        await store.save(connection, KNOWN, NOW)
        await store.record(connection, NAME, [home, data])
        await store.record(connection, NAME, [replace(home, size_gib=200)])
        found = await store.records(connection, NAME)
        assert found == {("share", home.cloud_name): replace(home, size_gib=200), ("volume", data.cloud_name): data}
        await store.forget(connection, NAME, [("share", home.cloud_name)])
        assert list(await store.records(connection, NAME)) == [("volume", data.cloud_name)]
        await store.forget(connection, NAME)
        assert await store.records(connection, NAME) == {}


async def test_a_record_needs_its_workspace_and_a_known_kind(pool: Pool) -> None:
    async with transaction(pool) as connection:
        await store.save(connection, KNOWN, NOW)
    for workspace, kind in (("nobody", "share"), (NAME, "bucket")):
        with pytest.raises(Exception, match="constraint"):
            async with transaction(pool) as connection:
                await store.record(connection, workspace, [Recorded(kind, "x", "x", "id", 1)])


async def test_only_a_young_call_without_an_answer_holds_a_release_up(pool: Pool) -> None:
    insert = """INSERT INTO intent (intent_id, key, step, marker, request_id, fence, state, sent_at)
                VALUES (gen_random_uuid(), $1, 'share.create', 'm', gen_random_uuid()::text, 1, $2, $3)"""
    async with transaction(pool) as connection:
        await connection.execute(insert, NAME, "done", NOW)
        await connection.execute(insert, NAME, "unknown", NOW - timedelta(seconds=31))
        await connection.execute(insert, "another", "unknown", NOW)
        assert not await store.unanswered(connection, NAME, NOW, 30.0)
        await connection.execute(insert, NAME, "sent", NOW - timedelta(seconds=29))
        assert await store.unanswered(connection, NAME, NOW, 30.0)
