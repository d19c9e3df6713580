"""The same for the provisioner's calls: its own tests of them must fail with these bugs, on the twin."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

import shared.effects
from provisioner.domain import foundation, occupancy
from provisioner.domain.observed import SeenNetwork, SeenRouter
from shared.testing import Site
from tests.place import Place
from tests.provisioner import conftest as given
from tests.provisioner import test_outliving_calls as outliving
from tests.provisioner.neighbours import Neighbours
from tests.provisioner.tenant import Tenant
from twin.testing import RunningTwin

place, twin, site = given.place, given.twin, given.site
neighbours, tenant = given.neighbours, given.tenant
PATIENCE_WITH_A_BUG_SECONDS = 20.0
"""Longer than a late port takes to come."""
Patch = pytest.MonkeyPatch


@dataclass
class Scene:
    """What the tests are given."""

    site: Site
    place: Place
    twin: RunningTwin
    neighbours: Neighbours
    tenant: Tenant
    patch: Patch


async def _bare_ones(scene: Scene) -> None:
    await outliving.test_second_networks_and_routers_go_as_far_as_they_are_our_own(
        scene.site, scene.place, scene.neighbours, scene.tenant
    )


async def _ports(scene: Scene) -> None:
    await outliving.test_second_ports_that_came_late_are_taken_away(
        scene.site, scene.place, scene.twin, scene.neighbours, scene.tenant, scene.patch
    )


async def _deletion(scene: Scene) -> None:
    await outliving.test_a_deletion_waits_for_what_may_still_come(
        scene.site, scene.place, scene.twin, scene.neighbours, scene.tenant
    )


def _second_bare_ones_left(patch: Patch) -> None:
    patch.setattr(foundation, "_surplus", lambda *_: iter(()))


def _whose_they_are_not_asked(patch: Patch) -> None:
    for kind in (SeenNetwork, SeenRouter):
        patch.setattr(kind, "is_born_ours", property(lambda _: True, lambda *_: None), raising=False)


def _second_ports_left(patch: Patch) -> None:
    patch.setattr(occupancy, "_surplus", lambda *_: iter(()))


def _nothing_awaited(patch: Patch) -> None:
    async def nothing(*_: Any) -> bool:
        return False

    patch.setattr("provisioner.handlers.removing.is_awaited", nothing)


@dataclass(frozen=True)
class Bug:
    name: str
    apply: Callable[[Patch], None]
    check: Callable[[Scene], Any]


BUGS = (
    Bug("second networks and routers left", _second_bare_ones_left, _bare_ones),
    Bug("those of others taken away", _whose_they_are_not_asked, _bare_ones),
    Bug("second ports left", _second_ports_left, _ports),
    Bug("a deletion waits for nothing", _nothing_awaited, _deletion),
)


@pytest.mark.campaign
@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.name)
async def test_a_bug_is_caught(
    site: Site,
    place: Place,
    twin: RunningTwin,
    neighbours: Neighbours,
    tenant: Tenant,
    monkeypatch: Patch,
    bug: Bug,
) -> None:
    assert shared.effects.UNSETTLED_SECONDS > outliving.LATE_SECONDS
    bug.apply(monkeypatch)
    monkeypatch.setattr(outliving, "SURPLUS_SECONDS", PATIENCE_WITH_A_BUG_SECONDS)
    with pytest.raises((AssertionError, TimeoutError)):
        await bug.check(Scene(site, place, twin, neighbours, tenant, monkeypatch))
