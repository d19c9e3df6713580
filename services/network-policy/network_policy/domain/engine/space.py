"""One workspace in the engine: what it declares in a form that rules are looked up in, and what is not as declared."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from network_policy.domain.filters import Claim
from network_policy.domain.rule import RemoteKind, Rule
from network_policy.domain.world import GroupRule

_BY_GROUP, _BY_ROLE, _BY_ADDRESS_GROUP = RemoteKind.GROUP, RemoteKind.ROLE, RemoteKind.ADDRESS_GROUP
"""Looked up once: a rule is read some hundred thousand times in a proof of everything."""
Key = tuple[str, str, int | None, int | None, int | None, str]
"""A rule by its fields, the far end as one text: two rules with the same key permit the same."""
_ROLE, _GROUP, _ADDRESS_GROUP = "@", "!", "#"
"""Before the name of a role, a group or an address group; prefixes begin otherwise."""


def key_of(rule: Rule, roles: Mapping[str, str]) -> Key:
    """The rule's key; `roles` are the groups that stand for a role of the workspace, and nothing else."""
    remote = rule.remote
    kind, far = remote.kind, remote.value
    if kind is _BY_GROUP:
        far = roles.get(far) or _GROUP + far
    elif kind is _BY_ROLE:
        far = _ROLE + far
    elif kind is _BY_ADDRESS_GROUP:
        far = roles.get(_ADDRESS_GROUP + far) or _ADDRESS_GROUP + far
    return (rule.direction, rule.ethertype, rule.protocol, rule.low, rule.high, far)


@dataclass
class Space:
    """`odd_rules` are those of its ports' groups that are not word for word declared; `odd_ports` have no plain role."""

    claim: Claim
    port_roles: dict[str, str]
    declared: dict[str, frozenset[Key]] = field(init=False)
    ports: set[str] = field(default_factory=set)
    roles_of_groups: dict[str, str] = field(default_factory=dict)
    """The groups whose members are exactly ports of one role, with its key; also `#` and an address group's id."""
    uses: dict[tuple[str, str], int] = field(default_factory=dict)
    """Group and role, and how many ports have both."""
    odd_ports: set[str] = field(default_factory=set)
    odd_rules: dict[tuple[str, str], dict[str, GroupRule]] = field(default_factory=dict)
    partners: frozenset[str] = frozenset()
    """The other workspaces that undeclared packets are possible with."""
    meets_strangers: bool = False
    holds: bool = True

    def __post_init__(self) -> None:
        nowhere: dict[str, str] = {}
        self.declared = {
            role: frozenset(key_of(rule, nowhere) for rule in rules) for role, rules in self.claim.policy.roles.items()
        }

    @property
    def name(self) -> str:
        return self.claim.workspace

    @property
    def is_clean(self) -> bool:
        """Whether each port does what its role declares, word for word."""
        return not self.odd_ports and not self.odd_rules

    def is_declared(self, rule: Rule, role: str) -> bool:
        """Whether a rule of the role permits just that."""
        return key_of(rule, self.roles_of_groups) in self.declared.get(role, frozenset())

    def note(self, group_id: str, role: str, each: GroupRule) -> bool:
        """Remember the rule if it is odd; whether it is."""
        if self.is_declared(each.rule, role):
            return False
        self.odd_rules.setdefault((group_id, role), {})[each.id] = each
        return True

    def forget(self, group_id: str, role: str, rule_id: str) -> bool:
        """The rule is gone; whether it was odd."""
        known = self.odd_rules.get((group_id, role))
        if known is None or known.pop(rule_id, None) is None:
            return False
        if not known:
            del self.odd_rules[group_id, role]
        return True
