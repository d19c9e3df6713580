"""Nodes on trunks, on VLANs and on direct ports in the pure domain (rows C4 and C11)."""

from dataclasses import replace
from typing import Any

from hypothesis import given, settings

from contracts.provisioner import NodeActive, WorkspaceFailed
from provisioner.domain import admission
from provisioner.domain.observed import SeenPort, SeenTrunk
from provisioner.domain.steps import CreateNetwork, CreateServer
from tests.provisioner.story import CATALOG, SITE, Story, document, ready, role
from tests.provisioner.test_shuffled_lives import ACTIONS, play

NETWORKS: list[dict[str, Any]] = [
    {"name": "cluster", "cidr": "10.42.0.0/24", "segmentation": "vlan", "segmentation_id": 317},
    {"name": "data", "cidr": "10.43.0.0/24", "routed": False},
    {"name": "control", "cidr": "10.44.0.0/24", "routed": False},
]
CARRIED = [{"network": "data", "vlan": 100}, {"network": "control", "vlan": 101}]
ROLES = [role(name="login"), role(name="compute", count=2, subports=CARRIED)]
NODES = ("openhpc-compute-0", "openhpc-compute-1")


def trunked() -> Story:
    return ready(networks=NETWORKS, roles=ROLES)


def carried(story: Story) -> dict[str, set[tuple[str, int]]]:
    """By trunk: names and tags of its subports."""
    names = {port.id: port.name for port in story.cloud.ports.values()}
    return {
        trunk.name: {(names[port_id], vlan) for port_id, vlan in trunk.subports}
        for trunk in story.cloud.trunks.values()
    }


WIRED = {f"{node}-trunk": {(f"{node}-data", 100), (f"{node}-control", 101)} for node in NODES}


def test_each_node_gets_a_trunk_on_its_first_network_with_the_others_tagged() -> None:
    story = trunked()
    assert carried(story) == WIRED
    parents = {story.cloud.ports[trunk.parent_id].name for trunk in story.cloud.trunks.values()}
    assert parents == {f"{node}-cluster" for node in NODES}
    ports = {port.name: port for port in story.cloud.ports.values() if not port.is_network_own}
    assert all(ports[f"{node}-data"].group_ids == {"g-compute"} for node in NODES)
    active = {event.node: event.port_ids for event in story.of(NodeActive)}
    assert all(set(active[node]) == {port.id for name, port in ports.items() if node in name} for node in NODES)


def test_no_server_before_its_trunk() -> None:
    story = Story()
    story.create(document(networks=NETWORKS, roles=ROLES))
    begun = 0
    for _ in range(40):
        for step in story.look().plan.steps:
            if isinstance(step, CreateServer) and "compute" in step.name:
                begun += 1
                assert carried(story)[f"{step.name}-trunk"] == WIRED[f"{step.name}-trunk"]
        story.step()
        story.policy()
        story.storage()
        story.cloud.settle()
    assert begun == 2


def test_a_network_is_asked_for_on_the_sites_wires() -> None:
    story = Story()
    story.create(document(networks=NETWORKS, roles=ROLES))
    asked: list[CreateNetwork] = []
    while not asked:
        asked = [step for step in story.look().plan.steps if isinstance(step, CreateNetwork)]
        story.step()
    assert [(each.segmentation, each.segmentation_id, each.physical_network) for each in asked] == [
        ("vlan", 317, SITE.vlan_physical_network),
        ("any", None, None),
        ("any", None, None),
    ]


def test_deletion_leaves_no_trunk() -> None:
    story = trunked()
    story.delete()
    story.run()
    assert story.record is not None
    assert story.record.state == "deleted"
    assert (story.cloud.trunks, story.cloud.ports) == ({}, {})


def test_fewer_nodes_are_fewer_trunks() -> None:
    story = trunked()
    story.create(document(networks=NETWORKS, roles=[role(name="login"), {**ROLES[1], "count": 1}]))
    story.run()
    assert carried(story) == {"openhpc-compute-0-trunk": WIRED["openhpc-compute-0-trunk"]}
    assert not [port for port in story.cloud.ports.values() if "compute-1" in port.name]


def test_a_lost_subport_comes_back_and_a_strange_one_goes() -> None:
    story = trunked()
    first = next(iter(story.cloud.trunks.values()))
    story.cloud.ports["odd"] = SeenPort("odd", "odd", "network-0001", is_marked=False)
    lost = next(each for each in first.subports if each[1] == 101)
    story.cloud.trunks[first.id] = replace(first, subports=(first.subports - {lost}) | {("odd", 999)})
    story.run()
    assert carried(story) == WIRED


