"""A rule, a port and a packet of a policy test in words."""

from collections.abc import Iterable

from network_policy.domain.intervals import Intervals
from network_policy.domain.packet import describe
from network_policy.domain.rule import ALL_TRAFFIC, PORT_PROTOCOLS, RemoteKind, Rule, protocol_name
from network_policy.domain.world import Group, Port, World


def say_port(port: Port) -> str:
    """Its name, which is its node's, or its id where it has none."""
    return port.name or f"port {port.id}"


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


def say_rules(world: World, rule_ids: Iterable[str]) -> str:
    """The rules and whose they are; a port where there is no rule."""
    groups = {each.id: (each.rule, group) for group in world.groups for each in group.rules}
    names = {group.id: group.name for group in world.groups}
    ports = {port.id: port for port in world.ports}
    said = []
    for rule_id in rule_ids:
        if rule_id in groups:
            said.append(_say_rule(*groups[rule_id], names))
        elif rule_id in ports:
            said.append(f"nothing filters {say_port(ports[rule_id])}")
        elif rule_id:
            said.append(rule_id)
    return "; ".join(said)


def _say_rule(rule: Rule, group: Group, names: dict[str, str]) -> str:
    value = rule.remote.value
    far = {
        RemoteKind.ANY: "anywhere",
        RemoteKind.PREFIX: value,
        RemoteKind.ADDRESS_GROUP: f"address group {value}",
    }.get(rule.remote.kind, f"group {names.get(value, value)}")
    way = "from" if rule.direction == "ingress" else "to"
    return f"{group.name or group.id}: {rule.direction} {say_traffic(rule.traffic)} {way} {far}"
