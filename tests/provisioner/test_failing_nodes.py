"""Nodes that fail or vanish: how often they are tried, and what is told (row I23)."""

from contracts.provisioner import (
    NodeActive,
    NodeFailed,
    WorkspaceFailed,
)
from tests.provisioner.model import ModelCloud
from tests.provisioner.story import TWO, Story, document, ready


def test_i23_a_failed_node_is_tried_three_times_and_then_the_workspace_fails_with_novas_words() -> None:
    story = Story(cloud=ModelCloud(doomed={"openhpc-compute-1": 3}))
    story.create(document(roles=TWO))
    story.run()
    assert story.cloud.made.count("openhpc-compute-1") == 3
    assert [event.fault for event in story.of(NodeFailed)] == ["No valid host was found."] * 3
    failed = story.of(WorkspaceFailed)
    assert len(failed) == 1
    assert "No valid host" in failed[0].problems[0].reason
    assert "hypervisors" in failed[0].problems[0].remedy
    assert failed[0].problems[0].field == "roles.1"
    assert [each.status for each in story.cloud.servers.values() if each.name == "openhpc-compute-1"] == ["ERROR"]


def test_i23_creating_again_after_a_failure_tries_again_and_finishes() -> None:
    story = Story(cloud=ModelCloud(doomed={"openhpc-compute-1": 3}))
    story.create(document(roles=TWO))
    story.run()
    story.create(document(roles=TWO))
    story.run()
    assert story.record is not None
    assert story.record.state == "ready"
    assert len(story.cloud.servers) == 3
    assert story.cloud.made.count("openhpc-login-0") == 1


def test_i23_a_node_that_fails_twice_and_then_comes_up_is_fine() -> None:
    story = Story(cloud=ModelCloud(doomed={"openhpc-compute-0": 2}))
    story.create(document(roles=TWO))
    story.run()
    assert story.record is not None
    assert story.record.state == "ready"
    assert len(story.of(NodeFailed)) == 2


def test_i23_one_failure_is_told_and_counted_once_however_often_it_is_seen() -> None:
    story = Story(cloud=ModelCloud(doomed={"openhpc-login-0": 1}))
    story.create(document(roles=TWO))
    while not story.of(NodeFailed):
        story.step()
        story.policy()
        story.storage()
        story.cloud.settle()
    for _ in range(5):
        story.look()
    assert len(story.of(NodeFailed)) == 1
    assert [node.attempts for node in story.nodes if node.name == "openhpc-login-0"] == [1]


def test_i23_a_vanished_node_is_replaced_on_its_old_port() -> None:
    story = ready()
    ports = set(story.cloud.ports)
    story.cloud.lose("openhpc-login-0")
    story.run()
    assert [event.node for event in story.of(NodeFailed)] == ["openhpc-login-0"]
    assert set(story.cloud.ports) == ports
    assert len(story.of(NodeActive)) == 4
    assert story.record is not None
    assert story.record.state == "ready"
