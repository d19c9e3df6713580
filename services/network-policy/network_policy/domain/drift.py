"""What is not as declared: in the groups, by rule, and on the ports, by port."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from contracts.network_policy import Rule as ToldRule
from contracts.network_policy import RuleDrift
from network_policy.domain.compile import Policy
from network_policy.domain.confinement import QUARANTINE, UNCONFINED, Confinement, told_role
from network_policy.domain.names import role_of_node
from network_policy.domain.plan import Enclosure, surplus
from network_policy.domain.rule import RemoteKind, Rule, neutron_protocol
from network_policy.domain.world import Port


@dataclass(frozen=True, slots=True)
class Nodes:
    """What is recorded of the workspace's nodes: the role of each port, and the servers' ids."""

    port_roles: Mapping[str, str]
    server_ids: frozenset[str] = frozenset()
    confined: Confinement = UNCONFINED


@dataclass(frozen=True, slots=True)
class ProtectPort:
    """Put the port into exactly these groups, filtered and with its own addresses only."""

    port_id: str
    group_ids: tuple[str, ...]
    revision: int


def told_rule(rule: Rule, group_ids: Mapping[str, str]) -> ToldRule:
    """The rule in Neutron's terms, for a message; a role's group that does not exist yet has no id."""
    kind, value = rule.remote.kind, rule.remote.value
    group_id = value if kind is RemoteKind.GROUP else group_ids.get(value) if kind is RemoteKind.ROLE else None
    return ToldRule(
        direction=rule.direction,
        ethertype=rule.ethertype,
        protocol=neutron_protocol(rule),
        port_range_min=rule.low,
        port_range_max=rule.high,
        remote_ip_prefix=value if kind is RemoteKind.PREFIX else None,
        remote_group_id=group_id,
        remote_address_group_id=value if kind is RemoteKind.ADDRESS_GROUP else None,
    )


def group_drift(policy: Policy, actual: Enclosure, known_rules: Mapping[str, tuple[str, Rule]]) -> Iterator[RuleDrift]:
    """Rules and groups that are not as declared. `known_rules`: group and rule by the ids last seen, to name a lost one."""
    ids = actual.group_ids
    for role in sorted(policy.roles):
        if role not in actual.managed:
            yield RuleDrift(change="group-missing", role=told_role(role))
            continue
        group = actual.managed[role]
        for each in surplus(policy, actual, role):
            yield RuleDrift(
                change="rule-added",
                group_id=group.id,
                role=told_role(role),
                rule_id=each.id,
                rule=told_rule(each.rule, ids),
            )
        present = {each.id for each in group.rules}
        for rule in sorted(policy.roles[role] - {actual.symbolic(each.rule) for each in group.rules}, key=Rule.key):
            lost = (
                rule_id
                for rule_id, (group_id, known) in known_rules.items()
                if group_id == group.id and rule_id not in present and actual.symbolic(known) == rule
            )
            yield RuleDrift(
                change="rule-removed", group_id=group.id, role=role, rule_id=next(lost, None), rule=told_rule(rule, ids)
            )
    for ruleless in (actual.default, *actual.retired.values()):
        for each in ruleless.rules if ruleless else ():
            yield RuleDrift(
                change="rule-added", group_id=each.group_id, rule_id=each.id, rule=told_rule(each.rule, ids)
            )
    for group in actual.unmanaged:
        yield RuleDrift(change="group-unmanaged", group_id=group.id)


def declared_role_of(policy: Policy, port: Port, nodes: Nodes) -> str | None:
    """The port's role: as recorded when its node became active, before that by its name."""
    recorded = nodes.port_roles.get(port.id)
    return recorded or role_of_node(policy.workspace, frozenset(policy.roles), port.name)


def role_of(policy: Policy, port: Port, nodes: Nodes) -> str | None:
    """What the port is to be treated as: its declared role, or QUARANTINE."""
    role = declared_role_of(policy, port, nodes)
    return QUARANTINE if nodes.confined and nodes.confined.covers(port, role) else role


def is_node_port(policy: Policy, port: Port, nodes: Nodes) -> bool:
    """Whether the port is a node's, whatever it calls itself; Neutron's own ports are not."""
    return not port.is_trusted or port.id in nodes.port_roles or port.device_id in nodes.server_ids


def port_drift(
    policy: Policy,
    project_id: str,
    actual: Enclosure,
    ports: Iterable[Port],
    nodes: Nodes,
    internal_network_ids: frozenset[str] = frozenset(),
) -> Iterator[tuple[RuleDrift, ProtectPort | None]]:
    """Ports that escape their role's group, each with its repair; None where a person has to look, or nothing is left.

    A port of no role belongs in the default group, which has no rules: nothing passes. So does a port on the network of
    OpenStack's own services, whatever its role (row C3), and a port that is open while its role's group is gone, until
    that stands again with its rules.
    """
    for port in ports:
        if port.project_id == project_id and port.network_id in internal_network_ids:
            told = RuleDrift(
                change="port-on-internal-network", role=told_role(role_of(policy, port, nodes)), port_id=port.id
            )
            yield told, _harmless(port, actual)
            continue
        if port.project_id != project_id or not is_node_port(policy, port, nodes):
            continue
        role = role_of(policy, port, nodes)
        if port.is_trusted:
            yield RuleDrift(change="port-trusted", role=told_role(role), port_id=port.id), None
            continue
        if port.dhcp_options and not port.is_baremetal:
            yield RuleDrift(change="port-dhcp-options", role=told_role(role), port_id=port.id), None
        group = actual.managed.get(role) if role else actual.default
        repair = ProtectPort(port.id, (group.id,), port.revision) if group else _harmless(port, actual)
        if repair is None:
            continue
        if not port.port_security:
            yield RuleDrift(change="port-unprotected", role=told_role(role), port_id=port.id), repair
        elif port.group_ids != repair.group_ids:
            other = next((each for each in port.group_ids if each not in repair.group_ids), None)
            yield RuleDrift(change="port-regrouped", role=told_role(role), port_id=port.id, group_id=other), repair
        elif port.address_pairs:
            yield RuleDrift(change="port-address-pairs", role=told_role(role), port_id=port.id), repair


def _harmless(port: Port, actual: Enclosure) -> ProtectPort | None:
    """What keeps anything from passing at the port; None where nothing passes, or Neutron would not filter it."""
    if port.is_trusted or actual.default is None:
        return None
    is_so = port.port_security and not port.address_pairs and set(port.group_ids) <= {actual.default.id}
    return None if is_so else ProtectPort(port.id, (actual.default.id,), port.revision)
