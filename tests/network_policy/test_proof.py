"""The isolation proof on worlds made by hand: rows L3, L4, L5, I5, I6, M1."""

from dataclasses import replace
from typing import Any

import pytest

from contracts.network_policy import Counterexample, Whose
from network_policy.domain.certificate import ASSUMED_NEARBY, ASSUMED_OF_DHCP_OPTIONS
from network_policy.domain.engine import Engine
from network_policy.domain.proof import Prover
from network_policy.domain.rule import Remote, RemoteKind
from network_policy.domain.world import AddressGroup, AddressPair, FloatingIp, Network, Port, World
from tests.network_policy.enclaves import Enclave, document, rule, together, with_port, with_rule

ONE = Enclave(document(), "p1")
TWO = Enclave(document(name="genome"), "p2", "10.43.0")
CLOUD = together(ONE.world, TWO.world)
LOGIN, COMPUTE = ONE.ids["login"], ONE.ids["compute"]
LOGIN_PORT, COMPUTE_PORT = "p1-login-port0", "p1-compute-port0"
SSH: dict[str, Any] = {"protocol": "tcp", "port_range_min": 22, "port_range_max": 22}


def found(world: World, workspace: str = "openhpc") -> tuple[Counterexample, ...]:
    return Prover(world, [ONE.claim, TWO.claim]).prove(workspace).counterexamples


def only(world: World, workspace: str = "openhpc") -> Counterexample:
    (packet,) = found(world, workspace)
    return packet


def test_two_workspaces_as_declared_are_isolated_m1() -> None:
    verdict = Prover(CLOUD, [ONE.claim, TWO.claim]).prove("openhpc")
    assert verdict.holds
    assert verdict.digest.startswith("sha256:")
    assert len(verdict.assumptions) >= 4


def test_the_digest_is_of_what_was_looked_at() -> None:
    def digest(world: World) -> str:
        return Prover(world, [ONE.claim, TWO.claim]).digest

    assert digest(CLOUD) == digest(replace(CLOUD, ports=tuple(reversed(CLOUD.ports))))
    assert digest(CLOUD) != digest(with_port(CLOUD, LOGIN_PORT, port_security=False))


def test_ssh_from_anywhere_is_found_with_the_rule_l3_i6() -> None:
    packet = only(with_rule(CLOUD, LOGIN, "rogue", rule(**SSH)))
    assert (packet.source, packet.protocol, packet.port) == ("outside", "tcp", 22)
    assert packet.source_address == "198.51.100.7"
    assert packet.destination_address == "10.42.0.10"
    assert packet.rule_ids == ("rogue",)


def test_ssh_from_the_jumphosts_alone_is_declared_l3() -> None:
    again = rule(**SSH, remote_ip_prefix="203.0.113.4/30")
    assert not found(with_rule(CLOUD, LOGIN, "same", again))


def test_one_address_beyond_the_jumphosts_is_found_l3() -> None:
    packet = only(with_rule(CLOUD, LOGIN, "rogue", rule(**SSH, remote_ip_prefix="203.0.113.0/27")))
    assert packet.source_address == "203.0.113.16"


def test_egress_to_everywhere_is_found_l5() -> None:
    packet = only(with_rule(CLOUD, COMPUTE, "rogue", rule("egress")))
    assert packet.destination == "outside"
    assert packet.rule_ids == ("rogue",)


def test_egress_to_everywhere_goes_nowhere_without_a_gateway() -> None:
    closed = replace(CLOUD, routers=tuple(replace(each, external_network_id=None) for each in CLOUD.routers))
    assert not found(with_rule(closed, COMPUTE, "rogue", rule("egress", protocol="vrrp")))


def test_one_side_alone_lets_nothing_pass_inside() -> None:
    member = Remote(RemoteKind.GROUP, COMPUTE)
    assert not found(with_rule(CLOUD, LOGIN, "half", rule("egress", protocol="udp").with_remote(member)))


def test_both_sides_together_are_a_counterexample_with_both_rules_l5() -> None:
    world = with_rule(
        CLOUD, LOGIN, "out", rule("egress", protocol="udp").with_remote(Remote(RemoteKind.GROUP, COMPUTE))
    )
    world = with_rule(world, COMPUTE, "in", rule(protocol="udp").with_remote(Remote(RemoteKind.GROUP, LOGIN)))
    packet = only(world)
    assert packet.rule_ids == ("out", "in")
    assert (packet.protocol, packet.port) == ("udp", 53)
    assert "inside openhpc" in packet.why


def test_two_workspaces_opened_to_each_other_l4() -> None:
    world = with_rule(CLOUD, LOGIN, "out", rule("egress", **SSH, remote_ip_prefix="10.43.0.0/24"))
    world = with_rule(world, TWO.ids["login"], "in", rule(**SSH, remote_ip_prefix="10.42.0.0/24"))
    for workspace in ("openhpc", "genome"):
        between = [each for each in found(world, workspace) if set(each.rule_ids) == {"out", "in"}]
        assert len(between) == 1
        assert "from openhpc to genome" in between[0].why


def test_a_port_without_port_security_is_open_to_its_neighbours() -> None:
    packets = found(with_port(CLOUD, COMPUTE_PORT, port_security=False))
    assert packets
    assert all(COMPUTE_PORT in each.rule_ids for each in packets)


def test_a_port_in_another_roles_group_may_do_what_its_own_role_may_not() -> None:
    packets = found(with_port(CLOUD, COMPUTE_PORT, group_ids=(LOGIN,)))
    assert {each.source for each in packets} >= {"outside"}
    from_outside = next(each for each in packets if each.source == "outside")
    assert (from_outside.source_of, from_outside.destination_of) == (None, Whose(workspace="openhpc", role="compute"))


