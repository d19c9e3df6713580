"""Networks, subnets, routers: what the provisioner lays before anything boots."""

from typing import Any

import openstack.exceptions
import pytest

from tests.lab.cloud import Sdk, Tidy, Workspace, eventually, neutron_error
from tests.lab.recorder import Notification, Recorder


@pytest.fixture(scope="module")
def net(admin: Sdk, workspace: Workspace) -> Any:
    """A network of the workspace's project, made by the administrator of another one."""
    return admin.network.create_network(name=workspace.name, project_id=workspace.project_id)


@pytest.fixture(scope="module")
def subnet(admin: Sdk, workspace: Workspace, net: Any) -> Any:
    """A subnet with DHCP on it."""
    return admin.network.create_subnet(
        name=workspace.name, network_id=net.id, project_id=workspace.project_id, ip_version=4, cidr="10.41.0.0/24"
    )


@pytest.fixture(scope="module")
def router(admin: Sdk, workspace: Workspace, subnet: Any) -> Any:
    """A router with an interface in the subnet and a gateway to the outside."""
    outside = admin.network.find_network("public")
    made = admin.network.create_router(
        name=workspace.name, project_id=workspace.project_id, external_gateway_info={"network_id": outside.id}
    )
    admin.network.add_interface_to_router(made, subnet_id=subnet.id)
    return made


def types(told: list[Notification]) -> list[str]:
    """The event types in order."""
    return [heard.event_type for heard in told]


def test_an_administrator_makes_a_network_for_another_project(workspace: Workspace, net: Any) -> None:
    """project_id in the request decides whose it is; it is up and empty, with port security."""
    assert net.project_id == workspace.project_id
    assert (net.status, net.is_admin_state_up, net.is_port_security_enabled) == ("ACTIVE", True, True)
    assert net.subnet_ids == []
    assert net.is_shared is False
    assert [found.id for found in workspace.connection.network.networks(project_id=workspace.project_id)] == [net.id]


def test_names_are_no_markers_in_neutron(admin: Sdk, workspace: Workspace, prefix: str, tidy: Tidy) -> None:
    """Two networks may have one name: a retried creation has to look first."""
    made = [admin.network.create_network(name=prefix, project_id=workspace.project_id) for _ in range(2)]
    for found in made:
        tidy(admin.network.delete_network, found)
    assert {found.id for found in admin.network.networks(name=prefix)} == {found.id for found in made}
    with pytest.raises(openstack.exceptions.DuplicateResource):
        admin.network.find_network(prefix)


def test_tags_find_a_network(admin: Sdk, workspace: Workspace, prefix: str, tidy: Tidy) -> None:
    """Tags are set after the creation, in a call of their own, and filter lists; all tags named have to be there."""
    made = admin.network.create_network(name=prefix, project_id=workspace.project_id)
    tidy(admin.network.delete_network, made)
    assert made.tags == []
    admin.network.set_tags(made, ["tresor", f"ws:{prefix}"])
    assert sorted(admin.network.get_network(made.id).tags) == ["tresor", f"ws:{prefix}"]
    assert [found.id for found in admin.network.networks(tags=f"tresor,ws:{prefix}")] == [made.id]
    assert list(admin.network.networks(tags=f"absent,ws:{prefix}")) == []


def test_a_subnet_brings_gateway_pool_and_dhcp(subnet: Any) -> None:
    """The first address is the gateway's, the rest the pool, DHCP is on."""
    assert subnet.gateway_ip == "10.41.0.1"
    assert subnet.allocation_pools == [{"start": "10.41.0.2", "end": "10.41.0.254"}]
    assert subnet.is_dhcp_enabled


def test_overlapping_subnets_of_a_network_are_refused(admin: Sdk, workspace: Workspace, net: Any, subnet: Any) -> None:
    """400 InvalidInput, which makes a repeated creation of a subnet recognisable."""
    with pytest.raises(openstack.exceptions.BadRequestException) as refused:
        admin.network.create_subnet(
            network_id=net.id, project_id=workspace.project_id, ip_version=4, cidr="10.41.0.128/25"
        )
    error = neutron_error(refused)
    assert error["type"] == "InvalidInput"
    assert "overlaps with another subnet" in error["message"]


def test_a_router_gets_an_address_outside(router: Any) -> None:
    """external_gateway_info names the address taken from the provider's network, with NAT on."""
    gateway = router.external_gateway_info
    assert gateway["enable_snat"] is True
    assert gateway["external_fixed_ips"][0]["ip_address"].startswith("172.24.")
    assert router.status == "ACTIVE"


def test_a_router_interface_is_a_port_of_the_project(admin: Sdk, router: Any, net: Any, subnet: Any) -> None:
    """It has the gateway's address, no security group and no port security; it goes ACTIVE a moment later."""
    (port,) = admin.network.ports(device_id=router.id, device_owner="network:router_interface")
    assert port.network_id == net.id
    assert [address["ip_address"] for address in port.fixed_ips] == [subnet.gateway_ip]
    assert port.security_group_ids == []
    assert port.is_port_security_enabled is False
    eventually(lambda: admin.network.get_port(port.id).status == "ACTIVE")


def test_the_same_interface_twice_is_400(admin: Sdk, router: Any, subnet: Any) -> None:
    """A repeated call is refused as an overlap with itself."""
    with pytest.raises(openstack.exceptions.BadRequestException) as refused:
        admin.network.add_interface_to_router(router, subnet_id=subnet.id)
    error = neutron_error(refused)
    assert error["type"] == "BadRequest"
    assert "overlaps" in error["message"]


