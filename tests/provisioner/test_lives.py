"""Whole lives of workspaces in the pure domain, also with everything shuffled, doubled and lost on the way."""

from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.provisioner import (
    NetworkReady,
    NodeActive,
    NodeFailed,
    Progressed,
    WorkspaceDeclared,
    WorkspaceDeleted,
    WorkspaceEmptied,
    WorkspaceFailed,
    WorkspaceReady,
)
from contracts.storage import ReadyVolume
from provisioner.domain import names
from provisioner.domain.observed import SeenPort, SeenServer
from provisioner.domain.steps import CreatePort, CreateServer
from tests.provisioner.model import ModelCloud
from tests.provisioner.story import Story, document, role

TWO = [role(name="login"), role(name="compute", count=2)]


def ready(**changed: object) -> Story:
    story = Story()
    story.create(document(**{"roles": TWO, **changed}))
    story.run()
    assert story.record is not None
    assert story.record.state == "ready"
    return story


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
