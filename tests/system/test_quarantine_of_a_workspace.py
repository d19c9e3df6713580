"""Quarantine through the whole chain: a role that grows meanwhile grows inside it (row L27, invariant I7)."""

import asyncio

from contracts import network_policy, provisioner
from contracts.examples import DOCUMENT
from contracts.network_policy import QuarantineWorkspace, ReleaseWorkspace, WorkspaceQuarantined, WorkspaceReleased
from contracts.security_monitor import FindingRaised, FindingResolved
from tests.system.chain import Chain

NAME = "genome-42"
POLICY = network_policy.CHASSIS


async def test_a_node_that_is_made_in_a_quarantined_role_is_born_in_quarantine(chain: Chain) -> None:
    await chain.create(chain.document(NAME))
    await chain.ready(NAME)
    tap, cloud = chain.site.tap, chain.cloud
    await chain.site.command(QuarantineWorkspace(workspace=NAME, role="compute", reason="a break-in"), "sam")
    cut = await tap.until(WorkspaceQuarantined, workspace=NAME)
    assert (cut.ports, cut.servers) == (5, 5)
    raised = await tap.until(FindingRaised, where=lambda event: event.finding.rule == "workspace-quarantined")
    assert raised.finding.severity == "high"
    # One more node of the role.
    login, compute = DOCUMENT["roles"]
    await chain.create(chain.document(NAME, roles=[login, {**compute, "count": 6}]))
    node = f"{NAME}-compute-5"
    active = await tap.until(provisioner.NodeActive, workspace=NAME, where=lambda event: event.node == node, seconds=90)
    born = [
        event["payload"]["port"]
        for event in await asyncio.to_thread(chain.twin.notifications)
        if event["event_type"] == "port.create.end" and event["payload"]["port"]["name"] == node
    ]
    assert [port["security_groups"] for port in born] == [[cut.group_id]]
    (port_id,) = active.port_ids
    assert cloud.network.get_port(port_id).security_group_ids == [cut.group_id]
    # Two people let all six out, at the generation that stands.
    release = ReleaseWorkspace(workspace=NAME, quarantine_id=cut.quarantine_id, reason="looked over")
    release_id = await chain.site.command(release, "ana", expectedgeneration=2)
    waiting = await tap.until(POLICY.waiting)
    assert waiting.command_id == release_id
    await chain.site.command(POLICY.approve(workspace=NAME, command_id=release_id, digest=waiting.digest), "sam")
    ended = await tap.until(WorkspaceReleased, workspace=NAME)
    assert (ended.ports, ended.not_restored) == (6, ())
    group = cloud.network.find_security_group(f"tresor-{NAME}-compute")
    ports = [port for port in cloud.network.ports(security_groups=group.id) if port.device_owner.startswith("compute")]
    assert len(ports) == 6
    assert all(port.is_admin_state_up for port in ports)
    over = await tap.until(FindingResolved, where=lambda event: event.finding.rule == "workspace-quarantined")
    assert over.finding.finding_id == raised.finding.finding_id
    assert not tap.of(network_policy.DriftDetected)
    assert not tap.of(network_policy.IsolationViolated)
