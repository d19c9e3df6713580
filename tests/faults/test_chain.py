"""A workspace's way through a bad cloud, a bad bus of notifications, a bad network and services that stand still."""

import asyncio
import contextlib
import os
import random
import signal
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from bootstrap.leases import BrokerLease, DatabaseLease
from contracts.services import SERVICES
from tests.faults.proxy import Wire
from tests.faults.whole import assert_settled, assert_whole, one_terminal_state
from tests.system.chain import running_chain

SEEDS = [int(seed) for seed in os.environ.get("TRESOR_FAULT_SEEDS", "1,2,3,4,5,6,7,8").split(",")]
CHOSEN = [SEEDS[0], *(pytest.param(seed, marks=pytest.mark.campaign) for seed in SEEDS[1:])]
READY_SECONDS = 240.0
LEASE_SECONDS = 4
NAME = "genome-42"


@pytest.mark.parametrize("seed", CHOSEN)
async def test_the_cloud_is_unreliable(broker: BrokerLease, database: DatabaseLease, tmp_path: Path, seed: int) -> None:
    """One call in ten fails, changes are made whose answers are lost; notifications are lost, doubled, out of order, late."""
    chance = random.Random(f"cloud-{seed}")
    async with running_chain(broker, database, tmp_path, seed=seed) as chain:
        chain.twin.faults(
            *({"kind": kind, "probability": chance.uniform(0.03, 0.06), "seconds": 1} for kind in ("500", "503")),
            {"kind": "429", "probability": chance.uniform(0.01, 0.03), "seconds": 2},
            {"kind": "409", "service": "neutron", "method": "PUT", "probability": 0.2, "count": 10},
            {"kind": "lost_response", "method": "POST|PUT|DELETE", "probability": chance.uniform(0.02, 0.05)},
            {"kind": "slow", "probability": 0.05, "seconds": 0.5},
            {"kind": "slow", "method": "POST", "probability": 0.02, "seconds": 4},
            {"kind": "lost", "probability": chance.uniform(0.1, 0.4)},
            {"kind": "doubled", "probability": 0.2},
            {"kind": "reordered", "probability": 0.2},
            {"kind": "delayed", "probability": 0.1, "seconds": 3600},
        )  # fmt: skip
        command_id = await chain.create(chain.document(NAME))
        await chain.ready(NAME, READY_SECONDS)
        chain.twin.clear_faults()
        await assert_whole(chain, NAME)
        chain.twin.advance(3600)  # what was an hour late comes
        await assert_settled(chain, broker, database)
        await assert_whole(chain, NAME)
        await one_terminal_state(chain, command_id)


@pytest.mark.campaign
@pytest.mark.parametrize("victim", SERVICES)
async def test_a_service_stands_still_and_another_takes_over(
    broker: BrokerLease, database: DatabaseLease, tmp_path: Path, victim: str
) -> None:
    """I18: SIGSTOP for twice the lease amid its work; its replica does the work, and SIGCONT adds nothing to it.

    In every run the self-test's checks of work stand for it.
    """
    chance = random.Random(f"still-{victim}")
    async with running_chain(broker, database, tmp_path) as chain:
        first = chain.services[victim]
        second = first.another()
        await second.start()
        try:
            await second.ready()
            command_id = await chain.create(chain.document(NAME))
            await asyncio.sleep(chance.uniform(0.3, 1.5))
            first.signal(signal.SIGSTOP)
            await asyncio.sleep(2 * LEASE_SECONDS)
            first.signal(signal.SIGCONT)
            await chain.ready(NAME, READY_SECONDS)
            await assert_whole(chain, NAME)
            await assert_settled(chain, broker, database)
            await one_terminal_state(chain, command_id)
        finally:
            await second.kill()


@asynccontextmanager
async def wires(broker: BrokerLease, database: DatabaseLease) -> AsyncIterator[tuple[dict[str, Wire], dict[str, Wire]]]:
    """One to the broker and one to the database for each service."""
    to_broker, to_database = urlsplit(broker.url), urlsplit(database.dsn())
    async with AsyncExitStack() as stack:
        found: list[dict[str, Wire]] = []
        for place in (to_broker, to_database):
            made = {one: Wire(str(place.hostname), int(place.port or 0), one) for one in SERVICES}
            for wire in made.values():
                await stack.enter_async_context(wire.listening())
            found.append(made)
        yield found[0], found[1]


@pytest.mark.campaign
@pytest.mark.parametrize("seed", SEEDS)
async def test_the_network_between_services_is_bad(
    broker: BrokerLease, database: DatabaseLease, tmp_path: Path, seed: int
) -> None:
    """Partitions, lateness, loss and resets on any service's way to broker and database, all along."""
    chance = random.Random(f"wires-{seed}")
    async with wires(broker, database) as (amqp, sql):

        def url_of(user: str) -> str:
            return amqp[user].through(broker.url_of(user)) if user in amqp else broker.url_of(user)

        def dsn_of(service: str) -> str:
            return sql[service].through(database.dsn(service))

        every = [*amqp.values(), *sql.values()]

        async def breaking() -> None:
            while True:
                for wire in chance.sample(every, 3):
                    wire.strike(chance)
                await asyncio.sleep(chance.uniform(0.3, 3.0))
                for wire in every:
                    wire.heal()
                await asyncio.sleep(chance.uniform(0.2, 1.0))

        async with running_chain(broker, database, tmp_path, seed=seed, url_of=url_of, dsn_of=dsn_of) as chain:
            command_id = await chain.create(chain.document(NAME))
            task = asyncio.create_task(breaking())
            await asyncio.sleep(15)
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
            for wire in every:
                wire.heal()
            await chain.ready(NAME, READY_SECONDS)
            await assert_whole(chain, NAME)
            await assert_settled(chain, broker, database)
            await one_terminal_state(chain, command_id)
