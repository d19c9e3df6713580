"""Servers: booted on ports that are in their groups already."""

from typing import Any

import openstack.exceptions
import pytest

from tests.lab.cloud import Sdk, Tidy, Workspace, body_of, eventually
from tests.lab.recorder import Notification, Recorder

NOBODY = "11111111-1111-1111-1111-111111111111"
PUBLIC_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIB7mY0JX0l6Vd0r5QH2cYw8k8VvFf2y8nq0m9k3m0m0m conformance"


@pytest.fixture(scope="module")
def net(admin: Sdk, workspace: Workspace) -> Any:
    """A network with one subnet."""
    made = admin.network.create_network(name=workspace.name, project_id=workspace.project_id)
    admin.network.create_subnet(network_id=made.id, project_id=workspace.project_id, ip_version=4, cidr="10.61.0.0/24")
    return made


@pytest.fixture(scope="module")
def group(admin: Sdk, workspace: Workspace) -> Any:
    """The security group of the server's port."""
    return admin.network.create_security_group(name=workspace.name, project_id=workspace.project_id)


@pytest.fixture(scope="module")
def port(admin: Sdk, workspace: Workspace, net: Any, group: Any) -> Any:
    """The port the server is booted on."""
    return admin.network.create_port(
        name=workspace.name, network_id=net.id, project_id=workspace.project_id, security_group_ids=[group.id]
    )


@pytest.fixture(scope="module")
def booting(admin: Sdk, workspace: Workspace, port: Any, notifications: Recorder) -> tuple[Any, int]:
    """The answer to the request that boots the server, and the place in the notifications just before it."""
    mark = notifications.mark()
    server = workspace.connection.compute.create_server(
        name=workspace.name,
        image_id=admin.image.find_image("tiny").id,
        flavor_id=admin.compute.find_flavor("tre.small").id,
        networks=[{"port": port.id}],
        metadata={"tresor": workspace.name, "role": "login"},
        user_data="I2Nsb3VkLWNvbmZpZwo=",
    )
    return server, mark


@pytest.fixture(scope="module")
def server(workspace: Workspace, booting: tuple[Any, int]) -> Any:
    """The server once it is active."""
    return workspace.connection.compute.wait_for_server(booting[0], interval=0.5, wait=120)


def test_the_answer_to_a_boot_is_almost_empty(booting: tuple[Any, int]) -> None:
    """The id is there at once, the state is to be asked for: 202 carries no status."""
    server, _ = booting
    assert server.id
    assert server.status is None


def test_an_active_server_has_what_was_asked_for(server: Any, workspace: Workspace, admin: Sdk) -> None:
    """State, metadata, project; to an administrator also the host."""
    assert (server.status, server.vm_state, server.task_state) == ("ACTIVE", "active", None)
    assert server.metadata == {"tresor": workspace.name, "role": "login"}
    assert server.project_id == workspace.project_id
    assert admin.compute.get_server(server.id).compute_host


def test_the_port_is_bound_and_goes_active(admin: Sdk, server: Any, port: Any, group: Any) -> None:
    """It keeps its groups and address; the host claims it a moment after the server is active."""
    bound = eventually(lambda: now if (now := admin.network.get_port(port.id)).status == "ACTIVE" else None)
    assert (bound.device_id, bound.device_owner) == (server.id, "compute:nova")
    assert bound.binding_host_id == admin.compute.get_server(server.id).compute_host
    assert bound.binding_vif_type == "ovs"
    assert bound.security_group_ids == [group.id]
    assert bound.fixed_ips == port.fixed_ips
    (addresses,) = server.addresses.values()
    assert [address["addr"] for address in addresses] == [port.fixed_ips[0]["ip_address"]]


def test_the_list_filters_by_name_as_an_expression(workspace: Workspace, server: Any, admin: Sdk) -> None:
    """name= is a regular expression: anchors are needed to find one name. all_projects needs an administrator."""
    own = workspace.connection.compute
    assert [found.id for found in own.servers(name=f"^{workspace.name}$")] == [server.id]
    assert [found.id for found in own.servers(name=workspace.name[:-1])] == [server.id]
    assert list(own.servers(name=f"^{workspace.name[:-1]}$")) == []
    found = admin.compute.servers(all_projects=True, project_id=workspace.project_id)
    assert [each.id for each in found] == [server.id]