def test_a_node_that_vanished_is_made_again_on_its_trunk() -> None:
    story = trunked()
    trunks = set(story.cloud.trunks)
    story.cloud.lose("openhpc-compute-0")
    story.run()
    assert set(story.cloud.trunks) == trunks
    assert len(story.of(NodeActive)) == 4


def test_a_port_that_is_unfit_gets_off_its_trunk_before_it_goes() -> None:
    story = trunked()
    story.cloud.lose("openhpc-compute-0")
    bad = next(port for port in story.cloud.ports.values() if port.name == "openhpc-compute-0-data")
    story.cloud.ports[bad.id] = replace(bad, group_ids=frozenset({"g-other"}))
    story.run()
    assert carried(story) == WIRED
    assert bad.id not in story.cloud.ports
    assert story.record is not None
    assert story.record.state == "ready"


def test_a_trunk_whose_mark_was_lost_is_marked_again() -> None:
    story = trunked()
    first = next(iter(story.cloud.trunks.values()))
    story.cloud.trunks[first.id] = replace(first, is_marked=False)
    story.step()
    assert all(trunk.is_marked for trunk in story.cloud.trunks.values())


def test_larger_packets_than_the_trunks_are_told_before_neutron_refuses_them() -> None:
    story = Story()
    story.create(document(networks=NETWORKS, roles=[role(name="login", networks=["data"], subports=[
        {"network": "cluster", "vlan": 7}])]))  # fmt: skip
    while len(story.cloud.networks) < 3:
        story.step()
    for each in story.cloud.networks.values():
        story.cloud.networks[each.id] = replace(each, mtu_bytes=1500 if each.name.endswith("cluster") else 1442)
    story.run()
    (problem,) = story.of(WorkspaceFailed)[0].problems
    assert problem.field == "roles.0.subports.0.network"
    assert "1500" in problem.reason
    assert "1442" in problem.reason


def test_a_direct_port_is_born_direct_and_its_subports_are_not() -> None:
    story = ready(networks=NETWORKS, roles=[role(name="login", vnic_type="direct"), ROLES[1]])
    kinds = {port.name: port.vnic_type for port in story.cloud.ports.values() if not port.is_network_own}
    assert kinds["openhpc-login-0"] == "direct"
    assert {kind for name, kind in kinds.items() if name != "openhpc-login-0"} == {"normal"}


def test_a_vlan_that_another_workspace_has_is_refused() -> None:
    other = document(name="other", networks=[{**NETWORKS[0], "cidr": "10.99.0.0/24"}], roles=[role(name="login")])
    mine = document(networks=NETWORKS, roles=ROLES)
    found = list(admission.problems(mine, SITE, CATALOG, [other]))
    assert [problem.field for problem in found] == ["networks.0.segmentation_id"]
    assert "'other'" in found[0].reason
    assert not list(admission.problems(mine, SITE, CATALOG, [mine]))


def test_trunks_are_known_by_their_ports_whatever_their_name() -> None:
    story = Story()
    story.create(document(networks=NETWORKS, roles=ROLES))
    while not [port for port in story.cloud.ports.values() if port.name.endswith("control")]:
        story.step()
        story.policy()
        story.storage()
    parent = next(port for port in story.cloud.ports.values() if port.name == "openhpc-compute-0-cluster")
    story.cloud.trunks["made"] = SeenTrunk("made", "half-made", parent.id, is_marked=False)
    story.run()
    assert sorted(carried(story)) == ["half-made", "openhpc-compute-1-trunk"]
    assert carried(story)["half-made"] == WIRED["openhpc-compute-0-trunk"]


@settings(max_examples=40, deadline=None)
@given(ACTIONS, ACTIONS)
def test_any_order_ends_wired_and_a_delete_leaves_nothing(
    before: list[tuple[str, int]], after: list[tuple[str, int]]
) -> None:
    story = Story()
    wanted = document(networks=NETWORKS, roles=ROLES)
    story.create(wanted)
    play(story, before)
    story.run()
    assert story.record is not None
    if story.record.state == "failed":  # nodes lost three times in a row are given up
        story.create(wanted)
        story.run()
    assert carried(story) == WIRED
    story.delete()
    play(story, after)
    story.run()
    assert (story.cloud.project, story.cloud.trunks, story.cloud.ports) == (None, {}, {})
