"""Whole lives with everything shuffled, doubled and lost on the way."""

from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.provisioner import (
    NodeFailed,
    WorkspaceDeleted,
    WorkspaceEmptied,
    WorkspaceReady,
)
from provisioner.domain import names
from tests.provisioner.story import TWO, Story, document, ready, role

ACTIONS = st.lists(
    st.one_of(
        st.tuples(st.just("step"), st.integers(0, 3)),
        st.tuples(st.sampled_from(["policy", "storage", "settle", "look", "stale"]), st.just(0)),
        st.tuples(st.just("lose"), st.integers(0, 2)),
    ),
    max_size=60,
)


def play(story: Story, actions: list[tuple[str, int]]) -> None:
    """Whatever happens, in whatever order and however often; a step with a number is cut short by a crash."""
    assert story.record is not None
    servers = [node.name for node in names.nodes(story.record.document)]
    for action, number in actions:
        match action:
            case "step":
                story.step(number)
            case "policy":
                story.policy()
            case "storage":
                story.storage()
            case "settle":
                story.cloud.settle()
            case "look" if story.record.state not in ("failed", "deleted"):
                story.look()
            case "lose":
                story.cloud.lose(servers[number % len(servers)])
            case "stale":
                from provisioner.domain import life

                assert life.enforced(story.record, story.enforced(story.record.generation + 7)) is None


@settings(max_examples=60, deadline=None)
@given(ACTIONS)
def test_any_order_ends_in_the_same_workspace_with_nothing_doubled(actions: list[tuple[str, int]]) -> None:
    story = Story()
    story.create(document(roles=TWO))
    play(story, actions)
    story.run()
    assert story.record is not None
    if story.record.state == "failed":  # nodes lost three times in a row are given up
        assert len(story.of(NodeFailed)) >= 3
        story.create(document(roles=TWO))
        story.run()
    assert story.record.state == "ready"
    servers = [server.name for server in story.cloud.servers.values()]
    assert sorted(servers) == ["openhpc-compute-0", "openhpc-compute-1", "openhpc-login-0"]
    assert len([port for port in story.cloud.ports.values() if not port.is_network_own]) == 3
    assert (len(story.cloud.networks), len(story.cloud.subnets), len(story.cloud.routers)) == (1, 1, 1)
    assert len(story.of(WorkspaceReady)) == 1


@settings(max_examples=60, deadline=None)
@given(ACTIONS, ACTIONS)
def test_a_delete_at_any_moment_leaves_nothing(before: list[tuple[str, int]], after: list[tuple[str, int]]) -> None:
    story = Story()
    story.create(document(roles=TWO))
    play(story, before)
    story.delete()
    play(story, after)
    story.run()
    assert story.record is not None
    assert story.record.state == "deleted"
    cloud = story.cloud
    assert (cloud.project, cloud.networks, cloud.routers, cloud.ports, cloud.servers) == (None, {}, {}, {}, {})
    assert len(story.of(WorkspaceEmptied)) == 1
    assert len(story.of(WorkspaceDeleted)) == 1


@settings(max_examples=40, deadline=None)
@given(ACTIONS, st.integers(0, 4), st.integers(0, 4))
def test_a_change_at_any_moment_ends_in_the_new_counts(
    actions: list[tuple[str, int]], logins: int, computes: int
) -> None:
    story = ready()
    kept = {server.name: server.id for server in story.cloud.servers.values()}
    story.create(document(roles=[role(name="login", count=logins), role(name="compute", count=computes)]))
    play(story, [action for action in actions if action[0] != "lose"])
    story.run()
    servers = {server.name: server.id for server in story.cloud.servers.values()}
    assert set(servers) == {
        *(f"openhpc-login-{position}" for position in range(logins)),
        *(f"openhpc-compute-{position}" for position in range(computes)),
    }
    assert all(servers[name] == server_id for name, server_id in kept.items() if name in servers)
