"""The minimiser against packets tried one by one, and against every smaller rule set there is (M9)."""

from collections.abc import Iterable
from ipaddress import ip_address, ip_network
from itertools import combinations
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from network_policy.domain.hygiene import minimise as minimiser
from network_policy.domain.hygiene.cover import cheapest_cover
from network_policy.domain.hygiene.equality import prove_equal
from network_policy.domain.hygiene.minimise import minimise
from network_policy.domain.rule import Remote, RemoteKind, Rule, read_rule

GROUPS = ("g1", "g2")
MEMBERS: dict[str, dict[str, Any]] = {
    "none": {},
    "some": {"g1": ("10.0.0.1",), "g2": ("10.0.0.2", "192.0.2.7")},
    "others": {"g1": ("203.0.113.9",), "g2": ("10.0.0.0",)},
}
ADDRESSES = [ip_address(f"10.0.0.{last}") for last in range(10)] + [
    ip_address(each) for each in ("9.255.255.255", "10.0.1.0", "10.1.0.0", "192.0.2.7", "203.0.113.9", "128.0.0.0")
]
PACKETS = [(6, port) for port in (1, 2, 3, 4, 5, 21, 22, 23, 1023, 1024, 65535)] + [
    (17, 53), (17, 1), (1, 0), (1, 8 * 256), (1, 8 * 256 + 1), (1, 255 * 256 + 255), (47, 0), (0, 0), (112, 0), (255, 0),
]  # fmt: skip


def rule(direction: str = "ingress", ethertype: str = "IPv4", **fields: Any) -> Rule:
    return read_rule(direction=direction, ethertype=ethertype, **fields)


def permits(each: Rule, direction: str, address: Any, protocol: int, number: int, members: dict[str, Any]) -> bool:
    """Written anew, from what Neutron's documentation says a rule means."""
    if each.direction != direction:
        return False
    remote = each.remote
    if remote.kind is RemoteKind.PREFIX and address not in ip_network(remote.value):
        return False
    if remote.kind is RemoteKind.GROUP and str(address) not in members.get(remote.value, ()):
        return False
    if each.protocol is None:
        return True
    if each.protocol != protocol:
        return False
    if each.low is None:
        return True
    if protocol == 1:
        return number // 256 == each.low and (each.high is None or number % 256 == each.high)
    assert each.high is not None
    return each.low <= number <= each.high


def passing(rules: Iterable[Rule], members: dict[str, Any]) -> set[tuple[Any, ...]]:
    kept = list(rules)
    return {
        (direction, address, protocol, number)
        for direction in ("ingress", "egress")
        for address in ADDRESSES
        for protocol, number in PACKETS
        if any(permits(each, direction, address, protocol, number, members) for each in kept)
    }


prefixes = st.sampled_from(
    [None, "0.0.0.0/0", "0.0.0.0/1", "128.0.0.0/1", "10.0.0.0/8", "10.0.0.0/30", "10.0.0.4/30", "10.0.0.0/31", "10.0.0.2/31",
     "10.0.0.0/32", "10.0.0.1/32", "10.0.0.2/32", "10.0.0.3/32", "10.0.0.9/29", "192.0.2.0/24"]
)  # fmt: skip
ends = st.one_of(
    prefixes.map(lambda prefix: {"remote_ip_prefix": prefix}),
    st.sampled_from(GROUPS).map(lambda group: {"remote_group_id": group}),
)
ports = st.tuples(st.sampled_from([1, 2, 3, 4, 22, 1024]), st.sampled_from([1, 2, 3, 4, 5, 22, 1023, 65535])).map(
    lambda pair: {"port_range_min": min(pair), "port_range_max": max(pair)}
)
kinds = st.one_of(
    st.just({}),
    st.builds(lambda protocol, range_: {"protocol": protocol, **range_}, st.sampled_from(["tcp", "udp", "6"]), ports),
    st.sampled_from([{"protocol": each} for each in ("tcp", "udp", "icmp", "47", "0", "112")]),
    st.sampled_from(
        [{"protocol": "icmp", "port_range_min": 8}, {"protocol": "icmp", "port_range_min": 8, "port_range_max": 0}]
    ),
)
rules = st.builds(
    lambda direction, kind, end: rule(direction, **kind, **end), st.sampled_from(["ingress", "ingress", "egress"]), kinds, ends
)  # fmt: skip


