"""One look at a workspace: what stands in its project, what of it drifted, and what is to be done."""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from ipaddress import ip_network

from contracts.network_policy import RuleDrift
from network_policy.domain.compile import Policy
from network_policy.domain.confinement import UNCONFINED, Confinement, confine
from network_policy.domain.drift import Nodes, ProtectPort, group_drift, port_drift, role_of
from network_policy.domain.filters import Claim
from network_policy.domain.order import safe_order
from network_policy.domain.plan import Enclosure, Step, enclose, plan
from network_policy.domain.rule import Rule
from network_policy.domain.world import AddressGroup, Group, GroupRule, Port


@dataclass(frozen=True)
class Sight:
    """What was seen at one time, and what follows from it."""

    project_id: str
    policy: Policy
    groups: tuple[Group, ...]
    ports: tuple[Port, ...]
    actual: Enclosure
    drift: tuple[RuleDrift, ...]
    repairs: tuple[ProtectPort, ...]
    steps: tuple[Step, ...]
    claim: Claim
    confined: Confinement = UNCONFINED
    addresses: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """Of each role's nodes, as prefixes."""

    @property
    def todo(self) -> tuple[ProtectPort | Step, ...]:
        """Everything to be done, what tightens most first; empty when all is as declared."""
        return safe_order(self.repairs, self.steps)

    @property
    def group_ids(self) -> dict[str, str]:
        """By role; the project's default group under ''."""
        default = {"": self.actual.default.id} if self.actual.default else {}
        return {**self.actual.group_ids, **default, **{role: group.id for role, group in self.actual.retired.items()}}

    @property
    def birth_groups(self) -> dict[str, str]:
        """The group that new nodes of each role are to be born in: its own, or quarantine's."""
        return self.confined.births(self.actual.group_ids)

    @property
    def rules(self) -> tuple[GroupRule, ...]:
        """The rules of the groups that are ours to keep."""
        groups = (*self.actual.managed.values(), *self.actual.retired.values(), self.actual.default)
        return tuple(each for group in groups if group for each in group.rules)

    @property
    def node_ports(self) -> int:
        """How many ports have a role."""
        return len(self.claim.port_roles)


def see(
    policy: Policy,
    project_id: str,
    groups: tuple[Group, ...],
    ports: tuple[Port, ...],
    *,
    recorded_groups: Mapping[str, str],
    known_rules: Mapping[str, tuple[str, Rule]],
    nodes: Nodes,
    address_groups: tuple[AddressGroup, ...] = (),
    internal_network_ids: frozenset[str] = frozenset(),
) -> Sight:
    """What the workspace's project looks like, among the groups and ports that were listed.

    `internal_network_ids`: of the networks that no tenant's port belongs on.
    """
    policy = confine(policy, nodes.confined)
    actual = enclose(policy, project_id, groups, recorded_groups, address_groups)
    on_ports = tuple(port_drift(policy, project_id, actual, ports, nodes, internal_network_ids))
    roles = {
        port.id: role
        for port in ports
        if port.project_id == project_id and (role := role_of(policy, port, nodes)) is not None
        if not port.is_trusted or port.id in nodes.port_roles
        if port.network_id not in internal_network_ids
    }
    addresses = addresses_by_role(ports, roles)
    return Sight(
        project_id=project_id,
        policy=policy,
        groups=groups,
        ports=ports,
        actual=actual,
        drift=(*group_drift(policy, actual, known_rules), *(drift for drift, _ in on_ports)),
        repairs=tuple(repair for _, repair in on_ports if repair is not None),
        steps=plan(policy, actual, addresses),
        claim=Claim(policy.workspace, project_id, policy, actual.group_ids, roles, nodes.server_ids),
        confined=nodes.confined,
        addresses=addresses,
    )


def addresses_by_role(ports: Iterable[Port], roles: Mapping[str, str]) -> dict[str, frozenset[str]]:
    """The addresses of each role's ports, as prefixes; address pairs are nobody's declared addresses."""
    found: dict[str, set[str]] = {}
    for port in ports:
        if port.id in roles:
            found.setdefault(roles[port.id], set()).update(str(ip_network(each)) for each in port.addresses)
    return {role: frozenset(addresses) for role, addresses in found.items()}


def digest_of_drift(drift: RuleDrift) -> str:
    """The same for the same difference each time it is seen; what a lost rule was called is not part of it."""
    told = drift.model_copy(update={"rule_id": None}) if drift.change == "rule-removed" else drift
    return hashlib.sha256(told.model_dump_json().encode()).hexdigest()[:16]
