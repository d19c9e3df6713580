"""Policy tests against every packet of small worlds (M17): what they deny does not pass, what they permit does."""

import itertools
from ipaddress import IPv4Address, ip_network
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.policy_tests import PolicyTest
from network_policy.domain.policy_tests import PolicyTester
from network_policy.domain.policy_tests.saying import Words
from network_policy.domain.world import Port, World
from tests.network_policy.asking import asked
from tests.network_policy.enclaves import SITE
from tests.network_policy.packets import KINDS, Packet, Universe, number_of
from tests.network_policy.worlds import ADDRESSES, ONE, SLOW, TWO, worlds

ENDS = ["role:login", "role:compute", "workspace", "workspace:genome", "others", "site:jumphosts", "site:dns",
        "zone:clinic", "prefix:198.51.100.0/24", "prefix:10.42.0.10/32", "outside", "anywhere"]  # fmt: skip
OWN = ENDS[:4]


@st.composite
def denials(draw: st.DrawFn) -> PolicyTest:
    traffic: dict[str, Any] = draw(
        st.sampled_from(
            [
                {},
                {"protocol": "tcp"},
                {"protocol": "tcp", "ports": ["22-80"]},
                {"protocol": "udp", "ports": [53]},
                {"protocol": "icmp"},
            ]
        )
    )
    own, other = draw(st.sampled_from(OWN)), draw(st.sampled_from(ENDS))
    form = draw(st.sampled_from(["out", "in", "only", "reaches_only"]))
    if form == "only":
        return asked(only=draw(st.lists(st.sampled_from(ENDS), max_size=2)), reach=own, **traffic)
    if form == "reaches_only":
        return asked(**{"from": own, "reaches_only": draw(st.lists(st.sampled_from(ENDS), max_size=2))}, **traffic)
    ends = {"from": own, "to": other} if form == "out" else {"from": other, "to": own}
    return asked(**ends, expect="denied", **traffic)


def is_at(universe: Universe, end: str, port: Any, address: IPv4Address) -> bool:
    """Whether somebody with that port, or (None) somebody outside with that address, is whom the end means."""
    claim = universe.claims["p1"]
    kind, _, value = end.partition(":")
    if kind == "role":
        return port is not None and claim.port_roles.get(port.id) == value
    if kind == "workspace":
        return port is not None and port.project_id == ("p2" if value == "genome" else "p1")
    if kind == "others":
        return port is not None and port.project_id != "p1"
    if kind in ("outside", "anywhere"):
        return port is None or kind == "anywhere"
    if kind == "prefix":
        prefixes: tuple[str, ...] = (value,)
    else:
        prefixes = SITE.endpoints[value].prefixes if kind == "site" else SITE.zones[value].prefixes
    mine = [address] if port is None else [IPv4Address(each) for each in port.addresses]
    mine += [IPv4Address(each.address) for each in universe.world.floating_ips if port and each.port_id == port.id]
    return any(each in ip_network(prefix) for each in mine for prefix in prefixes)


def forbids(universe: Universe, test: PolicyTest, packet: Packet) -> bool:
    """Whether the test says that this packet must not pass."""
    if not wants(test, (packet.protocol, packet.port)):
        return False

    def source(end: str) -> bool:
        return is_at(universe, end, packet.sender, packet.source)

    def target(end: str) -> bool:
        return is_at(universe, end, packet.receiver, packet.destination)

    if test.reach is not None:
        return target(test.reach) and not any(source(end) for end in test.only or ())
    if test.reaches_only is not None:
        return source(str(test.from_)) and not any(target(end) for end in test.reaches_only)
    return source(str(test.from_)) and target(str(test.to))


