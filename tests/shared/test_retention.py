"""What goes after its time and what never does, on a real database; and that whoever comes late still learns how things stand."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from contracts import network_policy, provisioner, storage
from contracts.chassis import chassis_messages
from contracts.envelope import EventEnvelope
from contracts.provisioner import NetworkReady, Progressed
from shared.handlers import Handlers
from shared.service import Service
from shared.testing import Site
from shared.work import Work

OLD = timedelta(days=500)
SEEN = NetworkReady.model_validate(NetworkReady.example)
STEP = Progressed.model_validate(Progressed.example)
WORKSPACE = SEEN.workspace


class Heard:
    """What a service was told, in order."""

    def __init__(self) -> None:
        self.events: list[tuple[str, int]] = []


async def make_context(*_: object) -> Heard:
    return Heard()


def teller() -> Handlers[Heard]:
    """The provisioner, which here only tells."""
    return Handlers(provisioner)


def listener(owner: Any = storage) -> Handlers[Heard]:
    """A service that hears the provisioner."""
    handlers: Handlers[Heard] = Handlers(owner)

    @handlers.on(NetworkReady)
    async def ready(seen: NetworkReady, tx: Work[Heard]) -> None:
        note(tx)

    @handlers.on(Progressed)
    async def progressed(seen: Progressed, tx: Work[Heard]) -> None:
        note(tx)

    return handlers


def note(tx: Work[Heard]) -> None:
    assert isinstance(tx.cause, EventEnvelope)
    tx.context.events.append((tx.cause.type.rpartition(".")[2], tx.cause.sequence))


async def told(service: Service[Heard], ready: int, steps: int) -> None:
    """That many events of each kind, the ready ones first, until the broker has them."""
    async with service.runtime.work() as work:
        work.emit(*[SEEN] * ready, *[STEP.model_copy(update={"workspace": WORKSPACE})] * steps)
    await until(service, "SELECT count(*) = 0 FROM outbox WHERE sent_at IS NULL")


async def until(service: Service[Heard], true: str) -> None:
    async with asyncio.timeout(20):
        while not await service.runtime.pool.fetchval(true):
            await asyncio.sleep(0.05)


async def counted(service: Service[Heard], table: str) -> int:
    found: int = await service.runtime.pool.fetchval(f"SELECT count(*) FROM {table}")
    return found


async def aged(service: Service[Heard], table: str, column: str) -> None:
    await service.runtime.pool.execute(f"UPDATE {table} SET {column} = {column} - $1::interval", OLD)


async def acknowledged(site: Site, service: Service[Heard], last: int, holder: str = "security-monitor") -> None:
    await site.command(chassis_messages("provisioner").acknowledge(heads={WORKSPACE: last}), holder)


async def test_handled_events_go_and_commands_and_parked_events_stay(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shared.retention.BATCH_ROWS", 10)
    service = await site.start(listener(), make_context)
    for _ in range(25):
        await site.tell(SEEN)
    await until(service, "SELECT count(*) = 25 FROM inbox WHERE state = 'done'")
    assert (await service.retention.round())["inbox"] == 0, "none is old"
    await aged(service, "inbox", "finished_at")
    await service.runtime.pool.execute("UPDATE inbox SET state = 'parked' WHERE sequence = 1")
    await site.command(
        storage.CHASSIS.drop(
            workspace=WORKSPACE, messages=({"message_id": site.ids.uuid(), "digest": "sha256:" + "0" * 64},)
        )
    )
    await site.tap.until(storage.CHASSIS.rejected)
    await service.runtime.pool.execute(
        "UPDATE inbox SET finished_at = finished_at - $1::interval WHERE kind = 'command'", OLD
    )
    assert (await service.retention.round())["inbox"] == 24
    assert await counted(service, "inbox") == 2
    await site.tell(SEEN)
    await until(service, "SELECT count(*) = 1 FROM inbox WHERE state = 'done'")
    assert len(service.runtime.context.events) == 26, "nothing was asked for again"


async def test_effects_and_refused_input_go_and_open_calls_stay(site: Site) -> None:
    service = await site.start(listener(), make_context)
    pool = service.runtime.pool
    for number, state in enumerate(("done", "failed", "unknown", "sent")):
        await pool.execute(
            "INSERT INTO intent VALUES ($1, 'k', 's', 'm', $2, 1, $3, NULL, NULL, now() - $4::interval,"
            " CASE WHEN $3 <> 'sent' THEN now() - $4::interval END)",
            site.ids.uuid(), f"req-{number}", state, OLD,
        )  # fmt: skip
    for number, age in enumerate((OLD, timedelta(days=1))):
        await pool.execute(
            "INSERT INTO quarantine (digest, source, reason, detail, body, code_version, received_at)"
            " VALUES ($1, 'bus:event', 'unsigned', '', '', '1', now() - $2::interval)",
            bytes([number]) * 32, age,
        )  # fmt: skip
    gone = await service.retention.round()
    assert (gone["intent"], gone["quarantine"]) == (2, 1)
    assert {row["state"] for row in await pool.fetch("SELECT state FROM intent")} == {"unknown", "sent"}


async def test_only_what_the_audit_log_has_is_forgotten_and_the_last_of_each_type_never(site: Site) -> None:
    service = await site.start(teller(), make_context)
    await told(service, ready=3, steps=20)
    assert (await service.retention.round())["outbox"] == 0, "none is old"
    await aged(service, "outbox", "sent_at")
    assert (await service.retention.round())["outbox"] == 0, "the audit log has said nothing"
    await acknowledged(site, service, 10, holder="storage")
    refused = await site.tap.until(provisioner.CHASSIS.refused)
    assert refused.reason == "wrong-role"
    await acknowledged(site, service, 10)
    await until(service, "SELECT acknowledged = 10 FROM stream WHERE aggregate = '" + WORKSPACE + "'")
    assert (await service.retention.round())["outbox"] == 9, "the third of the first type is its last"
    await acknowledged(site, service, 10_000)
    await until(service, "SELECT acknowledged = 23 FROM stream WHERE aggregate = '" + WORKSPACE + "'")
    assert (await service.retention.round())["outbox"] == 12
    kept = await service.runtime.pool.fetch("SELECT sequence FROM outbox WHERE aggregate = $1 ORDER BY 1", WORKSPACE)
    assert [row["sequence"] for row in kept] == [3, 23]
    assert (await service.retention.round())["outbox"] == 0


async def test_who_comes_late_hears_what_is_kept_and_everything_after(site: Site) -> None:
    service = await site.start(teller(), make_context)
    await told(service, ready=3, steps=20)
    await aged(service, "outbox", "sent_at")
    await acknowledged(site, service, 23)
    await until(service, "SELECT acknowledged = 23 FROM stream WHERE aggregate = '" + WORKSPACE + "'")
    await service.retention.round()
    late = await site.start(listener(), make_context)
    await told(service, ready=0, steps=1)
    async with asyncio.timeout(60):
        while len(late.runtime.context.events) < 3:
            await asyncio.sleep(0.1)
    await told(service, ready=1, steps=0)
    async with asyncio.timeout(20):
        while len(late.runtime.context.events) < 4:
            await asyncio.sleep(0.1)
    assert late.runtime.context.events == [("ready", 3), ("progressed", 23), ("progressed", 24), ("ready", 25)]


async def test_the_audit_log_acknowledges_up_to_what_it_has_not_handled(site: Site) -> None:
    from contracts import security_monitor

    monitor: Handlers[Heard] = Handlers(security_monitor)

    @monitor.on_every_event
    async def keep(envelope: EventEnvelope, tx: Work[Heard]) -> None:
        if envelope.sequence == 5 and envelope.source == "tresor/provisioner":
            raise KeyError("not now")

    auditor = await site.start(monitor, make_context)
    service = await site.start(teller(), make_context)
    await told(service, ready=8, steps=0)
    await until(auditor, "SELECT count(*) = 4 FROM inbox WHERE state = 'done' AND source = 'tresor/provisioner'")
    await until(auditor, "SELECT bool_or(sequence = 8) FROM heard WHERE producer = 'provisioner'")
    await auditor.retention.round()
    await until(service, "SELECT acknowledged = 4 FROM stream WHERE aggregate = '" + WORKSPACE + "'")


async def test_a_service_names_tables_of_its_own(site: Site) -> None:
    handlers: Handlers[Heard] = Handlers(network_policy)
    handlers.forgets(
        "timer",
        lambda settings: settings.inbox_days,
        "DELETE FROM timer WHERE name IN (SELECT name FROM timer WHERE due_at < $1 LIMIT $2)",
    )
    service = await site.start(handlers, make_context)
    await service.runtime.pool.execute("INSERT INTO timer VALUES ('old', now() - $1::interval)", OLD)
    assert (await service.retention.round())["timer"] == 1


async def test_a_table_stops_growing(site: Site) -> None:
    """What went makes room: as many rows again need no more of the disk."""
    service = await site.start(listener(), make_context)

    async def grow() -> int:
        await service.runtime.pool.execute(
            "INSERT INTO inbox (source, message_id, kind, type, aggregate, bucket, sequence, digest, body, state,"
            " next_attempt_at, received_at, finished_at)"
            " SELECT 'tresor/provisioner', gen_random_uuid(), 'event', 'x', 'w', 0, n, '\\x00', repeat('b', 1000)::bytea,"
            " 'done', now(), now(), now() - $1::interval FROM generate_series(1, 5000) AS n",
            OLD,
        )
        size: int = await service.runtime.pool.fetchval("SELECT pg_total_relation_size('inbox')")
        return size

    first = await grow()
    assert (await service.retention.round())["inbox"] == 5000
    await service.runtime.pool.execute("VACUUM inbox")
    assert await grow() < 1.2 * first
