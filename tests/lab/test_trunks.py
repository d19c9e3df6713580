"""Trunks, VLANs and direct ports: what the provisioner's wires rest on (rows C4, C10, C11)."""

from typing import Any

import openstack.exceptions
import pytest

from tests.lab.cloud import Cloud, Sdk, Tidy, Workspace, eventually, neutron_error
from tests.lab.recorder import Notification, Recorder

Conflict = openstack.exceptions.ConflictException
Invalid = openstack.exceptions.BadRequestException
PHYSICAL_NETWORK = "physnet1"
VLAN = 2317
"""Beyond what Neutron gives itself (100 to 999): only an administrator who asks for it gets it."""


def network(admin: Sdk, workspace: Workspace, tidy: Tidy, cidr: str, **fields: Any) -> Any:
    """A network of the workspace's with one subnet."""
    made = admin.network.create_network(name=workspace.name, project_id=workspace.project_id, **fields)
    tidy(admin.network.delete_network, made)
    admin.network.create_subnet(network_id=made.id, project_id=workspace.project_id, ip_version=4, cidr=cidr)
    return made


def vlan(admin: Sdk, workspace: Workspace, tidy: Tidy, **fields: Any) -> Any:
    kind = {"provider_network_type": "vlan", "provider_physical_network": PHYSICAL_NETWORK}
    return network(admin, workspace, tidy, "10.71.0.0/24", **kind, **fields)


def port(admin: Sdk, workspace: Workspace, tidy: Tidy, on: Any, **fields: Any) -> Any:
    made = admin.network.create_port(network_id=on.id, project_id=workspace.project_id, **fields)
    tidy(admin.network.delete_port, made)
    return made


def carried(made: Any, tag: int) -> dict[str, Any]:
    return {"port_id": made.id, "segmentation_type": "vlan", "segmentation_id": tag}


def trunk(admin: Sdk, workspace: Workspace, tidy: Tidy, parent: Any, *subports: dict[str, Any]) -> Any:
    made = admin.network.create_trunk(
        name=workspace.name, project_id=workspace.project_id, port_id=parent.id, sub_ports=list(subports)
    )
    tidy(admin.network.delete_trunk, made)
    return made


def test_a_vlan_is_as_asked_for_and_there_once_c4(admin: Sdk, workspace: Workspace, tidy: Tidy) -> None:
    made = vlan(admin, workspace, tidy, provider_segmentation_id=VLAN)
    assert (made.provider_network_type, made.provider_physical_network) == ("vlan", PHYSICAL_NETWORK)
    assert (made.provider_segmentation_id, made.mtu) == (VLAN, 1500)
    with pytest.raises(Conflict) as refused:
        vlan(admin, workspace, tidy, provider_segmentation_id=VLAN)
    assert f"VLAN {VLAN} on physical network {PHYSICAL_NETWORK} is in use" in neutron_error(refused)["message"]
    chosen = network(
        admin, workspace, tidy, "10.72.0.0/24", provider_network_type="vlan", provider_physical_network=PHYSICAL_NETWORK
    )
    assert 100 <= chosen.provider_segmentation_id <= 999


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"network_type": "vlan", "physical_network": "nowhere", "segmentation_id": 7}, "'nowhere' unknown for VLAN"),
        ({"network_type": "vlan", "segmentation_id": 7}, "segmentation_id requires physical_network"),
        ({"network_type": "vxlan", "segmentation_id": 7}, "network_type value 'vxlan' not supported"),
        ({"segmentation_id": 7}, "network_type required"),
    ],
)
def test_a_segment_that_the_cloud_has_not_is_refused_c10(
    admin: Sdk, workspace: Workspace, fields: dict[str, Any], words: str
) -> None:
    with pytest.raises(Invalid) as refused:
        admin.network.create_network(
            project_id=workspace.project_id, **{f"provider_{name}": value for name, value in fields.items()}
        )
    assert words in neutron_error(refused)["message"]


