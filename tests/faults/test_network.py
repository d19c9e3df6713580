"""The wire between services and their broker and database: silence, lateness, loss, resets, answers that never come.

Every service has a wire of its own to each; what happens on them is drawn from a seed where it is not named.
"""

import asyncio
import os
import random
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from bootstrap.leases import BrokerLease, DatabaseLease
from shared.testing import Site
from tests.faults.pair import COMMANDS, Pair, start_pair
from tests.faults.proxy import COMMIT, PUBLISH, Wire

SERVICES = ("provisioner", "network-policy")
SEEDS = [int(seed) for seed in os.environ.get("TRESOR_FAULT_SEEDS", "1,2,3,4,5,6,7,8").split(",")]
CHOSEN = [SEEDS[0], *(pytest.param(seed, marks=pytest.mark.campaign) for seed in SEEDS[1:])]


@dataclass
class Wired:
    """A pair, and its wires by service."""

    pair: Pair
    amqp: dict[str, Wire]
    sql: dict[str, Wire]

    @property
    def wires(self) -> list[Wire]:
        return [*self.amqp.values(), *self.sql.values()]


@pytest.fixture
async def wired(broker: BrokerLease, database: DatabaseLease, tmp_path: Path) -> AsyncIterator[Wired]:
    from urllib.parse import urlsplit

    to_broker, to_database = urlsplit(broker.url), urlsplit(database.dsn())
    async with AsyncExitStack() as stack:

        async def wires(host: str | None, port: int | None) -> dict[str, Wire]:
            assert host
            assert port
            return {one: await stack.enter_async_context(Wire(host, port, one).listening()) for one in SERVICES}

        amqp = await wires(to_broker.hostname, to_broker.port)
        sql = await wires(to_database.hostname, to_database.port)

        def url_of(user: str) -> str:
            return amqp[user].through(broker.url_of(user)) if user in amqp else broker.url_of(user)

        def dsn_of(service: str) -> str:
            return sql[service].through(database.dsn(service))

        site = await stack.enter_async_context(Site(tmp_path, url_of, dsn_of, broker.url).open())
        yield Wired(await start_pair(site, broker), amqp, sql)
        for wire in (*amqp.values(), *sql.values()):
            wire.heal()


@pytest.mark.parametrize("seed", CHOSEN)
async def test_a_bad_network(wired: Wired, seed: int) -> None:
    """Partitions, one way and both, lateness, loss and resets, on any wire, several at once."""
    chance = random.Random(f"network-{seed}")

    async def fault() -> None:
        for _ in range(5):
            for wire in chance.sample(wired.wires, chance.randint(1, 3)):
                wire.strike(chance)
            await asyncio.sleep(chance.uniform(0.3, 2.5))
            for wire in wired.wires:
                wire.heal()
            await asyncio.sleep(chance.uniform(0.0, 0.5))

    await wired.pair.survive(fault)


@pytest.mark.campaign
@pytest.mark.parametrize("kind", ["amqp", "sql"])
@pytest.mark.parametrize("way", ["up", "down", "both"])
async def test_a_long_partition(wired: Wired, kind: str, way: str) -> None:
    """Longer than heartbeats, leases and every limit, one way or both, towards everything of a kind."""
    wires = wired.amqp if kind == "amqp" else wired.sql

    async def fault() -> None:
        for wire in wires.values():
            match way:
                case "up":
                    wire.stall("up")
                case "down":
                    wire.stall("down")
                case _:
                    wire.stall()
        await asyncio.sleep(45)
        for wire in wires.values():
            wire.heal()

    await wired.pair.survive(fault, 120)


async def test_the_broker_confirms_into_the_void(wired: Wired) -> None:
    """What was published and never confirmed is published again, and is one event (I4, I5)."""

    async def fault() -> None:
        for wire in wired.amqp.values():
            wire.cut_after(PUBLISH, 3)
        async with asyncio.timeout(30):
            while any(wire.cuts < 3 for wire in wired.amqp.values()):
                await asyncio.sleep(0.1)

    await wired.pair.survive(fault)
    twice = [event["id"] for event in wired.pair.site.tap.events if "sequence" in event]
    assert len(twice) > len(set(twice)), "a lost confirm makes the relay tell again"


async def test_the_outcome_of_a_commit_is_unknown(wired: Wired) -> None:
    """The database commits and its answer is lost, again and again: nothing is done twice for it (I2, I3)."""

    async def fault() -> None:
        for wire in wired.sql.values():
            wire.cut_after(COMMIT, 12)
        async with asyncio.timeout(30):
            while any(wire.cuts < 12 for wire in wired.sql.values()):
                await asyncio.sleep(0.1)

    await wired.pair.survive(fault)
    assert len(await wired.pair.answers()) == COMMANDS
