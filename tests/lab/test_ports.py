"""Ports: born in their groups, before any server has them."""

from collections.abc import Iterator
from typing import Any

import openstack.exceptions
import pytest

from tests.lab.cloud import Cloud, Sdk, Tidy, Workspace, neutron_error
from tests.lab.recorder import Recorder


@pytest.fixture(scope="module")
def net(admin: Sdk, workspace: Workspace) -> Any:
    """A network with one subnet."""
    made = admin.network.create_network(name=workspace.name, project_id=workspace.project_id)
    admin.network.create_subnet(network_id=made.id, project_id=workspace.project_id, ip_version=4, cidr="10.51.0.0/24")
    return made


@pytest.fixture
def group(admin: Sdk, workspace: Workspace, prefix: str) -> Iterator[Any]:
    """A security group."""
    made = admin.network.create_security_group(name=prefix, project_id=workspace.project_id)
    yield made
    admin.network.delete_security_group(made)


@pytest.fixture
def port(admin: Sdk, workspace: Workspace, net: Any, group: Any, prefix: str) -> Iterator[Any]:
    """A port in the group and in no other."""
    made = admin.network.create_port(
        name=prefix, network_id=net.id, project_id=workspace.project_id, security_group_ids=[group.id]
    )
    yield made
    admin.network.delete_port(made)


def test_a_port_without_a_server_is_down_and_unbound(port: Any, group: Any, net: Any) -> None:
    """It has its address and its group from the first moment."""
    assert (port.status, port.device_id, port.device_owner) == ("DOWN", "", "")
    assert (port.binding_vif_type, port.binding_host_id) == ("unbound", "")
    assert port.security_group_ids == [group.id]
    assert port.is_port_security_enabled
    assert port.network_id == net.id
    assert len(port.fixed_ips) == 1
    assert port.fixed_ips[0]["ip_address"].startswith("10.51.0.")
    assert port.allowed_address_pairs == []
    assert port.revision_number == 1


def test_a_port_without_a_word_on_groups_gets_the_default_one(
    admin: Sdk, workspace: Workspace, net: Any, tidy: Tidy
) -> None:
    """Which is why a port is never made without naming its groups."""
    made = admin.network.create_port(network_id=net.id, project_id=workspace.project_id)
    tidy(admin.network.delete_port, made)
    (default,) = admin.network.security_groups(name="default", project_id=workspace.project_id)
    assert made.security_group_ids == [default.id]


def test_a_port_may_have_no_group_and_then_nothing_passes(
    admin: Sdk, workspace: Workspace, net: Any, tidy: Tidy
) -> None:
    """An empty list is kept empty; port security stays on."""
    made = admin.network.create_port(network_id=net.id, project_id=workspace.project_id, security_group_ids=[])
    tidy(admin.network.delete_port, made)
    assert made.security_group_ids == []
    assert made.is_port_security_enabled


def test_groups_need_port_security(admin: Sdk, workspace: Workspace, net: Any, group: Any, tidy: Tidy) -> None:
    """Off, a port takes no group (400); and it cannot be switched off while the port has one (409)."""
    bare = admin.network.create_port(
        network_id=net.id, project_id=workspace.project_id, security_group_ids=[], is_port_security_enabled=False
    )
    tidy(admin.network.delete_port, bare)
    with pytest.raises(openstack.exceptions.BadRequestException) as refused:
        admin.network.update_port(bare, security_group_ids=[group.id])
    assert neutron_error(refused)["type"] == "PortSecurityAndIPRequiredForSecurityGroups"
    grouped = admin.network.create_port(
        network_id=net.id, project_id=workspace.project_id, security_group_ids=[group.id]
    )
    tidy(admin.network.delete_port, grouped)
    with pytest.raises(openstack.exceptions.ConflictException) as conflict:
        admin.network.update_port(grouped, is_port_security_enabled=False)
    assert neutron_error(conflict)["type"] == "PortSecurityPortHasSecurityGroup"


def test_an_unknown_group_is_404(admin: Sdk, workspace: Workspace, net: Any) -> None:
    """And no port is made."""
    with pytest.raises(openstack.exceptions.NotFoundException) as refused:
        admin.network.create_port(
            network_id=net.id,
            project_id=workspace.project_id,
            security_group_ids=["11111111-1111-1111-1111-111111111111"],
        )
    assert neutron_error(refused)["type"] == "SecurityGroupNotFound"


