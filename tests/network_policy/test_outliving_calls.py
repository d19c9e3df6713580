"""Calls that the cloud carries out after their caller died, and after its successor looked for them in vain (I2, I8)."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

import shared.effects
from contracts.network_policy import CHASSIS, DriftDetected, PolicyWithdrawn, QuarantineWorkspace, WorkspaceQuarantined
from network_policy.domain.names import group_name
from tests.faults.crash import crash
from tests.network_policy.quarantines import port
from tests.network_policy.stage import Stage
from tests.network_policy.test_far_ends import site_file
from twin.testing import RunningTwin

NEVER = 3600.0
PATIENCE_SECONDS = 90.0
GROUPS = {"service": "neutron", "method": "POST", "path": "security-groups$"}
ADDRESS_GROUPS = {"service": "neutron", "method": "POST", "path": "address-groups$"}


async def dies_during(stage: Stage, twin: RunningTwin, call: dict[str, Any], seconds: float) -> None:
    """The service dies while the cloud takes that long for such a call."""
    (made,) = await asyncio.to_thread(twin.faults, {**call, "kind": "slow", "seconds": seconds, "count": 1})
    async with asyncio.timeout(40):
        while not any(rule["struck"] for rule in await asyncio.to_thread(twin.faults) if rule["id"] == made["id"]):
            await asyncio.sleep(0.02)
    assert stage.running is not None
    await crash(stage.site, stage.running)


async def enforced_after_a_death(
    stage: Stage, twin: RunningTwin, patch: pytest.MonkeyPatch, seconds: float
) -> tuple[dict[str, str], str]:
    """The service died while Neutron took that long for its first group: its successor's groups by role, and the name
    of the one that comes late."""
    patch.setattr(shared.effects, "UNSETTLED_SECONDS", 1.0)
    await stage.build()
    await stage.service(scan_seconds=NEVER, lane_lease_seconds=2)
    await stage.declare()
    await dies_during(stage, twin, GROUPS, seconds)
    calls = [call for call in await asyncio.to_thread(twin.requests) if call["path"].endswith("/security-groups")]
    await stage.service(scan_seconds=1.0, lane_lease_seconds=2)
    return (await stage.enforced()).groups, calls[0]["body"]["security_group"]["name"]


async def named(stage: Stage, role: str) -> list[Any]:
    """The project's groups of the role's name."""
    name = group_name(stage.name, role)
    return await stage.cloud(lambda c: list(c.network.security_groups(project_id=stage.project, name=name)))


async def address_groups(stage: Stage) -> dict[str, str]:
    """The project's address groups: one id, the last, by name, and others by their id."""
    found = await stage.cloud(lambda c: list(c.network.address_groups(project_id=stage.project)))
    named: dict[str, str] = {}
    for each in found:
        named[each.name if each.name not in named else each.id] = each.id
    return named


async def created(twin: RunningTwin, name: str) -> int:
    """How many groups of that name Neutron has ever made."""
    calls = await asyncio.to_thread(twin.requests)
    return sum(
        call["status"] == 201 and call["body"]["security_group"]["name"] == name
        for call in calls
        if call["method"] == "POST" and call["path"].endswith("/security-groups")
    )


async def test_a_second_group_that_came_late_is_taken_away(
    stage: Stage, twin: RunningTwin, monkeypatch: pytest.MonkeyPatch
) -> None:
    groups, name = await enforced_after_a_death(stage, twin, monkeypatch, 15.0)
    async with asyncio.timeout(PATIENCE_SECONDS):
        while await created(twin, name) < 2:
            await asyncio.sleep(0.2)
        for role, group_id in groups.items():
            while [group.id for group in await named(stage, role)] != [group_id]:
                await asyncio.sleep(0.2)
    told = await stage.site.tap.until(CHASSIS.effect, where=lambda event: event.step == "group.delete")
    assert told.marker not in groups.values()
    assert told.outcome == "done"


async def test_a_group_that_somebody_else_made_under_a_roles_name_stays(stage: Stage, twin: RunningTwin) -> None:
    """No call of the service is without an outcome, so it is not one of its own."""
    await stage.service(scan_seconds=1.0, lane_lease_seconds=2)
    groups, _ = await stage.standing()
    name = group_name(stage.name, "login")
    theirs = await stage.cloud(lambda c: c.network.create_security_group(name=name, project_id=stage.project))
    await stage.site.tap.until(
        DriftDetected, where=lambda event: any(each.group_id == theirs.id for each in event.drift), seconds=30
    )
    await asyncio.sleep(3.0)  # the same look would take it away
    assert {group.id for group in await named(stage, "login")} == {groups["login"], theirs.id}


