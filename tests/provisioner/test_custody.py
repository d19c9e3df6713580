"""Quarantined workspaces: nothing of what is in quarantine is taken away, whatever asks for it (row L27)."""

from contracts.network_policy import DeletionCleared, WorkspaceQuarantined, WorkspaceReleased
from provisioner.domain import custody, life
from tests.provisioner.model import ModelCloud
from tests.provisioner.story import SITE, TWO, Story, document, ready, role

QUARANTINE = "0198c0de-0000-7000-8000-000000000009"


def quarantine(story: Story, **scope: str) -> None:
    assert story.record is not None
    seen = WorkspaceQuarantined.model_validate(
        {**WorkspaceQuarantined.example, "workspace": story.record.name, "role": None, **scope}
    )
    story.record = life.quarantined(story.record, story.nodes, seen) or story.record


def release(story: Story) -> None:
    assert story.record is not None
    seen = WorkspaceReleased.model_validate({**WorkspaceReleased.example, "workspace": story.record.name})
    story.record = life.freed(story.record, seen) or story.record


def servers(story: Story) -> set[str]:
    return {server.name for server in story.cloud.servers.values() if server.status == "ACTIVE"}


ALL = {"openhpc-login-0", "openhpc-compute-0", "openhpc-compute-1"}


def test_a_deletion_is_refused_with_what_to_do() -> None:
    story = ready()
    assert story.record is not None
    assert not list(custody.deletion_problems(story.record))
    quarantine(story, role="login")
    (problem,) = custody.deletion_problems(story.record)
    assert "role login" in problem.reason
    assert f"tresor release {story.record.name}" in problem.remedy
    assert QUARANTINE in problem.remedy
    release(story)
    assert not list(custody.deletion_problems(story.record))


def test_a_document_that_takes_a_node_out_of_quarantine_is_refused_and_others_are_not() -> None:
    story = ready()
    quarantine(story, role="compute")
    fewer = document(roles=[TWO[0], {**TWO[1], "count": 1}])
    assert story.record is not None
    (problem,) = custody.change_problems(story.record, fewer)
    assert problem in life.objections(story.record, fewer, SITE)
    assert "openhpc-compute-1" in problem.reason
    assert "openhpc-compute-0" not in problem.reason
    more = document(roles=[TWO[0], {**TWO[1], "count": 3}])
    assert not list(custody.change_problems(story.record, more))
    other = document(roles=[{**TWO[0], "count": 0}, TWO[1]])
    assert not list(custody.change_problems(story.record, other))


def test_a_node_by_its_servers_id_is_the_node() -> None:
    story = ready()
    node = next(each for each in story.nodes if each.name == "openhpc-compute-1")
    quarantine(story, node=str(node.server_id))
    assert story.record is not None
    assert [each.node for each in story.record.gates.custody] == ["openhpc-compute-1"]


def test_nothing_goes_before_network_policy_clears_the_deletion() -> None:
    story = ready()
    story.delete()
    for _ in range(5):
        assert not story.step()
    assert servers(story) == ALL
    assert story.record is not None
    assert "network-policy" in story.record.step
    stale = DeletionCleared(workspace=story.record.name, generation=story.record.generation - 1)
    assert life.cleared(story.record, stale) is None
    story.run()
    assert story.record.state == "deleted"


def test_a_quarantine_that_comes_during_a_deletion_stops_it_and_its_release_lets_it_go_on() -> None:
    story = ready()
    story.delete()
    story.policy()
    story.step(at_most=1)
    quarantine(story)
    left = servers(story)
    assert len(left) == 2
    for _ in range(5):
        story.step()
        story.storage()
        story.cloud.settle()
    assert servers(story) == left
    assert story.record is not None
    assert "quarantine" in story.record.step
    release(story)
    story.run()
    assert story.record.state == "deleted"
    assert not story.cloud.servers


def test_a_failed_node_in_quarantine_stays_as_it_failed() -> None:
    story = Story(cloud=ModelCloud(doomed={"openhpc-compute-0": 1}))
    story.create(document(roles=[role(name="login"), role(name="compute")]))
    while not [server for server in story.cloud.servers.values() if server.status == "ERROR"]:
        story.step()
        story.policy()
        story.storage()
        story.cloud.settle()
    quarantine(story, role="compute")
    for _ in range(5):
        story.step()
        story.cloud.settle()
    assert [server.name for server in story.cloud.servers.values() if server.status == "ERROR"] == ["openhpc-compute-0"]
    release(story)
    story.run()
    assert story.record is not None
    assert story.record.state == "ready"


def test_a_quarantine_told_twice_or_of_a_workspace_that_is_gone_changes_nothing() -> None:
    story = ready()
    quarantine(story)
    before = story.record
    quarantine(story)
    assert story.record == before
    release(story)
    story.delete()
    story.run()
    quarantine(story)
    assert story.record is not None
    assert not story.record.gates.custody
