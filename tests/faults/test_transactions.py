"""What happens to the services' transactions: sessions ended, locks held, conflicts with others."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest

import shared.db
from bootstrap.leases import BrokerLease, DatabaseLease
from shared.clock import SystemClock
from shared.testing import Site
from tests.faults.pair import Pair, start_pair

SCHEMAS = ("provisioner", "network_policy")
CONFLICTS = """
CREATE FUNCTION {schema}.conflict() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    IF random() < 0.25 THEN
        RAISE EXCEPTION 'drawn by lot' USING ERRCODE = CASE WHEN random() < 0.5 THEN '40001' ELSE '40P01' END;
    END IF;
    RETURN NULL;
END $$;
GRANT EXECUTE ON FUNCTION {schema}.conflict() TO {schema};
CREATE CONSTRAINT TRIGGER conflict AFTER INSERT OR UPDATE ON {schema}.{table} DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION {schema}.conflict();
"""


@pytest.fixture
async def pair(broker: BrokerLease, database: DatabaseLease, tmp_path: Path) -> AsyncIterator[Pair]:
    async with Site(tmp_path, broker.url_of, database.dsn, broker.url).open() as site:
        yield await start_pair(site, broker)


async def test_sessions_ended_again_and_again(pair: Pair, database: DatabaseLease) -> None:
    async def fault() -> None:
        for _ in range(10):
            await database.end_sessions()
            await asyncio.sleep(0.2)

    await pair.survive(fault)


@pytest.mark.parametrize(
    ("table", "seconds"),
    [
        ("lane", 4.0),
        *(
            pytest.param(table, seconds, marks=pytest.mark.campaign)
            for table, seconds in (("inbox", 4.0), ("outbox", 4.0), ("inbox", 60.0), ("outbox", 60.0), ("lane", 60.0))
        ),
    ],
)
async def test_a_lock_is_held(pair: Pair, database: DatabaseLease, table: str, seconds: float) -> None:
    """Somebody holds a table for themselves, for longer than a lease, or than any statement is waited for."""

    async def fault() -> None:
        keeper = await asyncpg.connect(database.dsn())
        async with keeper.transaction():
            for schema in SCHEMAS:
                await keeper.execute(f"LOCK TABLE {schema}.{table} IN ACCESS EXCLUSIVE MODE")
            await asyncio.sleep(seconds)
        await keeper.close()

    await pair.survive(fault, 90 + seconds)


async def test_a_session_idles_in_its_transaction(
    pair: Pair, database: DatabaseLease, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A service that stands still within a transaction holds its locks no longer than the database allows."""
    monkeypatch.setattr(shared.db, "IDLE_IN_TRANSACTION_SECONDS", 3)
    pool = await shared.db.open_pool(database.dsn("provisioner"), "provisioner", SystemClock(), size=2)
    stuck = await pool.acquire()

    async def fault() -> None:
        await stuck.execute("BEGIN")
        await stuck.execute("LOCK TABLE inbox IN ACCESS EXCLUSIVE MODE")
        await asyncio.sleep(1)

    try:
        assert await pair.survive(fault) < 20
    finally:
        pool.terminate()


@pytest.mark.parametrize("table", ["inbox", "outbox"])
async def test_commits_fail_by_conflicts(pair: Pair, database: DatabaseLease, table: str) -> None:
    """A quarter of the commits end in 40001 or 40P01; every one is begun anew, and none counts against its message."""
    keeper = await asyncpg.connect(database.dsn())

    async def fault() -> None:
        for schema in SCHEMAS:
            await keeper.execute(CONFLICTS.format(schema=schema, table=table))
        await asyncio.sleep(3)
        for schema in SCHEMAS:
            await keeper.execute(f"DROP TRIGGER conflict ON {schema}.{table}")

    await pair.survive(fault)
    await keeper.close()


async def test_transactions_are_stricter_than_expected(pair: Pair, database: DatabaseLease) -> None:
    """Repeatable read as the database's default: real 40001s wherever two transactions meet."""
    keeper = await asyncpg.connect(database.dsn())
    level = f'ALTER DATABASE "{database.name}" {{}} default_transaction_isolation'

    async def fault() -> None:
        await keeper.execute(level.format("SET") + " = 'repeatable read'")
        await database.end_sessions("provisioner")
        await database.end_sessions("network-policy")
        await asyncio.sleep(2)

    await pair.survive(fault)
    await keeper.close()