def test_a_tunnel_id_is_there_once_c10(admin: Sdk, workspace: Workspace, tidy: Tidy) -> None:
    kind = {"provider_network_type": "geneve", "provider_segmentation_id": 40_317}
    made = network(admin, workspace, tidy, "10.73.0.0/24", **kind)
    assert (made.provider_segmentation_id, made.mtu) == (40_317, 1442)
    with pytest.raises(Conflict) as refused:
        admin.network.create_network(project_id=workspace.project_id, **kind)
    assert "tunnel ID 40317 is in use" in neutron_error(refused)["message"]


def test_a_trunk_is_born_with_its_subports_and_tags_afterwards_c11(
    admin: Sdk, workspace: Workspace, tidy: Tidy
) -> None:
    wire, overlay = vlan(admin, workspace, tidy), network(admin, workspace, tidy, "10.74.0.0/24")
    parent, sub = port(admin, workspace, tidy, wire), port(admin, workspace, tidy, overlay)
    made = trunk(admin, workspace, tidy, parent, carried(sub, 100))
    assert (made.status, made.sub_ports) == ("ACTIVE", [carried(sub, 100)])
    admin.network.set_tags(made, ["tresor:trunks"])
    (listed,) = admin.network.trunks(port_id=parent.id)
    assert (listed.tags, listed.sub_ports) == (["tresor:trunks"], made.sub_ports)
    shown = admin.network.get_port(sub.id)
    assert (shown.device_owner, shown.device_id) == ("trunk:subport", "")
    assert (shown.binding_profile, shown.binding_vif_type) == ({"parent_name": parent.id, "tag": 100}, "ovs")
    assert shown.security_group_ids == sub.security_group_ids
    (details,) = admin.network.get_port(parent.id).trunk_details["sub_ports"]
    assert (details["port_id"], details["mac_address"]) == (sub.id, sub.mac_address)
    for each in (parent, sub):
        with pytest.raises(Conflict) as refused:
            admin.network.delete_port(each, ignore_missing=False)
        assert "for trunk" in neutron_error(refused)["message"]
    admin.network.delete_trunk(made, ignore_missing=False)
    free = admin.network.get_port(sub.id)
    assert (free.device_owner, free.binding_profile) == ("", {})


def test_a_port_is_on_one_trunk_under_one_tag_c11(admin: Sdk, workspace: Workspace, tidy: Tidy) -> None:
    net = network(admin, workspace, tidy, "10.75.0.0/24")
    parent, sub, other = (port(admin, workspace, tidy, net) for _ in range(3))
    made = trunk(admin, workspace, tidy, parent, carried(sub, 100))
    for subports, kind, words in (
        ([carried(other, 100)], Conflict, "segmentation_id 100 already in use on trunk"),
        ([carried(sub, 101)], Conflict, "is in use by another trunk"),
        ([carried(other, 4095)], Invalid, "Segmentation ID '4095' is not in range"),
        ([{"port_id": other.id}], Invalid, "missing segmentation information"),
    ):
        with pytest.raises(kind) as refused:
            admin.network.add_trunk_subports(made, subports)
        assert words in neutron_error(refused)["message"]
    for taken, words in ((parent, "not eligible for use as a parent port"), (sub, "is in use by another trunk")):
        with pytest.raises(Conflict) as refused:
            admin.network.create_trunk(port_id=taken.id, project_id=workspace.project_id)
        assert words in neutron_error(refused)["message"]
    with pytest.raises(openstack.exceptions.NotFoundException):
        admin.network.delete_trunk_subports(made, [{"port_id": other.id}])
    assert [each["port_id"] for each in admin.network.get_trunk(made.id).sub_ports] == [sub.id]


def test_a_subports_packets_are_no_larger_than_its_trunks_c11(admin: Sdk, workspace: Workspace, tidy: Tidy) -> None:
    wire, overlay = vlan(admin, workspace, tidy), network(admin, workspace, tidy, "10.74.0.0/24")
    parent, sub = port(admin, workspace, tidy, overlay), port(admin, workspace, tidy, wire)
    with pytest.raises(Conflict) as refused:
        trunk(admin, workspace, tidy, parent, carried(sub, 100))
    assert "MTU 1500 of subport" in neutron_error(refused)["message"]


