"""The full scan's look at every project's groups, asked for on the bus (row L12)."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from contracts.network_policy import GroupHygiene, HygieneShown, ShowHygiene
from network_policy.cloud import reading
from network_policy.domain.world import Group
from tests.network_policy.quarantines import ordered
from tests.network_policy.stage import Stage
from twin.testing import RunningTwin


async def shown(stage: Stage, until: Callable[[HygieneShown], bool], of: str | None = None) -> HygieneShown:
    """The answer, once it is as wanted."""
    async with asyncio.timeout(30):
        while True:
            answer = await stage.site.ask(ShowHygiene(of=of))
            assert isinstance(answer, HygieneShown)
            if until(answer):
                return answer
            await asyncio.sleep(0.3)


def about(answer: HygieneShown, group_id: str) -> GroupHygiene | None:
    return next((each for each in answer.groups if each.group_id == group_id), None)


def kinds_of(group: GroupHygiene | None) -> set[str]:
    return {remark.kind for remark in group.remarks} if group else set()


async def test_a_strangers_messy_group_is_seen_and_told_until_it_is_clean_l12(stage: Stage) -> None:
    await stage.service(scan_seconds=1)
    await stage.standing()

    def mess(c: object) -> tuple[str, list[str]]:
        network = c.network  # type: ignore[attr-defined]
        group = network.create_security_group(name="messy \u202emessy")
        rules = [
            network.create_security_group_rule(
                security_group_id=group.id, direction="ingress", ethertype="IPv4", protocol="tcp", port_range_min=22,
                port_range_max=22, remote_ip_prefix=prefix,
            ).id
            for prefix in ("10.0.0.0/8", "10.0.0.9/8", "10.7.0.0/16")
        ]  # fmt: skip
        return group.id, rules

    group_id, rules = await stage.cloud(mess)
    # A scan may come between the group and its last rule.
    answer = await shown(stage, lambda told: "rule-shadowed" in kinds_of(about(told, group_id)))
    found = about(answer, group_id)
    assert found is not None
    kinds = {remark.kind: remark.rule_ids for remark in found.remarks}
    assert kinds["rule-shadowed"] == (rules[2],)
    assert kinds["rule-repeated"][0] in rules[:2]
    assert (found.workspace, found.rules - found.least_rules) == (None, 2)
    assert "\u202e" not in found.name
    assert answer.all_rules > answer.all_least_rules
    assert answer.observed_at is not None
    own = await shown(stage, lambda told: True, of=stage.name)
    assert {each.workspace for each in own.groups} <= {stage.name}
    assert about(own, group_id) is None
    await stage.cloud(lambda c: c.network.delete_security_group(group_id))
    await shown(stage, lambda told: about(told, group_id) is None)


async def test_tresors_own_groups_are_the_least_there_are(stage: Stage) -> None:
    await stage.service(scan_seconds=1)
    groups, _ = await stage.standing()
    answer = await shown(
        stage, lambda told: told.observed_at is not None and told.all_groups > len(groups), of=stage.name
    )
    for each in answer.groups:
        assert each.rules == each.least_rules, each
        assert not {remark.kind for remark in each.remarks} & {"rule-repeated", "rule-shadowed", "group-not-least"}, (
            each
        )


async def test_a_role_in_quarantine_is_not_called_unused_l27(stage: Stage) -> None:
    """Its record tells whose a port is, whatever its name says."""
    await stage.service(scan_seconds=1)
    groups, ports = await stage.standing()
    await stage.cloud(lambda c: c.network.update_port(ports["login-0"], name=f"{stage.name}-compute-9"))
    await ordered(stage, role="login")
    began = stage.site.clock.now()
    answer = await shown(stage, lambda told: told.observed_at is not None and told.observed_at > began, of=stage.name)
    assert not kinds_of(about(answer, groups["login"])) & {"group-unused", "rule-without-members"}
    assert "rule-without-members" not in kinds_of(about(answer, groups["compute"]))


async def test_groups_of_missing_projects_are_told_l12(stage: Stage, twin: RunningTwin) -> None:
    """CVE-2022-3277, CVE-2023-3637."""
    await stage.service(scan_seconds=1)
    await stage.standing()

    def leave(c: Any) -> tuple[str, str]:
        project = c.identity.create_project(name=f"{stage.name}-gone", domain_id="default")
        return project.id, c.network.create_security_group(name="left", project_id=project.id).id

    project_id, group_id = await stage.cloud(leave)
    before = about(await shown(stage, lambda told: about(told, group_id) is not None), group_id)
    assert before is not None
    assert "group-of-no-project" not in kinds_of(before)
    assert (await shown(stage, lambda told: True)).projects_known
    await stage.cloud(lambda c: c.identity.delete_project(project_id))
    await shown(stage, lambda told: "group-of-no-project" in kinds_of(about(told, group_id)))
    await asyncio.to_thread(
        twin.faults, {"kind": "503", "service": "keystone", "method": "GET", "path": ".*/projects.*"}
    )
    silent = await shown(stage, lambda told: not told.projects_known)
    assert "group-of-no-project" not in kinds_of(about(silent, group_id)), "nobody can tell now"
    await asyncio.to_thread(twin.clear_faults)
    await stage.cloud(lambda c: c.network.delete_security_group(group_id))


async def test_a_rule_that_says_nothing_clear_is_told_l12(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """CVE-2019-9735. Neutron refuses such rules today: here it answers as with a database that had one already."""
    await stage.service(scan_seconds=1)
    await stage.standing()

    def make(c: Any) -> tuple[str, str]:
        group = c.network.create_security_group(name="old")
        rule = c.network.create_security_group_rule(
            security_group_id=group.id, direction="ingress", ethertype="IPv4", remote_ip_prefix="10.0.0.0/9"
        )
        return group.id, rule.id

    group_id, rule_id = await stage.cloud(make)
    as_it_is = reading.group

    def as_it_was(body: reading.Body) -> Group:
        rules = [
            {**rule, "remote_ip_prefix": "10.0.0.0/99", "normalized_cidr": None} if rule["id"] == rule_id else rule
            for rule in body["security_group_rules"]
        ]
        return as_it_is({**body, "security_group_rules": rules})

    before = about(await shown(stage, lambda told: about(told, group_id) is not None), group_id)
    assert before is not None
    assert "rule-unclear" not in kinds_of(before)
    monkeypatch.setattr(reading, "group", as_it_was)
    answer = about(await shown(stage, lambda told: "rule-unclear" in kinds_of(about(told, group_id))), group_id)
    assert answer is not None
    (remark,) = (each for each in answer.remarks if each.kind == "rule-unclear")
    assert (remark.rule_ids, remark.words) == ((rule_id,), "'10.0.0.0/99' is no prefix")
    assert answer.rules == answer.least_rules, "it is left alone"
    await stage.cloud(lambda c: c.network.delete_security_group(group_id))
