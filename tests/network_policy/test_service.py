"""The service on a real broker and database, against the twin or the lab: rows L5, L6, I6, M1, M3."""

import asyncio

import pytest

from contracts.network_policy import (
    CHASSIS,
    DriftDetected,
    DriftRepaired,
    IsolationProven,
    IsolationShown,
    IsolationViolated,
    PolicyEnforced,
    PolicyWithdrawn,
    ShowIsolation,
)
from network_policy.domain.compile import compile_policy
from tests.network_policy.enclaves import SITE
from tests.network_policy.quiet import known, scanned_since, settled
from tests.network_policy.stage import Stage

NEVER = 3600.0
"""A scan period that does not come round in a test: what is found was told by a notification."""


async def test_a_declared_workspace_is_enforced_and_proven_l5_l6_m1(stage: Stage) -> None:
    await stage.service()
    await stage.build()
    await stage.declare()
    told = await stage.enforced()
    assert set(told.groups) == {"login", "compute"}
    policy = compile_policy(stage.document(), SITE)
    for role, group_id in told.groups.items():
        rules = await stage.rules(group_id)
        assert len(rules) == len(policy.roles[role])
        assert not [each for each in rules if each.direction == "egress" and each.protocol is None]
        assert {each.project_id for each in rules} == {stage.project}
    assert told.rules == policy.rule_count
    defaults = await stage.cloud(lambda c: list(c.network.security_groups(project_id=stage.project, name="default")))
    assert [each.security_group_rules for each in defaults] == [[]]


async def test_dhcp_and_metadata_go_in_before_the_defaults_go_out_l6(stage: Stage) -> None:
    await stage.service()
    await stage.build()
    await stage.declare()
    await stage.enforced()
    steps = [each.step for each in stage.site.tap.of(CHASSIS.effect, stage.name)]
    assert steps.index("rules.create") < steps.index("rule.delete")
    assert steps.count("group.create") == 2


async def test_ssh_opened_behind_its_back_is_told_closed_and_proven_m3_i6(stage: Stage) -> None:
    await stage.service(scan_seconds=NEVER)
    groups, _ = await stage.standing()
    await settled(stage)
    rogue = await stage.open_ssh(groups["login"])
    tap = stage.site.tap
    detected = await tap.until(DriftDetected, workspace=stage.name)
    assert [(each.change, each.rule_id, each.role) for each in detected.drift] == [("rule-added", rogue, "login")]
    assert detected.seen_by == "notification"
    assert detected.actor
    assert detected.request_id.startswith("req-")
    violated = await tap.until(IsolationViolated, workspace=stage.name)
    assert violated.counterexamples[0].rule_ids == (rogue,)
    assert violated.repairing
    repaired = await tap.until(DriftRepaired, workspace=stage.name)
    assert repaired.seconds_since_change is not None
    await tap.until(IsolationProven, workspace=stage.name)
    assert rogue not in {each.id for each in await stage.rules(groups["login"])}


async def test_a_rule_taken_away_comes_back(stage: Stage) -> None:
    await stage.service(scan_seconds=NEVER)
    groups, _ = await stage.standing()
    await settled(stage)
    before = await stage.rules(groups["login"])
    lost = next(each for each in before if each.direction == "ingress")
    await stage.cloud(lambda c: c.network.delete_security_group_rule(lost.id))
    detected = await stage.site.tap.until(DriftDetected, workspace=stage.name)
    assert [(each.change, each.rule_id) for each in detected.drift] == [("rule-removed", lost.id)]
    assert detected.actor
    await stage.site.tap.until(DriftRepaired, workspace=stage.name)
    after = await stage.rules(groups["login"])
    assert len(after) == len(before)
    assert not stage.site.tap.of(IsolationViolated)


async def test_a_port_that_escapes_its_group_is_put_back(stage: Stage) -> None:
    await stage.service(scan_seconds=NEVER)
    groups, ports = await stage.standing()
    await stage.cloud(lambda c: c.network.update_port(ports["compute-0"], security_groups=[groups["login"]]))
    detected = await stage.site.tap.until(DriftDetected, workspace=stage.name)
    assert [(each.change, each.port_id) for each in detected.drift] == [("port-regrouped", ports["compute-0"])]
    await stage.site.tap.until(DriftRepaired, workspace=stage.name)
    port = await stage.cloud(lambda c: c.network.get_port(ports["compute-0"]))
    assert port.security_group_ids == [groups["compute"]]


async def test_port_security_switched_off_is_switched_on_again(stage: Stage) -> None:
    await stage.service(scan_seconds=NEVER)
    groups, ports = await stage.standing()
    await stage.cloud(
        lambda c: c.network.update_port(ports["compute-1"], security_groups=[], is_port_security_enabled=False)
    )
    detected = await stage.site.tap.until(DriftDetected, workspace=stage.name)
    assert [each.change for each in detected.drift] == ["port-unprotected"]
    await stage.site.tap.until(IsolationViolated, workspace=stage.name)
    await stage.site.tap.until(IsolationProven, workspace=stage.name)
    port = await stage.cloud(lambda c: c.network.get_port(ports["compute-1"]))
    assert (port.is_port_security_enabled, port.security_group_ids) == (True, [groups["compute"]])


