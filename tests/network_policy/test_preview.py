"""A plan told before it is made: exact packets, digests, and as few comparisons as ports that differ."""

from dataclasses import replace

import pytest

from contracts.site import Site
from contracts.workspace import Workspace
from network_policy.domain.compile import compile_policy
from network_policy.domain.delta import OUTSIDE
from network_policy.domain.intervals import Intervals
from network_policy.domain.kinds import addresses_in_words, kinds_in_words
from network_policy.domain.outcome import peak
from network_policy.domain.plan import AddRules, ChangeAddresses, CreateGroup, RemoveRule, SetStateful
from network_policy.domain.preview import Preview, Standing, preview
from network_policy.domain.world import GroupRule, World
from tests.network_policy.enclaves import ROUTED, SITE, document, rule
from tests.network_policy.standing import SITES, standing_of

FLOWS = [{"from": "site:jumphosts", "to": "login", "ports": [22]}, {"from": "login", "to": "compute", "ports": [22]}]


def changed(before: Workspace, after_: Workspace, where: Site = ROUTED) -> Preview:
    world, known = standing_of(before, where)
    return preview(after_, where, known, world)


def told(found: Preview) -> set[tuple[bool, str, str, str]]:
    return {
        (each.is_possible, each.source, each.destination, kinds_in_words(each.kinds)) for each in found.change.packets
    }


@pytest.mark.parametrize("kind", ["group", "address-group"])
def test_a_document_that_stands_changes_nothing(kind: str) -> None:
    found = changed(document(), document(), SITES[kind])
    assert (found.steps, found.change.packets, found.change.loosens) == ((), (), False)


@pytest.mark.parametrize("kind", ["group", "address-group"])
def test_a_new_flow_makes_exactly_its_packets_possible(kind: str) -> None:
    more = [*FLOWS, {"from": "compute", "to": "login", "ports": ["6817-6819"]}]
    found = changed(document(flows=FLOWS), document(flows=more), SITES[kind])
    assert told(found) == {(True, "compute", "login", "tcp/6817-6819")}
    assert found.change.loosens
    (packet,) = found.change.packets
    assert packet.source_address.startswith("10.42.0.")
    assert len(found.change.port_ids) >= 6


def test_what_goes_is_impossible_and_loosens_nothing() -> None:
    found = changed(document(flows=FLOWS), document(flows=FLOWS[1:]))
    assert told(found) == {(False, OUTSIDE, "login", "tcp/22")}
    assert not found.change.loosens
    (packet,) = found.change.packets
    assert addresses_in_words(packet.far, "IPv4") == "203.0.113.0/28"
    assert packet.rule_ids


def test_a_whole_new_workspace_is_all_new() -> None:
    found = preview(document(flows=FLOWS), SITE, Standing("new:project"), World())
    assert (True, OUTSIDE, "login", "tcp/22") not in told(found)  # without a router nothing comes in from outside
    assert (True, "login", "compute", "tcp/22") in told(found)
    assert sum(isinstance(step, CreateGroup) for step in found.steps) == 2


def test_a_whole_new_workspace_at_a_site_with_a_way_out() -> None:
    found = preview(document(flows=FLOWS), ROUTED, Standing("new:project"), World())
    assert (True, OUTSIDE, "login", "tcp/22") in told(found)
    assert (True, "compute", OUTSIDE, "tcp/53, udp/53") in told(found)


def test_rules_may_change_without_any_packet() -> None:
    world, known = standing_of(document(flows=FLOWS))
    login = next(group for group in world.groups if group.id.endswith("login"))
    twice = replace(login, rules=(*login.rules, replace(login.rules[0], id="again")))
    world = replace(world, groups=tuple(twice if group.id == login.id else group for group in world.groups))
    found = preview(document(flows=FLOWS), ROUTED, known, world)
    assert [type(step) for step in found.steps] == [RemoveRule]
    assert found.change.packets == ()


def test_the_digests_follow_what_they_are_of() -> None:
    one = changed(document(flows=FLOWS), document())
    again = changed(document(flows=FLOWS), document())
    assert (one.plan, one.observed) == (again.plan, again.observed)
    other_document = changed(document(flows=FLOWS), document(flows=[]))
    assert other_document.observed == one.observed
    assert other_document.plan != one.plan
    other_state = changed(document(flows=FLOWS[1:]), document())
    assert other_state.observed != one.observed
    world, known = standing_of(document(flows=FLOWS))
    assert preview(document(), ROUTED, replace(known, generation=2), world).plan != one.plan
    moved = replace(world, groups=tuple(replace(group, revision=group.revision + 1) for group in world.groups))
    assert preview(document(), ROUTED, known, moved).observed != one.observed


