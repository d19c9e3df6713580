"""Policy tests (M17): exact over a world, checked against every packet of small ones."""

import itertools
from collections.abc import Callable
from dataclasses import replace
from ipaddress import IPv4Address, ip_network
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from contracts.network_policy import PolicyTestResult
from contracts.policy_tests import PolicyTest, PolicyTests
from contracts.workspace import Workspace
from network_policy.domain.policy_tests import PolicyTester, problems
from network_policy.domain.policy_tests.ends import internet
from network_policy.domain.policy_tests.saying import Words
from network_policy.domain.prospect import prospect, together
from network_policy.domain.rule import addresses_of
from network_policy.domain.world import Port, World
from tests.network_policy.enclaves import SITE, document, rule, with_port, with_rule
from tests.network_policy.packets import KINDS, Packet, Universe
from tests.network_policy.test_proof_by_brute_force import ADDRESSES, ONE, TWO, worlds

ROUTED = SITE.model_copy(update={"external_network": "public"})
OPENHPC = document(
    flows=[
        {"from": "site:jumphosts", "to": "login", "ports": [22]},
        {"from": "login", "to": "compute", "ports": [22, "6817-6819"]},
        {"from": "compute", "to": "self", "ports": ["1024-65535"]},
        {"from": "login", "to": "site:proxy", "ports": [3128]},
    ]
)


def test_of(**fields: Any) -> PolicyTest:
    return PolicyTest.model_validate({"name": "it", **fields})


test_of.__test__ = False  # type: ignore[attr-defined]


def run(
    fields: dict[str, Any],
    made: Workspace = OPENHPC,
    change: Callable[[World], World] | None = None,
    least_nodes: int = 0,
    beside: Workspace | None = None,
) -> PolicyTestResult:
    """The test on the world that the document makes, which `change` may alter."""
    built = [prospect(each, ROUTED, least_nodes=least_nodes) for each in (made, beside) if each is not None]
    world = together(*(world for world, _ in built))
    return PolicyTester(change(world) if change else world, [claim for _, claim in built], ROUTED).run(
        test_of(**fields), made.name
    )


@pytest.mark.parametrize(
    "fields",
    [
        {"from": "role:compute", "to": "internet", "expect": "denied"},
        {"from": "role:login", "to": "internet", "expect": "denied"},
        {"from": "role:compute", "to": "role:login", "expect": "denied"},
        {"from": "internet", "to": "workspace", "expect": "denied"},
        {"from": "node:compute-3", "to": "site:proxy", "expect": "denied"},
        {"from": "role:login", "to": "prefix:10.42.0.0/24", "expect": "denied", "protocol": "udp", "ports": [53]},
        {"from": "site:jumphosts", "to": "role:login", "expect": "permitted", "protocol": "tcp", "ports": [22]},
        {
            "from": "role:login",
            "to": "role:compute",
            "expect": "permitted",
            "protocol": "tcp",
            "ports": [22, "6817-6819"],
        },
        {
            "from": "role:compute",
            "to": "role:compute",
            "expect": "permitted",
            "protocol": "tcp",
            "ports": ["1024-65535"],
        },
        {"from": "role:login", "to": "site:proxy", "expect": "permitted", "protocol": "tcp", "ports": [3128]},
        {"from": "workspace", "to": "site:dns", "expect": "permitted", "protocol": "udp", "ports": [53]},
        {"only": ["site:jumphosts"], "reach": "role:login"},
        {"only": ["site:jumphosts"], "reach": "role:login", "protocol": "tcp", "ports": [22]},
        {"only": ["role:login", "role:compute"], "reach": "role:compute"},
        {"from": "role:compute", "reaches_only": ["role:compute", "site:dns"]},
    ],
)
def test_what_the_document_says_holds_m17(fields: dict[str, Any]) -> None:
    result = run(fields)
    assert result.result == "passed", result


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"from": "role:login", "to": "role:compute", "expect": "denied"}, "tcp/22 may pass from openhpc-login-0 to openhpc-compute-0"),
        ({"from": "role:login", "to": "outside", "expect": "denied"}, "may pass from openhpc-login-0 to outside"),
        ({"from": "zone:clinic", "to": "role:login", "expect": "permitted"}, "does not pass from outside to openhpc-login-0"),
        ({"from": "site:jumphosts", "to": "role:login", "expect": "permitted", "protocol": "tcp", "ports": ["22-23"]}, "this does not: tcp/23"),
        ({"from": "role:compute", "to": "role:compute", "expect": "permitted", "protocol": "tcp"}, "tcp/22 does not pass"),
        ({"from": "prefix:203.0.113.0/27", "to": "role:login", "expect": "permitted", "protocol": "tcp", "ports": [22]}, "does not pass from outside"),
        ({"only": ["zone:clinic"], "reach": "role:login"}, "tcp/22 may pass from outside to openhpc-login-0"),
        ({"only": ["site:jumphosts"], "reach": "role:compute"}, "from openhpc-compute-0 to openhpc-compute-1"),
        ({"from": "role:login", "reaches_only": ["site:dns", "site:proxy"]}, "from openhpc-login-0 to openhpc-compute-0"),
        ({"from": "role:gpu", "to": "internet", "expect": "denied"}, "has no role 'gpu'"),
        ({"from": "role:login", "to": "site:moon", "expect": "denied"}, "no endpoint 'moon'"),
        ({"from": "node:login", "to": "internet", "expect": "denied"}, "no node"),
    ],
)  # fmt: skip
def test_what_it_does_not_say_fails_with_a_packet(fields: dict[str, Any], reason: str) -> None:
    result = run(fields)
    assert result.result == "failed"
    assert reason in result.reason


