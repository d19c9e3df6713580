"""What quarantine and the removal of duplicate ports rest on: one update cuts a port off, and MAC addresses repeat."""

from collections.abc import Iterator
from typing import Any

import openstack.exceptions
import pytest

from tests.lab.cloud import Sdk, Tidy, Workspace, neutron_error

MAC = "fa:16:3e:5a:5a:01"


@pytest.fixture(scope="module")
def net(admin: Sdk, workspace: Workspace) -> Any:
    """A network with one subnet."""
    made = admin.network.create_network(name=workspace.name, project_id=workspace.project_id)
    admin.network.create_subnet(network_id=made.id, project_id=workspace.project_id, ip_version=4, cidr="10.53.0.0/24")
    return made


@pytest.fixture(scope="module")
def routed(admin: Sdk, workspace: Workspace, net: Any) -> Iterator[Any]:
    """A router between the network and the outside."""
    public = admin.network.find_network("public")
    router = admin.network.create_router(
        name=workspace.name, project_id=workspace.project_id, external_gateway_info={"network_id": public.id}
    )
    (subnet,) = admin.network.subnets(network_id=net.id)
    admin.network.add_interface_to_router(router, subnet_id=subnet.id)
    yield public
    admin.network.remove_interface_from_router(router, subnet_id=subnet.id)
    admin.network.delete_router(router)


@pytest.fixture
def group(admin: Sdk, workspace: Workspace, prefix: str, tidy: Tidy) -> Any:
    """A group without a rule, of the form that quarantine's has."""
    made = admin.network.create_security_group(name=f"tresor-{prefix}:quarantine", project_id=workspace.project_id)
    tidy(admin.network.delete_security_group, made)
    for rule in admin.network.security_group_rules(security_group_id=made.id):
        admin.network.delete_security_group_rule(rule)
    return made


def port(admin: Sdk, workspace: Workspace, network: Any, tidy: Tidy, **fields: Any) -> Any:
    made = admin.network.create_port(network_id=network.id, project_id=workspace.project_id, **fields)
    tidy(admin.network.delete_port, made)
    return made


def test_one_update_cuts_a_port_off_and_one_puts_it_back_into_service(
    admin: Sdk, workspace: Workspace, net: Any, group: Any, tidy: Tidy
) -> None:
    made = port(admin, workspace, net, tidy, allowed_address_pairs=[{"ip_address": "10.9.0.0/24"}])
    cut = admin.network.update_port(
        made, security_groups=[group.id], is_port_security_enabled=True, allowed_address_pairs=[],
        is_admin_state_up=False,
    )  # fmt: skip
    assert (cut.security_group_ids, cut.allowed_address_pairs) == ([group.id], [])
    assert (cut.is_admin_state_up, cut.is_port_security_enabled) == (False, True)
    served = admin.network.update_port(made, is_admin_state_up=True)
    assert (served.is_admin_state_up, served.security_group_ids) == (True, [group.id])
    assert list(admin.network.security_group_rules(security_group_id=group.id)) == []


def test_a_port_that_is_not_filtered_is_filtered_and_grouped_in_one_update(
    admin: Sdk, workspace: Workspace, net: Any, group: Any, tidy: Tidy
) -> None:
    made = port(admin, workspace, net, tidy, is_port_security_enabled=False, security_groups=[])
    cut = admin.network.update_port(made, security_groups=[group.id], is_port_security_enabled=True)
    assert (cut.security_group_ids, cut.is_port_security_enabled) == ([group.id], True)


def test_a_floating_ip_is_taken_off_and_given_back(
    admin: Sdk, workspace: Workspace, net: Any, routed: Any, tidy: Tidy
) -> None:
    made = port(admin, workspace, net, tidy)
    address = admin.network.create_ip(floating_network_id=routed.id, project_id=workspace.project_id, port_id=made.id)
    tidy(admin.network.delete_ip, address)
    off = admin.network.update_ip(address, port_id=None)
    assert (off.port_id, off.fixed_ip_address) == (None, None)
    fixed = made.fixed_ips[0]["ip_address"]
    back = admin.network.update_ip(address, port_id=made.id, fixed_ip_address=fixed)
    assert (back.port_id, back.fixed_ip_address) == (made.id, fixed)


def test_a_mac_address_is_refused_on_one_network_and_repeats_on_another_l7(
    admin: Sdk, workspace: Workspace, net: Any, prefix: str, tidy: Tidy
) -> None:
    first = port(admin, workspace, net, tidy, mac_address=MAC)
    with pytest.raises(openstack.exceptions.ConflictException) as refused:
        admin.network.create_port(network_id=net.id, project_id=workspace.project_id, mac_address=MAC)
    assert neutron_error(refused)["type"] == "MacAddressInUse"
    other = admin.network.create_network(name=prefix, project_id=workspace.project_id)
    tidy(admin.network.delete_network, other)
    second = port(admin, workspace, other, tidy, mac_address=MAC)
    assert {each.id for each in admin.network.ports(mac_address=MAC)} == {first.id, second.id}
    assert (second.binding_vif_type, second.binding_host_id, second.status) == ("unbound", "", "DOWN")


def test_a_port_is_deleted_only_as_it_was_seen(admin: Sdk, workspace: Workspace, net: Any, tidy: Tidy) -> None:
    made = port(admin, workspace, net, tidy)
    stale = made.revision_number
    admin.network.update_port(made, name="changed")
    refused = admin.network.delete(f"/ports/{made.id}", headers={"If-Match": f"revision_number={stale}"})
    assert refused.status_code == 412
    assert admin.network.get_port(made.id).name == "changed"


def test_trunks_are_listed_with_their_subports(admin: Sdk, workspace: Workspace, net: Any, tidy: Tidy) -> None:
    parent, sub = port(admin, workspace, net, tidy), port(admin, workspace, net, tidy)
    trunk = admin.network.create_trunk(
        port_id=parent.id, project_id=workspace.project_id,
        sub_ports=[{"port_id": sub.id, "segmentation_type": "vlan", "segmentation_id": 100}],
    )  # fmt: skip
    tidy(admin.network.delete_trunk, trunk)
    listed = admin.network.get("/trunks", params={"project_id": workspace.project_id}).json()["trunks"]
    assert [(one["port_id"], [each["port_id"] for each in one["sub_ports"]]) for one in listed] == [
        (parent.id, [sub.id])
    ]
    carried = admin.network.get_port(sub.id)
    assert (carried.device_owner, carried.device_id) == ("trunk:subport", "")
    down = admin.network.update_port(sub, is_admin_state_up=False, security_groups=[])
    assert (down.is_admin_state_up, down.security_group_ids) == (False, [])