def test_a_role_that_becomes_stateless_says_so() -> None:
    roles = [each.model_dump(mode="json") for each in document().roles]
    stateless = document(roles=[roles[0], {**roles[1], "stateless": True}])
    found = changed(document(), stateless)
    assert [step.stateful for step in found.steps if isinstance(step, SetStateful)] == [False]


def test_what_no_role_has_is_taken_out_of_its_address_group() -> None:
    where = SITES["address-group"]
    world, known = standing_of(document(flows=FLOWS), where)
    stray = tuple(replace(each, prefixes=(*each.prefixes, "10.42.0.99/32")) for each in world.address_groups)
    found = preview(document(flows=FLOWS), where, known, replace(world, address_groups=stray))
    gone = [step for step in found.steps if isinstance(step, ChangeAddresses)]
    assert {step.removed for step in gone} == {("10.42.0.99/32",)}
    assert {step.added for step in gone} == {()}


def test_the_peak_counts_what_stands_beside_its_successor() -> None:
    rules = tuple(compile_policy(document(), ROUTED).roles["login"])
    gone = RemoveRule("login", "g", "r", rules[0])
    assert peak([CreateGroup("login"), AddRules("login", rules), gone, gone]) == (1, 2 + len(rules))
    assert peak([gone, gone, AddRules("login", rules[:1])]) == (0, 0)


@pytest.mark.parametrize(
    ("kinds", "words"),
    [
        ((((6 << 16) + 22, (6 << 16) + 22),), "tcp/22"),
        ((((6 << 16), (6 << 16) + 65535),), "tcp"),
        ((((6 << 16), (17 << 16) + 53),), "protocols 6-16, udp/0-53"),
        ((((1 << 16) + 8 * 256, (1 << 16) + 8 * 256 + 255),), "icmp type 8"),
        (((0, 256 * 65536 - 1),), "any"),
        ((((50 << 16), (50 << 16) + 65535),), "50"),
    ],
)
def test_kinds_are_said_whole(kinds: Intervals, words: str) -> None:
    assert kinds_in_words(kinds) == words


@pytest.mark.parametrize("kind", ["group", "address-group"])
def test_ports_that_no_rule_tells_apart_are_compared_once(kind: str) -> None:
    """A plan of 400 nodes asks about as few pairs as one of four."""
    networks = [{"name": "cluster", "class": "private", "cidr": "10.42.0.0/20"}]
    roles = [each.model_dump(mode="json") for each in document().roles]
    many = [{**roles[0], "count": 2}, {**roles[1], "count": 400}]
    small = changed(document(networks=networks, flows=FLOWS), document(networks=networks), SITES[kind])
    large = changed(
        document(networks=networks, roles=many, flows=FLOWS), document(networks=networks, roles=many), SITES[kind]
    )
    assert told(large) == told(small)
    assert len(large.change.packets) == len(small.change.packets)
    assert len(large.change.port_ids) >= 402


def test_a_rule_about_one_address_is_told_for_the_port_that_has_it() -> None:
    world, known = standing_of(document(flows=FLOWS))
    compute = sorted(port.id for port in world.ports if port.name.startswith("openhpc-compute"))
    one = next(port for port in world.ports if port.id == compute[2])
    rogue = [
        GroupRule("rogue-out", "", rule("egress", protocol="udp", port_range_min=9, port_range_max=9)),
        GroupRule("rogue-in", "", rule("ingress", protocol="udp", remote_ip_prefix=f"{one.addresses[0]}/32")),
    ]
    groups = tuple(
        replace(group, rules=(*group.rules, *(replace(each, group_id=group.id) for each in rogue)))
        if group.id.endswith("compute")
        else group
        for group in world.groups
    )
    found = preview(document(flows=FLOWS), ROUTED, known, replace(world, groups=groups))
    inside = [each for each in found.change.packets if OUTSIDE not in (each.source, each.destination)]
    assert {(each.is_possible, each.source_port, kinds_in_words(each.kinds)) for each in inside} == {
        (False, one.id, "udp/9, udp/67")  # DHCP's renewals go to the whole prefix, so they met the rule too
    }
    assert {each.source_address for each in inside} == {one.addresses[0]}
