"""What a document may ask for at a site, and the rules that come of it: rows L3, L4, L26, I5, C4, C10, C11, D4, D7."""

from typing import Any

import pytest
from pydantic import ValidationError

from contracts.documents import problems
from contracts.examples import DOCUMENT
from contracts.site import IPSEC_OVERHEAD_BYTES, Site
from contracts.workspace import Flow, Workspace
from contracts.zones import forbidden
from network_policy.domain.compile import Uncompilable, compile_policy
from network_policy.domain.filters import Filters
from network_policy.domain.proof import Prover
from network_policy.domain.prospect import prospect
from network_policy.domain.rule import Remote, RemoteKind, Rule
from tests.network_policy.enclaves import SITE, document, rule

LOGIN, COMPUTE = Remote(RemoteKind.ROLE, "login"), Remote(RemoteKind.ROLE, "compute")
CLUSTER: dict[str, Any] = {"name": "cluster", "class": "private", "cidr": "10.42.0.0/24"}
DATA: dict[str, Any] = {"name": "data", "class": "private", "cidr": "10.43.0.0/24"}


def site(**changes: Any) -> Site:
    made = SITE.model_dump(mode="json", by_alias=True)
    return Site.model_validate({**made, "share_types": {"CEPHFS": "cephfs"}, **changes})


def roles(**changes: dict[str, Any]) -> list[dict[str, Any]]:
    """The example's roles with some fields of each changed."""
    return [{**each, **changes.get(each["name"], {})} for each in DOCUMENT["roles"]]


def compiled(made: Workspace, where: Site) -> dict[str, set[Rule]]:
    """The rules of each role beyond those without any flow."""
    bare = compile_policy(made.model_copy(update={"flows": ()}), where)
    return {name: set(rules - bare.roles[name]) for name, rules in compile_policy(made, where).roles.items()}


def found(made: Workspace, where: Site) -> list[tuple[str, str]]:
    return [(each.field, each.reason) for each in problems(made, where)]


# -- zones


MATRIX = [
    {"from": "workspaces", "to": "clinic", "protocol": "tcp", "ports": [443, "8000-8100"]},
    {"from": "clinic", "to": "workspaces", "protocol": "icmp"},
]


@pytest.mark.parametrize(
    ("flow", "is_permitted"),
    [
        ({"from": "compute", "to": "zone:clinic", "ports": [443]}, True),
        ({"from": "compute", "to": "zone:clinic", "ports": ["8000-8100", 443]}, True),
        ({"from": "compute", "to": "zone:clinic", "ports": ["8000-8101"]}, False),
        ({"from": "compute", "to": "zone:clinic", "protocol": "udp", "ports": [443]}, False),
        ({"from": "compute", "to": "zone:clinic", "protocol": "any"}, False),
        ({"from": "zone:clinic", "to": "compute", "ports": [443]}, False),
        ({"from": "zone:clinic", "to": "compute", "protocol": "icmp"}, True),
        ({"from": "login", "to": "compute", "ports": [22]}, True),
    ],
)
def test_a_pair_of_zones_that_the_matrix_does_not_list_is_refused_and_compiles_to_nothing_l4(
    flow: dict[str, Any], is_permitted: bool
) -> None:
    where = site(zone_matrix=MATRIX)
    made = document(flows=[flow])
    assert (found(made, where) == []) is is_permitted
    assert (compiled(made, where)["compute"] != set()) is is_permitted
    if not is_permitted:
        ((field, reason),) = found(made, where)
        assert field == "flows.0"
        assert "zone matrix" in reason


def test_without_a_matrix_no_flow_crosses_zones_l4() -> None:
    made = document(flows=[{"from": "compute", "to": "zone:clinic", "ports": [443]}])
    assert [field for field, _ in found(made, site(zone_matrix=[]))] == ["flows.0"]


def test_networks_of_one_workspace_may_lie_in_two_zones_l4() -> None:
    networks = [CLUSTER, {**DATA, "zone": "clinic"}]
    made = document(
        networks=networks,
        roles=roles(compute={"networks": ["data"]}),
        flows=[{"from": "login", "to": "compute", "ports": [22]}, {"from": "compute", "to": "login", "ports": [22]}],
    )
    where = site(zone_matrix=[{"from": "workspaces", "to": "clinic", "protocol": "tcp", "ports": [22]}])
    assert [field for field, _ in found(made, where)] == ["flows.1"]
    added = compiled(made, where)
    assert {each.direction for each in added["login"]} == {"egress"}
    assert {each.direction for each in added["compute"]} == {"ingress"}


def test_a_role_on_two_networks_needs_every_pair_l4() -> None:
    networks = [CLUSTER, {**DATA, "zone": "clinic"}]
    made = document(networks=networks, roles=roles(compute={"networks": ["cluster", "data"]}))
    where = site(zone_matrix=[])
    flow = Flow.model_validate({"from": "login", "to": "compute", "ports": [22]})
    assert forbidden(made, where, flow) == (("workspaces", "clinic"),)
    assert forbidden(made, where, Flow.model_validate({"from": "compute", "to": "self", "protocol": "any"})) == (
        ("workspaces", "clinic"),
        ("clinic", "workspaces"),
    )


