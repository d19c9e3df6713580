"""The provisioner dies at every point of making and deleting a workspace: one of each thing, nothing left (I1, I2, I15)."""

from collections import Counter
from typing import Any

import pytest

from contracts.provisioner import CreateWorkspace, DeleteWorkspace, WorkspaceDeleted, WorkspaceReady
from provisioner.handlers import handlers
from shared.service import Service
from shared.testing import Site
from tests.faults.points import LEASE_SECONDS, PATIENCE_SECONDS, Points, die_at_each
from tests.place import Place
from tests.provisioner import conftest as given
from tests.provisioner.neighbours import Neighbours
from tests.provisioner.running import ended, started
from tests.provisioner.tenant import Tenant

place, site, neighbours, tenant = given.place, given.site, given.neighbours, given.tenant
STEPS = {"project.create", "network.create", "subnet.create", "router.create", "port.create", "server.create"}
STEPS |= {"server.delete", "network.delete", "router.delete", "project.delete"}


@pytest.mark.parametrize(
    "which", ["create: after the call", pytest.param("", marks=pytest.mark.campaign)], ids=["after creating", "all"]
)
async def test_it_dies_at_each_of_them(
    site: Site, place: Place, neighbours: Neighbours, tenant: Tenant, monkeypatch: pytest.MonkeyPatch, which: str
) -> None:
    points = Points(lambda point: which in point)
    points.lie_in_wait(monkeypatch, handlers)

    async def begin() -> Service[Any]:
        return await started(site, place, lane_lease_seconds=LEASE_SECONDS)

    async def story() -> None:
        created = await site.command(CreateWorkspace(document=tenant.document()))
        await site.tap.until(WorkspaceReady, workspace=tenant.name, seconds=PATIENCE_SECONDS)
        assert len(list(place.admin.identity.projects(name=f"tre-{tenant.name}"))) == 1
        for kind, count in ((tenant.servers, 3), (tenant.ports, 3), (tenant.networks, 1), (tenant.routers, 1)):
            names = Counter(str(each.name) for each in kind())
            assert (len(names), names.total()) == (count, count)
        assert await ended(site, created) == "applied"
        deleted = await site.command(DeleteWorkspace(workspace=tenant.name))
        await site.tap.until(WorkspaceDeleted, workspace=tenant.name, seconds=PATIENCE_SECONDS)
        assert await ended(site, deleted) == "applied"

    await die_at_each(site, points, begin, story)
    assert not list(place.admin.identity.projects(name=f"tre-{tenant.name}"))
    left = [*tenant.servers(), *tenant.ports(), *tenant.networks(), *tenant.routers()]
    assert not left, left
    assert {step for step in STEPS if which in f"{step}: after the call"} <= points.called(), points.died_at
    if not which:
        assert "provisioner.workspace.create: after commit 1" in points.died_at
