"""What compiled policies rest on: stateless groups, address groups, revisions, quotas, segmentation, kinds of port."""

from typing import Any

import openstack.exceptions
import pytest

from tests.lab.cloud import Sdk, Tidy, Workspace, neutron_error


def _group(admin: Sdk, workspace: Workspace, prefix: str, tidy: Tidy, **fields: Any) -> Any:
    made = admin.network.create_security_group(name=prefix, project_id=workspace.project_id, **fields)
    tidy(admin.network.delete_security_group, made)
    return made


def _changed(admin: Sdk, method: str, path: str, revision: int, body: Any = None) -> int:
    answer = admin.network.request(
        path, method, json=body, headers={"If-Match": f"revision_number={revision}"}, raise_exc=False
    )
    return int(answer.status_code)


def test_a_group_can_be_stateless_and_changes_at_its_revision_only(
    admin: Sdk, workspace: Workspace, prefix: str, tidy: Tidy
) -> None:
    group = _group(admin, workspace, prefix, tidy, stateful=False)
    assert group.stateful is False
    path = f"/security-groups/{group.id}"
    found = admin.network.get_security_group(group.id)
    body = {"security_group": {"stateful": True}}
    assert _changed(admin, "PUT", path, found.revision_number + 7, body) == 412
    assert admin.network.get_security_group(group.id).stateful is False
    assert _changed(admin, "PUT", path, found.revision_number, body) == 200
    assert admin.network.get_security_group(group.id).stateful is True


def test_a_rule_gives_its_group_a_new_revision_so_that_a_stale_delete_is_refused(
    admin: Sdk, workspace: Workspace, prefix: str, tidy: Tidy
) -> None:
    group = _group(admin, workspace, prefix, tidy)
    before = admin.network.get_security_group(group.id).revision_number
    admin.network.create_security_group_rule(
        security_group_id=group.id, direction="ingress", ether_type="IPv4", protocol="tcp",
        port_range_min=22, port_range_max=22, project_id=workspace.project_id,
    )  # fmt: skip
    after = admin.network.get_security_group(group.id).revision_number
    assert after > before
    assert _changed(admin, "DELETE", f"/security-groups/{group.id}", before) == 412
    assert admin.network.get_security_group(group.id).id == group.id


def test_an_address_group_takes_all_of_a_list_or_none(
    admin: Sdk, workspace: Workspace, prefix: str, tidy: Tidy
) -> None:
    made = admin.network.create_address_group(name=prefix, project_id=workspace.project_id, addresses=["10.60.0.4/32"])
    tidy(admin.network.delete_address_group, made)
    with pytest.raises(openstack.exceptions.BadRequestException):
        admin.network.add_addresses_to_address_group(made, ["10.60.0.4/32", "10.60.0.5/32"])
    assert admin.network.get_address_group(made.id).addresses == ["10.60.0.4/32"]
    admin.network.add_addresses_to_address_group(made, ["10.60.0.5/32"])
    with pytest.raises(openstack.exceptions.NotFoundException):
        admin.network.remove_addresses_from_address_group(made, ["10.60.0.9/32", "10.60.0.5/32"])
    assert sorted(admin.network.get_address_group(made.id).addresses) == ["10.60.0.4/32", "10.60.0.5/32"]


def test_a_rule_may_name_an_address_group_which_is_in_use_then(
    admin: Sdk, workspace: Workspace, prefix: str, tidy: Tidy
) -> None:
    far = admin.network.create_address_group(name=prefix, project_id=workspace.project_id, addresses=["10.60.0.4/32"])
    tidy(admin.network.delete_address_group, far)
    group = _group(admin, workspace, prefix, tidy)
    rule = admin.network.create_security_group_rule(
        security_group_id=group.id, direction="ingress", ether_type="IPv4", protocol="50",
        remote_address_group_id=far.id, project_id=workspace.project_id,
    )  # fmt: skip
    assert (rule.remote_address_group_id, rule.protocol) == (far.id, "50")
    with pytest.raises(openstack.exceptions.ConflictException) as caught:
        admin.network.delete_address_group(far)
    assert neutron_error(caught)["type"] == "AddressGroupInUse"


def test_icmp_rules_have_a_type_without_a_code(admin: Sdk, workspace: Workspace, prefix: str, tidy: Tidy) -> None:
    group = _group(admin, workspace, prefix, tidy)
    for ethertype, protocol, kind in (("IPv4", "icmp", 8), ("IPv4", "icmp", 0), ("IPv6", "ipv6-icmp", 128)):
        rule = admin.network.create_security_group_rule(
            security_group_id=group.id, direction="ingress", ether_type=ethertype, protocol=protocol,
            port_range_min=kind, project_id=workspace.project_id,
        )  # fmt: skip
        assert (rule.port_range_min, rule.port_range_max) == (kind, None)


def test_quota_details_tell_limit_and_use(admin: Sdk, workspace: Workspace, prefix: str, tidy: Tidy) -> None:
    _group(admin, workspace, prefix, tidy)
    body = admin.network.get(f"/quotas/{workspace.project_id}/details.json").json()["quota"]
    for name in ("security_group", "security_group_rule"):
        assert {"limit", "used", "reserved"} <= set(body[name])
        assert int(body[name]["used"]) >= 1


@pytest.mark.parametrize(("kind", "physical", "number"), [("geneve", None, None), ("vlan", "physnet1", 321)])
def test_a_network_is_of_the_segmentation_that_was_asked_for(
    admin: Sdk, workspace: Workspace, prefix: str, tidy: Tidy, kind: str, physical: str | None, number: int | None
) -> None:
    asked: dict[str, Any] = {"provider_network_type": kind}
    if physical:
        asked |= {"provider_physical_network": physical, "provider_segmentation_id": number}
    made = admin.network.create_network(name=prefix, project_id=workspace.project_id, **asked)
    tidy(admin.network.delete_network, made)
    found = admin.network.get_network(made.id)
    assert (found.provider_network_type, found.provider_physical_network) == (kind, physical)
    assert found.provider_segmentation_id == number if number else found.provider_segmentation_id > 0


def test_a_port_is_direct_when_it_is_asked_for(admin: Sdk, workspace: Workspace, prefix: str, tidy: Tidy) -> None:
    network = admin.network.create_network(name=prefix, project_id=workspace.project_id)
    tidy(admin.network.delete_network, network)
    made = admin.network.create_port(
        name=prefix, network_id=network.id, project_id=workspace.project_id, binding_vnic_type="direct"
    )
    tidy(admin.network.delete_port, made)
    assert admin.network.get_port(made.id).binding_vnic_type == "direct"
