"""The chassis under broken brokers and databases: every command ends once, every event is handled once, nothing restarts.

Two services in this process: one applies commands and tells of each, the other answers each telling with one of its own.
"""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from bootstrap.leases import PrivateBrokerLease, PrivateDatabaseLease
from contracts import network_policy, provisioner
from contracts.examples import DOCUMENT
from contracts.workspace import Workspace
from shared.db import LOST
from shared.handlers import Handlers
from shared.service import Service
from shared.testing import Site
from shared.work import Work

COMMANDS = 24
UNSENT = "SELECT 1 FROM outbox WHERE sent_at IS NULL"


def tellers() -> tuple[Handlers[None], Handlers[None]]:
    first: Handlers[None] = Handlers(provisioner)
    second: Handlers[None] = Handlers(network_policy)

    @first.on(provisioner.CreateWorkspace)
    async def create(command: provisioner.CreateWorkspace, tx: Work[None]) -> None:
        tx.emit(provisioner.WorkspaceEmptied(workspace=command.document.name, generation=1))

    @second.on(provisioner.WorkspaceEmptied)
    async def emptied(seen: provisioner.WorkspaceEmptied, tx: Work[None]) -> None:
        tx.emit(network_policy.PolicyWithdrawn(workspace=seen.workspace, generation=seen.generation))

    return first, second


async def nothing(*_: object) -> None:
    return None


@dataclass
class Pair:
    """A site with both services on a broker and a database of their own; what happened is read from the database."""

    site: Site
    teller: Service[None]
    answerer: Service[None]

    async def fetch(self, service: Service[None], query: str) -> list[Any]:
        """Rows from the service's schema, however long its database is away."""
        while True:
            try:
                return list(await service.pool.fetch(query))
            except LOST:
                await asyncio.sleep(0.2)


@pytest.fixture
async def pair(
    private_broker: PrivateBrokerLease, private_database: PrivateDatabaseLease, tmp_path: Path
) -> AsyncIterator[Pair]:
    async with Site(tmp_path, private_broker.url_of, private_database.dsn, private_broker.url).open() as site:
        first, second = tellers()
        yield Pair(
            site,
            await site.start(first, nothing, lane_lease_seconds=3),
            await site.start(second, nothing, lane_lease_seconds=3),
        )


async def give(pair: Pair, number: int) -> str:
    """Give a command as an operator does: again, in the same bytes, until it's taken in."""
    site = pair.site
    document = Workspace.model_validate({**DOCUMENT, "name": f"w-{number}"})
    message = provisioner.CreateWorkspace(document=document)
    envelope = site.command_envelope(message, "ana")
    body = envelope.model_dump_json(exclude_none=True).encode()
    signature = site.keys.signer("ana").sign(body)
    while True:
        with contextlib.suppress(Exception):
            async with asyncio.timeout(5):
                await site.publish("tresor.commands", message.type, body, signature, "operator")
        await asyncio.sleep(1)
        if await pair.fetch(pair.teller, f"SELECT 1 FROM inbox WHERE message_id = '{envelope.id}'"):
            return f"w-{number}"


async def survive(pair: Pair, break_it: Callable[[], Awaitable[None]]) -> None:
    """Commands before, during and after the fault; then everything must have happened, once."""
    given = [asyncio.create_task(give(pair, number)) for number in range(COMMANDS // 3)]
    await asyncio.sleep(0.3)
    given += [asyncio.create_task(give(pair, number)) for number in range(COMMANDS // 3, 2 * COMMANDS // 3)]
    await break_it()
    given += [asyncio.create_task(give(pair, number)) for number in range(2 * COMMANDS // 3, COMMANDS)]
    async with asyncio.timeout(90):
        names = sorted(await asyncio.gather(*given))
        while len(await answers(pair)) < COMMANDS:
            await asyncio.sleep(0.2)
        while await pair.fetch(pair.teller, UNSENT) or await pair.fetch(pair.answerer, UNSENT):
            await asyncio.sleep(0.2)
    assert await answers(pair) == names
    ended = await pair.fetch(pair.teller, "SELECT state FROM inbox WHERE kind = 'command'")
    assert [row["state"] for row in ended] == ["applied"] * COMMANDS
    told = await pair.fetch(pair.teller, "SELECT body FROM outbox WHERE type = 'provisioner.command.applied'")
    assert len({json.loads(row["body"])["data"]["command_id"] for row in told}) == COMMANDS
    assert not await pair.fetch(pair.teller, "SELECT 1 FROM quarantine")


async def answers(pair: Pair) -> list[str]:
    rows = await pair.fetch(
        pair.answerer, "SELECT aggregate FROM outbox WHERE type = 'network-policy.policy.withdrawn' ORDER BY aggregate"
    )
    return [row["aggregate"] for row in rows]


async def test_broker_killed(pair: Pair, private_broker: PrivateBrokerLease) -> None:
    async def fault() -> None:
        await private_broker.kill()
        await private_broker.start()

    await survive(pair, fault)


async def test_broker_wiped(pair: Pair, private_broker: PrivateBrokerLease) -> None:
    """Row L11: all queues and messages gone; nothing is restarted, nothing is lost (I6)."""
    await survive(pair, private_broker.wipe_data)


async def test_queues_deleted_under_their_consumers(pair: Pair, private_broker: PrivateBrokerLease) -> None:
    async def fault() -> None:
        for queue in ("tresor.network-policy.events", "tresor.provisioner.commands"):
            await private_broker.delete_queue(queue)

    await survive(pair, fault)


async def test_connections_closed_by_the_broker(pair: Pair, private_broker: PrivateBrokerLease) -> None:
    async def fault() -> None:
        await asyncio.sleep(6)  # until the management API shows them
        await private_broker.close_connections("provisioner")
        await private_broker.close_connections("network-policy")

    await survive(pair, fault)


async def test_broker_stops_answering(pair: Pair, private_broker: PrivateBrokerLease) -> None:
    async def fault() -> None:
        private_broker.pause()
        await asyncio.sleep(8)
        private_broker.resume()

    await survive(pair, fault)


async def test_database_killed(pair: Pair, private_database: PrivateDatabaseLease) -> None:
    async def fault() -> None:
        await private_database.kill()
        await private_database.start()

    await survive(pair, fault)


async def test_database_sessions_ended_again_and_again(pair: Pair, private_database: PrivateDatabaseLease) -> None:
    async def fault() -> None:
        for _ in range(10):
            await private_database.end_sessions()
            await asyncio.sleep(0.2)

    await survive(pair, fault)


async def test_exchange_deleted(pair: Pair, private_broker: PrivateBrokerLease) -> None:
    async def fault() -> None:
        await private_broker.delete_exchange("tresor.events")

    await survive(pair, fault)
