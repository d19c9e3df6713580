"""Plans between random documents: what they say changes, and that no step opens more than was or is declared (I7)."""

from collections.abc import Mapping
from dataclasses import replace
from itertools import product
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.documents import problems
from contracts.workspace import Flow, Workspace
from network_policy.domain.compile import compile_policy
from network_policy.domain.delta import OUTSIDE, delta
from network_policy.domain.filters import Box, beyond
from network_policy.domain.intervals import Intervals, contains, subtract, union
from network_policy.domain.outcome import after, settled
from network_policy.domain.plan import enclose, plan
from network_policy.domain.preview import Standing
from network_policy.domain.reachability import Reachability
from network_policy.domain.rule import ETHERTYPES, Ethertype
from network_policy.domain.sight import addresses_by_role
from network_policy.domain.world import Group, World
from tests.network_policy.documents import workspaces
from tests.network_policy.enclaves import ROUTED
from tests.network_policy.standing import SITES, standing_of


def with_flows_of(one: Workspace, other: Workspace) -> Workspace:
    """The one with as many of the other's flows as it may have."""
    found: list[Flow] = []
    for flow in other.flows:
        ends = [end for end in (flow.from_, flow.to) if ":" not in end and end != "self"]
        wanted = one.model_copy(update={"flows": (flow,)})
        if all(one.role(end) for end in ends) and not [
            each for each in problems(wanted, ROUTED) if "flow" in each.field or "stateless" in each.field
        ]:
            found.append(flow)
    return one.model_copy(update={"flows": tuple(found)})


def _kinds(boxes: list[Box]) -> Intervals:
    return union(*((box.traffic,) for box in boxes))


@settings(max_examples=40, deadline=None)
@given(workspaces(), workspaces(), st.sampled_from(["group", "address-group"]))
def test_the_delta_is_what_comparing_every_pair_of_ports_gives(one: Workspace, other: Workspace, kind: str) -> None:
    world, known = standing_of(one, SITES[kind])
    policy = compile_policy(with_flows_of(one, other), SITES[kind])
    assert known.nodes is not None
    roles = dict(known.nodes.port_roles)
    end, _ = settled(
        world, policy, known.project_id, known.recorded_groups or {}, (), addresses_by_role(world.ports, roles)
    )
    found = delta(world, end, roles, known.project_id)
    old, new = Reachability(world), Reachability(end)
    for ethertype in ETHERTYPES:
        for way in (True, False):
            expected: dict[tuple[str, str], Intervals] = {}
            for source, target in product(roles, roles):
                if source != target:
                    sides = old.between(source, target, ethertype), new.between(source, target, ethertype)
                    kinds = subtract(sides[1], sides[0]) if way else subtract(*sides)
                    ends = roles[source], roles[target]
                    expected[ends] = union(expected.get(ends, ()), kinds)
            for source, role in roles.items():
                for outwards, (was, is_) in (
                    (True, (old.to_outside(source, ethertype), new.to_outside(source, ethertype))),
                    (False, (old.from_outside(source, ethertype), new.from_outside(source, ethertype))),
                ):
                    ends = (role, OUTSIDE) if outwards else (OUTSIDE, role)
                    kinds = _kinds(beyond(is_, was) if way else beyond(was, is_))
                    expected[ends] = union(expected.get(ends, ()), kinds)
            seen: dict[tuple[str, str], Intervals] = {}
            for each in found.packets:
                if (each.is_possible, each.ethertype) == (way, ethertype):
                    ends = each.source, each.destination
                    seen[ends] = union(seen.get(ends, ()), each.kinds)
            assert seen == {ends: kinds for ends, kinds in expected.items() if kinds}


@settings(max_examples=60, deadline=None)
@given(workspaces(), workspaces(), st.sampled_from(["group", "address-group"]), st.data())
def test_at_every_step_only_what_was_or_is_declared_can_pass_i7(
    one: Workspace, other: Workspace, kind: str, data: st.DataObject
) -> None:
    """Also when any number of steps was lost before it, as after a crash that made only some of them."""
    where = SITES[kind]
    world, known = standing_of(one, where)
    policy = compile_policy(with_flows_of(one, other), where)
    assert known.nodes is not None
    roles = dict(known.nodes.port_roles)
    addresses = addresses_by_role(world.ports, roles)
    recorded = known.recorded_groups or {}
    end, _ = settled(world, policy, known.project_id, recorded, (), addresses)
    assert plan(policy, enclose(policy, known.project_id, end.groups, recorded, end.address_groups), addresses) == ()
    assert _possible(end, roles) == _possible(_declared(world, policy, known, end), roles)
    permitted = _joined(_possible(world, roles), _possible(end, roles))
    for _ in range(3):
        steps = plan(policy, enclose(policy, known.project_id, world.groups, recorded, world.address_groups), addresses)
        stop = data.draw(st.integers(0, len(steps)))
        for step in steps[:stop] if _ < 2 else steps:
            world = after(world, policy, known.project_id, step, recorded)
            now = _possible(world, roles)
            assert all(contains(permitted.get(ends, ()), kinds) for ends, kinds in now.items())
    assert _possible(world, roles) == _possible(end, roles)


Ends = tuple[str, str, Ethertype]


def _possible(world: World, roles: Mapping[str, str]) -> dict[Ends, Intervals]:
    """Kinds by pair of ports; by port and prefix of the outside."""
    reach = Reachability(world)
    found: dict[Ends, Any] = {}
    for ethertype in ETHERTYPES:
        for source in roles:
            for target in roles:
                if source != target and (kinds := reach.between(source, target, ethertype)):
                    found[source, target, ethertype] = kinds
            for direction, boxes in (("out", reach.to_outside(source, ethertype)), ("in", reach.from_outside(source, ethertype))):  # fmt: skip
                for box in boxes:
                    key = (source, f"{direction}:{box.addresses}", ethertype)
                    found[key] = union(found.get(key, ()), (box.traffic,))
    return found


def _joined(one: dict[Ends, Intervals], other: dict[Ends, Intervals]) -> dict[Ends, Intervals]:
    return {ends: union(one.get(ends, ()), other.get(ends, ())) for ends in one.keys() | other.keys()}


def _declared(world: World, policy: Any, known: Standing, end: World) -> World:
    """The same ports in groups that were made from nothing but the policy."""
    bare = tuple(
        Group(group.id, group.name, group.project_id, (), group.name.rsplit("-", 1)[-1] not in policy.stateless)
        for group in world.groups
    )
    empty = replace(world, groups=bare)
    assert known.nodes is not None
    made, _ = settled(
        empty, policy, known.project_id, known.recorded_groups or {}, (),
        addresses_by_role(world.ports, dict(known.nodes.port_roles)),
    )  # fmt: skip
    return made
