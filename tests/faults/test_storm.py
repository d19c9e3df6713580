"""A storm of notifications while a workspace is made: commands are served, memory is bounded, nothing is lost of what
the broker kept, and what it dropped is found by looking (I10, I14, I16)."""

import asyncio
import time
from pathlib import Path

import aio_pika
import pytest

from bootstrap.leases import BrokerLease, DatabaseLease
from contracts.network_policy import DriftDetected, DriftRepaired
from tests.faults.whole import assert_settled, assert_whole, one_terminal_state
from tests.shared.recording import recorded
from tests.system.chain import Chain, running_chain

NAME = "genome-42"
STORM_MESSAGES = 50_000
READY_SECONDS = 300.0
MAX_RESIDENT_MIB = 400
SCAN_SECONDS = 10.0


async def storm(broker: BrokerLease, count: int) -> None:
    """What another cloud's day told, again and again, as fast as the broker takes it."""
    connection = await aio_pika.connect(broker.openstack_url)
    async with connection:
        channel = await connection.channel(publisher_confirms=False)
        exchanges = {}
        told = recorded()
        for name in sorted({raw.exchange for raw in told}):
            exchanges[name] = await channel.declare_exchange(name, aio_pika.ExchangeType.TOPIC)
        for number in range(count):
            raw = told[number % len(told)]
            await exchanges[raw.exchange].publish(aio_pika.Message(raw.body), raw.routing_key)
            if number % 500 == 0:
                await asyncio.sleep(0)


def resident_mib(chain: Chain) -> dict[str, int]:
    """What each service's process holds in memory."""
    found = {}
    for name, service in chain.services.items():
        lines = Path(f"/proc/{service.pid}/status").read_text().splitlines()
        found[name] = next(int(line.split()[1]) for line in lines if line.startswith("VmRSS")) // 1024
    return found


@pytest.mark.campaign
async def test_a_storm_of_notifications(broker: BrokerLease, database: DatabaseLease, tmp_path: Path) -> None:
    async with running_chain(broker, database, tmp_path, scan_seconds=SCAN_SECONDS) as chain:
        before = resident_mib(chain)
        storming = asyncio.create_task(storm(broker, STORM_MESSAGES))
        command_id = await chain.create(chain.document(NAME))
        highest = dict(before)
        ready = asyncio.create_task(chain.ready(NAME, READY_SECONDS))
        while not ready.done():
            await asyncio.sleep(0.5)
            now = resident_mib(chain)
            highest = {name: max(highest[name], now[name]) for name in now}
        await ready
        await storming
        assert max(highest.values()) < MAX_RESIDENT_MIB, highest
        chain.twin.faults({"kind": "lost"})
        group = next(one for one in chain.cloud.network.security_groups() if one.name == f"tresor-{NAME}-login")
        began = time.monotonic()
        chain.cloud.network.create_security_group_rule(
            security_group_id=group.id, direction="ingress", ethertype="IPv4", protocol="tcp",
            port_range_min=22, port_range_max=22, remote_ip_prefix="0.0.0.0/0",
        )  # fmt: skip
        await chain.site.tap.until(DriftDetected, workspace=NAME, seconds=60)
        await chain.site.tap.until(DriftRepaired, workspace=NAME, seconds=60)
        assert time.monotonic() - began < 60
        chain.twin.clear_faults()
        await assert_whole(chain, NAME)
        await assert_settled(chain, broker, database)
        await one_terminal_state(chain, command_id)
