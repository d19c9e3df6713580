"""Storage dies at every point of making, keeping and releasing a workspace's storage: all is made once, and goes (I2, I15)."""

import pytest

from contracts.storage import StorageReady, StorageReleased
from shared.service import Service
from shared.testing import Site
from storage.handlers import handlers
from tests.faults.points import LEASE_SECONDS, PATIENCE_SECONDS, Points, die_at_each
from tests.place import Place
from tests.storage import conftest as given
from tests.storage import test_under_faults as on_the_twin
from tests.storage.conftest import StartStorage
from tests.storage.tenant import Tenant
from tests.storage.test_under_faults import DATA, HOME, SCRATCH, assert_exactly_what_is_wanted

place, site, start, tenant = on_the_twin.place, given.site, given.start, given.tenant
STEPS = {"share.create", "share.delete", "volume.create", "volume.delete"}


@pytest.mark.parametrize(
    "which", ["create: after the call", pytest.param("", marks=pytest.mark.campaign)], ids=["after creating", "all"]
)
async def test_it_dies_at_each_of_them(
    site: Site, start: StartStorage, place: Place, tenant: Tenant, monkeypatch: pytest.MonkeyPatch, which: str
) -> None:
    points = Points(lambda point: which in point)
    points.lie_in_wait(monkeypatch, handlers)

    async def begin() -> Service[None]:
        return await start(lane_lease_seconds=LEASE_SECONDS)

    async def story() -> None:
        await site.tell(tenant.declared(1, shares=[HOME, SCRATCH], volumes=[DATA]))
        await site.tell(tenant.enforced(1))
        await site.tap.until(StorageReady, workspace=tenant.name, seconds=PATIENCE_SECONDS)
        assert_exactly_what_is_wanted(tenant)
        await site.tell(tenant.emptied(2))
        await site.tap.until(StorageReleased, workspace=tenant.name, seconds=PATIENCE_SECONDS)

    await die_at_each(site, points, begin, story)
    assert (tenant.shares(), tenant.volumes()) == ([], [])
    assert {event.generation for event in site.tap.of(StorageReady, tenant.name)} == {1}
    assert {step for step in STEPS if which in f"{step}: after the call"} <= points.called(), points.died_at
    if not which:
        assert "look: after commit 1" in points.died_at
        assert "network-policy.policy.enforced: before commit 1" in points.died_at