def test_an_address_is_taken_once(admin: Sdk, workspace: Workspace, net: Any, port: Any) -> None:
    """409 for one that is in use, 400 for one of no subnet there."""
    taken = port.fixed_ips[0]["ip_address"]
    with pytest.raises(openstack.exceptions.ConflictException) as conflict:
        admin.network.create_port(network_id=net.id, project_id=workspace.project_id, fixed_ips=[{"ip_address": taken}])
    assert neutron_error(conflict)["type"] == "IpAddressAlreadyAllocated"
    with pytest.raises(openstack.exceptions.BadRequestException) as refused:
        admin.network.create_port(
            network_id=net.id, project_id=workspace.project_id, fixed_ips=[{"ip_address": "10.99.0.9"}]
        )
    assert neutron_error(refused)["type"] == "InvalidIpForNetwork"


def test_lists_come_in_pages(admin: Sdk, workspace: Workspace, net: Any, port: Any, tidy: Tidy) -> None:
    """limit cuts, ports_links leads on; the last page has no link called next. The SDK follows by itself."""
    tidy(
        admin.network.delete_port,
        admin.network.create_port(network_id=net.id, project_id=workspace.project_id, security_group_ids=[]),
    )
    first = admin.network.get("/ports", params={"network_id": net.id, "limit": 1, "fields": "id"}).json()
    assert len(first["ports"]) == 1
    (link,) = [link["href"] for link in first["ports_links"] if link["rel"] == "next"]
    assert f"marker={first['ports'][0]['id']}" in link
    second = admin.network.get(link).json()
    assert second["ports"][0]["id"] != first["ports"][0]["id"]
    everything = [found.id for found in admin.network.ports(network_id=net.id)]
    assert [found.id for found in admin.network.ports(network_id=net.id, limit=1)] == sorted(everything)


def test_a_deleted_port_is_404(admin: Sdk, workspace: Workspace, net: Any) -> None:
    """The second deletion finds nothing."""
    made = admin.network.create_port(network_id=net.id, project_id=workspace.project_id, security_group_ids=[])
    admin.network.delete_port(made)
    with pytest.raises(openstack.exceptions.NotFoundException) as refused:
        admin.network.delete_port(made, ignore_missing=False)
    assert neutron_error(refused)["type"] == "PortNotFound"


def test_port_events(
    admin: Sdk, workspace: Workspace, net: Any, group: Any, notifications: Recorder, prefix: str
) -> None:
    """Each call is told as .start and .end; .end has the port with its groups, delete.end has it a last time."""
    mark = notifications.mark()
    made = admin.network.create_port(
        name=prefix, network_id=net.id, project_id=workspace.project_id, security_group_ids=[group.id]
    )
    admin.network.update_port(made, security_group_ids=[])
    admin.network.delete_port(made)
    told = notifications.wait_for_quiet(
        mark, lambda heard: heard.exchange == "neutron" and (heard.mentions(prefix) or heard.mentions(made.id))
    )
    assert [heard.event_type for heard in told] == [
        f"port.{action}.{phase}" for action in ("create", "update", "delete") for phase in ("start", "end")
    ]
    assert {(heard.exchange, heard.routing_key, heard.publisher) for heard in told} == {
        ("neutron", "notifications.info", "network")
    }
    create_start, create_end, update_start, update_end, delete_start, delete_end = (heard.payload for heard in told)
    assert create_start["port"]["security_groups"] == [group.id]
    assert create_end["port"]["id"] == made.id
    assert create_end["port"]["security_groups"] == [group.id]
    assert create_end["port"]["status"] == "DOWN"
    assert update_start["id"] == made.id
    assert update_start["port"] == {"security_groups": []}
    assert update_end["port"]["security_groups"] == []
    assert delete_start == {"port_id": made.id}
    assert delete_end["port_id"] == made.id
    assert delete_end["port"]["project_id"] == workspace.project_id


def test_a_port_on_a_network_that_its_owner_can_not_see_is_not_his_to_change(
    cloud: Cloud, admin: Sdk, net: Any, prefix: str, tidy: Tidy
) -> None:
    """He sees it; what he would change of it is answered as if the network were not there."""
    other = admin.identity.create_project(name=f"{prefix}-blind", domain_id="default")
    tidy(admin.identity.delete_project, other)
    admin.identity.assign_project_role_to_user(other, admin.current_user_id, admin.identity.find_role("member"))
    theirs = admin.network.create_port(network_id=net.id, project_id=other.id, security_group_ids=[])
    tidy(admin.network.delete_port, theirs)
    owner = cloud.connect("lab").connect_as_project(other.name)
    assert owner.network.get_port(theirs.id).id == theirs.id
    missing = f"Network {net.id} could not be found"
    with pytest.raises(openstack.exceptions.NotFoundException, match=missing):
        owner.network.update_port(theirs.id, name="mine")
    with pytest.raises(openstack.exceptions.NotFoundException, match=missing):
        owner.network.delete_port(theirs.id, ignore_missing=False)
