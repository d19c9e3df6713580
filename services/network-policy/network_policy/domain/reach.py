"""What may pass, role by role, as a table for people: read from the groups as they are, not as they should be."""

from collections.abc import Iterable

from contracts.network_policy import RoleReach
from network_policy.domain.intervals import Intervals, intersect, union
from network_policy.domain.plan import Enclosure
from network_policy.domain.rule import ALL_TRAFFIC, PORT_PROTOCOLS, Direction, RemoteKind, Rule, protocol_name

MAX_PORTS_SHOWN = 20


def reach(actual: Enclosure) -> tuple[RoleReach, ...]:
    """Between roles what both sides permit; beyond them what the one side permits, by far end."""
    rules: dict[tuple[str, Direction], list[Rule]] = {}
    for role, group in actual.managed.items():
        for each in group.rules:
            rules.setdefault((role, each.rule.direction), []).append(actual.symbolic(each.rule))
    found: list[RoleReach] = []
    for (role, direction), own in sorted(rules.items()):
        ends = sorted({(rule.remote.kind, rule.remote.value) for rule in own})
        for kind, value in ends:
            passing = _traffic(rule for rule in own if (rule.remote.kind, rule.remote.value) == (kind, value))
            if kind is RemoteKind.ROLE:
                if direction == "ingress":
                    continue
                back = rules.get((value, "ingress"), [])
                passing = intersect(passing, _traffic(rule for rule in back if rule.remote.value in ("", role)))
            end = value if kind is RemoteKind.PREFIX else "anywhere" if kind is RemoteKind.ANY else f"{kind} {value}"
            source, destination = (f"role {role}", end) if direction == "egress" else (end, f"role {role}")
            found += [
                RoleReach(source=source, destination=destination, protocol=protocol, ports=ports)
                for protocol, ports in _shown(passing)
            ]
    return tuple(found)


def _traffic(rules: Iterable[Rule]) -> Intervals:
    return union(*(rule.traffic for rule in rules))


def _shown(traffic: Intervals) -> list[tuple[str, str]]:
    if traffic == ALL_TRAFFIC:
        return [("any", "all")]
    shown: list[tuple[str, str]] = []
    for number in sorted({low >> 16 for low, _ in traffic} | {high >> 16 for _, high in traffic}):
        first = number << 16
        pieces = intersect(traffic, ((first, first + 0xFFFF),))
        if pieces == ((first, first + 0xFFFF),):
            shown.append((protocol_name(number), "all"))
        elif number in PORT_PROTOCOLS:
            ports = [f"{low - first}" if low == high else f"{low - first}-{high - first}" for low, high in pieces]
            more = f" and {len(ports) - MAX_PORTS_SHOWN} more" if len(ports) > MAX_PORTS_SHOWN else ""
            shown.append((protocol_name(number), ",".join(ports[:MAX_PORTS_SHOWN]) + more))
        else:
            types = sorted({(low - first) >> 8 for low, _ in pieces})
            shown.append((protocol_name(number), "types " + ",".join(map(str, types[:MAX_PORTS_SHOWN]))))
    return shown
