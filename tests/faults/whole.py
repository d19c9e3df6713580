"""What must be so of a workspace and of the services once the faults have stopped (I1, I2, I12, I15)."""

import asyncio
from collections import Counter

import asyncpg

from bootstrap.leases import BrokerLease, DatabaseLease
from contracts import provisioner, security_monitor
from shared.db import schema_of
from tests.faults.pair import SETTLED_SECONDS, UNDER_WAY, unacknowledged
from tests.system.chain import Chain


def twice(names: list[str]) -> list[str]:
    """The names that occur more than once."""
    return sorted(name for name, count in Counter(names).items() if count > 1)


async def assert_whole(chain: Chain, name: str) -> None:
    """One of each resource of the example workspace, and all of them."""
    cloud = chain.cloud
    project = cloud.identity.find_project(f"tre-{name}")
    assert [one.name for one in cloud.identity.projects() if one.name == f"tre-{name}"] == [f"tre-{name}"]
    servers = [one.name for one in cloud.compute.servers(all_projects=True, project_id=project.id)]
    assert len(servers) == 6
    assert not twice(servers)
    ports = [one.name for one in cloud.network.ports(project_id=project.id) if one.device_owner.startswith("compute")]
    assert len(ports) == 6
    assert not twice(ports)
    assert not twice([one.name for one in cloud.network.networks(project_id=project.id)])
    assert not twice([one.name for one in cloud.network.security_groups(project_id=project.id)])
    assert not twice([one.name for one in cloud.network.routers(project_id=project.id)])
    shares = [one.name for one in cloud.shared_file_system.shares(all_projects=True)]
    assert sorted(shares) == [f"{name}-home", f"{name}-scratch"]


async def one_terminal_state(chain: Chain, command_id: str) -> None:
    """The command has been accepted and has ended once (I1)."""
    kinds = (provisioner.CHASSIS.applied, provisioner.CHASSIS.rejected, provisioner.CHASSIS.failed)
    ended = {
        event["id"]
        for event in chain.site.tap.events
        if event["type"] in {kind.type for kind in kinds} and event["data"]["command_id"] == command_id
    }
    assert len(ended) == 1


async def audited(database: DatabaseLease) -> set[str]:
    """The ids of the events in the audit log."""
    connection = await asyncpg.connect(database.dsn("security-monitor"))
    try:
        rows = await connection.fetch(
            "SELECT message_id FROM security_monitor.audit_record WHERE kind <> 'notification'"
        )
        return {row["message_id"] for row in rows}
    finally:
        await connection.close()


async def left(chain: Chain, broker: BrokerLease, database: DatabaseLease) -> list[str]:
    """What is under way in any service, and what was told and is not in the audit log yet."""
    connection = await asyncpg.connect(database.dsn())
    found = []
    try:
        for service in chain.services:
            await connection.execute(f"SET search_path TO {schema_of(service)}")
            found += [f"{service}: {name}" for name, query in UNDER_WAY.items() if await connection.fetchval(query)]
    finally:
        await connection.close()
    told = {event["id"] for event in chain.site.tap.events if "sequence" in event}
    missing = len(told - await audited(database))
    waiting = await unacknowledged(broker)
    return [
        *found,
        *([f"{missing} events missing from the audit log"] if missing else []),
        *([f"{waiting} deliveries unacknowledged"] if waiting else []),
    ]


async def assert_settled(chain: Chain, broker: BrokerLease, database: DatabaseLease) -> None:
    """I15: within a minute nothing is under way; I12: the audit chain verifies, with every event in it."""
    found: list[str] = []
    try:
        async with asyncio.timeout(SETTLED_SECONDS):
            while found := await left(chain, broker, database):
                await asyncio.sleep(0.5)
    except TimeoutError:
        raise AssertionError(f"{SETTLED_SECONDS} s after the faults: {found}") from None
    answer = await chain.site.ask(security_monitor.ShowAudit(verify=True), "ada")
    assert isinstance(answer, security_monitor.AuditHead)
    assert answer.verified
