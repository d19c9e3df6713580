"""kill -9 of each service along the chain: the workspace ends ready, nothing is made twice, nothing is lost (I1, I2, I6).

Which service dies, and when, comes from a seed; a failing one can be run again by its number.
"""

import asyncio
import os
import random
from pathlib import Path

import asyncpg
import pytest

from bootstrap.leases import BrokerLease, DatabaseLease
from contracts import provisioner
from contracts.services import SERVICES
from shared.db import schema_of
from tests.faults.whole import assert_settled, assert_whole, one_terminal_state
from tests.system.chain import Chain, running_chain

SEEDS = [int(seed) for seed in os.environ.get("TRESOR_FAULT_SEEDS", "1,2,3,4,5,6,7,8").split(",")]
"""The first one in every run; all of them in the campaign (`make faults`)."""
CHOSEN = [SEEDS[0], *(pytest.param(seed, marks=pytest.mark.campaign) for seed in SEEDS[1:])]
CREATE_SECONDS = 300.0


@pytest.mark.parametrize("victim", SERVICES)
@pytest.mark.parametrize("seed", CHOSEN)
async def test_a_service_is_killed_at_a_random_moment(
    broker: BrokerLease, database: DatabaseLease, tmp_path: Path, victim: str, seed: int
) -> None:
    chance = random.Random(f"{victim}-{seed}")
    async with running_chain(broker, database, tmp_path, seed=seed) as chain:
        command_id = await chain.create(chain.document("genome-42"))
        for _ in range(3):
            await asyncio.sleep(chance.uniform(0.2, 3.0))
            await chain.services[victim].kill()
            await chain.services[victim].start()
        await chain.ready("genome-42", CREATE_SECONDS)
        await chain.site.tap.until(provisioner.CHASSIS.applied)
        await assert_whole(chain, "genome-42")
        await one_terminal_state(chain, command_id)
        await assert_settled(chain, broker, database)


@pytest.mark.parametrize("seed", CHOSEN)
async def test_services_die_one_after_another(
    broker: BrokerLease, database: DatabaseLease, tmp_path: Path, seed: int
) -> None:
    """Through creation and deletion, any of them, at any moment."""
    chance = random.Random(seed)

    async def reaper(chain: Chain) -> None:
        while True:
            await asyncio.sleep(chance.uniform(0.5, 4.0))
            victim = chain.services[chance.choice(SERVICES)]
            await victim.kill()
            await asyncio.sleep(chance.uniform(0.0, 1.0))
            await victim.start()

    async with running_chain(broker, database, tmp_path, seed=seed) as chain:
        reaping = asyncio.create_task(reaper(chain))
        try:
            command_id = await chain.create(chain.document("genome-42"))
            await asyncio.sleep(20)
        finally:
            reaping.cancel()
            await asyncio.wait([reaping])
        for service in chain.services.values():
            await service.kill()
            await service.start()
        await chain.ready("genome-42", CREATE_SECONDS)
        await chain.site.tap.until(provisioner.CHASSIS.applied)
        await assert_whole(chain, "genome-42")
        await one_terminal_state(chain, command_id)
        await chain.delete("genome-42", CREATE_SECONDS)
        assert chain.cloud.identity.find_project("tre-genome-42") is None


async def held_lanes(database: DatabaseLease, service: str) -> int:
    connection = await asyncpg.connect(database.dsn())
    try:
        query = f"SELECT count(*) FROM {schema_of(service)}.lane WHERE lease_until > clock_timestamp()"
        held: int = await connection.fetchval(query)
        return held
    finally:
        await connection.close()


@pytest.mark.campaign
@pytest.mark.parametrize("seed", SEEDS[:3])
async def test_services_are_told_to_stop_amid_their_work(
    broker: BrokerLease, database: DatabaseLease, tmp_path: Path, seed: int
) -> None:
    """SIGTERM: each ends well and in time, and gives its lanes back at once, so that another need not wait for them."""
    chance = random.Random(f"stop-{seed}")
    async with running_chain(broker, database, tmp_path, seed=seed) as chain:
        command_id = await chain.create(chain.document("genome-42"))
        for victim in chance.sample(SERVICES, len(SERVICES)):
            await asyncio.sleep(chance.uniform(0.2, 2.0))
            service = chain.services[victim]
            assert await held_lanes(database, victim)
            assert await service.stop() == 0, service.log_tail()
            assert not await held_lanes(database, victim)
            await service.start()
        await chain.ready("genome-42", CREATE_SECONDS)
        await chain.site.tap.until(provisioner.CHASSIS.applied)
        await assert_whole(chain, "genome-42")
        await one_terminal_state(chain, command_id)
        await assert_settled(chain, broker, database)


async def test_a_lost_answer_makes_nothing_twice(broker: BrokerLease, database: DatabaseLease, tmp_path: Path) -> None:
    """Creates succeed and their answers are lost: what they made is found and taken, not made again (I2)."""
    async with running_chain(broker, database, tmp_path) as chain:
        for service, path in (("neutron", "/ports$"), ("nova", "/servers$"), ("manila", "/shares$")):
            chain.twin.faults({"service": service, "method": "POST", "path": path, "kind": "lost_response", "count": 2})
        await chain.create(chain.document("genome-42"))
        await chain.ready("genome-42", CREATE_SECONDS)
        await assert_whole(chain, "genome-42")


async def test_the_audit_log_misses_nothing(broker: BrokerLease, database: DatabaseLease, tmp_path: Path) -> None:
    """I12: security-monitor dies again and again; every event that was told is in its chain, which verifies."""
    async with running_chain(broker, database, tmp_path) as chain:
        await chain.create(chain.document("genome-42"))
        for _ in range(4):
            await asyncio.sleep(1.5)
            await chain.services["security-monitor"].kill()
            await chain.services["security-monitor"].start()
        await chain.ready("genome-42", CREATE_SECONDS)
        await chain.services["security-monitor"].ready()
        await assert_settled(chain, broker, database)
