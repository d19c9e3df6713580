"""What a document may ask for at a site, and the rules that come of it: rows L3, L26, I5, C3, C4, C10, C11."""

from typing import Any

import pytest
from pydantic import ValidationError

from network_policy.domain.compile import Uncompilable, compile_policy
from network_policy.domain.filters import Filters
from network_policy.domain.proof import Prover
from network_policy.domain.prospect import prospect
from network_policy.domain.rule import RemoteKind
from tests.network_policy.asked_for import CLUSTER, DATA, LOGIN, compiled, found, roles, site
from tests.network_policy.enclaves import SITE, document, rule

# -- kinds of packet


def test_icmp_types_go_by_family() -> None:
    networks = [{**CLUSTER, "cidr6": "2001:db8:42::/64"}]
    both = document(
        networks=networks,
        flows=[{"from": "login", "to": "compute", "protocol": "icmp", "icmp_types": [8, 11], "icmpv6_types": [128]}],
    )
    assert {(each.ethertype, each.protocol, each.low, each.high) for each in compiled(both, SITE)["compute"]} == {
        ("IPv4", 1, 8, None),
        ("IPv4", 1, 11, None),
        ("IPv6", 58, 128, None),
    }
    only4 = document(
        networks=networks, flows=[{"from": "login", "to": "compute", "protocol": "icmp", "icmp_types": [8]}]
    )
    assert {each.ethertype for each in compiled(only4, SITE)["compute"]} == {"IPv4"}


def test_icmp_types_belong_to_icmp() -> None:
    with pytest.raises(ValidationError, match="go with protocol icmp"):
        document(flows=[{"from": "login", "to": "compute", "ports": [22], "icmp_types": [8]}])


def test_a_stateless_role_has_the_replies_both_ways() -> None:
    flows = [
        {"from": "login", "to": "compute", "ports": [22]},
        {"from": "compute", "to": "site:proxy", "ports": [3128]},
        {"from": "login", "to": "compute", "protocol": "icmp", "icmp_types": [8]},
    ]
    made = document(roles=roles(compute={"stateless": True}), flows=flows)
    assert found(made, SITE.model_copy(update={"share_types": {"CEPHFS": "cephfs"}})) == []
    policy = compile_policy(made, SITE)
    assert policy.stateless == {"compute"}
    rules = policy.roles["compute"]
    client: dict[str, Any] = {"protocol": "tcp", "port_range_min": 1024, "port_range_max": 65535}
    assert rule("egress", **client).with_remote(LOGIN) in rules
    assert rule("ingress", remote_ip_prefix="192.0.2.80/32", **client) in rules
    assert rule("ingress", remote_ip_prefix="169.254.169.254/32", **client) in policy.boot["compute"]
    dhcp: dict[str, Any] = {
        "protocol": "udp",
        "port_range_min": 68,
        "port_range_max": 68,
        "remote_ip_prefix": "10.42.0.0/24",
    }
    assert rule("ingress", **dhcp) in policy.boot["compute"]
    assert rule("egress", protocol="icmp", port_range_min=0).with_remote(LOGIN) in rules
    assert not [each for each in policy.roles["login"] if each.direction == "ingress"]


def test_a_stateless_role_is_proven_with_what_its_replies_open() -> None:
    made = document(roles=roles(compute={"stateless": True}), flows=[{"from": "login", "to": "compute", "ports": [22]}])
    world, claim = prospect(made, SITE)
    assert Prover(world, [claim]).prove(made.name).holds


def test_nobody_logs_in_to_a_stateless_role_l3() -> None:
    made = document(
        roles=roles(login={"stateless": True}), flows=[{"from": "site:jumphosts", "to": "login", "ports": [22]}]
    )
    assert [field for field, _ in found(made, site())] == ["roles.0.stateless"]
    with pytest.raises(Uncompilable, match="stateless"):
        compile_policy(made, SITE)


# -- Kubernetes