def test_a_packet_names_its_rules_and_the_rules_are_told() -> None:
    result = run({"from": "role:login", "to": "role:compute", "expect": "denied", "protocol": "tcp", "ports": [6818]})
    assert result.packet is not None
    assert (result.packet.source_address, result.packet.destination_address) == ("10.42.0.3", "10.42.0.4")
    assert (result.packet.protocol, result.packet.port, len(result.packet.rule_ids)) == ("tcp", 6818, 2)
    assert "tresor-openhpc-login: egress tcp/6817-6819 to tresor-openhpc-compute" in result.reason


def test_one_address_outside_the_jumphosts_breaks_the_only_l3() -> None:
    wide = rule(protocol="tcp", port_range_min=22, port_range_max=22, remote_ip_prefix="203.0.113.0/27")
    result = run(
        {"only": ["site:jumphosts"], "reach": "role:login"},
        change=lambda world: with_rule(world, "tresor-openhpc-login", "rogue", wide),
    )
    assert result.packet is not None
    assert (result.packet.source, result.packet.source_address) == ("outside", "203.0.113.16")
    assert result.packet.rule_ids == ("rogue",)


def test_a_role_that_is_empty_says_neither_yes_nor_no() -> None:
    empty = document(roles=[{**role, "count": 0} if role["name"] == "compute" else role for role in _roles()])
    fields = {"from": "role:compute", "to": "internet", "expect": "denied"}
    assert run(fields, empty).result == "skipped"
    assert run(fields, empty, least_nodes=2).result == "passed"
    assert run({**fields, "from": "node:compute-99"}).result == "skipped"
    assert run({"from": "workspace", "to": "workspace:elsewhere", "expect": "denied"}).result == "skipped"
    assert "others is nobody here" in run({"from": "others", "to": "workspace", "expect": "denied"}).reason
    single = {"from": "role:login", "to": "role:login", "expect": "denied"}
    assert "one port only" in run(single).reason


def test_other_workspaces_are_others() -> None:
    beside = document(name="genome", networks=[{"name": "cluster", "cidr": "10.43.0.0/24"}])

    def open_both(world: World) -> World:
        world = with_rule(world, "tresor-openhpc-login", "out", rule("egress", remote_ip_prefix="10.43.0.0/24"))
        return with_rule(world, "tresor-genome-login", "in", rule(remote_ip_prefix="10.42.0.0/24"))

    fields = {"from": "role:login", "to": "others", "expect": "denied"}
    named = {"from": "role:login", "to": "workspace:genome", "expect": "denied"}
    assert run(fields, beside=beside).result == "passed"
    assert run(named, beside=beside).result == "passed"
    for broken in (fields, named):
        result = run(broken, beside=beside, change=open_both)
        assert result.packet is not None
        assert result.packet.destination == "genome-login-0"
        assert set(result.packet.rule_ids) == {"out", "in"}


