"""The engine against the plain prover, over random worlds, as built at once and as come to by changes (M1)."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from network_policy.domain.certificate import ASSUMED_OF_STATELESS
from network_policy.domain.engine import Engine
from network_policy.domain.proof import Prover
from network_policy.domain.rule import Rule
from network_policy.domain.world import Group, GroupRule, Subnet, World
from tests.network_policy.enclaves import rule, together, with_rule
from tests.network_policy.symbolic import Formula
from tests.network_policy.worlds import GROUPS, ONE, PORTS, STRANGER, TWO, worlds

CLAIMS = [ONE.claim, TWO.claim]
WORKSPACES = ("openhpc", "genome")
CALM = replace(together(ONE.world, TWO.world), ports=(*ONE.world.ports, *TWO.world.ports, STRANGER))


def assert_same(engine: Engine, world: World) -> None:
    prover = Prover(world, CLAIMS)
    for workspace in WORKSPACES:
        told, plain = engine.verdict(workspace), prover.prove(workspace)
        assert engine.holds(workspace) == plain.holds, plain.counterexamples
        assert {(each.why, each.protocol) for each in told.counterexamples} == {
            (each.why, each.protocol) for each in plain.counterexamples
        }
        assert told.assumptions == plain.assumptions


def move(engine: Engine, before: World, after: World, order: list[int]) -> set[str]:
    """Tell the engine of every difference, one after the other; of rules by themselves, or with their group."""
    steps: list[Callable[[], None]] = []
    changed: set[str] = set()
    kept = {one.id for group in after.groups for one in group.rules}
    for kind, name in (("port", "ports"), ("group", "groups"), ("router", "routers"), ("floating-ip", "floating_ips"),
                       ("address-group", "address_groups"), ("network", "networks"), ("subnet", "subnets"), ("trunk", "trunks")):  # fmt: skip
        old, new = ({each.id: each for each in getattr(world, name)} for world in (before, after))
        steps += [partial(engine.drop, kind, id_) for id_ in old.keys() - new.keys()]
        for id_, each in new.items():
            if old.get(id_) == each:
                continue
            if kind == "group" and id_ in old and len(order) % 2:
                gone = [one for one in old[id_].rules if one not in each.rules and one.id not in kept]
                steps += [partial(engine.drop, "rule", one.id) for one in gone]
                steps += [partial(engine.put, one) for one in each.rules if one not in old[id_].rules]
            else:
                steps.append(partial(engine.put, each))
    for number in order:
        if number % 3 == 0:
            changed |= engine.changed()
        if steps:
            steps.pop(number % len(steps))()
    for step in steps:
        step()
    return changed | engine.changed()


@st.composite
def wider_worlds(draw: st.DrawFn) -> World:
    """With IPv6, rules for it, trusted and trunks' owners, and a network on the provider's wires."""
    world = draw(worlds())
    is_dual = draw(st.booleans())
    owners = st.sampled_from(["network:dhcp", "trunk:subport", "network:x"])
    owned: dict[str, str] = draw(st.dictionaries(st.sampled_from(PORTS), owners, max_size=1))
    ports = tuple(
        replace(
            port,
            addresses=(*port.addresses, f"fd00::{number:x}") if is_dual and number % 2 else port.addresses,
            device_owner=owned.get(port.id, port.device_owner),
        )
        for number, port in enumerate(world.ports)
    )
    far = st.sampled_from(["fd00::/16", "::/0", "fe80::/10"])
    ways = st.sampled_from(["ingress", "egress"])
    added = draw(st.lists(st.tuples(st.sampled_from(GROUPS), ways, far), max_size=2))
    for number, (group_id, way, prefix) in enumerate(added):
        world = with_rule(world, group_id, f"six{number}", rule(way, "IPv6", remote_ip_prefix=prefix))
    wires = "wires" if draw(st.booleans()) else ""
    networks = tuple(replace(each, physical_network=wires) if each.id == "p1-net" else each for each in world.networks)
    six = (Subnet("p1-six", "p1-net", "fd00::/64"),) if is_dual else ()
    return replace(world, ports=ports, networks=networks, subnets=(*world.subnets, *six))


OFTEN = settings(
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    phases=(Phase.explicit, Phase.reuse, Phase.generate),
)


@settings(OFTEN, max_examples=150)
@given(worlds())
def test_built_at_once_it_says_what_the_prover_says_m1(world: World) -> None:
    assert_same(Engine(world, CLAIMS), world)


def _moves(before: World, after: World, order: list[int]) -> None:
    engine = Engine(before, CLAIMS)
    held = {workspace: engine.holds(workspace) for workspace in WORKSPACES}
    engine.changed()
    changed = move(engine, before, after, order)
    for workspace in WORKSPACES:
        assert workspace in changed or engine.holds(workspace) == held[workspace]
    assert_same(engine, after)
    assert engine.digest == Engine(after, CLAIMS).digest


@settings(OFTEN, max_examples=150)
@given(wider_worlds(), wider_worlds(), st.lists(st.integers(0, 50), max_size=12))
def test_come_to_by_changes_it_says_the_same_m1(before: World, after: World, order: list[int]) -> None:
    _moves(before, after, order)


def test_a_claim_that_changes_is_judged_by_what_it_says_then_m1() -> None:
    engine = Engine(CALM, CLAIMS)
    assert engine.changed() == {"openhpc", "genome"}
    roles = {**ONE.claim.policy.roles, "compute": frozenset[Rule]()}
    less = replace(ONE.claim, policy=replace(ONE.claim.policy, roles=roles))
    engine.put_claim(less)
    assert engine.changed() == {"openhpc"}
    assert not engine.holds("openhpc")
    assert engine.digest == Engine(CALM, [less, TWO.claim]).digest
    engine.put_claim(ONE.claim)
    assert engine.holds("openhpc")


def test_a_subport_is_judged_on_its_own_network_m1() -> None:
    member = next(port for port in ONE.world.ports if port.group_ids == ("p1-compute",))
    sub = replace(member, id="sub", addresses=("10.43.0.99",), network_id="p2-net", device_owner="trunk:subport")
    hears = rule("ingress", remote_ip_prefix="10.43.0.99/32")
    tampered = with_rule(CALM, "p2-login", "hears", hears)
    claims = [replace(ONE.claim, port_roles={**ONE.claim.port_roles, "sub": "compute"}), TWO.claim]
    engine = Engine(CALM, CLAIMS)
    engine.put(GroupRule("hears", "p2-login", hears))
    assert engine.holds("genome"), "nobody has the address"
    engine.assign("openhpc", "sub", "compute")
    engine.put(sub)
    prover = Prover(replace(tampered, ports=(*CALM.ports, sub)), claims)
    assert not prover.prove("genome").holds, "its requests for an address are broadcast on that network"
    assert not engine.holds("genome")
    assert not engine.holds("openhpc")
    engine.drop("port", "sub")
    assert engine.holds("genome")
    assert engine.holds("openhpc")


def test_a_port_of_neutrons_own_that_changes_takes_nobody_off_a_network_m1() -> None:
    theirs = replace(STRANGER, id="dhcp", device_owner="network:dhcp", device_id="dhcp-1", addresses=("10.42.0.2",))
    hears = Group("p3-group", "web", "p3", (GroupRule("hears", "p3-group", rule("ingress")),))
    groups = (*(each for each in CALM.groups if each.id != hears.id), hears)
    engine = Engine(replace(CALM, ports=(*CALM.ports, theirs), groups=groups), CLAIMS)
    engine.put(replace(theirs, revision=1))
    assert engine.holds("openhpc")
    engine.put(GroupRule("asks", "p1-compute", rule("egress", protocol="udp", remote_ip_prefix="10.42.0.255/32")))
    assert not engine.holds("openhpc"), "all on the network hear what is sent to all"


def test_a_group_that_is_told_of_whole_is_judged_by_its_rules_m1() -> None:
    engine = Engine(CALM, CLAIMS)
    group = next(each for each in CALM.groups if each.id == "p1-compute")
    opens = GroupRule("opens", group.id, rule("egress", remote_ip_prefix="8.8.8.8/32"))
    engine.changed()
    engine.put(replace(group, revision=7))
    assert engine.changed() == frozenset(), "its rules are the same"
    engine.put(replace(group, rules=(*group.rules, opens), revision=8))
    assert engine.changed() == {"openhpc"}
    assert not engine.holds("openhpc")
    twice = replace(opens, rule=group.rules[0].rule)
    engine.put(replace(group, rules=(*group.rules, opens, twice), revision=9))
    assert not engine.holds("openhpc"), "one of the two of that id is still odd"
    engine.put(replace(group, rules=(*group.rules, twice), revision=10))
    assert engine.holds("openhpc")
    engine.put(replace(group, stateful=False, revision=11))
    assert engine.changed() == {"openhpc"}
    assert engine.digest == Engine(engine.world(), CLAIMS).digest


def test_a_stateless_group_permits_a_reply_only_where_a_rule_does_m1() -> None:
    groups = tuple(replace(group, stateful=False) for group in CALM.groups)
    engine = Engine(replace(CALM, groups=groups), CLAIMS)
    assert engine.holds("openhpc")
    assert ASSUMED_OF_STATELESS in engine.verdict("openhpc").assumptions
    assert ASSUMED_OF_STATELESS not in Engine(CALM, CLAIMS).verdict("openhpc").assumptions
    assert engine.digest != Engine(CALM, CLAIMS).digest
    reply = GroupRule("r", "p1-login", rule("egress", protocol="tcp", remote_ip_prefix="203.0.113.0/28"))
    engine.put(reply)
    assert not engine.holds("openhpc"), "a packet of the shape of a reply is a packet"


def _proves(world: World) -> None:
    engine, formula = Engine(world, CLAIMS), Formula(world, CLAIMS)
    for workspace in WORKSPACES:
        assert engine.holds(workspace) == formula.holds(workspace)


@settings(OFTEN, max_examples=40)
@given(worlds())
def test_z3_finds_an_undeclared_packet_where_the_engine_does_m1(world: World) -> None:
    _proves(world)


@pytest.mark.campaign
@settings(OFTEN, max_examples=2000)
@given(worlds())
def test_z3_agrees_on_thousands_of_worlds_m1(world: World) -> None:
    _proves(world)


@pytest.mark.campaign
@settings(OFTEN, max_examples=5000)
@given(wider_worlds(), wider_worlds(), st.lists(st.integers(0, 50), max_size=12))
def test_thousands_of_worlds_come_to_by_changes_m1(before: World, after: World, order: list[int]) -> None:
    _moves(before, after, order)
