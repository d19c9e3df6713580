"""A broker that is slow with everything: what its queues hold is not thrown away for it (decision record 0003)."""

import asyncio
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from aio_pika.abc import AbstractChannel
from faststream.rabbit import RabbitBroker

import shared.bus
from bootstrap.leases import BrokerLease, DatabaseLease
from contracts import provisioner
from contracts.examples import DOCUMENT
from contracts.workspace import Workspace
from shared.testing import Site
from tests.faults.pair import nothing, tellers
from tests.faults.proxy import Wire
from tests.waiting import until

SLOW_SECONDS = 0.1
"""Of every portion, each way: declaring all of it, in seven calls, takes more than a second."""


async def test_a_queue_is_kept_when_the_broker_is_slow_to_take_its_consumer(
    broker: BrokerLease, database: DatabaseLease, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    starts = 0
    begin = shared.bus.Bus._start

    async def counted(self: shared.bus.Bus[None], faststream: RabbitBroker, channel: AbstractChannel) -> None:
        nonlocal starts
        starts += 1
        await begin(self, faststream, channel)

    where = urlsplit(broker.url)
    assert where.hostname
    assert where.port
    async with Wire(where.hostname, where.port).listening() as wire:

        def url_of(user: str) -> str:
            return wire.through(broker.url_of(user)) if user == "provisioner" else broker.url_of(user)

        async with Site(tmp_path, url_of, database.dsn, broker.url).open() as site:
            service = await site.start(tellers()[0], nothing)
            await site.stop(service)
            document = Workspace.model_validate({**DOCUMENT, "name": "waits"})
            await site.command(provisioner.CreateWorkspace(document=document))
            monkeypatch.setattr(shared.bus.Bus, "_start", counted)
            # So that the wire need not be so slow that the test would be.
            monkeypatch.setattr(shared.bus, "CONSUME_TIMEOUT_SECONDS", 0.3)
            wire.delay_seconds = SLOW_SECONDS
            starting = asyncio.create_task(site.start(tellers()[0], nothing))
            await until(lambda: starts > shared.bus.SILENT_STARTS, 60)
            monkeypatch.undo()
            wire.heal()
            await starting
            await site.tap.until(provisioner.WorkspaceEmptied, workspace="waits")
