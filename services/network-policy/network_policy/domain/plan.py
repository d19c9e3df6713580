"""From what is to what is declared: the steps, in an order that never opens more than is declared."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from network_policy.domain.compile import Policy
from network_policy.domain.confinement import QUARANTINE
from network_policy.domain.intervals import Intervals, contains, union
from network_policy.domain.names import DEFAULT_GROUP, group_name, role_of_group
from network_policy.domain.rule import Remote, RemoteKind, Rule
from network_policy.domain.world import AddressGroup, Group, GroupRule

_FAR_END_KINDS = {"group": RemoteKind.GROUP, "address-group": RemoteKind.ADDRESS_GROUP}


@dataclass(frozen=True, slots=True)
class CreateGroup:
    """Neutron gives a new group an allow-all egress rule for each ethertype; nobody is in it yet."""

    role: str
    stateful: bool = True


@dataclass(frozen=True, slots=True)
class SetStateful:
    """Have the group track connections, or not; Neutron refuses while a port is in it."""

    role: str
    group_id: str
    stateful: bool
    revision: int


@dataclass(frozen=True, slots=True)
class CreateAddressGroup:
    """What stands for a role at the far end of rules where groups don't; no rule names it yet."""

    role: str
    addresses: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ChangeAddresses:
    """Put prefixes into the role's address group, or take them out."""

    role: str
    address_group_id: str
    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class RemoveAddressGroup:
    """Delete an address group that no rule needs any more."""

    role: str
    address_group_id: str


@dataclass(frozen=True, slots=True)
class AddRules:
    """Add these to the role's group, far ends by role, in one call."""

    role: str
    rules: tuple[Rule, ...]


@dataclass(frozen=True, slots=True)
class RemoveRule:
    """Delete one rule; `role` is empty for the project's default group and for groups of roles that are gone."""

    role: str
    group_id: str
    rule_id: str
    rule: Rule


@dataclass(frozen=True, slots=True)
class RemoveGroup:
    """Delete the group of a role that the document does not have any more."""

    role: str
    group_id: str


Step = (
    CreateGroup
    | SetStateful
    | CreateAddressGroup
    | ChangeAddresses
    | RemoveAddressGroup
    | AddRules
    | RemoveRule
    | RemoveGroup
)


@dataclass(frozen=True, slots=True)
class Enclosure:
    """The workspace's groups as they stand in its project."""

    managed: Mapping[str, Group]
    """By role; a role whose group is missing is not in it."""
    retired: Mapping[str, Group]
    """Groups of roles that the document no longer has, by role."""
    default: Group | None
    unmanaged: tuple[Group, ...]
    address_groups: Mapping[str, AddressGroup] = field(default_factory=dict)
    """Those that stand for roles, by role."""
    far_ends: Literal["group", "address-group"] = "group"
    doubled: tuple[AddressGroup, ...] = ()
    """Second address groups of a role: a call that made one outlived its caller."""

    @property
    def group_ids(self) -> dict[str, str]:
        return {role: group.id for role, group in self.managed.items()}

    @property
    def far_end_ids(self) -> dict[str, str]:
        """What rules name the roles by."""
        if self.far_ends == "group":
            return self.group_ids
        return {role: group.id for role, group in self.address_groups.items()}

    def symbolic(self, rule: Rule) -> Rule:
        """The rule with what stands for a role of ours named by its role."""
        if rule.remote.kind is not _FAR_END_KINDS[self.far_ends]:
            return rule
        for role, far_end_id in self.far_end_ids.items():
            if far_end_id == rule.remote.value:
                return rule.with_remote(Remote(RemoteKind.ROLE, role))
        return rule


def enclose(
    policy: Policy,
    project_id: str,
    groups: tuple[Group, ...],
    recorded: Mapping[str, str],
    address_groups: tuple[AddressGroup, ...] = (),
) -> Enclosure:
    """Sort the project's groups: recorded ids decide; a group of the right name is adopted where none is recorded.

    So is quarantine's when there is no quarantine, as whoever made it may have died before it was recorded.
    An address group is ours by its project and name: whatever it holds is made what it should hold.
    """
    own = sorted((group for group in groups if group.project_id == project_id), key=lambda group: group.id)
    by_id = {group.id: group for group in own}
    managed: dict[str, Group] = {}
    for role in policy.roles:
        known = by_id.get(recorded.get(role, ""))
        named = (group for group in own if group.name == group_name(policy.workspace, role))
        if found := known or next((group for group in named if group.id not in recorded.values()), None):
            managed[role] = found
    retired = {
        role: by_id[group_id] for role, group_id in recorded.items() if role not in policy.roles and group_id in by_id
    }
    left = next((group for group in own if group.name == group_name(policy.workspace, QUARANTINE)), None)
    if left is not None and QUARANTINE not in {*policy.roles, *recorded}:
        retired[QUARANTINE] = left
    default = next((group for group in own if group.name == DEFAULT_GROUP), None)
    kept = {group.id for group in (*managed.values(), *retired.values())} | ({default.id} if default else set())
    named_by_rules = {each.rule.remote.value for group in own for each in group.rules}
    standing: dict[str, AddressGroup] = {}
    doubled: list[AddressGroup] = []
    for each in sorted(address_groups, key=lambda each: (each.id not in named_by_rules, each.id)):
        named_role = role_of_group(policy.workspace, each.name)
        is_ours = each.project_id == project_id and named_role is not None
        if is_ours and standing.setdefault(str(named_role), each) is not each:
            doubled.append(each)
    unmanaged = tuple(group for group in own if group.id not in kept)
    return Enclosure(managed, retired, default, unmanaged, standing, policy.far_ends, tuple(doubled))