def test_tags_find_a_server(workspace: Workspace, server: Any) -> None:
    """Tags need microversion 2.26, which the SDK negotiates; they filter lists as elsewhere."""
    own = workspace.connection.compute
    own.put(f"/servers/{server.id}/tags", json={"tags": [f"ws-{workspace.name}"]}, microversion="2.26")
    listed = own.get("/servers", params={"tags": f"ws-{workspace.name}"}, microversion="2.26").json()["servers"]
    assert [found["id"] for found in listed] == [server.id]
    assert own.get("/servers", params={"tags": "absent"}, microversion="2.26").json()["servers"] == []


def test_metadata_is_merged_key_by_key(workspace: Workspace, server: Any) -> None:
    """Setting one key leaves the others."""
    workspace.connection.compute.set_server_metadata(server, dataset="d1")
    now = workspace.connection.compute.get_server(server.id).metadata
    assert now == {"tresor": workspace.name, "role": "login", "dataset": "d1"}


def test_an_action_in_the_wrong_state_is_409(workspace: Workspace, server: Any) -> None:
    """Starting what runs is refused with the state in the message."""
    with pytest.raises(openstack.exceptions.ConflictException) as refused:
        workspace.connection.compute.start_server(server)
    error = body_of(refused)["conflictingRequest"]
    assert error["code"] == 409
    assert error["message"] == f"Cannot 'start' instance {server.id} while it is in vm_state active"


def test_a_port_in_use_boots_no_second_server(admin: Sdk, workspace: Workspace, server: Any, port: Any) -> None:
    """409 at once: a repeated boot on the same port makes no second server."""
    with pytest.raises(openstack.exceptions.ConflictException) as refused:
        workspace.connection.compute.create_server(
            name=workspace.name,
            image_id=admin.image.find_image("tiny").id,
            flavor_id=admin.compute.find_flavor("tre.small").id,
            networks=[{"port": port.id}],
        )
    assert body_of(refused)["conflictingRequest"]["message"] == f"Port {port.id} is still in use."
    assert len(list(workspace.connection.compute.servers())) == 1


@pytest.mark.parametrize(
    ("image", "flavor", "message"),
    [
        (NOBODY, None, "Can not find requested image"),
        (None, NOBODY, f"Flavor {NOBODY} could not be found."),
    ],
)
def test_an_unknown_image_or_flavor_is_400(
    admin: Sdk, workspace: Workspace, image: str | None, flavor: str | None, message: str
) -> None:
    """Not a 404: the request is wrong, not its address."""
    with pytest.raises(openstack.exceptions.BadRequestException) as refused:
        workspace.connection.compute.create_server(
            name=workspace.name,
            image_id=image or admin.image.find_image("tiny").id,
            flavor_id=flavor or admin.compute.find_flavor("tre.small").id,
            networks="none",
        )
    assert body_of(refused)["badRequest"] == {"code": 400, "message": message}


def test_no_valid_host_is_a_state_not_an_answer(admin: Sdk, workspace: Workspace, prefix: str, tidy: Tidy) -> None:
    """The request is accepted; the server ends in ERROR with a fault of code 500 that names the reason."""
    huge = admin.compute.create_flavor(name=prefix, vcpus=50_000, ram=512, disk=1)
    tidy(admin.compute.delete_flavor, huge)
    own = workspace.connection.compute
    made = own.create_server(
        name=prefix, image_id=admin.image.find_image("tiny").id, flavor_id=huge.id, networks="none"
    )
    tidy(own.delete_server, made)
    # Nova says ERROR first, and a moment later why.
    fault = eventually(lambda: now.fault if (now := own.get_server(made.id)).status == "ERROR" else None)
    assert fault["code"] == 500
    assert fault["message"].startswith("No valid host was found.")


def test_a_keypair_belongs_to_a_user_and_has_one_name(workspace: Workspace, prefix: str, tidy: Tidy) -> None:
    """The second of a name is a 409; another user does not see it."""
    own = workspace.connection.compute
    made = own.create_keypair(name=prefix, public_key=PUBLIC_KEY)
    tidy(own.delete_keypair, made)
    assert made.fingerprint
    with pytest.raises(openstack.exceptions.ConflictException) as refused:
        own.create_keypair(name=prefix, public_key=PUBLIC_KEY)
    message = body_of(refused)["conflictingRequest"]["message"]
    assert message == f"Key pair '{prefix}' already exists."


