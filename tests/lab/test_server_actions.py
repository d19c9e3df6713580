"""What is done to a server that runs: stop, start, rebuild, and the port Nova makes by itself."""

from typing import Any

import openstack.exceptions
import pytest

from tests.lab.cloud import Cloud, Sdk, Tidy, Workspace, body_of, eventually
from tests.lab.recorder import Recorder


@pytest.fixture(scope="module")
def net(admin: Sdk, workspace: Workspace) -> Any:
    """A network with one subnet."""
    made = admin.network.create_network(name=workspace.name, project_id=workspace.project_id)
    admin.network.create_subnet(network_id=made.id, project_id=workspace.project_id, ip_version=4, cidr="10.62.0.0/24")
    return made


@pytest.fixture(scope="module")
def server(admin: Sdk, workspace: Workspace, net: Any) -> Any:
    """A server on a port of Nova's making."""
    own = workspace.connection.compute
    made = own.create_server(
        name=workspace.name,
        image_id=admin.image.find_image("tiny").id,
        flavor_id=admin.compute.find_flavor("tre.small").id,
        networks=[{"uuid": net.id}],
    )
    return own.wait_for_server(made, interval=0.5, wait=120)


def settled(workspace: Workspace, server: Any, status: str) -> Any:
    """Waits for the status with no task running: the status alone comes before the next action is allowed."""

    def now() -> Any:
        found = workspace.connection.compute.get_server(server.id)
        assert found.status != "ERROR", found.fault
        return found if found.status == status and found.task_state is None else None

    return eventually(now)


def test_nova_makes_a_port_in_the_default_group(admin: Sdk, workspace: Workspace, server: Any) -> None:
    """A server booted on a network, not on a port, gets what the project's default group lets through."""
    (port,) = admin.network.ports(device_id=server.id)
    (default,) = admin.network.security_groups(name="default", project_id=workspace.project_id)
    assert port.security_group_ids == [default.id]


def test_stop_and_start(workspace: Workspace, server: Any, notifications: Recorder) -> None:
    """SHUTOFF and ACTIVE again, told as power_off and power_on in both formats."""
    mark = notifications.mark()
    own = workspace.connection.compute
    own.stop_server(server)
    settled(workspace, server, "SHUTOFF")
    own.start_server(server)
    settled(workspace, server, "ACTIVE")
    told = notifications.wait_for_quiet(mark, lambda heard: heard.exchange == "nova" and heard.mentions(server.id))
    for versioned, name in ((False, "compute.instance"), (True, "instance")):
        steps = [
            heard.event_type for heard in told if heard.versioned is versioned and "update" not in heard.event_type
        ]
        assert steps == [
            f"{name}.{action}.{phase}" for action in ("power_off", "power_on") for phase in ("start", "end")
        ]


def test_an_interface_comes_and_goes(admin: Sdk, workspace: Workspace, net: Any, server: Any) -> None:
    """A port attached while the server runs goes ACTIVE; detached, the port Nova made is deleted."""
    own = workspace.connection.compute
    made = own.create_server_interface(server, net_id=net.id)
    eventually(lambda: admin.network.get_port(made.port_id).status == "ACTIVE")
    own.delete_server_interface(made.port_id, server=server)
    eventually(lambda: admin.network.find_port(made.port_id) is None)


def test_nova_plugs_in_no_port_of_another_project(cloud: Cloud, admin: Sdk, server: Any, tidy: Tidy) -> None:
    """Not for an administrator either; but whose server it is in, a port says as its owner likes."""
    other = admin.identity.create_project(name=f"{server.name}-other", domain_id="default")
    tidy(admin.identity.delete_project, other)
    admin.identity.assign_project_role_to_user(other, admin.current_user_id, admin.identity.find_role("member"))
    owner = cloud.connect("lab").connect_as_project(other.name)
    net = owner.network.create_network(name=other.name)
    tidy(admin.network.delete_network, net)
    owner.network.create_subnet(network_id=net.id, ip_version=4, cidr="10.77.0.0/24")
    theirs = owner.network.create_port(network_id=net.id)
    tidy(admin.network.delete_port, theirs)
    with pytest.raises(openstack.exceptions.BadRequestException) as refused:
        admin.compute.create_server_interface(server, port_id=theirs.id)
    assert body_of(refused)["badRequest"]["message"] == f"Port {theirs.id} not usable for instance {server.id}."
    assert admin.network.get_port(theirs.id).device_id == ""
    said = {"device_id": server.id, "device_owner": "compute:nova"}
    owner.network.update_port(theirs.id, **said)
    with pytest.raises(openstack.exceptions.ForbiddenException):
        owner.network.update_port(theirs.id, binding_host_id="anywhere")
    shown = admin.network.get_port(theirs.id)
    assert (shown.device_id, shown.device_owner, shown.binding_host_id) == (*said.values(), "")


def test_the_console_lock_is_no_state(workspace: Workspace, server: Any, admin: Sdk) -> None:
    """A locked server stays ACTIVE; is_locked says so."""
    own = workspace.connection.compute
    own.lock_server(server)
    assert own.get_server(server.id).is_locked
    own.unlock_server(server)
    assert not own.get_server(server.id).is_locked


def test_deleting_the_server_deletes_novas_port(
    admin: Sdk, workspace: Workspace, server: Any, notifications: Recorder
) -> None:
    """Unlike one it was given; told as port.delete. Keep this one last: it ends the server."""
    (port,) = admin.network.ports(device_id=server.id)
    mark = notifications.mark()
    own = workspace.connection.compute
    own.delete_server(server)
    own.wait_for_delete(server, interval=0.5, wait=60)
    assert admin.network.find_port(port.id) is None
    told = notifications.wait_for(mark, lambda heard: heard.event_type == "port.delete.end" and heard.mentions(port.id))
    assert told[0].payload["port"]["device_id"] == server.id