def test_an_endpoint_in_a_zone_needs_the_matrix_and_its_always_does_not() -> None:
    endpoints = SITE.model_dump(mode="json", by_alias=True)["endpoints"]
    where = site(endpoints={**endpoints, "proxy": {**endpoints["proxy"], "zone": "clinic"}}, zone_matrix=[])
    made = document(flows=[{"from": "login", "to": "site:proxy", "ports": [3128]}])
    assert [field for field, _ in found(made, where)] == ["flows.0"]
    assert compiled(made, where)["login"] == set()


def test_an_unknown_zone_is_refused() -> None:
    made = document(networks=[{**CLUSTER, "zone": "mars"}])
    assert ("networks.0.zone", "the site file names no zone 'mars'") in found(made, SITE)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"zone_matrix": [{"from": "workspaces", "to": "mars"}]}, "no zone 'mars'"),
        ({"zone_matrix": [{"from": "workspaces", "to": "clinic", "protocol": "icmp", "ports": [1]}]}, "takes no ports"),
        ({"tunnels": {"clinic": {"peers": ["198.51.100.1/32"], "far_prefixes": ["10.9.0.0/16"]}}}, "a tunnel and a zone"),
        ({"api_proxy_endpoint": "nowhere"}, "no endpoint 'nowhere'"),
        (
            {"tunnels": {
                "a": {"peers": ["198.51.100.1/32"], "far_prefixes": ["10.9.0.0/16"]},
                "b": {"peers": ["198.51.100.2/32"], "far_prefixes": ["10.9.128.0/17"]},
            }},
            "far prefixes overlap",
        ),
        ({"tunnels": {"a": {"peers": ["10.9.0.1/32"], "far_prefixes": ["10.9.0.0/16"]}}}, "lies in 10.9.0.0/16"),
        ({"tunnels": {"a": {"peers": ["198.51.100.1/24"], "far_prefixes": ["10.9.0.0/16"]}}}, "host bits"),
    ],
)  # fmt: skip
def test_a_site_file_that_contradicts_itself_is_refused(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        site(**changes)


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


# -- tunnels


TUNNELS = {"azure": {"peers": ["198.51.100.9/32"], "far_prefixes": ["10.99.0.0/16"], "path_mtu_bytes": 1400}}
TO_AZURE = [{"from": "workspaces", "to": "azure"}, {"from": "azure", "to": "workspaces"}]


def test_a_gateway_may_speak_ike_and_esp_with_its_peers_alone_d4() -> None:
    where = site(tunnels=TUNNELS, zone_matrix=TO_AZURE)
    made = document(roles=roles(login={"tunnels": ["azure"]}), flows=[])
    plain = compile_policy(document(flows=[]), where).roles["login"]
    added = compile_policy(made, where).roles["login"] - plain
    assert {(each.direction, each.protocol, each.low, each.remote.value) for each in added} == {
        (direction, protocol, port, "198.51.100.9/32")
        for direction in ("ingress", "egress")
        for protocol, port in ((17, 500), (17, 4500), (50, None))
    }
    assert compile_policy(made, where).roles["compute"] == compile_policy(document(flows=[]), where).roles["compute"]


def test_a_flow_through_a_tunnel_passes_the_gateway_d4() -> None:
    where = site(tunnels=TUNNELS, zone_matrix=TO_AZURE)
    made = document(
        roles=roles(login={"tunnels": ["azure"]}),
        flows=[
            {"from": "compute", "to": "zone:azure", "ports": [6817]},
            {"from": "zone:azure", "to": "compute", "ports": [6818]},
        ],
    )
    assert found(made, where) == []
    added = compiled(made, where)
    far = Remote(RemoteKind.PREFIX, "10.99.0.0/16")
    assert {(each.direction, each.low, each.remote) for each in added["compute"]} == {
        ("egress", 6817, far), ("ingress", 6818, far)}  # fmt: skip
    assert {(each.direction, each.low, each.remote) for each in added["login"]} == {
        ("ingress", 6817, COMPUTE), ("egress", 6818, COMPUTE)}  # fmt: skip


def test_no_network_may_overlap_a_tunnels_ends_d7() -> None:
    where = site(tunnels=TUNNELS)
    for cidr, words in (("10.99.4.0/24", "far side"), ("198.51.100.0/28", "far gateway")):
        ((field, reason),) = found(document(networks=[{**CLUSTER, "cidr": cidr}], flows=[]), where)
        assert field == "networks.0.cidr"
        assert words in reason
        assert "azure" in reason


def test_an_unknown_tunnel_is_refused_where_it_is_named() -> None:
    made = document(roles=roles(login={"tunnels": ["mars"]}), flows=[])
    assert [field for field, _ in found(made, site())] == ["roles.0.tunnels.0"]
    with pytest.raises(Uncompilable, match="mars"):
        compile_policy(made, SITE)


def test_packets_inside_a_tunnel_are_smaller_than_the_way() -> None:
    assert site(tunnels=TUNNELS).tunnels["azure"].inner_mtu_bytes == 1400 - IPSEC_OVERHEAD_BYTES


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
    assert found(made, site(vlan_physical_network="physnet1")) == []


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
    where = site(vlan_physical_network="physnet1")
    direct = roles(compute={"vnic_type": "direct"})
    assert [field for field, _ in found(document(roles=direct), where)] == ["roles.1.vnic_type"]
    assert found(document(roles=direct, networks=[{**CLUSTER, "segmentation": "vlan"}]), where) == []


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