async def test_a_stray_port_is_put_into_the_empty_group_i6(stage: Stage) -> None:
    await stage.service(scan_seconds=NEVER)
    groups, _ = await stage.standing()
    stray = await stage.cloud(
        lambda c: c.network.create_port(
            name="mine", network_id=stage.network, project_id=stage.project, security_groups=[groups["login"]]
        )
    )
    await stage.site.tap.until(DriftDetected, workspace=stage.name)
    await stage.site.tap.until(DriftRepaired, workspace=stage.name)
    port = await stage.cloud(lambda c: c.network.get_port(stray.id))
    default = await stage.cloud(lambda c: next(c.network.security_groups(project_id=stage.project, name="default")))
    assert port.security_group_ids == [default.id]


async def test_its_own_changes_are_no_drift_m3(stage: Stage) -> None:
    await stage.service(scan_seconds=1.0)
    await stage.standing()
    await known(stage)
    await scanned_since(stage)
    assert not stage.site.tap.of(DriftDetected)
    assert len(stage.site.tap.of(PolicyEnforced)) == 1
    effects = len(stage.site.tap.of(CHASSIS.effect))
    await scanned_since(stage)
    await asyncio.sleep(1)
    assert len(stage.site.tap.of(CHASSIS.effect)) == effects


async def test_without_notifications_the_scan_finds_it_m3(stage: Stage) -> None:
    await stage.service(scan_seconds=1.0, openstack_amqp_url=None)
    groups, _ = await stage.standing()
    await stage.open_ssh(groups["compute"])
    detected = await stage.site.tap.until(DriftDetected, workspace=stage.name)
    assert (detected.seen_by, detected.actor, detected.happened_at) == ("scan", "", None)
    repaired = await stage.site.tap.until(DriftRepaired, workspace=stage.name)
    assert repaired.seconds_since_change is None


async def test_observing_tells_and_changes_nothing(stage: Stage) -> None:
    enforcing = await stage.service(scan_seconds=NEVER)
    groups, _ = await stage.standing()
    await stage.site.stop(enforcing)
    await stage.service(mode="observe", scan_seconds=1.0)
    before = len(stage.site.tap.of(CHASSIS.effect))
    rogue = await stage.open_ssh(groups["login"])
    detected = await stage.site.tap.until(DriftDetected, workspace=stage.name)
    assert not detected.repairing
    violated = await stage.site.tap.until(IsolationViolated, workspace=stage.name)
    assert not violated.repairing
    await scanned_since(stage)
    await scanned_since(stage)
    assert rogue in {each.id for each in await stage.rules(groups["login"])}
    assert len(stage.site.tap.of(DriftDetected)) == 1
    assert len(stage.site.tap.of(IsolationViolated)) == 1
    assert len(stage.site.tap.of(CHASSIS.effect)) == before
    await stage.cloud(lambda c: c.network.delete_security_group_rule(rogue))
    await stage.site.tap.until(IsolationProven, workspace=stage.name)


async def test_isolation_shown_m1(stage: Stage) -> None:
    await stage.service(scan_seconds=1.0)
    await stage.standing()
    async with asyncio.timeout(20):
        while True:
            shown = await stage.site.ask(ShowIsolation(of=stage.name))
            assert isinstance(shown, IsolationShown)
            (mine,) = shown.workspaces
            if mine.ports == 3:
                break
            await asyncio.sleep(0.3)
    assert (mine.verdict, mine.groups) == ("isolated", 2)
    assert mine.proof is not None
    assert ("203.0.113.0/28", "role login", "tcp", "22") in {
        (each.source, each.destination, each.protocol, each.ports) for each in mine.reach
    }
    assert ("role login", "role compute", "tcp", "22,6817-6819") in {
        (each.source, each.destination, each.protocol, each.ports) for each in mine.reach
    }
    assert shown.staleness_seconds == pytest.approx(1.2)
    everything = await stage.site.ask(ShowIsolation())
    assert isinstance(everything, IsolationShown)
    assert [each.reach for each in everything.workspaces] == [()]


async def test_an_emptied_workspace_leaves_no_group(stage: Stage) -> None:
    await stage.service()
    groups, _ = await stage.standing()
    await stage.delete()
    told = await stage.site.tap.until(PolicyWithdrawn, workspace=stage.name)
    assert told.generation == 2
    left = await stage.cloud(lambda c: [each.id for each in c.network.security_groups() if each.id in groups.values()])
    assert left == []


async def test_a_changed_document_changes_the_groups_in_place(stage: Stage) -> None:
    await stage.service()
    groups, _ = await stage.standing()
    stage.generation = 2
    await stage.declare(stage.document(flows=[{"from": "site:jumphosts", "to": "login", "ports": [22, 443]}]))
    again = await stage.enforced()
    assert again.groups == groups
    ingress = [each for each in await stage.rules(groups["login"]) if each.direction == "ingress"]
    assert {each.port_range_min for each in ingress} == {22, 443}
    assert not [each for each in await stage.rules(groups["compute"]) if each.direction == "ingress"]
    assert not stage.site.tap.of(DriftDetected)
