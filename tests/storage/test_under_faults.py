"""Storage while the cloud fails it, and while it is killed: the twin's faults on demand, and processes of its own."""

import asyncio
import os
import sys
from collections.abc import Awaitable, Iterator

import pytest

from bootstrap.leases import BrokerLease
from contracts.storage import StorageFailed, StorageReady, StorageReleased
from shared.testing import Site
from tests.place import Place, twin_place
from tests.storage.conftest import StartStorage, quick
from tests.storage.tenant import Tenant
from twin.testing import RunningTwin

HOME = {"name": "home", "size_gib": 1, "access": {"login": "rw", "compute": "ro"}}
SCRATCH = {"name": "scratch", "size_gib": 1, "access": {"compute": "rw"}}
DATA = {"name": "data", "size_gib": 1, "role": "compute"}


@pytest.fixture
def place(broker: BrokerLease) -> Iterator[Place]:
    """Always the twin: the real OpenStack has no faults on demand."""
    yield from twin_place(broker)


@pytest.fixture
def twin(place: Place) -> RunningTwin:
    assert place.twin is not None
    return place.twin


async def declare(site: Site, tenant: Tenant, **storage: object) -> None:
    """Declare the first generation, its policy proven."""
    await site.tell(tenant.declared(1, **storage))
    await site.tell(tenant.enforced(1))


def assert_exactly_what_is_wanted(tenant: Tenant) -> None:
    assert [share["name"] for share in tenant.shares()] == [f"{tenant.name}-home", f"{tenant.name}-scratch"]
    assert [volume.name for volume in tenant.volumes()] == [f"{tenant.name}-data-0", f"{tenant.name}-data-1"]
    home, scratch = tenant.shares()
    assert tenant.access(home["id"]) == {f"cephx:{tenant.name}_login rw", f"cephx:{tenant.name}_compute ro"}
    assert tenant.access(scratch["id"]) == {f"cephx:{tenant.name}_compute rw"}


async def test_a_lost_answer_makes_nothing_twice(
    site: Site, start: StartStorage, tenant: Tenant, twin: RunningTwin
) -> None:
    """Invariant I2: what was made unheard is found by its mark and adopted."""
    (shares,) = twin.faults(
        {"kind": "lost_response", "service": "manila", "method": "POST", "path": "shares", "count": 3}
    )
    twin.faults({"kind": "lost_response", "service": "cinder", "method": "POST", "path": "volumes", "count": 1})
    await start(cloud_timeout_seconds=5.0)
    await declare(site, tenant, shares=[HOME, SCRATCH], volumes=[DATA])
    await site.tap.until(StorageReady, workspace=tenant.name, seconds=300)
    assert next(rule for rule in twin.faults() if rule["id"] == shares["id"])["struck"] == 3
    assert_exactly_what_is_wanted(tenant)


async def test_reads_that_lag_behind_make_nothing_twice(
    site: Site, start: StartStorage, tenant: Tenant, twin: RunningTwin
) -> None:
    """What a call has just made is in no list, and 404 by its id."""
    twin.faults({"kind": "unseen", "service": "manila|cinder", "method": "GET", "seconds": 2})
    await start()
    await declare(site, tenant, shares=[HOME, SCRATCH], volumes=[DATA])
    await site.tap.until(StorageReady, workspace=tenant.name, seconds=300)
    twin.clear_faults()
    assert_exactly_what_is_wanted(tenant)
    assert site.tap.of(StorageFailed, tenant.name) == []


async def test_an_unreliable_cloud_only_costs_time(
    site: Site, start: StartStorage, tenant: Tenant, twin: RunningTwin
) -> None:
    """A fifth of the calls fail, some slowly; no failure is told for what passes by itself."""
    twin.faults(
        {"kind": "503", "service": "manila|cinder", "probability": 0.15, "seconds": 0},
        {"kind": "500", "service": "manila|cinder", "method": "GET", "probability": 0.05},
        {"kind": "slow", "service": "manila|cinder", "probability": 0.1, "seconds": 0.3},
    )
    await start()
    await declare(site, tenant, shares=[HOME, SCRATCH], volumes=[DATA])
    await site.tap.until(StorageReady, workspace=tenant.name, seconds=300)
    twin.clear_faults()
    assert_exactly_what_is_wanted(tenant)
    assert site.tap.of(StorageFailed, tenant.name) == []


async def test_an_exhausted_quota_is_told_with_its_remedy(
    site: Site, start: StartStorage, tenant: Tenant, twin: RunningTwin
) -> None:
    twin.faults({"kind": "quota", "service": "manila", "method": "POST", "path": "shares"})
    await start()
    await declare(site, tenant, shares=[HOME])
    failed = await site.tap.until(StorageFailed, workspace=tenant.name)
    assert failed.problems[0].field == "storage.shares.0"
    assert "quota" in failed.problems[0].remedy


async def test_a_notification_is_enough_where_there_is_one(
    site: Site, start: StartStorage, tenant: Tenant, place: Place
) -> None:
    """Nothing is looked at by itself for an hour: Cinder's own words drive it."""
    cinder = place.admin.block_storage
    cinder.create_volume(name="first", size=1)  # an exchange appears at its first publish only
    service = await start(scan_seconds=3600.0, look_seconds=3600.0)
    async with asyncio.timeout(30):
        while "openstack" not in service.firehose.bound:  # type: ignore[union-attr]
            await asyncio.sleep(0.2)
    await declare(site, tenant, volumes=[DATA])
    ready = await site.tap.until(StorageReady, workspace=tenant.name)
    assert len(ready.volumes) == 2


async def test_with_every_notification_lost_it_still_ends(
    site: Site, start: StartStorage, tenant: Tenant, twin: RunningTwin
) -> None:
    """Notifications are hints."""
    twin.faults({"kind": "lost", "event_type": ".*"})
    await start()
    await declare(site, tenant, shares=[HOME, SCRATCH], volumes=[DATA])
    await site.tap.until(StorageReady, workspace=tenant.name)
    assert_exactly_what_is_wanted(tenant)


async def test_killed_again_and_again_it_ends_with_exactly_what_is_wanted(
    site: Site, start: StartStorage, tenant: Tenant, place: Place
) -> None:
    """kill -9 a little later each time, through making and through releasing (invariants I2, I15)."""
    environment = {**os.environ, **site.environment("storage", **quick(place), lane_lease_seconds=3.0)}
    await site.stop(await start())  # from here its queues are there and keep what comes

    def begin() -> Awaitable[asyncio.subprocess.Process]:
        return asyncio.create_subprocess_exec(sys.executable, "-m", "storage.main", env=environment)

    async def run(seconds: float) -> None:
        process = await begin()
        await asyncio.sleep(seconds)
        process.kill()
        await process.wait()

    await site.tell(tenant.declared(1, shares=[HOME, SCRATCH], volumes=[DATA]))
    await site.tell(tenant.enforced(1))
    for seconds in (2.5, 3.0, 3.5, 4.0):
        await run(seconds)
    process = await begin()
    try:
        await site.tap.until(StorageReady, workspace=tenant.name, seconds=300)
        assert_exactly_what_is_wanted(tenant)
        await site.tell(tenant.emptied(2))
        await asyncio.sleep(0.5)
        process.kill()
        await process.wait()
        process = await begin()
        await site.tap.until(StorageReleased, workspace=tenant.name, seconds=300)
    finally:
        process.terminate()
        await process.wait()
    assert tenant.shares() == []
    assert tenant.volumes() == []
    assert {event.generation for event in site.tap.of(StorageReady, tenant.name)} == {1}
