"""Queues that overflow for real: ours refuse and lose nothing (I16), OpenStack's drops its oldest, which is noticed (I14)."""

import asyncio
from functools import partial
from pathlib import Path
from typing import Any

import aio_pika
import pytest

import shared.losses
import shared.service
from bootstrap.leases import BrokerLease, DatabaseLease
from contracts import provisioner
from contracts.examples import DOCUMENT
from contracts.network_policy import CHASSIS, DriftDetected, DriftRepaired
from contracts.workspace import Workspace
from shared.hearing import Hearing
from shared.notifications import Firehose, QueueLimits
from shared.testing import Site
from tests.faults.pair import nothing, rows_of, start_pair, tellers
from tests.network_policy import conftest as given
from tests.network_policy.stage import Stage
from tests.waiting import until

place, site, stage, twin = given.place, given.site, given.stage, given.twin
LIMIT = 4
ON_THE_WAY = 60
"""A quorum queue refuses a little late: what its publishers had sent by then is taken."""
UNSENT = "SELECT event_id FROM outbox WHERE sent_at IS NULL"


async def messages_in(broker: BrokerLease, queue: str) -> int:
    """Ready messages."""
    async with await aio_pika.connect(broker.url) as connection:
        declared = await (await connection.channel()).declare_queue(queue, passive=True)
        return declared.declaration_result.message_count or 0


async def test_an_events_queue_that_is_full_refuses_and_nothing_is_lost(
    broker: BrokerLease, database: DatabaseLease, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever should read it is away: its producer keeps what is refused; then all of it comes, in order, once."""
    monkeypatch.setattr("shared.topology.QUEUE_MAX_LENGTH", LIMIT)
    queue = "tresor.network-policy.events"
    refused: set[str] = set()
    async with Site(tmp_path, broker.url_of, database.dsn, broker.url).open() as site:
        pair = await start_pair(site, broker)

        async def fault() -> None:
            await site.stop(pair.answerer)
            async with asyncio.timeout(30):
                while await messages_in(broker, queue) < LIMIT:
                    await asyncio.sleep(0.1)
            async with pair.teller.runtime.work() as work:  # what comes now is refused, whatever was on its way before
                work.emit(provisioner.WorkspaceDeleted(**provisioner.WorkspaceDeleted.example))
            await asyncio.sleep(1.5)
            full = await messages_in(broker, queue)
            await asyncio.sleep(2.5)
            refused.update(str(row[0]) for row in await rows_of(pair.teller, UNSENT))
            assert await messages_in(broker, queue) <= full <= LIMIT + ON_THE_WAY, "it grows"
            pair.answerer = await site.start(tellers()[1], nothing, lane_lease_seconds=3)

        await pair.survive(fault)
        assert refused, "nothing was refused"
        assert {event["id"] for event in site.tap.events} >= refused


async def test_a_commands_queue_that_is_full_refuses_publicly(
    broker: BrokerLease, database: DatabaseLease, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """I1, I16: what was taken is done once the service is there; what was not, its operator is told at once."""
    monkeypatch.setattr("shared.topology.QUEUE_MAX_LENGTH", LIMIT)
    taken, refused = [], []
    async with Site(tmp_path, broker.url_of, database.dsn, broker.url).open() as site:
        service = await site.start(tellers()[0], nothing)
        await site.stop(service)
        for number in range(4 * LIMIT):
            document = Workspace.model_validate({**DOCUMENT, "name": f"w-{number}"})
            envelope = site.command_envelope(provisioner.CreateWorkspace(document=document), "ana")
            body = envelope.model_dump_json(exclude_none=True).encode()
            signature = site.keys.signer("ana").sign(body)
            try:
                await site.publish(
                    "tresor.commands", provisioner.CreateWorkspace.type, body, signature, "operator", offers=1
                )
                taken.append(envelope.id)
            except aio_pika.exceptions.DeliveryError:
                refused.append(envelope.id)
        assert len(taken) >= LIMIT
        assert refused
        service = await site.start(tellers()[0], nothing)
        applied = provisioner.CHASSIS.applied
        await until(lambda: {event.command_id for event in site.tap.of(applied)} >= set(taken))
        await asyncio.sleep(0.5)
        stored = await rows_of(service, "SELECT message_id::text, state FROM inbox WHERE kind = 'command'")
        assert {row["message_id"]: row["state"] for row in stored} == dict.fromkeys(taken, "applied")


async def test_openstacks_queue_drops_its_oldest_and_the_scan_finds_what_they_told(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Loss is noticed, told, and healed by a scan at once, not by the next: the notification of an opened rule never
    reaches the service. It is over when nothing is dropped any more."""
    held, hears = asyncio.Event(), asyncio.Event()
    hears.set()
    take = Hearing.take

    async def when_it_hears(self: Any, batch: Any) -> None:
        held.set()
        await hears.wait()
        await take(self, batch)

    monkeypatch.setattr(Hearing, "take", when_it_hears)
    small = QueueLimits(max_messages=LIMIT)
    monkeypatch.setattr(shared.service, "Firehose", partial(Firehose, limits=small, prefetch=1, liveness_seconds=1.0))
    monkeypatch.setattr(shared.losses, "QUIET_SECONDS", 2.0)
    service = await stage.service(scan_seconds=3600.0)
    groups, _ = await stage.standing()
    firehose = service.firehose
    assert firehose is not None
    await until(lambda: firehose.received == firehose.acknowledged)
    before = firehose.dropped
    hears.clear()
    held.clear()

    async def change(number: int) -> None:
        await stage.cloud(lambda c: c.network.update_network(stage.network, description=f"change {number}"))

    await change(0)
    await asyncio.wait_for(held.wait(), 10)
    received = firehose.received
    rule_id = await stage.open_ssh(groups["login"])
    for number in range(1, 3 * LIMIT):
        await change(number)
    drift = await stage.site.tap.until(
        DriftDetected, where=lambda event: any(each.rule_id == rule_id for each in event.drift), seconds=30
    )
    assert drift.seen_by == "scan"
    await stage.site.tap.until(DriftRepaired, workspace=stage.name, seconds=30)
    assert rule_id not in {rule.id for rule in await stage.rules(groups["login"])}
    await until(lambda: firehose.dropped - before >= LIMIT)
    assert firehose.received == received, "the queue was read"
    hears.set()
    over = await stage.site.tap.until(CHASSIS.recovered, seconds=30)
    begun = stage.site.tap.of(CHASSIS.unheard)[0]
    assert (begun.queue, begun.since, begun.scans) == (over.queue, over.since, True)
    assert begun.messages <= over.messages <= firehose.dropped