def test_neutron_tells_of_trunks_and_is_silent_about_what_joins_and_leaves_them_c11(
    admin: Sdk, workspace: Workspace, tidy: Tidy, notifications: Recorder
) -> None:
    net = network(admin, workspace, tidy, "10.76.0.0/24")
    parent, sub, other = (port(admin, workspace, tidy, net) for _ in range(3))
    start = notifications.mark()
    made = trunk(admin, workspace, tidy, parent, carried(sub, 100))
    admin.network.add_trunk_subports(made, [carried(other, 101)])
    admin.network.delete_trunk_subports(made, [{"port_id": other.id}])
    admin.network.delete_trunk(made)

    def is_of_ours(event: Notification) -> bool:
        return event.event_type.startswith(("trunk", "port")) and any(
            event.mentions(each) for each in (made.id, parent.id, sub.id, other.id)
        )

    heard = notifications.wait_for_quiet(start, is_of_ours)
    told = [event.event_type for event in heard]
    assert told == ["trunk.create.start", "trunk.create.end", "trunk.delete.start", "trunk.delete.end"]


def test_a_trunk_goes_up_and_down_with_its_node_c11(admin: Sdk, workspace: Workspace, tidy: Tidy) -> None:
    net = network(admin, workspace, tidy, "10.77.0.0/24")
    parent, sub = port(admin, workspace, tidy, net), port(admin, workspace, tidy, net)
    made = trunk(admin, workspace, tidy, parent, carried(sub, 100))
    compute = workspace.connection.compute
    flavor, image = compute.find_flavor("tre.small"), workspace.connection.image.find_image("tiny")
    server = compute.create_server(
        name=workspace.name, flavor_id=flavor.id, image_id=image.id, networks=[{"port": parent.id}]
    )
    compute.wait_for_server(server, interval=0.5, wait=60)
    eventually(lambda: admin.network.get_port(sub.id).status == "ACTIVE")
    assert admin.network.get_trunk(made.id).status == "ACTIVE"
    shown = admin.network.get_port(sub.id)
    assert (shown.device_id, shown.device_owner, shown.binding_host_id) == ("", "trunk:subport", "")
    compute.delete_server(server)
    compute.wait_for_delete(server, interval=0.5, wait=60)
    eventually(lambda: admin.network.get_port(sub.id).status == "DOWN")
    assert admin.network.get_trunk(made.id).status == "DOWN"
    with pytest.raises(Conflict):
        admin.network.delete_port(parent, ignore_missing=False)


def test_a_direct_port_is_made_and_no_host_without_virtual_functions_takes_it_c4(
    admin: Sdk, workspace: Workspace, tidy: Tidy
) -> None:
    made = port(admin, workspace, tidy, vlan(admin, workspace, tidy), binding_vnic_type="direct")
    assert (made.binding_vnic_type, made.binding_vif_type) == ("direct", "unbound")
    assert len(made.security_group_ids) == 1
    compute = workspace.connection.compute
    flavor, image = compute.find_flavor("tre.small"), workspace.connection.image.find_image("tiny")
    server = compute.create_server(
        name=workspace.name, flavor_id=flavor.id, image_id=image.id, networks=[{"port": made.id}]
    )
    # Nova says ERROR first, and a moment later why.
    fault = eventually(lambda: found.fault if (found := compute.get_server(server)).status == "ERROR" else None)
    assert "Claim pci failed" in fault["message"]
    assert admin.network.get_port(made.id).binding_vif_type == "unbound"
    compute.delete_server(server)
    compute.wait_for_delete(server, interval=0.5, wait=60)


def test_provider_attributes_are_the_administrators_c4(cloud: Cloud, admin: Sdk, workspace: Workspace) -> None:
    admin.identity.assign_project_role_to_user(
        workspace.project_id, admin.current_user_id, admin.identity.find_role("member")
    )
    member = cloud.connect("lab").connect_as_project(workspace.name)
    with pytest.raises(openstack.exceptions.ForbiddenException) as refused:
        member.network.create_network(
            provider_network_type="vlan", provider_physical_network=PHYSICAL_NETWORK, provider_segmentation_id=VLAN
        )
    assert "disallowed by policy" in neutron_error(refused)["message"]
