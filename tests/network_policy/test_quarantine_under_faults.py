"""Quarantine and release while the service is killed at each of their steps, and while the cloud fails them (row L27)."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from typing import Any

import pytest

from contracts.network_policy import (
    CHASSIS,
    DriftDetected,
    EvidenceKept,
    QuarantineWorkspace,
    WorkspaceQuarantined,
    WorkspaceReleased,
)
from tests.network_policy.quarantines import approved, asked_to_release, floating_ip, port, port_of
from tests.network_policy.stage import Stage
from twin.testing import RunningTwin

NEVER = 3600.0
SLOW_SECONDS = 2.5
STEPS = {
    "evidence": ("GET", "floatingips"),
    "group": ("POST", "security-groups$"),
    "rules": ("DELETE", "security-group-rules"),
    "ports": ("PUT", "ports/"),
    "floating-ips": ("PUT", "floatingips/"),
    "trunks": ("GET", "trunks"),
}


class Mortal:
    """The service as a process of its own, that is killed in the middle of a call."""

    def __init__(self, stage: Stage, twin: RunningTwin, groups: dict[str, str], ports: dict[str, str]) -> None:
        self.groups, self.ports = groups, ports
        more: dict[str, Any] = {
            "cloud_name": "tresor-network-policy",
            "clouds_path": stage.clouds_file,
            "scan_seconds": NEVER,
            "quarantine_down_seconds": 0.0,
            "lane_lease_seconds": 2.0,
            "cloud_timeout_seconds": 5.0,
        }
        self._environment = {**os.environ, **stage.site.environment("network-policy", **more)}
        self._twin = twin
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        self._process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "network_policy.main", env=self._environment,
            stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL,
        )  # fmt: skip

    async def kill(self) -> None:
        assert self._process is not None
        self._process.kill()
        await self._process.wait()

    async def kill_during(self, step: str) -> None:
        """Wait for the step's call, which the cloud is slow to answer, and kill; back when the cloud is done with it.

        A call that outlives its caller is found by its marker once it is done; until then nobody can see it.
        """
        method, path = STEPS[step]
        await asyncio.to_thread(self._twin.clear_faults)
        rule = {
            "kind": "slow",
            "service": "neutron",
            "method": method,
            "path": path,
            "seconds": SLOW_SECONDS,
            "count": 1,
        }
        (made,) = await asyncio.to_thread(self._twin.faults, rule)
        async with asyncio.timeout(40):
            while True:
                rules = await asyncio.to_thread(self._twin.faults)
                if next(each for each in rules if each["id"] == made["id"])["struck"]:
                    break
                await asyncio.sleep(0.05)
        await self.kill()
        await asyncio.sleep(SLOW_SECONDS)
        await asyncio.to_thread(self._twin.clear_faults)


@pytest.fixture
async def mortal(stage: Stage, twin: RunningTwin) -> AsyncIterator[Mortal]:
    """A workspace that stands, its service a process."""
    began = await stage.service(scan_seconds=NEVER)
    standing = await stage.standing()
    await stage.site.stop(began)
    service = Mortal(stage, twin, *standing)
    yield service
    await service.kill()


async def test_killed_at_each_step_it_ends_cut_off_and_then_given_back_l27(stage: Stage, mortal: Mortal) -> None:
    groups, ports = mortal.groups, mortal.ports
    address = await floating_ip(stage, ports["login-0"])
    command_id = await stage.site.command(QuarantineWorkspace(workspace=stage.name, reason="a test of kills"), "sam")
    for step in ("trunks", "evidence", "group", "rules", "ports", "floating-ips"):
        await mortal.start()
        await mortal.kill_during(step)
    await mortal.start()
    told = await stage.site.tap.until(WorkspaceQuarantined, workspace=stage.name, seconds=60)
    await stage.site.tap.until(CHASSIS.applied, where=lambda event: event.command_id == command_id)
    for port_id in ports.values():
        assert (await port(stage, port_id)).security_group_ids == [told.group_id]
    assert await port_of(stage, address) is None
    assert await stage.rules(told.group_id) == []
    assert told.floating_ips == 1
    kept = {piece.digest for piece in stage.site.tap.of(EvidenceKept, stage.name)}
    assert kept == {told.evidence}  # once, of what stood before anything was changed
    release_id, digest = await asked_to_release(stage, told.quarantine_id)
    await mortal.kill()
    await approved(stage, release_id, digest)
    for step in ("ports", "floating-ips"):
        await mortal.start()
        await mortal.kill_during(step)
    await mortal.start()
    ended = await stage.site.tap.until(WorkspaceReleased, workspace=stage.name, seconds=60)
    assert ended.not_restored == ()
    await stage.site.tap.until(CHASSIS.applied, where=lambda event: event.command_id == release_id)
    for name, port_id in ports.items():
        found = await port(stage, port_id)
        assert (found.security_group_ids, found.is_admin_state_up) == ([groups[name.rsplit("-", 1)[0]]], True)
    assert await port_of(stage, address) == ports["login-0"]
    ends = [CHASSIS.applied, CHASSIS.rejected, CHASSIS.failed]
    outcomes = [one.command_id for kind in ends for one in stage.site.tap.of(kind)]
    assert sorted(outcomes.count(each) for each in (command_id, release_id)) == [1, 1]
    assert len(stage.site.tap.of(WorkspaceQuarantined)) == 1
    assert len(stage.site.tap.of(WorkspaceReleased)) == 1
    assert not stage.site.tap.of(DriftDetected)


async def test_without_a_group_to_be_had_ports_are_cut_off_all_the_same_l27(stage: Stage, twin: RunningTwin) -> None:
    """Tightening never waits (I8): a full quota of groups keeps nobody in service."""
    await stage.service(scan_seconds=NEVER)
    _, ports = await stage.standing()
    await asyncio.to_thread(
        twin.faults, {"kind": "quota", "service": "neutron", "method": "POST", "path": "security-groups$"}
    )
    await stage.site.command(QuarantineWorkspace(workspace=stage.name, reason="a test of quotas"), "sam")
    async with asyncio.timeout(15):
        while any([(await port(stage, each)).is_admin_state_up for each in ports.values()]):
            await asyncio.sleep(0.1)
    assert not stage.site.tap.of(WorkspaceQuarantined)
    await asyncio.to_thread(twin.clear_faults)
    told = await stage.site.tap.until(WorkspaceQuarantined, workspace=stage.name, seconds=60)
    for port_id in ports.values():
        found = await port(stage, port_id)
        assert (found.security_group_ids, found.is_admin_state_up) == ([told.group_id], False)


async def test_an_unreliable_cloud_only_costs_time_l27(stage: Stage, twin: RunningTwin) -> None:
    await stage.service(scan_seconds=NEVER, cloud_timeout_seconds=5.0)
    _, ports = await stage.standing()
    await asyncio.to_thread(
        twin.faults,
        {"kind": "503", "service": "neutron", "probability": 0.2, "seconds": 0},
        {"kind": "lost_response", "service": "neutron", "method": "PUT", "path": "ports/", "count": 1},
    )
    await stage.site.command(QuarantineWorkspace(workspace=stage.name, reason="a test of faults"), "sam")
    told = await stage.site.tap.until(WorkspaceQuarantined, workspace=stage.name, seconds=90)
    await asyncio.to_thread(twin.clear_faults)
    assert told.ports == len(ports)
    for port_id in ports.values():
        assert (await port(stage, port_id)).security_group_ids == [told.group_id]
