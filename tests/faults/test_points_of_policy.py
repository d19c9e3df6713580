"""network-policy dies at every point of enforcing, repairing and withdrawing a policy: one group a role, nothing left (I2, I7)."""

from typing import Any

import pytest

from contracts.network_policy import DriftRepaired, PolicyEnforced, PolicyWithdrawn
from network_policy.handlers import handlers
from shared.service import Service
from tests.faults.points import LEASE_SECONDS, PATIENCE_SECONDS, Points, die_at_each
from tests.network_policy import conftest as given
from tests.network_policy.stage import Stage

place, site, stage, twin = given.place, given.site, given.stage, given.twin
STEPS = {"group.create", "rules.create", "rule.delete", "group.delete"}


@pytest.mark.parametrize(
    "which", ["create: after the call", pytest.param("", marks=pytest.mark.campaign)], ids=["after creating", "all"]
)
async def test_it_dies_at_each_of_them(stage: Stage, monkeypatch: pytest.MonkeyPatch, which: str) -> None:
    points = Points(lambda point: which in point)
    points.lie_in_wait(monkeypatch, handlers)
    await stage.build()

    async def begin() -> Service[Any]:
        return await stage.service(scan_seconds=2.0, lane_lease_seconds=LEASE_SECONDS)

    async def story() -> None:
        await stage.declare()
        first = await stage.site.tap.until(PolicyEnforced, workspace=stage.name, seconds=PATIENCE_SECONDS)
        names = await stage.cloud(
            lambda c: sorted(group.name for group in c.network.security_groups(project_id=stage.project))
        )
        assert len(names) == len(set(names)) == len(first.groups) + 1  # the project's default group
        await stage.node("login", 0, first.groups)
        rule_id = await stage.open_ssh(first.groups["login"])
        await stage.site.tap.until(DriftRepaired, workspace=stage.name, seconds=PATIENCE_SECONDS)
        assert rule_id not in {rule.id for rule in await stage.rules(first.groups["login"])}
        await stage.delete()
        await stage.site.tap.until(PolicyWithdrawn, workspace=stage.name, seconds=PATIENCE_SECONDS)

    await die_at_each(stage.site, points, begin, story)
    left = await stage.cloud(
        lambda c: [each["name"] for each in c.network.get("/security-groups").json()["security_groups"]]
    )
    assert not [name for name in left if stage.name in name]
    told = {tuple(sorted(event.groups.items())) for event in stage.site.tap.of(PolicyEnforced, stage.name)}
    assert len(told) == 1, "one set of groups"
    assert {step for step in STEPS if which in f"{step}: after the call"} <= points.called(), points.died_at
    if not which:
        assert "provisioner.network.ready: before commit 1" in points.died_at
