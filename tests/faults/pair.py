"""Two services in this process: one applies commands and tells of each, the other answers each telling with its own.

What happened is read from their databases: every command ends once, every event is handled once, nothing restarts,
and once the faults have stopped nothing is left under way (I1, I4, I15).
"""

import asyncio
import contextlib
import json
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from bootstrap.leases import BrokerLease
from contracts import network_policy, provisioner
from contracts.examples import DOCUMENT
from contracts.workspace import Workspace
from shared.clock import Clock
from shared.db import LOST
from shared.handlers import Handlers
from shared.service import Service
from shared.testing import Site
from shared.work import Work

COMMANDS = 24
SETTLED_SECONDS = 60.0
"""I15: that long after the last fault nothing is under way."""
UNDER_WAY = {
    "unsent events": "SELECT 1 FROM outbox WHERE sent_at IS NULL",
    "messages to handle": "SELECT 1 FROM inbox WHERE state IN ('pending', 'held')",
    "calls without an outcome": "SELECT 1 FROM intent WHERE state IN ('sent', 'unknown')",
    "expired leases": "SELECT 1 FROM lane WHERE lease_until <= clock_timestamp()",
    "leases beyond their time": "SELECT 1 FROM lane WHERE lease_until > clock_timestamp() + interval '1 minute'",
}


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


async def rows_of(service: Service[None], query: str) -> list[Any]:
    """Rows from the service's schema, however long its database is away."""
    while True:
        try:
            return list(await service.pool.fetch(query))
        except LOST:
            await asyncio.sleep(0.2)


async def under_way(service: Service[None]) -> list[str]:
    """What is not settled in the service's database."""
    return [name for name, query in UNDER_WAY.items() if await rows_of(service, query)]


async def unacknowledged(broker: BrokerLease) -> int:
    """Deliveries that nobody has acknowledged, as the broker counts them; some seconds old."""
    return sum(int(queue.get("messages_unacknowledged", 0)) for queue in await broker.queues())


@dataclass
class Pair:
    """A site with both services."""

    site: Site
    teller: Service[None]
    answerer: Service[None]
    broker: BrokerLease

    async def give(self, number: int) -> str:
        """Give a command as an operator does: again, in the same bytes, until it's taken in. The workspace's name."""
        site = self.site
        document = Workspace.model_validate({**DOCUMENT, "name": f"w-{number}"})
        message = provisioner.CreateWorkspace(document=document)
        envelope = site.command_envelope(message, "ana")
        body = envelope.model_dump_json(exclude_none=True).encode()
        signature = site.keys.signer("ana").sign(body)
        while True:
            with contextlib.suppress(Exception):
                async with asyncio.timeout(5):
                    await site.publish("tresor.commands", message.type, body, signature, "operator")
            for _ in range(10):
                await asyncio.sleep(0.1)
                if await rows_of(self.teller, f"SELECT 1 FROM inbox WHERE message_id = '{envelope.id}'"):
                    return f"w-{number}"

    async def survive(
        self, break_it: Callable[[], Awaitable[None]], seconds: float = 90.0, refused: tuple[str, ...] = ()
    ) -> float:
        """Commands before, during and after the fault; then everything must have happened, once.

        `refused` names the reasons for which something may have been refused meanwhile. Returns the seconds from the end of the fault until nothing was under way.
        """
        given = [asyncio.create_task(self.give(number)) for number in range(COMMANDS // 3)]
        await asyncio.sleep(0.3)
        given += [asyncio.create_task(self.give(number)) for number in range(COMMANDS // 3, 2 * COMMANDS // 3)]
        await break_it()
        ended = time.monotonic()
        given += [asyncio.create_task(self.give(number)) for number in range(2 * COMMANDS // 3, COMMANDS)]
        try:
            async with asyncio.timeout(seconds):
                names = sorted(await asyncio.gather(*given))
                while len(await self.answers()) < COMMANDS or await self.left():
                    await asyncio.sleep(0.2)
                settled = time.monotonic() - ended
                while await unacknowledged(self.broker):
                    await asyncio.sleep(0.5)
        except TimeoutError:
            taken, answered = sum(one.done() for one in given), len(await self.answers())
            raise AssertionError(
                f"{seconds} s after the fault: {taken} of {COMMANDS} commands taken in, {answered} answered,"
                f" left {await self.left()}, unacknowledged {await unacknowledged(self.broker)}"
            ) from None
        assert await self.answers() == names
        states = await rows_of(self.teller, "SELECT state FROM inbox WHERE kind = 'command'")
        assert [row["state"] for row in states] == ["applied"] * COMMANDS
        told = await rows_of(self.teller, "SELECT body FROM outbox WHERE type = 'provisioner.command.applied'")
        assert len({json.loads(row["body"])["data"]["command_id"] for row in told}) == COMMANDS
        for service in (self.teller, self.answerer):
            reasons = {row["reason"] for row in await rows_of(service, "SELECT reason FROM quarantine")}
            assert reasons <= set(refused)
        await self._streams_have_no_gaps()
        return settled

    async def left(self) -> list[str]:
        """What is under way in either of them."""
        return [*await under_way(self.teller), *await under_way(self.answerer)]

    async def answers(self) -> list[str]:
        """The workspaces that the answerer has told of."""
        rows = await rows_of(
            self.answerer,
            "SELECT aggregate FROM outbox WHERE type = 'network-policy.policy.withdrawn' ORDER BY aggregate",
        )
        return [row["aggregate"] for row in rows]

    async def _streams_have_no_gaps(self) -> None:
        """I4: of each aggregate the numbers 1, 2, 3 … were told, and heard as far as told."""
        gaps = "SELECT 1 FROM outbox GROUP BY aggregate HAVING max(sequence) <> count(*) OR min(sequence) <> 1"
        assert not await rows_of(self.teller, gaps)
        told = {row["aggregate"]: row["sequence"] for row in await rows_of(self.teller, "SELECT * FROM stream")}
        heard = await rows_of(self.answerer, "SELECT aggregate, sequence FROM heard WHERE producer = 'provisioner'")
        assert {row["aggregate"]: row["sequence"] for row in heard} == told


async def start_pair(site: Site, broker: BrokerLease, clock: Clock | None = None) -> Pair:
    """Start both; `site` is open."""
    teller, answerer = [await site.start(each, nothing, clock=clock, lane_lease_seconds=3) for each in tellers()]
    return Pair(site, teller, answerer, broker)
