"""Quarantine on a real broker and database, against the twin or the lab: row L27, invariants I7 and I8."""

import asyncio
import hashlib
import json
from typing import Any

import pytest

from contracts.network_policy import (
    CHASSIS,
    DriftDetected,
    DriftRepaired,
    EvidenceKept,
    IsolationViolated,
    ListQuarantines,
    PolicyEnforced,
    QuarantinesListed,
    QuarantineWorkspace,
    WorkspaceQuarantined,
    WorkspaceReleased,
)
from tests.network_policy.quarantines import (
    NEVER,
    approved,
    asked_to_release,
    floating_ip,
    is_isolated,
    ordered,
    port,
    port_of,
    steps_of,
    until_port,
    until_steps,
)
from tests.network_policy.quiet import scanned_since, settled
from tests.network_policy.stage import Stage


async def test_a_role_is_cut_off_with_its_evidence_kept_and_given_back_by_two_l27_i8(stage: Stage) -> None:
    await stage.service(scan_seconds=NEVER, quarantine_down_seconds=1.0)
    groups, ports = await stage.standing()
    address = await floating_ip(stage, ports["login-0"])
    told = await ordered(stage, role="login")
    assert (told.role, told.ports, told.servers, told.floating_ips, told.holder) == ("login", 1, 1, 1, "sam")
    # All of Neutron's words on it: in a group without rules, out of service, no floating IP; the others untouched.
    held = await port(stage, ports["login-0"])
    assert held.security_group_ids == [told.group_id]
    assert await stage.rules(told.group_id) == []
    assert told.group_id not in groups.values()
    assert await port_of(stage, address) is None
    other = await port(stage, ports["compute-0"])
    assert (other.security_group_ids, other.is_admin_state_up) == ([groups["compute"]], True)
    # The evidence was there before anything was changed, and says what stood.
    pieces = sorted(stage.site.tap.of(EvidenceKept, stage.name), key=lambda piece: piece.part)
    text = "".join(piece.content for piece in pieces)
    assert {piece.digest for piece in pieces} == {told.evidence}
    assert told.evidence == f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"
    kept = json.loads(text)
    assert [one["security_groups"] for one in kept["ports"]] == [[groups["login"]]]
    assert kept["ports"][0]["admin_state_up"] is True
    assert [one["port_id"] for one in kept["floating_ips"]] == [ports["login-0"]]
    assert groups["login"] in {one["id"] for one in kept["groups"]}
    order = [event["type"] for event in stage.site.tap.events]
    assert order.index(EvidenceKept.type) < order.index(WorkspaceQuarantined.type)
    # The flows are dead after a while: the port serves again, in the group.
    await until_port(stage, ports["login-0"], is_admin_state_up=True, security_group_ids=[told.group_id])
    # New nodes of the role are born in it.
    births = await stage.site.tap.until(
        PolicyEnforced, workspace=stage.name, where=lambda event: event.groups["login"] == told.group_id
    )
    assert births.groups["compute"] == groups["compute"]
    shown = (await is_isolated(stage)).workspaces[0]
    assert len(shown.quarantined) == 1
    assert shown.quarantined[0].startswith("role login: 1 port")
    # One person is not enough.
    command_id, digest = await asked_to_release(stage, told.quarantine_id)
    judgement = await approved(stage, command_id, digest, "ana")
    await stage.site.tap.until(CHASSIS.rejected, where=lambda event: event.command_id == judgement)
    assert (await port(stage, ports["login-0"])).security_group_ids == [told.group_id]
    # Two are.
    await approved(stage, command_id, digest, "sam")
    ended = await stage.site.tap.until(WorkspaceReleased, workspace=stage.name)
    await stage.site.tap.until(CHASSIS.applied, where=lambda event: event.command_id == command_id)
    assert (ended.holder, ended.ports, ended.not_restored) == ("ana", 1, ())
    freed = await port(stage, ports["login-0"])
    assert (freed.security_group_ids, freed.is_admin_state_up) == ([groups["login"]], True)
    assert await port_of(stage, address) == ports["login-0"]
    await stage.site.tap.until(
        PolicyEnforced, workspace=stage.name, where=lambda event: event.groups == groups and event is not births
    )
    assert (await is_isolated(stage)).workspaces[0].quarantined == ()
    assert not stage.site.tap.of(DriftDetected)
    assert not stage.site.tap.of(IsolationViolated)
    left = await stage.cloud(lambda c: [each.id for each in c.network.security_groups(project_id=stage.project)])
    assert told.group_id not in left