def test_ipv6_is_tried_too() -> None:
    dual = document(networks=[{"name": "cluster", "cidr": "10.42.0.0/24", "cidr6": "2001:db8:42::/64"}])
    opened = rule("egress", "IPv6", protocol="tcp", port_range_min=443, port_range_max=443)
    fields = {"from": "role:compute", "to": "internet", "expect": "denied"}
    assert run(fields, dual).result == "passed"
    result = run(fields, dual, lambda world: with_rule(world, "tresor-openhpc-compute", "six", opened))
    assert result.packet is not None
    assert ":" in result.packet.destination_address
    ping = {"from": "role:login", "to": "role:compute", "expect": "permitted", "protocol": "icmp"}
    both = document(
        networks=[{"name": "cluster", "cidr": "10.42.0.0/24", "cidr6": "2001:db8:42::/64"}],
        flows=[{"from": "login", "to": "compute", "protocol": "icmp"}],
    )
    assert run(ping, both).result == "passed"


def test_an_unfiltered_port_reaches_everything() -> None:
    result = run(
        {"from": "role:compute", "to": "internet", "expect": "denied"},
        change=lambda world: with_port(world, "openhpc-compute-2", port_security=False),
    )
    assert result.packet is not None
    assert result.packet.source == "openhpc-compute-2"
    assert "nothing filters openhpc-compute-2" in result.reason


def test_the_internet_is_what_is_reachable_and_not_named() -> None:
    def has(address: str) -> bool:
        (piece,) = addresses_of(address, "IPv6" if ":" in address else "IPv4")
        return any(low <= piece[0] <= high for low, high in internet(site)["IPv6" if ":" in address else "IPv4"])

    site = SITE.model_copy(
        update={
            "zones": {
                **SITE.zones,
                "campus": SITE.zones["clinic"].model_copy(update={"prefixes": ("130.10.0.0/16",)}),
                "world": SITE.zones["clinic"].model_copy(update={"prefixes": ("0.0.0.0/0", "::/0")}),
            }
        }
    )
    assert has("8.8.8.8")
    assert has("2a00:1450::1")
    for private in (
        "10.0.0.1",
        "192.168.3.4",
        "172.31.0.1",
        "100.64.0.1",
        "169.254.1.1",
        "fd00::1",
        "fe80::1",
        "ff02::1",
    ):
        assert not has(private)
    assert not has("130.10.3.4"), "a place that the site file names"


@pytest.mark.parametrize(
    ("fields", "complaint"),
    [
        ({"from": "compute", "to": "internet", "expect": "denied"}, "for a role write role:compute"),
        ({"from": "role:a", "to": "internet"}, "from, to and expect"),
        ({"from": "role:a", "only": ["role:a"], "reach": "role:b"}, "from, to and expect; or only and reach"),
        ({"from": "site:a", "to": "internet", "expect": "denied"}, "only those have rules"),
        ({"from": "role:a", "to": "anywhere", "expect": "permitted"}, "not permitted as a whole"),
        ({"from": "role:a", "to": "prefix:10.0.0.1/8", "expect": "denied"}, "host bits"),
        ({"from": "role:a", "to": "prefix:10.0.0.0/99", "expect": "denied"}, "names no prefix"),
        ({"from": "role:a", "to": "internet", "expect": "denied", "ports": [22]}, "takes no ports"),
        (
            {"from": "role:a", "to": "internet", "expect": "denied", "protocol": "tcp", "ports": ["9-2"]},
            "the lower first",
        ),
    ],
)
def test_a_test_that_means_nothing_is_refused(fields: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ValidationError, match=complaint):
        test_of(**fields)


def test_two_tests_of_one_name_are_refused() -> None:
    one = {"name": "it", "from": "role:a", "to": "internet", "expect": "denied"}
    with pytest.raises(ValidationError, match="two tests are called 'it'"):
        PolicyTests.model_validate({"tests": [one, one]})
    PolicyTests.model_validate({"tests": [one, {**one, "workspace": "other"}]})