def test_a_boot_is_told_twice_over(server: Any, booting: tuple[Any, int], notifications: Recorder) -> None:
    """Once unversioned from `compute`, once versioned from `nova-compute`; the payload knows it by different names."""
    mark = booting[1]
    told = notifications.wait_for_quiet(mark, lambda heard: heard.exchange == "nova" and heard.mentions(server.id))
    assert {heard.routing_key for heard in told} == {"notifications.info", "versioned_notifications.info"}
    plain = [heard for heard in told if not heard.versioned]
    versioned = [heard for heard in told if heard.versioned]

    def lifecycle(heard: list[Notification], prefix: str) -> list[str]:
        return [each.event_type for each in heard if each.event_type.startswith(prefix)]

    assert lifecycle(plain, "compute.instance.create") == [
        "compute.instance.create.start",
        "compute.instance.create.end",
    ]
    assert lifecycle(versioned, "instance.create") == ["instance.create.start", "instance.create.end"]
    (created,) = [heard for heard in plain if heard.event_type == "compute.instance.create.end"]
    assert created.publisher == "compute"
    assert created.payload["instance_id"] == server.id
    assert created.payload["tenant_id"] == server.project_id
    assert created.payload["state"] == "active"
    assert created.payload["metadata"]["tresor"]
    (created,) = [heard for heard in versioned if heard.event_type == "instance.create.end"]
    assert created.publisher == "nova-compute"
    assert created.payload["uuid"] == server.id
    assert created.payload["tenant_id"] == server.project_id
    assert created.payload["state"] == "active"
    assert created.message["payload"]["nova_object.name"] == "InstanceCreatePayload"


def test_state_changes_are_told_as_updates(server: Any, booting: tuple[Any, int], notifications: Recorder) -> None:
    """Each change of vm_state or task_state is an update in both formats, from the API's scheduling to active."""
    told = notifications.since(booting[1], lambda heard: heard.exchange == "nova" and heard.mentions(server.id))
    plain = [heard.payload for heard in told if heard.event_type == "compute.instance.update"]
    assert {payload["new_task_state"] for payload in plain} >= {"scheduling", "networking", "spawning", None}
    assert plain[-1]["state"] == "active"
    versioned = [heard.payload for heard in told if heard.event_type == "instance.update"]
    assert len(versioned) == len(plain)


def test_the_ports_events_lag_behind_the_port(
    admin: Sdk, server: Any, port: Any, booting: tuple[Any, int], notifications: Recorder
) -> None:
    """Booting tells port.update, whose status is that before the host claimed the port: only the API knows ACTIVE."""
    told = notifications.since(
        booting[1], lambda heard: heard.event_type == "port.update.end" and heard.mentions(port.id)
    )
    assert told
    assert told[0].payload["port"]["status"] == "DOWN"
    assert told[0].payload["port"]["device_id"] == server.id
    assert admin.network.get_port(port.id).status == "ACTIVE"


def test_user_data_is_in_no_notification(server: Any, booting: tuple[Any, int], notifications: Recorder) -> None:
    """Of a boot that went well."""
    told = notifications.since(booting[1], lambda heard: heard.exchange == "nova" and heard.mentions(server.id))
    assert told
    assert not any(heard.mentions("I2Nsb3VkLWNvbmZpZwo") for heard in told)


def test_a_deleted_server_leaves_the_port_it_was_given(
    admin: Sdk, workspace: Workspace, server: Any, port: Any, group: Any, notifications: Recorder
) -> None:
    """Deleted is 404, not a state; the port is unbound and still in its groups. Keep this one last: it ends the server."""
    mark = notifications.mark()
    own = workspace.connection.compute
    own.delete_server(server)
    own.wait_for_delete(server, interval=0.5, wait=60)
    with pytest.raises(openstack.exceptions.NotFoundException) as refused:
        own.delete_server(server, ignore_missing=False)
    assert body_of(refused)["itemNotFound"]["code"] == 404
    left = eventually(lambda: now if (now := admin.network.get_port(port.id)).device_id == "" else None)
    assert left.security_group_ids == [group.id]
    assert left.status == "DOWN"

    def about(heard: Notification) -> bool:
        return heard.exchange == "nova" and heard.mentions(server.id)

    told = notifications.wait_for_quiet(mark, about)
    for versioned, name in ((False, "compute.instance"), (True, "instance")):
        steps = [
            heard.event_type for heard in told if heard.versioned is versioned and "update" not in heard.event_type
        ]
        assert steps == [
            f"{name}.delete.start",
            f"{name}.shutdown.start",
            f"{name}.shutdown.end",
            f"{name}.delete.end",
        ]
    assert not notifications.since(
        mark, lambda heard: heard.event_type.startswith("port.delete") and heard.mentions(port.id)
    )
