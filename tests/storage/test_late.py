"""Shares and volumes of calls that the cloud carried out after their caller died: they go, and nothing else does (I2)."""

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

import shared.effects
from bootstrap.leases import BrokerLease
from contracts.storage import CHASSIS, StorageReady, SurplusLeft
from shared.testing import Site
from storage.domain import desired as wants
from storage.domain.late import calls_of, came_late, left_alone, why_left
from storage.domain.observed import Observed, ObservedShare, ObservedVolume, Recorded
from storage.domain.plan import plan
from storage.domain.steps import DeleteShare, DeleteVolume
from tests.faults.crash import crash
from tests.place import Place, twin_place
from tests.storage.conftest import StartStorage
from tests.storage.samples import NAME, SITE, rule, share, shares, told, volume
from tests.storage.tenant import Tenant
from twin.testing import RunningTwin

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
SENT = NOW - timedelta(minutes=5)
BORN = (SENT + timedelta(seconds=40)).strftime("%Y-%m-%dT%H:%M:%S.000000")
CALLS = {("share.create", f"{NAME}/home"): [SENT], ("volume.create", f"{NAME}/data-0"): [SENT]}
HOME = {"name": "home", "size_gib": 100, "access": {"login": "rw", "compute": "ro"}}
RULES = (rule("openhpc_login", "rw"), rule("openhpc_compute", "ro"))
SECOND = share(share_id="second", created_at=BORN)


READY = datetime.fromisoformat(BORN).replace(tzinfo=UTC) + timedelta(seconds=8)
BIRTHS = {"second": READY}


def late(
    *shares: ObservedShare, volumes: tuple[ObservedVolume, ...] = (), calls: Any = CALLS, births: Any = BIRTHS
) -> frozenset[str]:
    home = told(share())
    observed = Observed((share(rules=RULES), *shares), volumes)
    return came_late(NAME, observed, {(home.kind, home.cloud_name): home}, calls, births, NOW)


def second_volume(changed_seconds_after_ready: float = 0.4) -> ObservedVolume:
    changed = READY + timedelta(seconds=changed_seconds_after_ready)
    return volume(volume_id="second", created_at=BORN, updated_at=changed.strftime("%Y-%m-%dT%H:%M:%S.000000"))


def test_what_came_of_a_call_without_an_outcome_goes_though_the_first_was_told() -> None:
    home = told(share())
    records: dict[tuple[str, str], Recorded] = {(home.kind, home.cloud_name): home}
    observed = Observed((share(rules=RULES), SECOND))
    assert calls_of(NAME, observed, records) == {("share.create", f"{NAME}/home")}
    found = came_late(NAME, observed, records, CALLS, BIRTHS, NOW)
    made = plan(wants.desired(shares(HOME), 1, SITE), observed, records, found)
    assert [step.share_id for step in made.steps if isinstance(step, DeleteShare)] == ["second"]
    assert made.kept["share", "openhpc-home"].resource_id == "home-id"


def test_a_volume_goes_too_and_what_no_document_wants_any_more() -> None:
    second = second_volume()
    assert late(volumes=(second,)) == {"second"}
    made = plan(wants.desired(shares(HOME), 1, SITE), Observed((), (second,)), {}, {"second"})
    assert [step.volume_id for step in made.steps if isinstance(step, DeleteVolume)] == ["second"]


@pytest.mark.parametrize(
    "change",
    [
        {"rules": RULES[:1]},
        {"is_blank": False},
        {"status": "creating"},
        {"status": "extending"},
        {"metadata": {}},
        {"metadata": {"tresor_workspace": "other"}},
        {"name": "openhpc-other"},
        {"share_id": "home-id"},
        {"created_at": ""},
        {"created_at": "yesterday"},
        {"created_at": "2026-11-21T11:53:30"},
        {"created_at": "2026-11-20T11:56:00"},
    ],
)
def test_what_could_hold_anything_or_came_otherwise_stays(change: dict[str, Any]) -> None:
    assert late(SECOND) == {"second"}
    assert late(replace(SECOND, **change)) == frozenset()


def test_an_attached_volume_and_one_of_an_image_stay() -> None:
    second = second_volume()
    assert late(volumes=(replace(second, attached_to=("server",)), replace(second, is_blank=False))) == frozenset()


def test_a_volume_that_may_have_been_attached_meanwhile_stays() -> None:
    """Cinder keeps no record of attachments that are over; that nothing changed since it was made says it all."""
    for minutes in range(1, 4):
        assert late(volumes=(second_volume(60.0 * minutes),)) == frozenset()
    assert late(volumes=(second_volume(),), births={}) == frozenset(), "nobody knows when it was made"
    for unknown in ("", "just now"):
        assert late(volumes=(replace(second_volume(), updated_at=unknown),)) == frozenset()