def test_names_that_nobody_declared_are_told_by_field() -> None:
    tests = [
        test_of(**{"from": "role:gpu", "to": "site:moon", "expect": "denied"}),
        test_of(only=["zone:mars", "node:login-x"], reach="role:login"),
        test_of(workspace="other", reach="role:anything", only=[]),
    ]
    found = problems(tests, SITE, workspace="openhpc", roles=["login", "compute"])
    assert [each.field for each in found] == ["tests.0.from", "tests.0.to", "tests.1.only.0", "tests.1.only.1"]


def _roles() -> list[dict[str, Any]]:
    return [role.model_dump(mode="json") for role in OPENHPC.roles]


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
        return test_of(only=draw(st.lists(st.sampled_from(ENDS), max_size=2)), reach=own, **traffic)
    if form == "reaches_only":
        return test_of(**{"from": own, "reaches_only": draw(st.lists(st.sampled_from(ENDS), max_size=2))}, **traffic)
    ends = {"from": own, "to": other} if form == "out" else {"from": other, "to": own}
    return test_of(**ends, expect="denied", **traffic)


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
    wanted = {"any": None, "tcp": 6, "udp": 17, "icmp": 1}[test.protocol]
    if wanted is not None and packet.protocol != wanted:
        return False
    if test.ports and not any(low <= packet.port <= high for low, high in test.port_ranges()):
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


@settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    phases=(Phase.explicit, Phase.reuse, Phase.generate),
)
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
        names = named(world)
        numbers = {"tcp": 6, "udp": 17, "icmp": 1, "ipv6-icmp": 58}
        shown = Packet(
            names.get(packet.source), names.get(packet.destination),
            IPv4Address(packet.source_address), IPv4Address(packet.destination_address),
            numbers.get(packet.protocol) or int(packet.protocol), packet.port or 0,
        )  # fmt: skip
        assert universe.possible(shown), (test, packet)
        assert forbids(universe, test, shown), (test, packet)


PERMISSIONS = [
    test_of(**{"from": source, "to": target, "expect": "permitted", **traffic})
    for source, target in itertools.product(("role:login", "role:compute", "workspace:genome"), repeat=2)
    for traffic in ({"protocol": "tcp", "ports": [22]}, {"protocol": "udp"}, {"protocol": "icmp"}, {})
]


@settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    phases=(Phase.explicit, Phase.reuse, Phase.generate),
)
@given(worlds(), st.lists(st.sampled_from(PERMISSIONS), min_size=4, max_size=4))
def test_permitted_means_that_every_packet_that_is_tried_passes_m17(world: World, tests: list[PolicyTest]) -> None:
    claims = [ONE.claim, TWO.claim]
    tester, universe = PolicyTester(world, claims, SITE), Universe(world, claims, ADDRESSES)
    actors = [port for port in world.ports if not port.device_owner.startswith("network:")]
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
            names = named(world)
            numbers = {"tcp": 6, "udp": 17, "icmp": 1}
            kind = (
                numbers.get(told.protocol) or int(told.protocol),
                told.port or (2048 if told.protocol == "icmp" else 0),
            )
            one, other = names[told.source], names[told.destination]
            if other.network_id in universe.segment(one.network_id):
                assert wants(test, kind)
                assert not carries(universe, one, other, test, kind)


def named(world: World) -> dict[str, Port]:
    """The ports by what they are called."""
    words = Words(world, {claim.workspace: claim for claim in (ONE.claim, TWO.claim)})
    return {words.port(port): port for port in world.ports}


def test_no_name_that_a_tenant_chose_is_told() -> None:
    hostile = "\x1b[2J\u202e" + "x" * 200
    result = run(
        {"from": "role:login", "to": "workspace", "expect": "denied"},
        change=lambda world: with_port(world, "openhpc-compute-0", name=hostile, port_security=False),
    )
    assert result.packet is not None
    assert result.packet.destination == "port openhpc-compute-0 of openhpc, role compute"
    assert "\x1b" not in result.model_dump_json()
    groups = {"from": "role:login", "to": "outside", "expect": "denied"}
    found = run(
        groups, change=lambda world: replace(world, groups=tuple(replace(each, name=hostile) for each in world.groups))
    )
    assert found.result == "failed"
    assert "tresor-openhpc-login: egress" in found.reason


def wants(test: PolicyTest, kind: tuple[int, int]) -> bool:
    if test.protocol != "any" and {"tcp": 6, "udp": 17, "icmp": 1}[test.protocol] != kind[0]:
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
