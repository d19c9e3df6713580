"""One workspace in the engine: which rules it declares, looked up by their texts, and what is not as declared."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from operator import attrgetter

from network_policy.domain.filters import Claim
from network_policy.domain.rule import RemoteKind, name_of
from network_policy.domain.world import Group, GroupRule

_PACKETS_OF, _FAR_END_OF = attrgetter("rule.packets"), attrgetter("rule.far_end")


@dataclass
class Space:
    """`odd_rules` are those of its ports' groups that are not word for word declared; `odd_ports` have no plain role."""

    claim: Claim
    port_roles: dict[str, str]
    ports: set[str] = field(default_factory=set)
    roles_of_groups: Mapping[str, str] = field(default_factory=dict)
    """The groups whose members are exactly ports of one role."""
    _by_role: dict[str, str] = field(default_factory=dict)
    """The names of such groups as far ends, and of the roles that documents name in their place."""
    uses: dict[tuple[str, str], int] = field(default_factory=dict)
    """Group and role, and how many ports have both."""
    odd_ports: set[str] = field(default_factory=set)
    odd_rules: dict[tuple[str, str], dict[str, GroupRule]] = field(default_factory=dict)
    partners: frozenset[str] = frozenset()
    """The other workspaces that undeclared packets are possible with."""
    meets_strangers: bool = False
    holds: bool = True

    @property
    def name(self) -> str:
        return self.claim.workspace

    @property
    def is_clean(self) -> bool:
        """Whether each port does what its role declares, word for word."""
        return not self.odd_ports and not self.odd_rules

    def stand_for(self, groups: Mapping[str, str], address_groups: Mapping[str, str]) -> None:
        """These groups, and address groups, stand for roles, and nothing else does."""
        self.roles_of_groups = groups
        self._by_role = {name_of(RemoteKind.GROUP, id_): name_of(RemoteKind.ROLE, role) for id_, role in groups.items()}
        for id_, role in address_groups.items():
            self._by_role[name_of(RemoteKind.ADDRESS_GROUP, id_)] = name_of(RemoteKind.ROLE, role)

    def note(self, group_id: str, role: str, each: GroupRule) -> bool:
        """Remember the rule if it is odd; whether it is."""
        rule = each.rule
        key = (rule.packets, self._by_role.get(rule.far_end, rule.far_end))
        if key in self.claim.policy.texts.get(role, ()):
            return False
        self.odd_rules.setdefault((group_id, role), {})[each.id] = each
        return True

    def note_group(self, group: Group, role: str) -> None:
        """Remember which of its rules are odd."""
        far_ends = [*map(_FAR_END_OF, group.rules)]
        keys = zip(map(_PACKETS_OF, group.rules), map(self._by_role.get, far_ends, far_ends), strict=True)
        if not self.claim.policy.texts.get(role, frozenset()).issuperset(keys):
            for each in group.rules:
                self.note(group.id, role, each)

    def forget(self, group_id: str, role: str, rule_id: str) -> bool:
        """The rule is gone; whether it was odd."""
        known = self.odd_rules.get((group_id, role))
        if known is None or known.pop(rule_id, None) is None:
            return False
        if not known:
            del self.odd_rules[group_id, role]
        return True