def test_a_kubernetes_api_is_reached_through_the_proxy_alone_l26() -> None:
    where = site(api_proxy_endpoint="proxy")
    made = document(
        roles=roles(compute={"kubernetes_api": True}), flows=[{"from": "login", "to": "compute", "ports": [6443]}]
    )
    assert found(made, where) == []
    outside = {each.remote.value for each in compile_policy(made, where).roles["compute"]
               if each.direction == "ingress" and each.remote.kind is RemoteKind.PREFIX}  # fmt: skip
    assert outside == {"192.0.2.80/32"}
    for end in ("site:jumphosts", "zone:clinic"):
        for traffic in ({"ports": ["6000-7000"]}, {"protocol": "any"}):
            asked = document(
                roles=roles(compute={"kubernetes_api": True}), flows=[{"from": end, "to": "compute", **traffic}]
            )
            assert "row L26" in found(asked, where)[0][1]
            with pytest.raises(Uncompilable, match="Kubernetes"):
                compile_policy(asked, where)
    no_proxy = document(roles=roles(compute={"kubernetes_api": True}), flows=[])
    assert [field for field, _ in found(no_proxy, site())] == ["roles.1.kubernetes_api"]


def test_the_proxy_may_open_the_api_port_and_no_other_l3_l26() -> None:
    where = site(api_proxy_endpoint="proxy")
    for ports, is_permitted in (([6443], True), ([22], False)):
        flow = {"from": "site:proxy", "to": "compute", "ports": ports}
        made = document(roles=roles(compute={"kubernetes_api": True}), flows=[flow])
        assert (found(made, where) == []) is is_permitted


# -- far ends


def test_the_backend_chooses_how_far_ends_are_named() -> None:
    assert site().far_end_kind == "group"
    assert site(backend="agent").far_end_kind == "address-group"
    assert site(backend="agent", far_ends="group").far_end_kind == "group"


def test_by_prefix_each_role_wants_networks_of_its_own() -> None:
    where = site(far_ends="prefix")
    assert {field for field, _ in found(document(), where)} == {"roles.0.networks", "roles.1.networks"}
    with pytest.raises(Uncompilable, match="has more than role"):
        compile_policy(document(), where)
    made = document(networks=[CLUSTER, DATA], roles=roles(compute={"networks": ["data"]}))
    assert found(made, where) == []
    ends = {each.remote for rules in compiled(made, where).values() for each in rules}
    assert {each.kind for each in ends} == {RemoteKind.PREFIX}
    assert {"10.42.0.0/24", "10.43.0.0/24"} <= {each.value for each in ends}
    world, claim = prospect(made, where)
    assert Prover(world, [claim]).prove(made.name).holds


# -- networks and ports


def test_dhcp_is_not_opened_to_neighbours_on_a_network_that_others_use_i5() -> None:
    made = document(
        sensitivity="internal", networks=[{"name": "campus", "class": "shared-internal", "cidr": "10.60.0.0/24"}],
        roles=roles(login={"networks": ["campus"]}, compute={"networks": ["campus"]}), flows=[],
    )  # fmt: skip
    ends = {each.remote.value for each in compile_policy(made, SITE).roles["login"]}
    assert "255.255.255.255/32" in ends
    assert "10.60.0.0/24" not in ends


def test_on_a_shared_network_nothing_is_opened_to_the_neighbours_i5() -> None:
    made = document(
        sensitivity="internal", networks=[{"name": "campus", "class": "shared-internal", "cidr": "10.60.0.0/24"}],
        roles=roles(login={"networks": ["campus"]}, compute={"networks": ["campus"]}),
    )  # fmt: skip
    where = site(networks={"campus": "campus-net"})
    world, claim = prospect(made, where)
    filters = Filters(world)
    (login, *_) = [port for port in world.ports if claim.port_roles.get(port.id) == "login"]
    neighbour = int.from_bytes(bytes([10, 60, 0, 200]), "big")
    for direction in ("ingress", "egress"):
        for box in filters.actual(login, direction, "IPv4"):
            assert not any(low <= neighbour <= high for low, high in box.addresses)


