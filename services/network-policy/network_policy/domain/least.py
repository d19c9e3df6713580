"""The same packets with fewer rules: ports and prefixes joined where they touch, covered rules left out (row L12)."""

from collections.abc import Iterable
from ipaddress import IPv4Network, IPv6Network, collapse_addresses, ip_network

from network_policy.domain.intervals import Interval, contains, normalise
from network_policy.domain.rule import (
    ANYWHERE,
    TCP,
    UDP,
    Direction,
    Ethertype,
    Remote,
    RemoteKind,
    Rule,
    addresses_of,
    canonical_prefix,
)


def least(rules: Iterable[Rule]) -> list[Rule]:
    """Rules that permit exactly what these do, without a repeat."""
    found = _joined_prefixes(_joined_ports(rules))
    return [rule for rule in found if not any(covers(other, rule) for other in found if other != rule)]


def covers(outer: Rule, inner: Rule) -> bool:
    """Whether every packet that `inner` permits is permitted by `outer` alone, whoever the members of groups are."""
    if (outer.direction, outer.ethertype) != (inner.direction, inner.ethertype):
        return False
    if not contains(outer.traffic, inner.traffic):
        return False
    if outer.remote in (ANYWHERE, inner.remote):
        return True
    if outer.remote.kind is RemoteKind.PREFIX is inner.remote.kind:
        return contains(
            addresses_of(outer.remote.value, outer.ethertype), addresses_of(inner.remote.value, inner.ethertype)
        )
    return False


def _joined_ports(rules: Iterable[Rule]) -> list[Rule]:
    ranges: dict[tuple[Direction, Ethertype, int | None, Remote], list[Interval]] = {}
    joined: set[Rule] = set()
    for rule in rules:
        if rule.protocol in (TCP, UDP):
            low = 1 if rule.low is None else rule.low
            high = 65535 if rule.high is None else rule.high
            ranges.setdefault((rule.direction, rule.ethertype, rule.protocol, rule.remote), []).append((low, high))
        else:
            joined.add(rule)
    for (direction, ethertype, protocol, remote), pieces in ranges.items():
        for low, high in normalise(pieces):
            whole = (low, high) == (1, 65535)
            joined.add(Rule(direction, ethertype, protocol, None if whole else low, None if whole else high, remote))
    return sorted(joined, key=Rule.key)


def _joined_prefixes(rules: Iterable[Rule]) -> list[Rule]:
    prefixes: dict[Rule, list[IPv4Network | IPv6Network]] = {}
    joined: set[Rule] = set()
    for rule in rules:
        if rule.remote.kind is RemoteKind.PREFIX:
            prefixes.setdefault(rule.with_remote(ANYWHERE), []).append(ip_network(rule.remote.value))
        else:
            joined.add(rule)
    for rule, networks in prefixes.items():
        for prefix in collapse_addresses(networks):  # type: ignore[type-var]  # all of the rule's own ethertype
            joined.add(rule.with_remote(canonical_prefix(str(prefix), rule.ethertype)))
    return sorted(joined, key=Rule.key)
