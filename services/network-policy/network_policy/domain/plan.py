"""From what is to what is declared: the steps, in an order that never opens more than is declared."""

from collections.abc import Mapping
from dataclasses import dataclass

from network_policy.domain.compile import Policy
from network_policy.domain.intervals import Intervals, contains, union
from network_policy.domain.names import DEFAULT_GROUP, group_name
from network_policy.domain.rule import Remote, RemoteKind, Rule
from network_policy.domain.world import Group, GroupRule


@dataclass(frozen=True, slots=True)
class CreateGroup:
    """Neutron gives a new group an allow-all egress rule for each ethertype; nobody is in it yet."""

    role: str


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


Step = CreateGroup | AddRules | RemoveRule | RemoveGroup


@dataclass(frozen=True, slots=True)
class Enclosure:
    """The workspace's groups as they stand in its project."""

    managed: Mapping[str, Group]
    """By role; a role whose group is missing is not in it."""
    retired: Mapping[str, Group]
    """Groups of roles that the document no longer has, by role."""
    default: Group | None
    unmanaged: tuple[Group, ...]

    @property
    def group_ids(self) -> dict[str, str]:
        return {role: group.id for role, group in self.managed.items()}

    def symbolic(self, rule: Rule) -> Rule:
        """The rule with a group of ours named by its role."""
        if rule.remote.kind is not RemoteKind.GROUP:
            return rule
        for role, group in self.managed.items():
            if group.id == rule.remote.value:
                return rule.with_remote(Remote(RemoteKind.ROLE, role))
        return rule


def enclose(policy: Policy, project_id: str, groups: tuple[Group, ...], recorded: Mapping[str, str]) -> Enclosure:
    """Sort the project's groups: recorded ids decide; a group of the right name is adopted where none is recorded."""
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
    default = next((group for group in own if group.name == DEFAULT_GROUP), None)
    kept = {group.id for group in (*managed.values(), *retired.values())} | ({default.id} if default else set())
    return Enclosure(managed, retired, default, tuple(group for group in own if group.id not in kept))


def bind(rule: Rule, group_ids: Mapping[str, str]) -> Rule:
    """The rule as Neutron takes it. Raises KeyError when a role's group does not exist yet."""
    if rule.remote.kind is RemoteKind.ROLE:
        return rule.with_remote(Remote(RemoteKind.GROUP, group_ids[rule.remote.value]))
    return rule


def plan(policy: Policy, actual: Enclosure) -> tuple[Step, ...]:
    """The steps from what is to what should be; empty when they agree.

    Groups first, as rules name them. Then what a node needs to come up (row L6) and what is permitted already by a
    wider rule that goes; then everything undeclared goes; at last what newly opens.
    """
    created = [CreateGroup(role) for role in sorted(policy.roles) if role not in actual.managed]
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
    return (*created, *before, *removed, *after, *gone)


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
