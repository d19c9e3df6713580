"""A rule, a port and a packet of a policy test in words.

Only what Tresor named itself is called by its name: a tenant may write anything into a port's or a group's.
"""

from collections.abc import Iterable, Mapping
from functools import cached_property

from network_policy.domain.filters import Claim
from network_policy.domain.intervals import Intervals
from network_policy.domain.names import group_name, role_of_node
from network_policy.domain.packet import describe
from network_policy.domain.rule import ALL_TRAFFIC, PORT_PROTOCOLS, RemoteKind, Rule, protocol_name
from network_policy.domain.world import Port, World

MAX_CHARACTERS = 1500
"""Of words about rules: a message's text is bounded."""


class Words:
    """What things of one world are called."""

    def __init__(self, world: World, claims: Mapping[str, Claim]) -> None:
        self._world = world
        self._claims = {claim.project_id: claim for claim in claims.values()}
        self._groups = {
            group_id: group_name(claim.workspace, role)
            for claim in claims.values()
            for role, group_id in claim.group_ids.items()
        }

    def port(self, port: Port) -> str:
        """The node's name where it is the port of one, else its id and whose it is."""
        claim = self._claims.get(port.project_id)
        if claim is None:
            return f"port {port.id} of project {port.project_id or 'none'}"
        role = claim.port_roles.get(port.id)
        if role is not None and role_of_node(claim.workspace, frozenset({role}), port.name) == role:
            return port.name
        return f"port {port.id} of {claim.workspace}" + (f", role {role}" if role else "")

    def rules(self, rule_ids: Iterable[str]) -> str:
        """The rules and whose they are; a port where there is no rule."""
        said = []
        for rule_id in rule_ids:
            if rule_id in self._rules:
                said.append(self._rule(*self._rules[rule_id]))
            elif rule_id in self._ports:
                said.append(f"nothing filters {self.port(self._ports[rule_id])}")
            elif rule_id:
                said.append(rule_id)
        words = "; ".join(said)
        return words if len(words) <= MAX_CHARACTERS else f"{words[: MAX_CHARACTERS - 1]}…"

    @cached_property
    def _rules(self) -> dict[str, tuple[Rule, str]]:
        return {each.id: (each.rule, group.id) for group in self._world.groups for each in group.rules}

    @cached_property
    def _ports(self) -> dict[str, Port]:
        return {port.id: port for port in self._world.ports}

    def _group(self, group_id: str) -> str:
        return self._groups.get(group_id, f"group {group_id}")

    def _rule(self, rule: Rule, group_id: str) -> str:
        value = rule.remote.value
        far = {
            RemoteKind.ANY: "anywhere",
            RemoteKind.PREFIX: value,
            RemoteKind.ADDRESS_GROUP: f"address group {value}",
        }.get(rule.remote.kind, self._group(value))
        way = "from" if rule.direction == "ingress" else "to"
        return f"{self._group(group_id)}: {rule.direction} {say_traffic(rule.traffic)} {way} {far}"


def say_traffic(traffic: Intervals) -> str:
    """`any packet`, `tcp/22`, `tcp/1024-65535`, `udp`; several with commas."""
    if traffic == ALL_TRAFFIC:
        return "any packet"
    said = []
    for low, high in traffic:
        first = low >> 16 << 16
        if (low, high) == (first, first + 0xFFFF) or (low, high) == (first + 1, first + 0xFFFF):
            said.append(protocol_name(low >> 16))
        elif low >> 16 in PORT_PROTOCOLS and low != high:
            said.append(f"{describe(low)}-{high - first}")
        else:
            said.append(describe(low))
    return ", ".join(said)