async def test_a_whole_workspace_is_cut_off_and_other_commands_change_nothing(stage: Stage) -> None:
    await stage.service(scan_seconds=1.0)
    _, ports = await stage.standing()
    told = await ordered(stage)
    assert told.ports == 3
    for port_id in ports.values():
        found = await port(stage, port_id)
        assert (found.security_group_ids, found.is_admin_state_up) == ([told.group_id], False)
    # Ordered again it is so already; and the scans that come and go leave it so.
    again = await stage.site.command(QuarantineWorkspace(workspace=stage.name, reason="and again"), "ana")
    await stage.site.tap.until(CHASSIS.applied, where=lambda event: event.command_id == again)
    await scanned_since(stage)
    effects = len(stage.site.tap.of(CHASSIS.effect))
    await scanned_since(stage)
    await asyncio.sleep(1)
    assert len(stage.site.tap.of(CHASSIS.effect)) == effects
    assert not stage.site.tap.of(DriftDetected)
    assert len(stage.site.tap.of(WorkspaceQuarantined)) == 1
    listed = await stage.site.ask(ListQuarantines())
    assert isinstance(listed, QuarantinesListed)
    (one,) = [each for each in listed.quarantines if each.workspace == stage.name]
    assert (one.state, one.ports, one.holder, one.generation) == ("cut", 3, "sam", 1)


@pytest.mark.parametrize("by", ["name", "server"])
async def test_one_node_is_cut_off_alone(stage: Stage, by: str) -> None:
    await stage.service(scan_seconds=NEVER)
    groups, ports = await stage.standing()
    name = f"{stage.name}-compute-1"
    told = await ordered(stage, node=name if by == "name" else f"server-of-{name}")
    assert (told.ports, told.servers) == (1, 1)
    assert (await port(stage, ports["compute-1"])).security_group_ids == [told.group_id]
    assert (await port(stage, ports["compute-0"])).security_group_ids == [groups["compute"]]
    # A port that is renamed, or put into another server of the node's, does not escape.
    await stage.cloud(lambda c: c.network.update_port(ports["compute-1"], name="harmless"))
    await stage.cloud(lambda c: c.network.update_port(ports["compute-1"], security_groups=[groups["compute"]]))
    await until_port(stage, ports["compute-1"], security_group_ids=[told.group_id], is_admin_state_up=False)


async def test_what_somebody_opens_again_is_closed_and_its_flows_are_cut(stage: Stage) -> None:
    await stage.service(scan_seconds=NEVER, quarantine_down_seconds=0.0)
    groups, ports = await stage.standing()
    told = await ordered(stage, role="login")
    await until_port(stage, ports["login-0"], is_admin_state_up=True)
    await settled(stage)
    await stage.cloud(lambda c: c.network.update_port(ports["login-0"], security_groups=[groups["login"]]))
    drift = await stage.site.tap.until(DriftDetected, workspace=stage.name)
    assert [(each.change, each.port_id) for each in drift.drift] == [("port-regrouped", ports["login-0"])]
    assert drift.actor
    await stage.site.tap.until(DriftRepaired, workspace=stage.name)
    # Put out of service anew, as flows may have begun.
    await until_steps(stage, ports["login-0"], "port.update", "port.quarantine", "port.raise")
    await until_port(stage, ports["login-0"], security_group_ids=[told.group_id], is_admin_state_up=True)
    address = await floating_ip(stage, ports["login-0"])
    attached = await stage.site.tap.until(
        DriftDetected, workspace=stage.name, where=lambda event: event.drift[0].change == "floating-ip-attached"
    )
    assert attached.drift[0].port_id == ports["login-0"]
    async with asyncio.timeout(30):
        while await port_of(stage, address) is not None:
            await asyncio.sleep(0.1)
    # A rule in the quarantine's group goes as any undeclared rule does.
    rogue = await stage.open_ssh(told.group_id)
    async with asyncio.timeout(30):
        while rogue in {each.id for each in await stage.rules(told.group_id)}:
            await asyncio.sleep(0.1)