def test_a_vlan_wants_a_site_that_has_them_c4_c10() -> None:
    made = document(networks=[{**CLUSTER, "segmentation": "vlan", "segmentation_id": 100}])
    assert [field for field, _ in found(made, site())] == ["networks.0.segmentation"]
    assert [field for field, _ in found(made, site(vlan_physical_network="physnet1"))] == ["networks.0.segmentation_id"]
    assert found(made, site(vlan_physical_network="physnet1", vlan_ids=["99-100"])) == []


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"segmentation_id": 7}, "needs segmentation"),
        ({"segmentation": "vlan", "segmentation_id": 4095}, "VLAN id"),
        ({"segmentation": "geneve", "segmentation_id": 16_777_215}, "less than or equal to 16777214"),
        ({"segmentation": "geneve", "class": "external"}, "private networks"),
    ],
)
def test_a_segmentation_that_can_not_be_is_refused(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        document(networks=[{**CLUSTER, **changes}])


def test_direct_ports_go_on_vlans_c4() -> None:
    flavor = document().roles[1].flavor
    where = site(vlan_physical_network="physnet1", direct_flavors=[flavor])
    direct = roles(compute={"vnic_type": "direct"})
    assert [field for field, _ in found(document(roles=direct), where)] == ["roles.1.vnic_type"]
    on_vlan = document(roles=direct, networks=[{**CLUSTER, "segmentation": "vlan"}])
    assert found(on_vlan, where) == []
    ((field, reason),) = found(on_vlan, site(vlan_physical_network="physnet1"))
    assert (field, flavor in reason) == ("roles.1.vnic_type", True)


def test_a_direct_port_carries_no_trunk_c4_c11() -> None:
    where = site(vlan_physical_network="physnet1", direct_flavors=[document().roles[1].flavor])
    tagged = roles(compute={"vnic_type": "direct", "subports": [{"network": "data", "vlan": 7}]})
    made = document(roles=tagged, networks=[{**CLUSTER, "segmentation": "vlan"}, DATA])
    assert [field for field, _ in found(made, where)] == ["roles.1.subports"]


@pytest.mark.parametrize("each", ["0", "4095", "300-299", "1-4095"])
def test_a_sites_vlans_are_vlans(each: str) -> None:
    with pytest.raises(ValidationError, match="vlan_ids"):
        site(vlan_ids=[each])


def test_subports_are_on_declared_networks_with_tags_of_their_own_c11() -> None:
    def asked(*subports: dict[str, Any]) -> list[str]:
        made = document(networks=[CLUSTER, DATA], roles=roles(compute={"subports": list(subports)}))
        return [field for field, _ in found(made, site())]

    assert asked({"network": "data", "vlan": 7}) == []
    assert asked({"network": "moon", "vlan": 7}) == ["roles.1.subports.0.network"]
    assert asked({"network": "cluster", "vlan": 7}) == ["roles.1.subports.0.network"]
    assert len(asked({"network": "data", "vlan": 7}, {"network": "data", "vlan": 7})) == 4


def test_a_subports_network_counts_for_the_roles_rules_c11() -> None:
    made = document(networks=[CLUSTER, DATA], roles=roles(compute={"subports": [{"network": "data", "vlan": 7}]}))
    ends = {each.remote.value for each in compile_policy(made, SITE).roles["compute"]}
    assert "10.43.0.0/24" in ends


def test_no_workspace_has_a_port_on_the_internal_network_c3() -> None:
    made = document(
        sensitivity="internal", networks=[{"name": "campus", "class": "shared-internal", "cidr": "10.60.0.0/24"}],
        roles=roles(login={"networks": ["campus"]}, compute={"networks": ["campus"]}), flows=[],
    )  # fmt: skip
    assert found(made, site(networks={"campus": "campus-net"})) == []
    ((field, reason),) = found(made, site(networks={"campus": "api-net"}, internal_api_network="api-net"))
    assert field == "networks.0.name"
    assert "row C3" in reason
