"""Storage's part in a workspace's way, on a real broker and database and the cloud under test."""

import asyncio
from collections.abc import Callable

import pytest

from contracts.storage import (
    AccessDrifted,
    AccessRepaired,
    ShowStorage,
    StorageFailed,
    StorageReady,
    StorageReleased,
    StorageShown,
)
from shared.testing import Site
from tests.storage.conftest import StartStorage
from tests.storage.tenant import Tenant

HOME = {"name": "home", "size_gib": 1, "access": {"login": "rw", "compute": "ro"}}
SCRATCH = {"name": "scratch", "size_gib": 1, "access": {"compute": "rw"}}
DATA = {"name": "data", "size_gib": 1, "role": "compute"}


async def until(condition: Callable[[], bool], seconds: float = 20.0) -> None:
    """Wait until the cloud is so."""
    for _ in range(int(seconds / 0.2)):
        if await asyncio.to_thread(condition):
            return
        await asyncio.sleep(0.2)
    raise TimeoutError(f"not so after {seconds} s")


async def make_ready(site: Site, tenant: Tenant, **storage: object) -> StorageReady:
    """Declare the first generation with its policy proven; returns once storage is ready."""
    await site.tell(tenant.declared(1, **storage))
    await site.tell(tenant.enforced(1))
    return await site.tap.until(StorageReady, workspace=tenant.name)


async def test_a_workspace_gets_its_shares_volumes_and_access(site: Site, start: StartStorage, tenant: Tenant) -> None:
    """L1, I8: nothing before the proof; then everything, marked, bounded by quota, and told once."""
    await start()
    await site.tell(tenant.declared(1, shares=[HOME, SCRATCH], volumes=[DATA]))
    await asyncio.sleep(1.0)
    assert tenant.shares() == []
    shown = await site.ask(ShowStorage(workspace=tenant.name))
    assert isinstance(shown, StorageShown)
    assert shown.state == "making"
    assert "proof" in shown.problems[0].reason

    await site.tell(tenant.enforced(1))
    ready = await site.tap.until(StorageReady, workspace=tenant.name)

    home, scratch = tenant.shares()
    assert [share.share_id for share in ready.shares] == [home["id"], scratch["id"]]
    assert all(share.export_locations for share in ready.shares)
    assert home["metadata"] == {"tresor_workspace": tenant.name, "tresor_generation": "1"}
    assert (home["share_proto"], home["share_type_name"], home["is_public"]) == ("CEPHFS", "cephfs", False)
    assert tenant.access(home["id"]) == {f"cephx:{tenant.name}_login rw", f"cephx:{tenant.name}_compute ro"}
    assert tenant.access(scratch["id"]) == {f"cephx:{tenant.name}_compute rw"}
    assert [(volume.name, volume.node) for volume in ready.volumes] == [
        ("data", f"{tenant.name}-compute-0"),
        ("data", f"{tenant.name}-compute-1"),
    ]
    assert [volume.id for volume in tenant.volumes()] == [volume.volume_id for volume in ready.volumes]
    quota = tenant.place.admin.block_storage.get_quota_set(tenant.project_id)
    assert (quota.volumes, quota.gigabytes) == (2, 2)

    shown = await site.ask(ShowStorage(workspace=tenant.name))
    assert isinstance(shown, StorageShown)
    assert (shown.state, shown.shares, shown.volumes) == ("ready", ready.shares, ready.volumes)
    assert shown.staleness_seconds == 2.0


