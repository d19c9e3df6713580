"""Asynchronous states, seen one by one with the clock stopped."""

from collections.abc import Iterator

import openstack.exceptions
import pytest

from tests.lab.cloud import Sdk
from twin.testing import RunningTwin


@pytest.fixture
def stopped(twin: RunningTwin, admin: Sdk) -> Iterator[RunningTwin]:
    """A twin whose clock moves only when it is told to."""
    admin.session.post(f"{twin.base_url}/twin/clock", json={"paused": True})
    yield twin
    twin.reset()


def test_a_server_goes_through_its_tasks(stopped: RunningTwin, admin: Sdk) -> None:
    """scheduling, spawning, ACTIVE; the next action is refused while a task runs."""
    network = admin.network.create_network(name="n")
    admin.network.create_subnet(network_id=network.id, ip_version=4, cidr="10.1.0.0/24")
    made = admin.compute.create_server(
        name="s",
        flavor_id=admin.compute.find_flavor("tre.small").id,
        image_id=admin.image.find_image("tiny").id,
        networks=[{"uuid": network.id}],
    )
    seen: list[tuple[str, str, str | None]] = []
    for _ in range(200):
        server = admin.compute.get_server(made.id)
        state = (server.status, server.vm_state, server.task_state)
        if not seen or seen[-1] != state:
            seen.append(state)
        if server.status == "ACTIVE":
            break
        stopped.advance(0.005)
    assert seen == [
        ("BUILD", "building", "scheduling"),
        ("BUILD", "building", "networking"),
        ("BUILD", "building", "spawning"),
        ("ACTIVE", "active", None),
    ]
    admin.compute.stop_server(made.id)
    assert admin.compute.get_server(made.id).task_state == "powering-off"
    with pytest.raises(openstack.exceptions.ConflictException, match="task_state powering-off"):
        admin.compute.stop_server(made.id)
    stopped.advance(5)
    assert admin.compute.get_server(made.id).status == "SHUTOFF"
    admin.compute.delete_server(made.id)
    assert admin.compute.get_server(made.id).task_state == "deleting"
    stopped.advance(5)
    with pytest.raises(openstack.exceptions.NotFoundException):
        admin.compute.get_server(made.id)
    assert list(admin.network.ports(network_id=network.id)) == []


def test_no_host_is_an_error_with_its_fault(stopped: RunningTwin, admin: Sdk) -> None:
    """With every hypervisor disabled the server ends in ERROR and says why."""
    for service in admin.compute.services(binary="nova-compute"):
        admin.compute.disable_service(service)
    made = admin.compute.create_server(
        name="s",
        flavor_id=admin.compute.find_flavor("tre.small").id,
        image_id=admin.image.find_image("tiny").id,
        networks="none",
    )
    stopped.advance(5)
    server = admin.compute.get_server(made.id)
    assert server.status == "ERROR"
    assert server.fault["message"].startswith("No valid host was found.")
    admin.compute.delete_server(made.id)
    with pytest.raises(openstack.exceptions.NotFoundException):
        admin.compute.get_server(made.id)


def test_anti_affinity_spreads_and_then_refuses(stopped: RunningTwin, admin: Sdk) -> None:
    """Three hypervisors take three servers of the group; the fourth has no valid host."""
    group = admin.compute.create_server_group(name="g", policy="anti-affinity")
    flavor, image = admin.compute.find_flavor("tre.small"), admin.image.find_image("tiny")
    made = [
        admin.compute.create_server(
            name=f"s{number}",
            flavor_id=flavor.id,
            image_id=image.id,
            networks="none",
            scheduler_hints={"group": group.id},
        )
        for number in range(4)
    ]
    stopped.advance(10)
    servers = [admin.compute.get_server(server.id) for server in made]
    assert sorted(server.status for server in servers) == ["ACTIVE", "ACTIVE", "ACTIVE", "ERROR"]
    assert {server.compute_host for server in servers if server.status == "ACTIVE"} == {"hv1", "hv2", "hv3"}


def test_bare_metal_is_cleaned_before_it_is_free(stopped: RunningTwin, admin: Sdk) -> None:
    """A server of the bare-metal flavor takes the node; after it the node is cleaned, then available (I17)."""
    from tests.twin.conftest import connect

    baremetal = connect(stopped, "twin-system").baremetal
    node = baremetal.create_node(name="bm1", driver="fake-hardware", resource_class="baremetal")
    for verb in ("manage", "provide"):
        baremetal.set_node_provision_state(node, verb)
        stopped.advance(5)
    made = admin.compute.create_server(
        name="s",
        flavor_id=admin.compute.find_flavor("bm").id,
        image_id=admin.image.find_image("tiny").id,
        networks="none",
    )
    stopped.advance(5)
    assert admin.compute.get_server(made.id).hypervisor_hostname == node.id
    assert baremetal.get_node(node.id).provision_state == "active"
    assert baremetal.get_node(node.id).instance_id == made.id
    admin.compute.delete_server(made.id)
    seen: list[str] = []
    for _ in range(400):
        state = baremetal.get_node(node.id).provision_state
        if not seen or seen[-1] != state:
            seen.append(state)
        if state == "available":
            break
        stopped.advance(0.01)
    assert seen == ["active", "deleting", "cleaning", "available"]
    assert baremetal.get_node(node.id).instance_id is None