async def test_address_pairs_are_emptied_and_subports_go_with_their_trunk_c4(stage: Stage) -> None:
    await stage.service(scan_seconds=NEVER)
    _, ports = await stage.standing()

    def carry(c: Any) -> str:
        sub = c.network.create_port(network_id=stage.network, project_id=stage.project, name="sub")
        node = c.network.get_port(ports["login-0"])
        c.network.update_port(node, device_id="")  # the parent of a trunk must be free when that is made
        trunk = c.network.create_trunk(
            port_id=ports["login-0"], project_id=stage.project,
            sub_ports=[{"port_id": sub.id, "segmentation_type": "vlan", "segmentation_id": 100}],
        )  # fmt: skip
        c.network.update_port(node.id, device_id=f"server-of-{node.name}")
        c.network.update_port(sub.id, allowed_address_pairs=[{"ip_address": "10.9.9.0/24"}])
        return f"{sub.id} {trunk.id}"

    sub, trunk = (await stage.cloud(carry)).split()
    try:
        told = await ordered(stage, role="login")
        assert told.ports == 2
        found = await port(stage, sub)
        assert found.security_group_ids == [told.group_id]
        assert not found.is_admin_state_up
        assert found.allowed_address_pairs == []
    finally:
        await stage.cloud(lambda c: c.network.delete_trunk(trunk))


async def test_a_node_that_comes_later_is_in_quarantine_too(stage: Stage) -> None:
    await stage.service(scan_seconds=NEVER, quarantine_down_seconds=0.0)
    groups, _ = await stage.standing()
    told = await ordered(stage, role="compute")
    # Born where the policy says, it serves at once: there is no flow to cut.
    born = await stage.node("compute", 7, {**groups, "compute": told.group_id})
    await asyncio.sleep(1.0)
    found = await port(stage, born)
    assert (found.security_group_ids, found.is_admin_state_up) == ([told.group_id], True)
    # Born by a provisioner that has not heard of it, it is moved.
    late = await stage.node("compute", 8, groups)
    await until_port(stage, late, security_group_ids=[told.group_id])
    await until_steps(stage, late, "port.quarantine", "port.raise")
    listed = await stage.site.ask(ListQuarantines(of=stage.name))
    assert isinstance(listed, QuarantinesListed)
    assert listed.quarantines[0].ports == 4
    assert steps_of(stage, born) == []


@pytest.mark.parametrize("scope", [{"role": "storage"}, {"node": "elsewhere-login-0"}])
async def test_what_is_not_there_is_not_quarantined(stage: Stage, scope: dict[str, str]) -> None:
    await stage.service(scan_seconds=NEVER)
    await stage.standing()
    command_id = await stage.site.command(
        QuarantineWorkspace(workspace=stage.name, reason="a slip", **scope),
        "sam",
    )
    refused = await stage.site.tap.until(CHASSIS.rejected, where=lambda event: event.command_id == command_id)
    assert refused.problems[0].field == next(iter(scope))
    assert not stage.site.tap.of(EvidenceKept)


async def test_an_observing_service_takes_no_such_order(stage: Stage) -> None:
    await stage.service(mode="observe")
    await stage.build()
    await stage.declare()
    command_id = await stage.site.command(QuarantineWorkspace(workspace=stage.name, reason="a test"), "sam")
    refused = await stage.site.tap.until(CHASSIS.rejected, where=lambda event: event.command_id == command_id)
    assert "observes" in refused.problems[0].reason