async def test_no_access_key_is_told_or_kept(site: Site, start: StartStorage, tenant: Tenant) -> None:
    """Invariant I17: the cephx keys that Manila sends with its rules end in the cloud room."""
    service = await start()
    ready = await make_ready(site, tenant, shares=[HOME])
    keys = {rule["access_key"] for rule in tenant.rules(ready.shares[0].share_id)}
    assert keys
    assert all(keys)
    told = "".join(str(event) for event in site.tap.events)
    tables = await service.pool.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'storage'")
    assert {"workspace", "resource", "intent", "outbox"} <= {table["tablename"] for table in tables}
    stored = ""
    for table in tables:
        stored += "".join(str(row) for row in await service.pool.fetch(f'SELECT t::text FROM "{table["tablename"]}" t'))
        if table["tablename"] in ("inbox", "outbox"):
            bodies = await service.pool.fetch(f"SELECT convert_from(body, 'utf8') AS b FROM {table['tablename']}")
            stored += "".join(str(row["b"]) for row in bodies)
    assert tenant.name in stored
    for key in keys:
        assert key not in told
        assert key not in stored


async def test_access_drift_is_found_told_and_repaired(site: Site, start: StartStorage, tenant: Tenant) -> None:
    """I8, M3, fact 5: Manila tells nobody; the scan finds it within its period."""
    await start()
    ready = await make_ready(site, tenant, shares=[HOME])
    share_id = ready.shares[0].share_id
    wanted = tenant.access(share_id)

    tenant.allow(share_id, "mallory")
    drifted = await site.tap.until(AccessDrifted, workspace=tenant.name)
    assert (drifted.share, drifted.added, drifted.removed) == ("home", ("cephx:mallory rw",), ())
    assert drifted.repairing
    await site.tap.until(AccessRepaired, workspace=tenant.name)
    await until(lambda: tenant.access(share_id) == wanted)

    tenant.deny(share_id, f"{tenant.name}_login")
    await site.tap.until(AccessDrifted, workspace=tenant.name, where=lambda event: bool(event.removed))
    await until(lambda: tenant.access(share_id) == wanted)
    assert len(site.tap.of(StorageReady, tenant.name)) == 1


async def test_a_deleted_workspace_leaves_nothing(site: Site, start: StartStorage, tenant: Tenant) -> None:
    """Nothing goes while servers may still use it; then everything does, and the limits with it."""
    await start()
    await make_ready(site, tenant, shares=[HOME], volumes=[DATA])
    await site.tell(tenant.deleting(2))
    await asyncio.sleep(1.0)
    assert len(tenant.shares()) == 1
    await site.tell(tenant.emptied(2))
    released = await site.tap.until(StorageReleased, workspace=tenant.name)
    assert released.generation == 2
    assert tenant.shares() == []
    assert tenant.volumes() == []


async def test_a_workspace_without_storage_is_ready_and_released_at_once(
    site: Site, start: StartStorage, tenant: Tenant
) -> None:
    await start()
    ready = await make_ready(site, tenant)
    assert (ready.shares, ready.volumes) == ((), ())
    await site.tell(tenant.emptied(2))
    await site.tap.until(StorageReleased, workspace=tenant.name)


async def test_a_changed_document_is_made_as_a_difference(site: Site, start: StartStorage, tenant: Tenant) -> None:
    """I8: one share added, one removed, one grown with less access; a shrunk one is refused and stays."""
    await start()
    first = await make_ready(site, tenant, shares=[HOME, SCRATCH], volumes=[DATA])
    grown = {**HOME, "size_gib": 2, "access": {"login": "ro"}}
    added = {**SCRATCH, "name": "archive"}
    await site.tell(tenant.declared(2, shares=[grown, added], volumes=[{**DATA, "size_gib": 2}]))
    await site.tell(tenant.enforced(2))
    second = await site.tap.until(StorageReady, workspace=tenant.name, where=lambda event: event.generation == 2)
    archive, home = tenant.shares()
    assert [share["name"] for share in (archive, home)] == [f"{tenant.name}-archive", f"{tenant.name}-home"]
    assert home["size"] == 2
    assert home["id"] == next(share.share_id for share in first.shares if share.name == "home")
    assert tenant.access(home["id"]) == {f"cephx:{tenant.name}_login ro"}
    assert [volume.volume_id for volume in second.volumes] == [volume.volume_id for volume in first.volumes]
    await until(lambda: [volume.size for volume in tenant.volumes()] == [2, 2])

    await site.tell(tenant.declared(3, shares=[HOME, added], volumes=[DATA]))
    await site.tell(tenant.enforced(3))
    failed = await site.tap.until(StorageFailed, workspace=tenant.name)
    assert {problem.field for problem in failed.problems} == {"storage.shares.0.size_gib", "storage.volumes.0.size_gib"}
    assert all(problem.remedy for problem in failed.problems)
    assert [share["size"] for share in tenant.shares()] == [1, 2]