def bind(rule: Rule, far_end_ids: Mapping[str, str], far_ends: Literal["group", "address-group"] = "group") -> Rule:
    """The rule as Neutron takes it. Raises KeyError when what stands for a role does not exist yet."""
    if rule.remote.kind is RemoteKind.ROLE:
        return rule.with_remote(Remote(_FAR_END_KINDS[far_ends], far_end_ids[rule.remote.value]))
    return rule


def plan(policy: Policy, actual: Enclosure, addresses: Mapping[str, frozenset[str]] | None = None) -> tuple[Step, ...]:
    """The steps from what is to what should be; empty when they agree. `addresses`: of each role's nodes, as prefixes.

    Groups first, as rules name them. Then what a node needs to come up (row L6) and what is permitted already by a
    wider rule that goes; then everything undeclared goes; at last what newly opens.
    """
    created: list[Step] = [
        CreateGroup(role, role not in policy.stateless) for role in sorted(policy.roles) if role not in actual.managed
    ]
    stale, fresh, unused = _address_steps(policy, actual, addresses or {})
    created += [step for step in fresh if isinstance(step, CreateAddressGroup)]
    created += [
        SetStateful(role, group.id, role not in policy.stateless, group.revision)
        for role, group in sorted(actual.managed.items())
        if role in policy.roles and group.stateful is (role in policy.stateless)
    ]
    before: list[Step] = []
    removed: list[Step] = []
    after: list[Step] = []
    for role in sorted(policy.roles):
        present = actual.managed[role].rules if role in actual.managed else ()
        rules = [actual.symbolic(each.rule) for each in present]
        early: list[Rule] = []
        late: list[Rule] = []
        for rule in sorted(policy.roles[role] - set(rules), key=Rule.key):
            (early if rule in policy.boot[role] or _permitted(rule, rules) else late).append(rule)
        if early:
            before.append(AddRules(role, tuple(early)))
        if late:
            after.append(AddRules(role, tuple(late)))
        removed += [RemoveRule(role, each.group_id, each.id, each.rule) for each in surplus(policy, actual, role)]
    for group in (actual.default, *actual.retired.values()):
        removed += [RemoveRule("", each.group_id, each.id, each.rule) for each in (group.rules if group else ())]
    gone = [RemoveGroup(role, actual.retired[role].id) for role in sorted(actual.retired)]
    widened = [step for step in fresh if not isinstance(step, CreateAddressGroup)]
    return (*created, *before, *stale, *removed, *after, *widened, *gone, *unused)


def _address_steps(
    policy: Policy, actual: Enclosure, addresses: Mapping[str, frozenset[str]]
) -> tuple[list[Step], list[Step], list[Step]]:
    """What tightens, what opens, and what is of no use any more."""
    needed = {
        rule.remote.value
        for rules in (policy.roles.values() if policy.far_ends == "address-group" else ())
        for rule in rules
        if rule.remote.kind is RemoteKind.ROLE
    }
    stale: list[Step] = []
    fresh: list[Step] = []
    for role in sorted(needed):
        wanted = addresses.get(role, frozenset())
        there = actual.address_groups.get(role)
        if there is None:
            fresh.append(CreateAddressGroup(role, tuple(sorted(wanted))))
            continue
        held = frozenset(there.prefixes)
        if held - wanted:
            stale.append(ChangeAddresses(role, there.id, removed=tuple(sorted(held - wanted))))
        if wanted - held:
            fresh.append(ChangeAddresses(role, there.id, added=tuple(sorted(wanted - held))))
    unused: list[Step] = [
        RemoveAddressGroup(role, there.id)
        for role, there in sorted(actual.address_groups.items())
        if role not in needed
    ]
    unused += [RemoveAddressGroup("", each.id) for each in actual.doubled]
    return stale, fresh, unused


def surplus(policy: Policy, actual: Enclosure, role: str) -> tuple[GroupRule, ...]:
    """The rules of the role's group that are undeclared, or declared and there already (row L12)."""
    seen: set[Rule] = set()
    found: list[GroupRule] = []
    for each in sorted(actual.managed[role].rules if role in actual.managed else (), key=lambda each: each.id):
        rule = actual.symbolic(each.rule)
        if rule not in policy.roles[role] or rule in seen:
            found.append(each)
        seen.add(rule)
    return tuple(found)


def _permitted(rule: Rule, rules: list[Rule]) -> bool:
    """Whether the rules permit all of `rule` already, so that adding it opens nothing; far ends equal or anything."""
    able: Intervals = union(
        *(
            other.traffic
            for other in rules
            if (other.direction, other.ethertype) == (rule.direction, rule.ethertype)
            and other.remote.kind in (RemoteKind.ANY, rule.remote.kind)
            and other.remote.value in ("", rule.remote.value)
        )
    )
    return contains(able, rule.traffic)