async def test_a_group_that_came_late_and_is_used_is_not_taken_away(
    stage: Stage, twin: RunningTwin, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its port is put back into its role's group first; then nothing is in it."""
    groups, late_name = await enforced_after_a_death(stage, twin, monkeypatch, 6.0)
    no_deletion = {"kind": "503", "service": "neutron", "method": "DELETE", "path": "security-groups/", "seconds": 0}
    await asyncio.to_thread(twin.faults, no_deletion)  # nor may it be gone before there is somebody to use it
    port_id = await stage.node("login", 0, groups)
    async with asyncio.timeout(PATIENCE_SECONDS):
        while True:
            there = await stage.cloud(
                lambda c: list(c.network.security_groups(project_id=stage.project, name=late_name))
            )
            if late := [group.id for group in there if group.id not in groups.values()]:
                await stage.cloud(lambda c: c.network.update_port(port_id, security_groups=late))
                break
            await asyncio.sleep(0.05)
        await asyncio.to_thread(twin.clear_faults)
        while (await port(stage, port_id)).security_group_ids != [groups["login"]]:
            await asyncio.sleep(0.2)


async def test_a_second_address_group_that_came_late_is_taken_away(
    stage: Stage, twin: RunningTwin, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The one that rules name stays, and holds the role's addresses."""
    monkeypatch.setattr(shared.effects, "UNSETTLED_SECONDS", 1.0)
    site_path = site_file(tmp_path, backend="agent")
    await stage.build()
    await stage.service(scan_seconds=NEVER, lane_lease_seconds=2, site_path=site_path)
    await stage.declare()
    await dies_during(stage, twin, ADDRESS_GROUPS, 15.0)
    await stage.service(scan_seconds=1.0, lane_lease_seconds=2, site_path=site_path)
    groups = (await stage.enforced()).groups
    standing = await address_groups(stage)
    made = set(standing.values())
    assert len(made) == len(standing)
    async with asyncio.timeout(40):
        while len(made) == len(standing):  # the late one, even if it goes again at once
            await asyncio.sleep(0.05)
            made |= set((await address_groups(stage)).values())
        while await address_groups(stage) != standing:
            await asyncio.sleep(0.2)
    told = await stage.site.tap.until(CHASSIS.effect, where=lambda event: event.step == "address-group.delete")
    assert told.marker in made - set(standing.values())
    named = {rule.remote_address_group_id for group_id in groups.values() for rule in await stage.rules(group_id)}
    assert named - {None} <= set(standing.values())


async def test_a_withdrawal_waits_for_what_may_still_come(
    stage: Stage, twin: RunningTwin, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Told before, the project would go, and the group that comes after would be nobody's (CVE-2022-3277)."""
    monkeypatch.setattr(shared.effects, "UNSETTLED_SECONDS", 12.0)
    await stage.build()
    await stage.service(scan_seconds=NEVER, lane_lease_seconds=2)
    await stage.declare()
    await dies_during(stage, twin, GROUPS, 8.0)
    await stage.delete()
    await stage.service(scan_seconds=NEVER, lane_lease_seconds=2)
    await stage.site.tap.until(PolicyWithdrawn, workspace=stage.name, seconds=40)
    calls = [call for call in await asyncio.to_thread(twin.requests) if call["path"].endswith("/security-groups")]
    ended = [call for call in calls if call["method"] == "POST" and call["status"] == 201]
    assert ended, "the late group was made"
    left = await stage.cloud(
        lambda c: [each["name"] for each in c.network.get("/security-groups").json()["security_groups"]]
    )
    assert not [name for name in left if stage.name in name]


async def test_a_quarantine_does_not_wait_for_what_became_of_its_group(stage: Stage, twin: RunningTwin) -> None:
    """I8: whoever was making the group died; the ports are put out of service all the same, and there is one group."""
    await stage.service(scan_seconds=NEVER, lane_lease_seconds=2)
    _, ports = await stage.standing()
    await stage.site.command(QuarantineWorkspace(workspace=stage.name, reason="a test of kills"), "sam")
    await dies_during(stage, twin, GROUPS, 12.0)
    await stage.service(scan_seconds=NEVER, lane_lease_seconds=2)
    async with asyncio.timeout(10):
        while any([(await port(stage, each)).is_admin_state_up for each in ports.values()]):
            await asyncio.sleep(0.1)
    assert not await named(stage, ":quarantine")
    told = await stage.site.tap.until(WorkspaceQuarantined, workspace=stage.name, seconds=30)
    assert [group.id for group in await named(stage, ":quarantine")] == [told.group_id]