async def test_observing_writes_nothing(site: Site, start: StartStorage, tenant: Tenant) -> None:
    await start(mode="observe")
    await site.tell(tenant.declared(1, shares=[HOME]))
    await site.tell(tenant.enforced(1))
    failed = await site.tap.until(StorageFailed, workspace=tenant.name)
    assert f"create share {tenant.name}/home" in failed.problems[0].reason
    assert tenant.shares() == []
    assert not [event for event in site.tap.events if event["type"] == "storage.effect.recorded"]


async def test_a_service_stopped_halfway_makes_nothing_twice(site: Site, start: StartStorage, tenant: Tenant) -> None:
    """Stopped as soon as the first share is begun; the next one finds it by its mark (invariant I2)."""
    service = await start()
    await site.tell(tenant.declared(1, shares=[HOME, SCRATCH]))
    await site.tell(tenant.enforced(1))
    await until(lambda: len(tenant.shares()) >= 1)
    await site.stop(service)
    await start()
    await site.tap.until(StorageReady, workspace=tenant.name)
    assert [share["name"] for share in tenant.shares()] == [f"{tenant.name}-home", f"{tenant.name}-scratch"]


async def test_what_the_cloud_refuses_is_tried_again_and_then_told(
    site: Site, start: StartStorage, tenant: Tenant
) -> None:
    """The place in the document and the remedy; creating again tries again."""
    (site.folder / "site.yaml").write_text("name: tests\nshare_types: {CEPHFS: no-such-type}\n")
    service = await start()
    await site.tell(tenant.declared(1, shares=[HOME]))
    await site.tell(tenant.enforced(1))
    failed = await site.tap.until(StorageFailed, workspace=tenant.name)
    assert failed.problems[0].field == "storage.shares.0"
    assert "type" in failed.problems[0].reason
    assert "share_types" in failed.problems[0].remedy
    tries = await service.pool.fetchval("SELECT count(*) FROM intent WHERE step = 'share.create' AND state = 'failed'")
    assert tries == 5

    await site.stop(service)
    (site.folder / "site.yaml").write_text("name: tests\nshare_types: {CEPHFS: cephfs}\n")
    await start()
    await site.tell(tenant.declared(1, shares=[HOME]))
    await site.tap.until(StorageReady, workspace=tenant.name)


async def test_a_share_that_vanished_is_told_and_not_replaced_by_an_empty_one(
    site: Site, start: StartStorage, tenant: Tenant
) -> None:
    await start()
    ready = await make_ready(site, tenant, shares=[HOME])
    tenant.delete_share(ready.shares[0].share_id)
    failed = await site.tap.until(StorageFailed, workspace=tenant.name)
    assert ready.shares[0].share_id in failed.problems[0].reason
    assert tenant.shares() == []
    await site.tell(tenant.declared(1, shares=[HOME]))
    again = await site.tap.until(
        StorageReady, workspace=tenant.name, where=lambda event: event.shares[0].share_id != ready.shares[0].share_id
    )
    assert [share["id"] for share in tenant.shares()] == [again.shares[0].share_id]


@pytest.mark.parametrize("access", [{"login": "rw", "compute": "rw"}])
async def test_nfs_lets_in_the_networks_prefix(
    site: Site, start: StartStorage, tenant: Tenant, access: dict[str, str]
) -> None:
    """L18: the site's other allowed protocol."""
    await start()
    ready = await make_ready(site, tenant, shares=[{**HOME, "protocol": "NFS", "access": access}])
    assert tenant.access(ready.shares[0].share_id) == {"ip:10.42.0.0/24 rw"}