@settings(SLOW, max_examples=40)
@given(worlds(), st.lists(denials(), min_size=3, max_size=3))
def test_denied_means_that_no_packet_passes_of_all_that_are_tried_m17(world: World, tests: list[PolicyTest]) -> None:
    claims = [ONE.claim, TWO.claim]
    tester, universe = PolicyTester(world, claims, SITE), Universe(world, claims, ADDRESSES)
    for test in tests:
        result = tester.run(test, "openhpc")
        tried = next((packet for packet in passing(universe) if forbids(universe, test, packet)), None)
        if tried is not None:
            assert result.result == "failed", (test, tried)
        if result.result != "failed":
            continue
        packet = result.packet
        assert packet is not None, result
        names = named(universe.world)
        shown = Packet(
            names.get(packet.source), names.get(packet.destination),
            IPv4Address(packet.source_address), IPv4Address(packet.destination_address),
            number_of(packet.protocol), packet.port or 0,
        )  # fmt: skip
        assert universe.possible(shown), (test, packet)
        assert forbids(universe, test, shown), (test, packet)


PERMISSIONS = [
    asked(**{"from": source, "to": target, "expect": "permitted", **traffic})
    for source, target in itertools.product(("role:login", "role:compute", "workspace:genome"), repeat=2)
    for traffic in ({"protocol": "tcp", "ports": [22]}, {"protocol": "udp"}, {"protocol": "icmp"}, {})
]


@settings(SLOW, max_examples=40)
@given(worlds(), st.lists(st.sampled_from(PERMISSIONS), min_size=4, max_size=4))
def test_permitted_means_that_every_packet_that_is_tried_passes_m17(world: World, tests: list[PolicyTest]) -> None:
    claims = [ONE.claim, TWO.claim]
    tester, universe = PolicyTester(world, claims, SITE), Universe(world, claims, ADDRESSES)
    actors = [port for port in universe.world.ports if not port.device_owner.startswith("network:")]
    for test in tests:
        result = tester.run(test, "openhpc")
        senders = [each for each in actors if is_at(universe, str(test.from_), each, IPv4Address(0))]
        receivers = [each for each in actors if is_at(universe, str(test.to), each, IPv4Address(0))]
        routed = [
            (one, other)
            for one, other in itertools.product(senders, receivers)
            if one is not other and other.network_id in universe.segment(one.network_id)
        ]
        if result.result == "passed":
            assert all(carries(universe, one, other, test, kind) for one, other in routed for kind in KINDS)
        elif result.result == "failed":
            told = result.packet
            assert told is not None
            names = named(universe.world)
            kind = number_of(told.protocol), told.port or (2048 if told.protocol == "icmp" else 0)
            one, other = names[told.source], names[told.destination]
            if other.network_id in universe.segment(one.network_id):
                assert wants(test, kind)
                assert not carries(universe, one, other, test, kind)


def named(world: World) -> dict[str, Port]:
    """The ports by what they are called."""
    words = Words(world, {claim.workspace: claim for claim in (ONE.claim, TWO.claim)})
    return {words.port(port): port for port in world.ports}


def wants(test: PolicyTest, kind: tuple[int, int]) -> bool:
    """Whether the test is about packets of this protocol and port."""
    if test.protocol != "any" and number_of(test.protocol) != kind[0]:
        return False
    return not test.ports or any(low <= kind[1] <= high for low, high in test.port_ranges())


def carries(universe: Universe, one: Port, other: Port, test: PolicyTest, kind: tuple[int, int]) -> bool:
    """Whether the test does not want it, or a packet between the ports' own addresses passes."""
    source, destination = IPv4Address(one.addresses[0]), IPv4Address(other.addresses[0])
    return not wants(test, kind) or universe.possible(Packet(one, other, source, destination, *kind))


def passing(universe: Universe) -> Any:
    """Every packet of the universe that passes from or to a port that is not Neutron's own."""
    actors = [port for port in universe.world.ports if not port.device_owner.startswith("network:")]
    for sender in [*actors, None]:
        for receiver in [*actors, None]:
            if sender is receiver:
                continue
            sources = [each for each in universe.addresses if sender is None or universe.sends_from(sender, each)]
            for destination in universe.addresses:
                if sender and receiver and not universe.arrives(sender, receiver, destination):
                    continue
                for source in sources if receiver else sources[:1]:
                    for protocol, number in KINDS:
                        packet = Packet(sender, receiver, source, destination, protocol, number)
                        if universe.possible(packet):
                            yield packet
                if sender is None:
                    break
