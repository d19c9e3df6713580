"""Plans shown and applied by command on a real broker and database, against the twin or the lab: I7, I9."""

import asyncio
from typing import Any

import pytest

from contracts.chassis import ChassisMessages
from contracts.network_policy import (
    CHASSIS,
    ApplyPolicy,
    DriftDetected,
    PlanPolicy,
    PolicyApplied,
    PolicyEnforced,
    PolicyPlanned,
    PolicyRefused,
)
from contracts.workspace import Workspace
from shared.testing import Site
from tests.network_policy.stage import Stage
from tests.network_policy.test_quarantine_under_faults import STEPS, Mortal, mortal
from twin.testing import RunningTwin

__all__ = ["mortal"]

NEVER = 3600.0
MORE = [
    {"from": "site:jumphosts", "to": "login", "ports": ["22"]},
    {"from": "login", "to": "compute", "ports": ["22", "6817-6819"]},
    {"from": "compute", "to": "login", "ports": ["7000"]},
]
OTHER = [MORE[0], MORE[2]]


async def planned(stage: Stage, document: Workspace) -> PolicyPlanned:
    shown = await stage.site.ask(PlanPolicy(document=document))
    assert isinstance(shown, PolicyPlanned), shown
    return shown


async def ended(site: Site, command_id: str, seconds: float = 30.0) -> Any:
    """The event that ends the command."""
    ends: tuple[type[Any], ...] = (CHASSIS.applied, CHASSIS.rejected, CHASSIS.failed)
    async with asyncio.timeout(seconds):
        while True:
            for kind in ends:
                for each in site.tap.of(kind):
                    if each.command_id == command_id:
                        return each
            await asyncio.sleep(0.05)


async def rules_of(stage: Stage, groups: dict[str, str]) -> dict[str, set[tuple[Any, ...]]]:
    return {
        role: {
            (each.direction, each.ether_type, each.protocol, each.port_range_min, each.port_range_max,
             each.remote_ip_prefix, each.remote_group_id)
            for each in await stage.rules(group_id)
        }
        for role, group_id in groups.items()
    }  # fmt: skip


def _is(outcome: Any, kind: str) -> bool:
    named: dict[str, type[Any]] = {"applied": CHASSIS.applied, "rejected": CHASSIS.rejected, "failed": CHASSIS.failed}
    assert isinstance(CHASSIS, ChassisMessages)
    return isinstance(outcome, named[kind])


async def test_what_stands_plans_nothing_and_what_changes_is_told_exactly(stage: Stage) -> None:
    await stage.service(scan_seconds=NEVER)
    groups, ports = await stage.standing()
    same = await planned(stage, stage.document())
    assert (same.steps, same.packets, same.loosens, same.generation) == (0, (), False, 1)
    shown = await planned(stage, stage.document(flows=MORE))
    assert [(each.change, each.source, each.destination, each.kinds) for each in shown.packets] == [
        ("possible", "compute", "login", "tcp/7000")
    ]
    assert shown.loosens
    assert set(shown.ports) == set(ports.values())
    assert {(each.role, each.group, each.added, each.removed) for each in shown.roles} == {
        ("login", "keep", 1, 0),
        ("compute", "keep", 1, 0),
    }
    assert {rule.far_role for each in shown.roles for rule in each.rules} == {"login", "compute"}
    (packet,) = shown.packets
    assert packet.example.destination == f"port {ports['login-0']} (login)"
    fewer = await planned(stage, stage.document(flows=MORE[1:2]))
    assert [(each.change, each.source, each.kinds, each.far_addresses) for each in fewer.packets] == [
        ("impossible", "outside", "tcp/22", "203.0.113.0/28")
    ]
    (gone,) = fewer.packets
    assert set(gone.example.rule_ids) <= {each.id for each in await stage.rules(groups["login"])}
    assert gone.example.rule_ids


async def test_a_workspace_that_is_not_there_is_planned_whole(stage: Stage) -> None:
    await stage.service(scan_seconds=NEVER)
    shown = await planned(stage, stage.document())
    assert {(each.role, each.group) for each in shown.roles} == {("login", "create"), ("compute", "create")}
    assert shown.generation == 0
    assert ("login", "compute", "tcp/22, tcp/6817-6819") in {
        (each.source, each.destination, each.kinds) for each in shown.packets
    }


async def test_a_plan_is_applied_as_it_was_shown(stage: Stage) -> None:
    await stage.service(scan_seconds=NEVER)
    groups, _ = await stage.standing()
    document = stage.document(flows=OTHER)
    shown = await planned(stage, document)
    assert shown.loosens
    command_id = await stage.site.command(ApplyPolicy(document=document, plan=shown.plan), "ana")
    assert _is(await ended(stage.site, command_id), "applied")
    told = await stage.site.tap.until(PolicyApplied, workspace=stage.name)
    assert (told.plan, told.holder, told.generation) == (shown.plan, "ana", 1)
    found = await rules_of(stage, groups)
    assert ("ingress", "IPv4", "tcp", 7000, 7000, None, groups["compute"]) in found["login"]
    assert not [each for each in found["compute"] if each[0] == "ingress"]
    again = await planned(stage, document)
    assert (again.steps, again.packets) == (0, ())
    assert len(stage.site.tap.of(PolicyEnforced)) == 2
    assert not stage.site.tap.of(DriftDetected)  # our own change is no drift