@settings(max_examples=250, deadline=None)
@given(st.lists(rules, max_size=12))
def test_the_smaller_set_permits_the_same_packets_m9(given_rules: list[Rule]) -> None:
    """Both by the exact sets and by trying packets, whoever is in the remote groups."""
    least = minimise(given_rules)
    proof = prove_equal(given_rules, least.rules)
    assert proof.is_equal, proof.difference
    assert len(least.rules) <= len(set(given_rules))
    for members in MEMBERS.values():
        assert passing(given_rules, members) == passing(least.rules, members)
    assert minimise(least.rules).rules == least.rules or not least.is_exact


@settings(max_examples=300, deadline=None)
@given(st.lists(rules, max_size=6), st.lists(rules, max_size=6))
def test_a_difference_that_packets_show_is_never_called_equal(one: list[Rule], other: list[Rule]) -> None:
    proof = prove_equal(one, other)
    differs = any(passing(one, members) != passing(other, members) for members in MEMBERS.values())
    assert not (differs and proof.is_equal)
    assert proof.is_equal == prove_equal(other, one).is_equal
    if proof.difference is not None and "-" not in proof.difference.far_end.partition(" ")[0]:
        told, packet = proof.difference, (proof.difference.kind >> 16, proof.difference.kind & 0xFFFF)
        if "group" in told.far_end:
            return
        address = ip_address(told.far_end)
        here, there = (
            any(permits(each, told.direction, address, *(packet[0], packet[1] or (packet[0] in (6, 17))), {}) for each in side)
            for side in (one, other)
        )  # fmt: skip
        assert (here, there) == (told.lost, not told.lost), told.words


tiny_rules = st.builds(
    lambda low, high, prefix: rule(
        protocol="tcp", port_range_min=min(low, high), port_range_max=max(low, high), remote_ip_prefix=prefix
    ),
    st.integers(2, 4), st.integers(2, 4), st.sampled_from([f"10.0.0.{first}/{length}" for length in (30, 31, 32) for first in range(0, 4, 2 ** (32 - length))]),
)  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(st.lists(tiny_rules, max_size=5))
def test_no_set_of_fewer_rules_would_do_m9(given_rules: list[Rule]) -> None:
    """Every rule that the little world knows, in every choice of fewer."""
    wanted = passing(given_rules, {})
    least = minimise(given_rules)
    assert least.is_exact
    everything = [
        rule(protocol="tcp", port_range_min=low, port_range_max=high, remote_ip_prefix=f"10.0.0.{first}/{length}")
        for low in (2, 3, 4)
        for high in range(low, 5)
        for length in (30, 31, 32)
        for first in range(0, 4, 2 ** (32 - length))
    ]
    inside = [(each, packets) for each in everything if (packets := passing([each], {})) <= wanted]
    for size in range(len(least.rules)):
        for some in combinations(inside, size):
            assert set().union(*(packets for _, packets in some)) != wanted, [each for each, _ in some]


ipv6_rules = st.builds(
    lambda kind, prefix: rule(ethertype="IPv6", **kind, remote_ip_prefix=prefix), kinds,
    st.sampled_from([None, "::/0", "::/1", "8000::/1", "2001:db8::/32", "2001:db8::/127", "2001:db8::2/127", "2001:db8::/128",
                     "2001:db8::1/128", "2001:db8::5/126", "fe80::/10"]),
)  # fmt: skip
IPV6_ADDRESSES = [
    ip_address(each)
    for each in (
        "::",
        "7fff::",
        "8000::",
        "fe80::1",
        "2001:db8::",
        "2001:db8::1",
        "2001:db8::2",
        "2001:db8::7",
        "2001:db9::",
    )
]


@settings(max_examples=150, deadline=None)
@given(st.lists(ipv6_rules, max_size=10))
def test_ipv6_as_well(given_rules: list[Rule]) -> None:
    """ICMP is 58 there, under whichever name."""
    least = minimise(given_rules)
    assert prove_equal(given_rules, least.rules).is_equal
    numbers = [(58 if protocol == 1 else protocol, number) for protocol, number in PACKETS]
    for address in IPV6_ADDRESSES:
        for protocol, number in numbers:
            before, after = (
                any(_permits_ipv6(each, address, protocol, number) for each in some)
                for some in (given_rules, least.rules)
            )
            assert before == after, (address, protocol, number)


