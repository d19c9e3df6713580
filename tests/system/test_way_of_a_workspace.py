"""The way of a workspace, from a signed command to a ready, proven workspace and back to nothing (rows L1, L2, I3)."""

from collections import Counter

from contracts import network_policy, provisioner, storage
from tests.system.chain import Chain


async def test_create_then_delete(chain: Chain) -> None:
    command_id = await chain.create(chain.document("genome-42"))
    ready = await chain.ready("genome-42")
    assert ready.nodes == 6
    tap = chain.site.tap
    assert (await tap.until(provisioner.CHASSIS.applied)).command_id == command_id

    # The safe order: no server before the proof and the shares.
    first_server = next(
        position for position, event in enumerate(tap.events)
        if event["type"] == provisioner.CHASSIS.effect.type and event["data"]["step"].startswith("server")
    )  # fmt: skip
    enforced = next(
        position for position, event in enumerate(tap.events) if event["type"] == network_policy.PolicyEnforced.type
    )
    stored = next(position for position, event in enumerate(tap.events) if event["type"] == storage.StorageReady.type)
    assert max(enforced, stored) < first_server
    assert len(tap.of(provisioner.NodeActive, "genome-42")) == 6

    # What the cloud says.
    cloud = chain.cloud
    project = cloud.identity.find_project("tre-genome-42")
    servers = list(cloud.compute.servers(all_projects=True, project_id=project.id))
    assert Counter(server.status for server in servers) == {"ACTIVE": 6}
    ports = [port for port in cloud.network.ports(project_id=project.id) if port.device_owner.startswith("compute")]
    groups = {group.id: group.name for group in cloud.network.security_groups(project_id=project.id)}
    assert Counter(groups[port.security_group_ids[0]] for port in ports) == {
        "tresor-genome-42-login": 1, "tresor-genome-42-compute": 5,
    }  # fmt: skip
    assert {share.name for share in cloud.shared_file_system.shares(all_projects=True)} >= {
        "genome-42-home", "genome-42-scratch",
    }  # fmt: skip
    answer = await chain.site.ask(network_policy.ShowIsolation(of="genome-42"))
    assert isinstance(answer, network_policy.IsolationShown)
    assert [one.verdict for one in answer.workspaces] == ["isolated"]

    await chain.delete("genome-42")
    assert cloud.identity.find_project("tre-genome-42") is None
    assert not list(cloud.compute.servers(all_projects=True))
    assert not [group for group in cloud.network.security_groups() if "genome-42" in group.name]
    assert not [network for network in cloud.network.networks() if "genome-42" in network.name]
    assert not list(cloud.shared_file_system.shares(all_projects=True))


async def test_ssh_opened_behind_tresors_back_is_found_and_repaired(chain: Chain) -> None:
    """Row M3."""
    await chain.create(chain.document("genome-42"))
    await chain.ready("genome-42")
    network = chain.cloud.network
    group = network.find_security_group("tresor-genome-42-login")
    rogue = network.create_security_group_rule(
        security_group_id=group.id, direction="ingress", ethertype="IPv4", protocol="tcp",
        port_range_min=22, port_range_max=22, remote_ip_prefix="0.0.0.0/0",
    )  # fmt: skip
    drift = await chain.site.tap.until(network_policy.DriftDetected, workspace="genome-42")
    assert drift.drift[0].rule_id == rogue.id
    assert drift.seen_by == "notification"
    assert drift.actor, "the notification names who made the rule"
    violated = await chain.site.tap.until(network_policy.IsolationViolated, workspace="genome-42")
    assert any(rogue.id in packet.rule_ids for packet in violated.counterexamples)
    repaired = await chain.site.tap.until(network_policy.DriftRepaired, workspace="genome-42")
    assert repaired.seconds_since_change is not None
    assert network.find_security_group_rule(rogue.id) is None
    await chain.site.tap.until(network_policy.IsolationProven, workspace="genome-42")