def test_a_port_of_no_role_in_a_managed_group_is_found() -> None:
    stray = Port("stray", "x", "p1", ONE.network, ("10.42.0.99",), "", (LOGIN,))
    packets = found(replace(CLOUD, ports=(*CLOUD.ports, stray)))
    assert any("stray" in each.source or "stray" in each.destination for each in packets)


def test_a_port_in_the_empty_default_group_reaches_nothing_i6() -> None:
    stray = Port("stray", "x", "p1", ONE.network, ("10.42.0.99",), "", ("p1-default",))
    assert not found(replace(CLOUD, ports=(*CLOUD.ports, stray)))


def test_an_address_pair_widens_a_remote_group() -> None:
    world = with_port(CLOUD, LOGIN_PORT, address_pairs=(AddressPair("198.51.100.0/24"),))
    packets = found(world)
    assert any(each.source == "outside" and each.source_address == "198.51.100.7" for each in packets)


def test_a_foreign_port_in_our_group_is_found() -> None:
    foreign = Port("foreign", "x", "elsewhere", ONE.network, ("10.42.0.77",), "", (LOGIN,))
    packets = found(replace(CLOUD, ports=(*CLOUD.ports, foreign)))
    assert any("foreign" in each.source for each in packets)


def test_a_foreign_port_without_filters_on_our_network_may_pretend_to_be_anybody_i5() -> None:
    foreign = Port("foreign", "x", "elsewhere", ONE.network, ("10.42.0.77",), port_security=False)
    packets = found(replace(CLOUD, ports=(*CLOUD.ports, foreign)))
    assert any("foreign" in each.source and each.port == 22 for each in packets)


def test_a_foreign_port_at_an_address_that_a_flow_names_is_what_the_flow_names() -> None:
    proxy = Network("ext-site", "site", "admin", external=True)
    jumphost = Port("jump", "jump", "admin", "ext-site", ("203.0.113.5",), "", ("jump-group",))
    assert not found(replace(CLOUD, ports=(*CLOUD.ports, jumphost), networks=(*CLOUD.networks, proxy)))


def test_an_address_group_is_its_prefixes_and_an_unseen_one_is_anything() -> None:
    world = with_rule(CLOUD, LOGIN, "rogue", rule(**SSH, remote_address_group_id="ag"))
    assert only(world).rule_ids == ("rogue",)
    harmless = replace(world, address_groups=(AddressGroup("ag", "p1", ("203.0.113.8/32",)),))
    assert not found(harmless)
    harmful = replace(world, address_groups=(AddressGroup("ag", "p1", ("203.0.113.8/32", "192.0.2.0/24")),))
    assert only(harmful).source_address == "192.0.2.0"


def test_a_group_that_cannot_be_seen_fails_closed() -> None:
    assert found(with_port(CLOUD, COMPUTE_PORT, group_ids=(COMPUTE, "unseen")))


def test_a_floating_address_opens_nothing_by_itself() -> None:
    assert not found(replace(CLOUD, floating_ips=(FloatingIp("f", "p1", "172.24.0.50", LOGIN_PORT),)))


@pytest.mark.parametrize(
    "owner", ["network:dhcp", "network:router_interface", "network:distributed", "network:floatingip"]
)
def test_a_nodes_port_that_calls_itself_neutrons_is_unfiltered(owner: str) -> None:
    """CVE-2015-5240."""
    assert found(with_port(CLOUD, COMPUTE_PORT, device_owner=owner))


def test_neutrons_own_ports_are_left_out() -> None:
    dhcp = Port("dhcp", "", "p1", ONE.network, ("10.42.0.2",), device_owner="network:dhcp", device_id="dhcp6c-1")
    metadata = Port(
        "meta", "", "p1", ONE.network, ("10.42.0.3",), device_owner="network:distributed", device_id="ovnmeta-n"
    )
    assert not found(replace(CLOUD, ports=(*CLOUD.ports, dhcp, metadata)))


def test_dhcp_options_open_nothing_and_are_told_as_assumed() -> None:
    """CVE-2021-40085."""
    world = with_port(CLOUD, COMPUTE_PORT, dhcp_options=("router=10.42.0.66",))
    verdicts = {name: Prover(world, [ONE.claim, TWO.claim]).prove(name) for name in ("openhpc", "genome")}
    assert all(each.holds for each in verdicts.values())
    assert ASSUMED_OF_DHCP_OPTIONS in verdicts["openhpc"].assumptions
    assert ASSUMED_OF_DHCP_OPTIONS not in verdicts["genome"].assumptions
    assert Engine(world, [ONE.claim, TWO.claim]).verdict("openhpc").assumptions == verdicts["openhpc"].assumptions
    assert verdicts["openhpc"].digest != Prover(CLOUD, [ONE.claim, TWO.claim]).digest


def test_ipv6_is_proven_too() -> None:
    world = with_port(CLOUD, LOGIN_PORT, addresses=("10.42.0.10", "2001:db8:42::10"))
    assert not found(world)
    packet = only(with_rule(world, LOGIN, "rogue", rule("ingress", "IPv6", protocol="icmpv6")))
    assert (packet.source_address, packet.protocol) == ("2001:db8::7", "ipv6-icmp")


def test_a_proof_without_the_whole_cloud_says_so() -> None:
    verdict = Prover(replace(ONE.world, whole=False), [ONE.claim]).prove("openhpc")
    assert verdict.holds
    assert ASSUMED_NEARBY in verdict.assumptions
