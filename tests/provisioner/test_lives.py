"""Whole lives of workspaces in the pure domain: made, changed, deleted."""

from contracts.provisioner import (
    NetworkReady,
    NodeActive,
    Progressed,
    WorkspaceDeclared,
    WorkspaceDeleted,
    WorkspaceEmptied,
    WorkspaceReady,
)
from contracts.storage import ReadyVolume
from provisioner.domain.steps import CreatePort, CreateServer
from tests.provisioner.model import ModelCloud
from tests.provisioner.story import TWO, Story, document, ready, role


def test_i3_the_demo_becomes_a_login_node_and_five_compute_nodes() -> None:
    story = Story()
    story.create(document())
    story.run()
    assert sorted(server.name for server in story.cloud.servers.values()) == [
        *(f"openhpc-compute-{position}" for position in range(5)),
        "openhpc-login-0",
    ]
    assert len(story.cloud.made) == 6
    kinds = (WorkspaceDeclared, NetworkReady, WorkspaceReady)
    assert [type(event) for event in story.told if isinstance(event, kinds)] == list(kinds)
    assert len(story.of(NodeActive)) == 6
    progress = story.of(Progressed)
    assert progress[-1].done == progress[-1].total


def test_no_port_and_no_server_before_policy_and_storage() -> None:
    story = Story()
    story.create(document())
    for _ in range(20):
        story.step()
    assert story.of(NetworkReady)
    assert not [port for port in story.cloud.ports.values() if not port.is_network_own]
    story.policy()
    for _ in range(5):
        look = story.look()
        assert not [step for step in look.plan.steps if isinstance(step, (CreatePort, CreateServer))]
    story.storage()
    assert [step for step in story.look().plan.steps if isinstance(step, CreatePort)]


def test_a_gate_of_another_generation_opens_nothing() -> None:
    story = Story()
    story.create(document(roles=TWO))
    for _ in range(20):
        story.step()
    story.policy()
    story.storage()
    story.create(document(roles=[role(name="login"), role(name="compute", count=3)]))
    for _ in range(5):
        story.step()
    assert not story.cloud.servers
    story.run()
    assert len(story.cloud.servers) == 4


def test_a_settled_workspace_has_no_steps_and_tells_nothing() -> None:
    story = ready()
    told = len(story.told)
    for _ in range(3):
        assert not story.look().plan.steps
    assert len(story.told) == told


def test_deletion_leaves_nothing_and_waits_for_the_others() -> None:
    story = ready()
    story.delete()
    story.clear()
    for _ in range(20):
        story.step()
        story.cloud.settle()
    assert len(story.of(WorkspaceEmptied)) == 1
    assert story.cloud.networks, "networks went before the groups and shares on them"
    story.run()
    assert story.record is not None
    assert story.record.state == "deleted"
    assert story.cloud == ModelCloud(
        is_granted=True, made=story.cloud.made, _ids=story.cloud._ids, doomed=story.cloud.doomed
    )
    assert len(story.of(WorkspaceDeleted)) == 1


def test_a_workspace_created_again_after_its_deletion_has_a_higher_generation() -> None:
    story = ready()
    story.delete()
    story.run()
    story.create(document(roles=TWO))
    story.run()
    assert [event.generation for event in story.of(WorkspaceReady)] == [1, 3]
    assert len(story.cloud.servers) == 3


def test_volumes_are_attached_to_their_nodes_once() -> None:
    story = Story(volumes=(ReadyVolume(name="data", volume_id="v1", node="openhpc-login-0"),))
    story.create(document(roles=TWO, storage={"volumes": [{"name": "data", "size_gib": 1, "role": "login"}]}))
    story.run()
    assert story.record is not None
    assert story.record.state == "ready"
    attached = {server.name: server.volume_ids for server in story.cloud.servers.values() if server.volume_ids}
    assert attached == {"openhpc-login-0": {"v1"}}


def test_i1_the_same_document_serves_bare_metal() -> None:
    story = Story()
    metal = role(name="fat", count=2, flavor="bm", hardware="baremetal")
    story.create(document(roles=[role(name="login"), metal]))
    story.run()
    assert story.record is not None
    assert story.record.state == "ready"
    assert len(story.cloud.servers) == 3


def test_i2_a_node_on_several_networks_has_a_port_on_each() -> None:
    networks = [{"name": "cluster", "cidr": "10.42.0.0/24"}, {"name": "data", "cidr": "10.43.0.0/24", "routed": False}]
    story = ready(networks=networks, roles=[role(name="login", networks=["cluster", "data"]), role(name="compute")])
    ports = {port.name: port for port in story.cloud.ports.values() if not port.is_network_own}
    assert set(ports) == {"openhpc-login-0-cluster", "openhpc-login-0-data", "openhpc-compute-0"}
    assert len({port.network_id for port in ports.values()}) == 2
    assert len({port.device_id for port in ports.values()}) == 2
