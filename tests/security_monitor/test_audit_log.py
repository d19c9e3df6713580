"""The audit log on a real PostgreSQL: once each, in order, whole after whatever happens."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime

import asyncpg
import pytest

from bootstrap.leases import PrivateDatabaseLease
from contracts.audit import OPENSTACK, TRESOR, Entry, Row, verify, verify_export
from security_monitor.handlers.notifications import entry_of
from security_monitor.store import audit
from shared.clock import SystemClock
from shared.db import LOST, Connection, Pool, close, open_pool, transaction
from shared.migrate import migrate
from shared.notifications import seal
from tests.shared.recording import notification, recorded, wrapped
from tests.waiting import until

NOW = datetime.now(UTC)
FAILURES: tuple[type[BaseException], ...] = (*LOST, asyncpg.PostgresError)


def entries(count: int, prefix: str = "m", publisher: str = "compute.hv1") -> list[Entry]:
    return [
        entry_of(
            seal(
                wrapped(
                    notification(
                        "compute.instance.update", {"n": number}, message_id=f"{prefix}{number}", publisher_id=publisher
                    )
                )
            )
        )
        for number in range(count)
    ]


async def append(pool: Pool, batch: Sequence[Entry], stream: str = OPENSTACK) -> list[Row]:
    async with transaction(pool) as connection:
        return await audit.append(connection, stream, batch, NOW)


async def all_rows(connection: Connection, stream: str = OPENSTACK) -> list[Row]:
    return [row async for row in audit.read(connection, stream)]


async def check(pool: Pool, stream: str = OPENSTACK) -> list[Row]:
    """The stream's rows, after they were verified up to the head."""
    async with transaction(pool) as connection:
        rows = await all_rows(connection, stream)
        assert verify(rows, await audit.head(connection, stream)) is None
    return rows


async def test_the_recorded_stream_is_kept_and_verifies(pool: Pool) -> None:
    batch = [entry_of(seal(raw)) for raw in recorded()]
    new = await append(pool, batch)
    assert len(new) == len(recorded())
    rows = await check(pool)
    assert [row.entry for row in rows] == batch
    found = await pool.fetch(
        "SELECT position FROM audit_record WHERE type = $1 AND request_id = $2", batch[7].type, batch[7].request_id
    )
    assert 8 in [row["position"] for row in found]


async def test_doubled_deliveries_are_one_row(pool: Pool) -> None:
    batch = entries(10)
    assert len(await append(pool, [*batch, *batch[3:6]])) == 10
    assert await append(pool, batch) == []
    mixed = [*entries(4), *entries(3, "new")]
    assert [row.entry.message_id for row in await append(pool, mixed)] == ["new0", "new1", "new2"]
    assert len(await append(pool, entries(2, publisher="compute.hv2"))) == 2, "another publisher's ids are its own"
    assert [row.position for row in await check(pool)] == list(range(1, 16))


async def test_streams_are_apart(pool: Pool) -> None:
    await append(pool, entries(3))
    await append(pool, entries(2, "t", "tresor/storage"), TRESOR)
    assert len(await check(pool)) == 3
    assert len(await check(pool, TRESOR)) == 2


@pytest.mark.parametrize("count", [3, 20])
async def test_writers_at_once_make_one_chain(pool: Pool, count: int) -> None:
    await append(pool, entries(1, "first"))
    await asyncio.gather(*(append(pool, entries(count, f"w{writer % 6}-")) for writer in range(12)))
    rows = await check(pool)
    assert len(rows) == 1 + 6 * count, "each of the six sets was offered twice"
    assert len({row.entry.message_id for row in rows}) == 1 + 6 * count


@pytest.mark.parametrize("count", [3, 20])
async def test_rows_follow_on_what_another_process_wrote(
    pool: Pool, count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    await append(pool, entries(2, "mine"))
    with monkeypatch.context() as elsewhere:
        elsewhere.setattr(audit, "_last_seen", {})
        await append(pool, entries(2, "theirs"))
    assert [row.position for row in await append(pool, entries(count, "then"))] == list(range(5, 5 + count))
    again = await append(pool, [*entries(1, "then"), *entries(count, "last")])
    assert [row.position for row in again] == list(range(5 + count, 5 + 2 * count))
    assert len(await check(pool)) == 4 + 2 * count


async def test_what_is_rolled_back_was_never_there(pool: Pool) -> None:
    await append(pool, entries(3))
    async with pool.acquire() as connection:
        begun = connection.transaction()
        await begun.start()
        await audit.append(connection, OPENSTACK, entries(5, "x"), NOW)
        await begun.rollback()
    assert len(await append(pool, entries(5, "x"))) == 5
    assert len(await check(pool)) == 8


@pytest.mark.parametrize(
    "edit",
    [
        "UPDATE audit_record SET project_id = 'other' WHERE position = 3",
        "UPDATE audit_record SET body = body || 'x'::bytea WHERE position = 3",
        "DELETE FROM audit_record WHERE position = 3",
        "DELETE FROM audit_record WHERE position > 3",
        "UPDATE audit_record SET recorded_at = recorded_at - interval '1 microsecond' WHERE position = 3",
        "UPDATE audit_record SET position = position + 100 WHERE position = 3",
    ],
)
async def test_an_edit_in_the_database_is_found_offline(pool: Pool, edit: str) -> None:
    await append(pool, entries(6))
    async with transaction(pool) as connection:
        whole = [line async for line in audit.export(connection)]
        assert verify_export(whole)[2] is None
        await connection.execute(edit)
        edited = [line async for line in audit.export(connection)]
    found = verify_export(edited)[2]
    assert found is not None
    assert found.position in (3, 4)


async def test_partitions_are_made_ahead(pool: Pool) -> None:
    async with transaction(pool) as connection:
        assert await audit.ensure_partitions(connection, NOW) == []
        made = await audit.ensure_partitions(connection, NOW.replace(year=NOW.year + 1, month=11, day=3))
    assert [name[-7:] for name in made] == [f"{NOW.year + 1}_11", f"{NOW.year + 1}_12", f"{NOW.year + 2}_01"]


async def test_a_killed_database_keeps_what_was_committed(private_database: PrivateDatabaseLease) -> None:
    pool = await open_pool(private_database.dsn("security-monitor"), "security-monitor", SystemClock())
    await migrate(pool, "security-monitor")
    durable: list[str] = []

    async def write(writer: int) -> None:
        for number in range(1000):
            batch = entries(5, f"k{writer}-{number}-")
            try:
                await append(pool, batch)
            except FAILURES:
                return
            durable.extend(entry.message_id for entry in batch)

    writers = [asyncio.create_task(write(writer)) for writer in range(3)]
    await until(lambda: len(durable) >= 200)
    await private_database.kill()
    await asyncio.gather(*writers)
    pool.terminate()
    await private_database.start()
    pool = await open_pool(private_database.dsn("security-monitor"), "security-monitor", SystemClock())
    kept = {row.entry.message_id for row in await check(pool)}
    assert set(durable) <= kept
    assert len(kept) - len(durable) <= 15, "at most the batches whose answer was lost"
    await close(pool)
