"""What Neutron makes of a plan's steps: the groups and ports after each of them, without a cloud."""

from collections.abc import Iterable, Mapping
from dataclasses import replace

from network_policy.domain.compile import Policy
from network_policy.domain.drift import ProtectPort
from network_policy.domain.names import group_name
from network_policy.domain.plan import (
    AddRules,
    ChangeAddresses,
    CreateAddressGroup,
    CreateGroup,
    Enclosure,
    RemoveAddressGroup,
    RemoveGroup,
    RemoveRule,
    SetStateful,
    Step,
    bind,
    enclose,
    plan,
)
from network_policy.domain.rule import ANYWHERE, ETHERTYPES, Rule
from network_policy.domain.world import AddressGroup, Group, GroupRule, Port, World

NEW = "new:"
"""What ids of things begin with that are not there yet."""
MAX_ROUNDS = 4


def after(
    world: World, policy: Policy, project_id: str, step: Step | ProtectPort, recorded: Mapping[str, str] | None = None
) -> World:
    """The world once the step is made. A new group has the rules that Neutron gives it."""
    if isinstance(step, ProtectPort):
        return replace(world, ports=tuple(_protected(port, step) for port in world.ports))
    if isinstance(step, CreateGroup):
        group_id = f"{NEW}{step.role}"
        defaults = tuple(
            GroupRule(f"{NEW}{step.role}/{each}", group_id, Rule("egress", each, None, None, None, ANYWHERE))
            for each in ETHERTYPES
        )
        made = Group(group_id, group_name(policy.workspace, step.role), project_id, defaults, step.stateful)
        return replace(world, groups=(*world.groups, made))
    if isinstance(step, CreateAddressGroup):
        name = group_name(policy.workspace, step.role)
        made_addresses = AddressGroup(f"{NEW}addresses/{step.role}", project_id, step.addresses, name)
        return replace(world, address_groups=(*world.address_groups, made_addresses))
    if isinstance(step, ChangeAddresses):
        return replace(world, address_groups=tuple(_readdressed(each, step) for each in world.address_groups))
    if isinstance(step, RemoveAddressGroup):
        left = tuple(each for each in world.address_groups if each.id != step.address_group_id)
        return replace(world, address_groups=left)
    if isinstance(step, RemoveGroup):
        return replace(world, groups=tuple(group for group in world.groups if group.id != step.group_id))
    standing = enclose(policy, project_id, world.groups, recorded or {}, world.address_groups)
    return replace(world, groups=tuple(_changed(group, standing, step) for group in world.groups))


def settled(
    world: World,
    policy: Policy,
    project_id: str,
    recorded: Mapping[str, str],
    repairs: Iterable[ProtectPort],
    addresses: Mapping[str, frozenset[str]],
) -> tuple[World, tuple[Step, ...]]:
    """The world when nothing is left to do, and all steps that lead there."""
    for repair in repairs:
        world = after(world, policy, project_id, repair)
    made: list[Step] = []
    for _ in range(MAX_ROUNDS):
        steps = plan(policy, enclose(policy, project_id, world.groups, recorded, world.address_groups), addresses)
        if not steps:
            break
        for step in steps:
            world = after(world, policy, project_id, step, recorded)
        made += steps
    return world, tuple(made)


def peak(steps: Iterable[Step]) -> tuple[int, int]:
    """How many groups and rules there are at most beyond those that are there, at any time of the plan."""
    groups = rules = most_groups = most_rules = 0
    for step in steps:
        if isinstance(step, CreateGroup):
            groups, rules = groups + 1, rules + len(ETHERTYPES)
        elif isinstance(step, RemoveGroup):
            groups -= 1
        elif isinstance(step, AddRules):
            rules += len(step.rules)
        elif isinstance(step, RemoveRule):
            rules -= 1
        most_groups, most_rules = max(most_groups, groups), max(most_rules, rules)
    return most_groups, most_rules


def _changed(group: Group, standing: Enclosure, step: Step) -> Group:
    if isinstance(step, SetStateful):
        return replace(group, stateful=step.stateful) if group.id == step.group_id else group
    if isinstance(step, RemoveRule):
        return replace(group, rules=tuple(each for each in group.rules if each.id != step.rule_id))
    if isinstance(step, AddRules) and group.id == standing.group_ids.get(step.role):
        bound = (bind(rule, standing.far_end_ids, standing.far_ends) for rule in step.rules)
        added = (
            GroupRule(f"{NEW}{group.id}/{len(group.rules) + number}", group.id, rule)
            for number, rule in enumerate(bound)
        )
        return replace(group, rules=(*group.rules, *added))
    return group


def _protected(port: Port, step: ProtectPort) -> Port:
    if port.id != step.port_id:
        return port
    return replace(port, group_ids=step.group_ids, port_security=True, address_pairs=())


def _readdressed(group: AddressGroup, step: ChangeAddresses) -> AddressGroup:
    if group.id != step.address_group_id:
        return group
    return replace(group, prefixes=(*(each for each in group.prefixes if each not in step.removed), *step.added))
