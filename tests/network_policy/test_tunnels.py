"""Gateways, what passes their tunnels, and the addresses at both ends: rows D4, D7."""

import pytest

from contracts.site import IPSEC_OVERHEAD_BYTES
from network_policy.domain.compile import Uncompilable, compile_policy
from network_policy.domain.rule import Remote, RemoteKind
from tests.network_policy.asked_for import CLUSTER, COMPUTE, compiled, found, roles, site
from tests.network_policy.enclaves import SITE, document

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