@pytest.mark.parametrize("what", ["cloud", "document", "again"])
async def test_a_plan_whose_state_has_moved_is_refused_and_changes_nothing_i9(stage: Stage, what: str) -> None:
    await stage.service(scan_seconds=NEVER)
    groups, _ = await stage.standing()
    document = stage.document(flows=MORE)
    shown = await planned(stage, document)
    if what == "cloud":
        await stage.cloud(lambda c: c.network.update_security_group(groups["login"], description="touched"))
    elif what == "document":
        document = stage.document(flows=OTHER)
    else:
        first = await stage.site.command(ApplyPolicy(document=document, plan=shown.plan), "ana")
        assert _is(await ended(stage.site, first), "applied")
    before = await rules_of(stage, groups)
    command_id = await stage.site.command(ApplyPolicy(document=document, plan=shown.plan), "ana")
    outcome = await ended(stage.site, command_id)
    assert _is(outcome, "rejected")
    assert outcome.problems[0].field == "plan"
    assert "plan anew" in outcome.problems[0].remedy
    assert await rules_of(stage, groups) == before


async def test_what_is_the_provisioners_is_not_applied_here(stage: Stage) -> None:
    await stage.service(scan_seconds=NEVER)
    await stage.standing()
    roles = [each.model_dump(mode="json") for each in stage.document().roles]
    document = stage.document(roles=[roles[0], {**roles[1], "count": 9}])
    shown = await planned(stage, document)
    outcome = await ended(stage.site, await stage.site.command(ApplyPolicy(document=document, plan=shown.plan), "ana"))
    assert _is(outcome, "rejected")
    assert [(each.field, "workspace create" in each.remedy) for each in outcome.problems] == [("document.roles", True)]


async def _set_quota(stage: Stage, rules: int) -> None:
    await stage.cloud(lambda c: c.network.update_quota(stage.project, security_group_rules=rules))


async def test_a_plan_that_the_quota_has_no_room_for_is_refused_whole(stage: Stage) -> None:
    await stage.service(scan_seconds=NEVER)
    groups, _ = await stage.standing()
    before = await rules_of(stage, groups)
    used = sum(len(each) for each in before.values())
    await _set_quota(stage, used + 1)
    document = stage.document(flows=MORE)
    shown = await planned(stage, document)
    (problem,) = shown.problems
    assert problem.field == "quota.security_group_rule"
    assert problem.reason == f"2 more security group rules are needed, {used} of {used + 1} are used"
    assert str(used + 2) in problem.remedy
    outcome = await ended(stage.site, await stage.site.command(ApplyPolicy(document=document, plan=shown.plan), "ana"))
    assert _is(outcome, "rejected")
    assert outcome.problems == (problem,)
    assert await rules_of(stage, groups) == before


async def test_a_declared_policy_that_does_not_fit_is_not_begun_told_once_and_made_when_it_does(stage: Stage) -> None:
    await stage.service(scan_seconds=NEVER)
    await stage.build()
    await _set_quota(stage, 9)
    await stage.declare()
    told = await stage.site.tap.until(PolicyRefused, workspace=stage.name)
    assert [each.field for each in told.problems] == ["quota.security_group_rule"]
    named = await stage.cloud(lambda c: [each.name for each in c.network.security_groups(project_id=stage.project)])
    assert named == ["default"]
    await _set_quota(stage, 500)
    await stage.declare()
    await stage.enforced()
    assert len(stage.site.tap.of(PolicyRefused)) == 1


async def test_killed_at_each_step_the_plan_ends_applied_once(
    stage: Stage, mortal: Mortal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(STEPS, "added", ("POST", "security-group-rules"))
    monkeypatch.setitem(STEPS, "observed", ("GET", "quotas"))
    document = stage.document(flows=OTHER)
    await mortal.start()
    shown = await planned(stage, document)
    command_id = await stage.site.command(ApplyPolicy(document=document, plan=shown.plan), "ana")
    for number, step in enumerate(("observed", "rules", "added")):
        if number:
            await mortal.start()
        await mortal.kill_during(step)
    await mortal.start()
    assert _is(await ended(stage.site, command_id, 60), "applied")
    found = await rules_of(stage, mortal.groups)
    assert ("ingress", "IPv4", "tcp", 7000, 7000, None, mortal.groups["compute"]) in found["login"]
    assert not [each for each in found["compute"] if each[0] == "ingress"]
    again = await planned(stage, document)
    assert (again.steps, again.packets) == (0, ())
    assert len(stage.site.tap.of(PolicyApplied)) == 1


async def test_a_killed_rewrite_with_the_twin_holds_no_rule_twice(stage: Stage, twin: RunningTwin) -> None:
    """A POST whose answer is lost is made again, and Neutron has the rules once."""
    await stage.service(scan_seconds=NEVER)
    groups, _ = await stage.standing()
    document = stage.document(flows=OTHER)
    shown = await planned(stage, document)
    rule = {"kind": "lost_response", "service": "neutron", "method": "POST", "path": "security-group-rules", "count": 1}
    await asyncio.to_thread(twin.faults, rule)
    command_id = await stage.site.command(ApplyPolicy(document=document, plan=shown.plan), "ana")
    assert _is(await ended(stage.site, command_id, 60), "applied")
    for role, group_id in groups.items():
        assert len(await stage.rules(group_id)) == len((await rules_of(stage, groups))[role])