def _permits_ipv6(each: Rule, address: Any, protocol: int, number: int) -> bool:
    if protocol != 58 or each.protocol != 58:
        return permits(each, "ingress", address, protocol, number, {})
    inside = each.remote.kind is RemoteKind.ANY or address in ip_network(each.remote.value)
    fits = each.low is None or (number // 256 == each.low and each.high in (None, number % 256))
    return inside and fits


def test_ports_prefixes_and_covered_rules_become_one() -> None:
    halves = [
        rule(protocol="tcp", port_range_min=low, port_range_max=high, remote_ip_prefix=prefix)
        for low, high in ((1, 1023), (1024, 65535))
        for prefix in ("10.0.0.0/9", "10.128.0.0/9")
    ]
    least = minimise(
        [*halves, rule(protocol="tcp", port_range_min=22, port_range_max=22, remote_ip_prefix="10.1.2.3/32")]
    )
    assert least.rules == {rule(protocol="tcp", remote_ip_prefix="10.0.0.0/8")}
    assert least.is_exact


def test_a_remote_group_is_no_prefix_whoever_is_in_it() -> None:
    """Members come and go: only a rule for everybody replaces a rule for a group."""
    members = rule(protocol="tcp", remote_group_id="g1")
    network = rule(protocol="tcp", remote_ip_prefix="10.0.0.0/8")
    assert minimise([members, network]).rules == {members, network}
    assert minimise([members, rule(protocol="tcp")]).rules == {rule(protocol="tcp")}
    both_halves = [rule(protocol="tcp", remote_ip_prefix=each) for each in ("0.0.0.0/1", "128.0.0.0/1")]
    assert minimise([members, *both_halves]).rules == {rule(protocol="tcp")}


def test_protocol_0_stands_for_itself() -> None:
    """Some backends read it as any protocol, others as hop-by-hop options: it may replace nothing."""
    zero, tcp = rule(protocol="0"), rule(protocol="tcp")
    assert minimise([zero, tcp]).rules == {zero, tcp}
    assert minimise([zero, tcp, rule()]).rules == {rule()}


def test_what_is_there_already_is_kept_where_it_serves_as_well() -> None:
    """A wider rule would do, but an existing one needs no change."""
    kept = [
        rule(protocol="tcp", port_range_min=20, port_range_max=30, remote_ip_prefix="10.0.0.0/24"),
        rule(protocol="tcp", port_range_min=25, port_range_max=40, remote_ip_prefix="10.0.0.0/16"),
    ]
    assert minimise(kept).rules == set(kept)


@settings(max_examples=60, deadline=None)
@given(st.lists(rules, max_size=12))
def test_the_way_for_very_many_rules_is_proven_as_well(given_rules: list[Rule]) -> None:
    ceiling = minimiser.MAX_CANDIDATES
    minimiser.MAX_CANDIDATES = 0
    try:
        least = minimise(given_rules)
    finally:
        minimiser.MAX_CANDIDATES = ceiling
    proof = prove_equal(given_rules, least.rules)
    assert proof.is_equal, proof.difference


@given(st.lists(st.integers(1, 2**7 - 1), min_size=1, max_size=8))
def test_the_cheapest_cover_is_the_cheapest(sets: list[int]) -> None:
    universe = 0
    for each in sets:
        universe |= each
    choice = cheapest_cover(sets, [1] * len(sets), universe)
    covered = 0
    for position in choice.chosen:
        covered |= sets[position]
    assert covered & universe == universe
    fewest = next(
        size
        for size in range(1, len(sets) + 1)
        for some in combinations(sets, size)
        if universe & ~_union(some) == 0
    )  # fmt: skip
    assert choice.exact
    assert len(choice.chosen) == fewest


def _union(masks: Iterable[int]) -> int:
    found = 0
    for each in masks:
        found |= each
    return found


def test_a_changed_set_has_another_digest() -> None:
    one = [rule(protocol="tcp", port_range_min=22, port_range_max=22)]
    assert prove_equal(one, one).digest == prove_equal(list(one), set(one)).digest
    assert prove_equal(one, one).digest != prove_equal(one, [rule(protocol="tcp")]).digest


@pytest.mark.parametrize("remote", [Remote(RemoteKind.GROUP, "g1"), Remote(RemoteKind.ADDRESS_GROUP, "a1")])
def test_a_lost_remote_is_named(remote: Remote) -> None:
    proof = prove_equal([rule(protocol="tcp").with_remote(remote)], [])
    assert proof.difference is not None
    assert remote.value in proof.difference.words
    assert proof.difference.lost