def test_what_is_in_use_is_not_deleted(admin: Sdk, net: Any, subnet: Any, router: Any) -> None:
    """409 each, with an error type of its own."""
    for delete, thing, kind in (
        (admin.network.delete_network, net, "NetworkInUse"),
        (admin.network.delete_subnet, subnet, "SubnetInUse"),
        (admin.network.delete_router, router, "RouterInUse"),
    ):
        with pytest.raises(openstack.exceptions.ConflictException) as refused:
            delete(thing)
        assert neutron_error(refused)["type"] == kind


def test_a_network_takes_its_subnets_along_in_silence(
    admin: Sdk, workspace: Workspace, notifications: Recorder, prefix: str
) -> None:
    """create and delete are told as .start and .end of the network; no subnet.delete is told."""
    mark = notifications.mark()
    made = admin.network.create_network(name=prefix, project_id=workspace.project_id)
    inner = admin.network.create_subnet(
        network_id=made.id, project_id=workspace.project_id, ip_version=4, cidr="10.43.0.0/24"
    )
    admin.network.delete_network(made)
    assert admin.network.find_subnet(inner.id) is None
    told = notifications.wait_for_quiet(
        mark, lambda heard: heard.exchange == "neutron" and (heard.mentions(made.id) or heard.mentions(prefix))
    )
    assert types(told) == [
        "network.create.start",
        "network.create.end",
        "subnet.create.start",
        "subnet.create.end",
        "network.delete.start",
        "network.delete.end",
    ]
    assert {(heard.exchange, heard.routing_key, heard.publisher) for heard in told} == {
        ("neutron", "notifications.info", "network")
    }


def test_what_network_events_carry(
    admin: Sdk, workspace: Workspace, notifications: Recorder, prefix: str, tidy: Tidy
) -> None:
    """.start of a creation has the request as it was sent (no id); .end has the resource; a deletion has its id."""
    mark = notifications.mark()
    made = admin.network.create_network(name=prefix, project_id=workspace.project_id, description="words")
    admin.network.delete_network(made)

    def about(heard: Notification) -> bool:
        return heard.exchange == "neutron" and (heard.mentions(made.id) or heard.mentions(prefix))

    create_start, create_end, delete_start, delete_end = notifications.wait_for(mark, about, 4)
    assert create_start.payload["network"]["name"] == prefix
    assert "id" not in create_start.payload["network"]
    assert create_end.payload["network"]["id"] == made.id
    assert create_end.payload["network"]["project_id"] == workspace.project_id
    assert create_end.payload["network"]["revision_number"] == 1
    assert delete_start.payload == {"network_id": made.id}
    assert delete_end.payload["network_id"] == made.id
    assert delete_end.payload["network"]["name"] == prefix


def test_a_refused_deletion_is_told_as_a_start_only(
    admin: Sdk, net: Any, subnet: Any, router: Any, notifications: Recorder
) -> None:
    """.start says that somebody asked, not that it happened."""
    mark = notifications.mark()
    with pytest.raises(openstack.exceptions.ConflictException):
        admin.network.delete_network(net)
    told = notifications.wait_for_quiet(
        mark, lambda heard: heard.exchange == "neutron" and heard.payload.get("network_id") == net.id
    )
    assert types(told) == ["network.delete.start"]


def test_setting_tags_is_told(
    admin: Sdk, workspace: Workspace, notifications: Recorder, prefix: str, tidy: Tidy
) -> None:
    """tag.update with the tagged resource's type and id, and all its tags."""
    made = admin.network.create_network(name=prefix, project_id=workspace.project_id)
    tidy(admin.network.delete_network, made)
    mark = notifications.mark()
    admin.network.set_tags(made, ["a"])
    told = notifications.wait_for(
        mark, lambda heard: heard.event_type.startswith("tag.") and heard.mentions(made.id), 2
    )
    assert types(told) == ["tag.update.start", "tag.update.end"]
    assert told[1].payload == {"obj_resource": "networks", "obj_resource_id": made.id, "tags": ["a"]}


def test_interface_events_have_no_start_and_no_end(
    admin: Sdk, workspace: Workspace, notifications: Recorder, prefix: str, tidy: Tidy
) -> None:
    """router.interface.create and .delete, one each, and nothing of the port that comes and goes with it."""
    made = admin.network.create_network(name=prefix, project_id=workspace.project_id)
    tidy(admin.network.delete_network, made)
    inner = admin.network.create_subnet(
        network_id=made.id, project_id=workspace.project_id, ip_version=4, cidr="10.44.0.0/24"
    )
    own = admin.network.create_router(name=prefix, project_id=workspace.project_id)
    tidy(admin.network.delete_router, own)
    mark = notifications.mark()
    added = admin.network.add_interface_to_router(own, subnet_id=inner.id)
    admin.network.remove_interface_from_router(own, subnet_id=inner.id)
    told = notifications.wait_for_quiet(
        mark, lambda heard: heard.exchange == "neutron" and (heard.mentions(own.id) or heard.mentions(added["port_id"]))
    )
    assert types(told) == ["router.interface.create", "router.interface.delete"]
    assert told[0].payload["router_interface"]["id"] == own.id
    assert told[0].payload["router_interface"]["port_id"] == added["port_id"]
    assert told[0].payload["router_interface"]["subnet_id"] == inner.id
