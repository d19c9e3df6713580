"""What somebody else did in a workspace's project: left alone, told, or made good."""

from contracts.provisioner import (
    WorkspaceDeleted,
    WorkspaceFailed,
)
from provisioner.domain.observed import SeenPort, SeenServer
from tests.provisioner.story import TWO, Story, document, ready


def test_a_project_deleted_behind_our_back_is_told_and_what_is_left_can_be_removed() -> None:
    story = ready()
    story.cloud.project = None
    story.step()
    assert story.record is not None
    assert story.record.state == "failed"
    assert "behind Tresor's back" in story.of(WorkspaceFailed)[0].problems[0].reason
    story.delete()
    story.run()
    assert len(story.of(WorkspaceDeleted)) == 1
    assert not story.cloud.servers
    assert not story.cloud.networks


def test_somebody_elses_server_of_a_nodes_name_is_left_alone_and_told() -> None:
    story = Story()
    story.create(document(roles=TWO))
    story.cloud.servers["x"] = SeenServer("x", "openhpc-login-0", "ACTIVE", is_marked=False)
    story.run()
    failed = story.of(WorkspaceFailed)
    assert [problem.field for problem in failed[0].problems] == ["roles.0"]
    assert "x" in story.cloud.servers


def test_a_second_server_or_port_of_one_name_goes_and_the_recorded_one_stays() -> None:
    story = ready()
    recorded = {node.name: node.server_id for node in story.nodes}
    story.cloud.servers["aaa"] = SeenServer("aaa", "openhpc-login-0", "ACTIVE")
    story.cloud.ports["aaa"] = SeenPort("aaa", "openhpc-login-0", "network-0000")
    story.run()
    assert {server.name: server.id for server in story.cloud.servers.values()} == recorded
    assert "aaa" not in story.cloud.ports


def test_a_port_born_outside_its_group_never_carries_a_node() -> None:
    story = Story()
    story.create(document(roles=TWO))
    for _ in range(20):
        story.step()
    network_id = next(iter(story.cloud.networks))
    story.cloud.ports["bad"] = SeenPort("bad", "openhpc-login-0", network_id, group_ids=frozenset({"g-other"}))
    story.cloud.ports["open"] = SeenPort("open", "openhpc-compute-0", network_id, is_secured=False)
    story.run()
    assert story.record is not None
    assert story.record.state == "ready"
    assert not {"bad", "open"} & story.cloud.ports.keys()