def test_who_has_to_look_is_told_of_what_stays_and_not_before_that_is_sure() -> None:
    observed, home = Observed((), (second_volume(60.0),)), told(share())
    records: dict[tuple[str, str], Recorded] = {(home.kind, home.cloud_name): home}
    assert left_alone(NAME, observed, records, CALLS, NOW) == ()
    assert left_alone(NAME, observed, records, CALLS, NOW + timedelta(minutes=15)) == observed.volumes
    assert left_alone(NAME, observed, records, {}, NOW + timedelta(minutes=15)) == ()
    assert "attached" in why_left(observed.volumes[0], BIRTHS)


def test_without_such_a_call_or_long_after_it_everything_stays() -> None:
    assert late(SECOND, calls={}) == frozenset()
    for minutes in (-2, 11):
        at = datetime.fromisoformat(BORN).replace(tzinfo=UTC) - timedelta(minutes=minutes)
        assert late(SECOND, calls={("share.create", f"{NAME}/home"): [at]}) == frozenset()
    old = (NOW - timedelta(minutes=16)).isoformat()
    calls = {("share.create", f"{NAME}/home"): [NOW - timedelta(minutes=16)]}
    assert late(replace(SECOND, created_at=old), calls=calls) == frozenset()


@pytest.fixture
def place(broker: BrokerLease) -> Iterator[Place]:
    """Always the twin: the real OpenStack has no faults on demand."""
    yield from twin_place(broker)


async def test_a_volume_whose_making_was_not_heard_of_is_left_and_told_of(
    site: Site, start: StartStorage, tenant: Tenant, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    twin = place.twin
    assert twin is not None
    monkeypatch.setattr(shared.effects, "UNSETTLED_SECONDS", 1.0)
    slow = {"kind": "slow", "service": "cinder", "method": "POST", "path": "volumes$", "seconds": 15.0, "count": 1}
    (made, _) = await asyncio.to_thread(twin.faults, slow, {"kind": "lost", "event_type": "volume.create.end"})
    first = await start(lane_lease_seconds=2)
    await site.tell(tenant.declared(1, volumes=[{"name": "data", "size_gib": 1, "role": "login"}]))
    await site.tell(tenant.enforced(1))
    async with asyncio.timeout(40):
        while not await struck(twin, made["id"]):
            await asyncio.sleep(0.02)
    await crash(site, first)
    await start(lane_lease_seconds=2)
    ready = await site.tap.until(StorageReady, workspace=tenant.name)
    await asyncio.to_thread(tenant.give_room, 10)  # else the quota refuses the late call
    async with asyncio.timeout(60):
        while len(list(tenant.volumes())) < 2:
            await asyncio.sleep(0.3)
    monkeypatch.setattr("storage.domain.late.YOUNG", timedelta(seconds=0))
    left = await site.tap.until(SurplusLeft, workspace=tenant.name, seconds=30)
    assert left.resource_id not in {one.volume_id for one in ready.volumes}
    assert "was not heard" in left.reason
    assert len(tenant.volumes()) == 2
    assert len(site.tap.of(SurplusLeft)) == 1


@pytest.mark.parametrize(("service", "path"), [("manila", "shares"), ("cinder", "volumes")])
async def test_the_second_one_goes_and_the_told_one_stays(
    site: Site,
    start: StartStorage,
    tenant: Tenant,
    place: Place,
    monkeypatch: pytest.MonkeyPatch,
    service: str,
    path: str,
) -> None:
    twin = place.twin
    assert twin is not None
    monkeypatch.setattr(shared.effects, "UNSETTLED_SECONDS", 1.0)
    slow = {"kind": "slow", "service": service, "method": "POST", "path": f"{path}$", "seconds": 15.0, "count": 1}
    (made,) = await asyncio.to_thread(twin.faults, slow)
    first = await start(lane_lease_seconds=2)
    await site.tell(
        tenant.declared(
            1,
            shares=[{"name": "home", "size_gib": 1, "access": {"login": "rw"}}],
            volumes=[{"name": "data", "size_gib": 1, "role": "login"}],
        )
    )
    await site.tell(tenant.enforced(1))
    async with asyncio.timeout(40):
        while not await struck(twin, made["id"]):
            await asyncio.sleep(0.02)
    await crash(site, first)
    await start(lane_lease_seconds=2)
    ready = await site.tap.until(StorageReady, workspace=tenant.name)
    await asyncio.to_thread(tenant.give_room, 10)  # else the quota refuses the late call
    gone = await site.tap.until(CHASSIS.effect, where=lambda event: event.step == f"{path.rstrip('s')}.delete")
    assert gone.outcome == "done"
    async with asyncio.timeout(30):
        while len(tenant.shares()) > 1 or len(list(tenant.volumes())) > 1:
            await asyncio.sleep(0.3)
    assert [one["id"] for one in tenant.shares()] == [one.share_id for one in ready.shares]
    assert [one.id for one in tenant.volumes()] == [one.volume_id for one in ready.volumes]


async def struck(twin: RunningTwin, rule_id: str) -> bool:
    return any(one["struck"] for one in await asyncio.to_thread(twin.faults) if one["id"] == rule_id)
