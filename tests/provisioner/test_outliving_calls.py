"""Calls that Neutron carries out after their caller died, and after its successor looked for them in vain (I2)."""

import asyncio
from typing import Any

import pytest

import shared.effects
from contracts.provisioner import CHASSIS, CreateWorkspace, DeleteWorkspace, WorkspaceDeleted, WorkspaceReady
from provisioner.domain import names
from shared.service import Service
from shared.testing import Site
from tests.faults.crash import crash
from tests.place import Place
from tests.provisioner.neighbours import Neighbours
from tests.provisioner.running import PATIENCE_SECONDS, ready, started
from tests.provisioner.tenant import Tenant
from twin.testing import RunningTwin

LATE_SECONDS = 12.0
SURPLUS_SECONDS = 60.0
"""Within that what is second has gone."""
LEASE_SECONDS = 2.0


async def dies_during(
    site: Site, twin: RunningTwin, service: Service[Any], counts: dict[str, int]
) -> asyncio.Task[None]:
    """The service dies while Neutron takes long for so many creations of each of these."""
    rules = [
        {"kind": "slow", "service": "neutron", "method": "POST", "path": f"/{kind}$", "seconds": LATE_SECONDS, "count": n}
        for kind, n in counts.items()
    ]  # fmt: skip
    await asyncio.to_thread(twin.faults, *rules)
    async with asyncio.timeout(PATIENCE_SECONDS):
        while any(rule["struck"] < rule["count"] for rule in await asyncio.to_thread(twin.faults)):
            await asyncio.sleep(0.02)
    dying = asyncio.create_task(crash(site, service))
    await asyncio.sleep(0)  # it does nothing any more; what it was waiting for goes on
    return dying


async def made(twin: RunningTwin, kind: str) -> int:
    """How many of them Neutron has made for the provisioner."""
    calls = await asyncio.to_thread(twin.requests)
    return sum(
        call["status"] == 201 and call["method"] == "POST" and call["path"].endswith(f"/{kind}")
        for call in calls
        if call["user_name"] == "tresor-provisioner"
    )


async def test_second_ports_that_came_late_are_taken_away(
    site: Site,
    place: Place,
    twin: RunningTwin,
    neighbours: Neighbours,
    tenant: Tenant,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(shared.effects, "UNSETTLED_SECONDS", 1.0)
    service = await started(site, place, lane_lease_seconds=LEASE_SECONDS)
    command_id = await site.command(CreateWorkspace(document=tenant.document()))
    dying = await dies_during(site, twin, service, {"ports": 3})
    await started(site, place, lane_lease_seconds=LEASE_SECONDS)
    await site.tap.until(WorkspaceReady, workspace=tenant.name, seconds=PATIENCE_SECONDS)
    async with asyncio.timeout(SURPLUS_SECONDS):
        while await made(twin, "ports") != 6:
            await asyncio.sleep(0.5)
        while len(tenant.ports()) != 3:
            await asyncio.sleep(0.5)
    assert len(tenant.servers()) == 3
    await site.tap.until(CHASSIS.effect, where=lambda event: event.step == "port.delete")  # told of in the audit
    assert len([event for event in site.tap.of(CHASSIS.applied) if event.command_id == command_id]) == 1
    await dying


async def test_second_networks_and_routers_go_as_far_as_they_are_our_own(
    site: Site, place: Place, neighbours: Neighbours, tenant: Tenant
) -> None:
    """They came as the provisioner's own calls make them, before the call that would tag them."""
    await started(site, place, poll_seconds=0.5)
    await ready(site, tenant)
    neutron, project_id, mark = place.admin.network, tenant.project_id, names.mark(tenant.name)
    (kept,), (router,) = tenant.networks(), tenant.routers()
    neutron.update_quota(project_id, networks=10, routers=10)  # else Neutron itself refuses a second one
    theirs = neutron.create_network(name=kept.name, project_id=project_id)
    neutron.create_network(name=kept.name, project_id=project_id, description=mark)
    neutron.create_router(name=router.name, project_id=project_id, description=mark)
    async with asyncio.timeout(SURPLUS_SECONDS):
        while {each.id for each in tenant.networks()} != {kept.id, theirs.id}:
            await asyncio.sleep(0.2)
        while [each.id for each in tenant.routers()] != [router.id]:
            await asyncio.sleep(0.2)


async def test_a_deletion_waits_for_what_may_still_come(
    site: Site, place: Place, twin: RunningTwin, neighbours: Neighbours, tenant: Tenant
) -> None:
    """Nothing is left alone in Neutron, of a project that is gone."""
    service = await started(site, place, lane_lease_seconds=LEASE_SECONDS)
    await site.command(CreateWorkspace(document=tenant.document()))
    dying = await dies_during(site, twin, service, {"networks": 1})
    project_id = tenant.project_id
    await started(site, place, lane_lease_seconds=LEASE_SECONDS)
    await site.command(DeleteWorkspace(workspace=tenant.name))
    await site.tap.until(WorkspaceDeleted, workspace=tenant.name, seconds=PATIENCE_SECONDS)
    assert await made(twin, "networks") >= 1
    left = [each for each in place.admin.network.networks() if each.project_id == project_id]
    assert not left
    await dying
