"""A document compiled to groups: rows L3, L4, L5, L6, L12, I6."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.documents import problems
from contracts.workspace import Workspace
from network_policy.domain.compile import Uncompilable, compile_policy
from network_policy.domain.intervals import intersect
from network_policy.domain.rule import Remote, RemoteKind, Rule
from tests.network_policy.enclaves import SITE, document, rule

LOGIN, COMPUTE = Remote(RemoteKind.ROLE, "login"), Remote(RemoteKind.ROLE, "compute")


def role(made: Workspace, name: str) -> frozenset[Rule]:
    return compile_policy(made, SITE).roles[name]


def tcp(direction: str, low: int, high: int, remote: Remote) -> Rule:
    return rule(direction, protocol="tcp", port_range_min=low, port_range_max=high).with_remote(remote)


ALWAYS = {
    rule("egress", protocol="udp", port_range_min=67, port_range_max=67, remote_ip_prefix="255.255.255.255/32"),
    rule("egress", protocol="udp", port_range_min=67, port_range_max=67, remote_ip_prefix="10.42.0.0/24"),
    rule("egress", protocol="tcp", port_range_min=80, port_range_max=80, remote_ip_prefix="169.254.169.254/32"),
    rule("egress", protocol="udp", port_range_min=53, port_range_max=53, remote_ip_prefix="192.0.2.53/32"),
    rule("egress", protocol="tcp", port_range_min=53, port_range_max=53, remote_ip_prefix="192.0.2.53/32"),
}


def test_without_flows_a_role_may_do_nothing_but_come_up_and_reach_the_sites_services_l5_l6_i6() -> None:
    for name in ("login", "compute"):
        assert role(document(flows=[]), name) == ALWAYS


def test_the_example_is_exactly_its_flows_l3_l5() -> None:
    assert role(document(), "login") - ALWAYS == {
        rule(protocol="tcp", port_range_min=22, port_range_max=22, remote_ip_prefix="203.0.113.0/28"),
        tcp("egress", 22, 22, COMPUTE),
        tcp("egress", 6817, 6819, COMPUTE),
    }
    assert role(document(), "compute") - ALWAYS == {tcp("ingress", 22, 22, LOGIN), tcp("ingress", 6817, 6819, LOGIN)}


def test_self_is_both_ways_within_the_role() -> None:
    made = document(flows=[{"from": "compute", "to": "self", "protocol": "any"}])
    assert role(made, "compute") - ALWAYS == {
        rule("egress").with_remote(COMPUTE),
        rule("ingress").with_remote(COMPUTE),
    }


def test_ports_that_touch_or_repeat_are_one_rule_l12() -> None:
    made = document(flows=[
        {"from": "login", "to": "compute", "ports": ["22", "23-30", "22"]},
        {"from": "login", "to": "compute", "ports": ["25-40"]},
        {"from": "login", "to": "compute", "ports": ["22"]},
    ])  # fmt: skip
    assert role(made, "compute") - ALWAYS == {tcp("ingress", 22, 40, LOGIN)}


def test_what_a_wider_rule_permits_is_left_out_l12() -> None:
    made = document(flows=[
        {"from": "login", "to": "compute", "protocol": "any"},
        {"from": "login", "to": "compute", "ports": [22]},
        {"from": "login", "to": "compute", "protocol": "icmp"},
    ])  # fmt: skip
    assert role(made, "compute") - ALWAYS == {rule("ingress").with_remote(LOGIN)}


def test_only_a_listed_zone_is_reached_l4() -> None:
    made = document(flows=[{"from": "compute", "to": "zone:clinic", "ports": [443]}])
    added = role(made, "compute") - ALWAYS
    assert added == {
        rule("egress", protocol="tcp", port_range_min=443, port_range_max=443, remote_ip_prefix="10.200.0.0/16")
    }
    assert role(made, "login") == ALWAYS


def test_ingress_from_another_endpoint_than_the_jumphosts_is_refused_l3() -> None:
    with pytest.raises(Uncompilable, match="site:jumphosts"):
        compile_policy(document(flows=[{"from": "site:dns", "to": "login", "ports": [22]}]), SITE)


def test_such_a_document_is_refused_where_it_is_given_with_field_and_remedy_l3() -> None:
    made = document(flows=[{"from": "site:dns", "to": "login", "ports": [22]}])
    (problem,) = problems(made, SITE.model_copy(update={"share_types": {"CEPHFS": "cephfs"}}))
    assert problem.field == "flows.0.from"
    assert "site:jumphosts" in problem.remedy


def test_ipv6_is_off_unless_declared() -> None:
    made = document(flows=[{"from": "compute", "to": "site:proxy", "ports": [3128]}])
    assert {each.ethertype for each in role(made, "compute")} == {"IPv4"}


def test_ipv6_brings_its_own_dhcp_metadata_and_icmp_l6() -> None:
    networks = [{"name": "cluster", "class": "private", "cidr": "10.42.0.0/24", "cidr6": "2001:db8:42::/64"}]
    flows = [
        {"from": "login", "to": "compute", "protocol": "icmp"},
        {"from": "compute", "to": "site:proxy", "ports": [3128]},
    ]
    v6 = {each for each in role(document(networks=networks, flows=flows), "compute") if each.ethertype == "IPv6"}
    assert v6 == {
        rule("egress", "IPv6", protocol="udp", port_range_min=547, port_range_max=547, remote_ip_prefix="ff02::1:2/128"),
        rule("egress", "IPv6", protocol="tcp", port_range_min=80, port_range_max=80, remote_ip_prefix="fe80::a9fe:a9fe/128"),
        rule("egress", "IPv6", protocol="tcp", port_range_min=3128, port_range_max=3128, remote_ip_prefix="2001:db8:1::80/128"),
        rule("ingress", "IPv6", protocol="58").with_remote(LOGIN),
    }  # fmt: skip


ports = st.integers(1, 65535)
ranges = st.tuples(ports, ports).map(lambda pair: f"{min(pair)}-{max(pair)}")
flows = st.builds(
    lambda ends, kind: {"from": ends[0], "to": ends[1], **kind},
    st.sampled_from([("login", "compute"), ("compute", "login"), ("login", "self"), ("compute", "zone:clinic"),
                     ("compute", "site:proxy"), ("site:jumphosts", "login"), ("zone:clinic", "compute")]),
    st.one_of(
        st.just({"protocol": "any"}),
        st.just({"protocol": "icmp"}),
        st.builds(lambda protocol, found: {"protocol": protocol, "ports": found},
                  st.sampled_from(["tcp", "udp"]), st.lists(ranges, min_size=1, max_size=3)),
    ),
)  # fmt: skip


@given(st.lists(flows, max_size=8))
def test_no_two_rules_of_a_group_permit_the_same_packet_to_the_same_end_l12(found: list[dict[str, object]]) -> None:
    policy = compile_policy(document(flows=found), SITE)
    for rules in policy.roles.values():
        for one in rules:
            for other in rules - {one}:
                if (one.direction, one.ethertype, one.remote) == (other.direction, other.ethertype, other.remote):
                    assert not intersect(one.traffic, other.traffic)


@given(st.lists(flows, max_size=8))
def test_compiling_is_blind_to_the_order_and_to_repeats_of_flows(found: list[dict[str, object]]) -> None:
    once = compile_policy(document(flows=found), SITE)
    assert compile_policy(document(flows=[*reversed(found), *found]), SITE) == once


@given(st.lists(flows, max_size=8))
def test_what_a_node_needs_to_come_up_is_in_every_policy_l6(found: list[dict[str, object]]) -> None:
    policy = compile_policy(document(flows=found), SITE)
    for name, rules in policy.roles.items():
        assert policy.boot[name] <= rules
        for port in (17 * 65536 + 67, 6 * 65536 + 80):
            assert any(low <= port <= high for each in policy.boot[name] for low, high in each.traffic)
