"""A workspace document and the site file, compiled to the rules of one security group for each role.

Security groups only permit, so what is not compiled is denied: both ways, also inside a workspace (rows L5, I6), and
between zones that no flow joins (row L4). IPv6 stays off for a role none of whose networks has an IPv6 prefix.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, collapse_addresses, ip_network

from contracts.site import Site
from contracts.workspace import Flow, NodeRole, Workspace
from network_policy.domain.intervals import Interval, contains, normalise
from network_policy.domain.rule import (
    ANYWHERE,
    ETHERTYPES,
    ICMP,
    ICMPV6,
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

DHCP_PORT = 67
DHCPV6_PORT = 547
DHCPV6_SERVERS = "ff02::1:2/128"
"""All_DHCP_Relay_Agents_and_Servers (RFC 8415, 7.1)."""
BROADCAST = "255.255.255.255/32"
METADATA = "169.254.169.254/32"
METADATA_V6 = "fe80::a9fe:a9fe/128"
"""Neutron's metadata address under IPv6 (neutron_lib.constants.METADATA_V6_IP)."""
METADATA_PORT = 80

_PROTOCOLS = {"tcp": TCP, "udp": UDP}


class Uncompilable(Exception):
    """The document asks for what no rule may permit; documents are checked before, so this stops a stale one."""


@dataclass(frozen=True, slots=True)
class Policy:
    """The declared rules of each role, far ends by role: whole before any group exists."""

    workspace: str
    roles: Mapping[str, frozenset[Rule]]
    boot: Mapping[str, frozenset[Rule]]
    """Of those, the ones without which a node does not come up: they go in before the defaults go out (row L6)."""

    @property
    def rule_count(self) -> int:
        return sum(len(rules) for rules in self.roles.values())


def compile_policy(document: Workspace, site: Site) -> Policy:
    """The rules that the document declares at this site. Raises Uncompilable."""
    boot = {role.name: frozenset(_boot_rules(document, role)) for role in document.roles}
    declared: dict[str, list[Rule]] = {role.name: list(boot[role.name]) for role in document.roles}
    for role in document.roles:
        for endpoint in site.endpoints.values():
            for service in endpoint.always:
                for ethertype in _ethertypes(document, role):
                    for low, high in _ranges(service.ports):
                        declared[role.name] += _outside(
                            "egress", ethertype, _PROTOCOLS[service.protocol], low, high, endpoint.prefixes
                        )
    for flow in document.flows:
        _add_flow(declared, document, site, flow)
    least = {name: frozenset(_least(rules)) for name, rules in declared.items()}
    return Policy(
        document.name,
        least,
        {
            name: frozenset(rule for rule in rules if any(_covers(rule, needed) for needed in boot[name]))
            for name, rules in least.items()
        },
    )


def _boot_rules(document: Workspace, role: NodeRole) -> Iterator[Rule]:
    """DHCP to the broadcast address and, for renewals, to the servers on the role's own networks; metadata."""
    own = [network for network in document.networks if network.name in role.networks]
    for prefix in (BROADCAST, *(network.cidr for network in own)):
        yield Rule("egress", "IPv4", UDP, DHCP_PORT, DHCP_PORT, canonical_prefix(prefix, "IPv4"))
    yield Rule("egress", "IPv4", TCP, METADATA_PORT, METADATA_PORT, canonical_prefix(METADATA, "IPv4"))
    if any(network.cidr6 for network in own):
        yield Rule("egress", "IPv6", UDP, DHCPV6_PORT, DHCPV6_PORT, canonical_prefix(DHCPV6_SERVERS, "IPv6"))
        yield Rule("egress", "IPv6", TCP, METADATA_PORT, METADATA_PORT, canonical_prefix(METADATA_V6, "IPv6"))


def _ethertypes(document: Workspace, role: NodeRole) -> tuple[Ethertype, ...]:
    """IPv6 only where the role sits on a network with an IPv6 prefix (CVE-2021-20267)."""
    dual = any(network.cidr6 for network in document.networks if network.name in role.networks)
    return ETHERTYPES if dual else ("IPv4",)


def _role(document: Workspace, name: str) -> NodeRole:
    role = document.role(name)
    if role is None:
        raise Uncompilable(f"a flow names the role '{name}', which the document does not declare")
    return role


def _add_flow(declared: dict[str, list[Rule]], document: Workspace, site: Site, flow: Flow) -> None:
    if ":" in flow.from_:
        role = _role(document, flow.to)
        for ethertype in _ethertypes(document, role):
            prefixes = _prefixes(site, flow.from_, opens=True)
            for number, low, high in _traffic(flow, ethertype):
                declared[role.name] += _outside("ingress", ethertype, number, low, high, prefixes)
    elif ":" in flow.to:
        role = _role(document, flow.from_)
        for ethertype in _ethertypes(document, role):
            prefixes = _prefixes(site, flow.to, opens=False)
            for number, low, high in _traffic(flow, ethertype):
                declared[role.name] += _outside("egress", ethertype, number, low, high, prefixes)
    else:
        source = _role(document, flow.from_)
        target = source if flow.to == "self" else _role(document, flow.to)
        for ethertype in _ethertypes(document, source):
            if ethertype not in _ethertypes(document, target):
                continue
            for number, low, high in _traffic(flow, ethertype):
                to, from_ = (Remote(RemoteKind.ROLE, each.name) for each in (target, source))
                declared[source.name].append(Rule("egress", ethertype, number, low, high, to))
                declared[target.name].append(Rule("ingress", ethertype, number, low, high, from_))


def _prefixes(site: Site, end: str, *, opens: bool) -> tuple[str, ...]:
    kind, _, name = end.partition(":")
    places = site.endpoints if kind == "site" else site.zones
    if name not in places:
        raise Uncompilable(f"a flow names '{end}', which the site file does not know")
    if opens and kind == "site" and name != site.ingress_endpoint:
        raise Uncompilable(f"only site:{site.ingress_endpoint} may open connections to nodes, not '{end}' (row L3)")
    return places[name].prefixes


def _ranges(ports: Iterable[str]) -> Iterator[tuple[int, int]]:
    for port in ports:
        first, _, last = port.partition("-")
        yield int(first), int(last or first)


def _traffic(flow: Flow, ethertype: Ethertype) -> Iterator[tuple[int | None, int | None, int | None]]:
    if flow.protocol == "any":
        yield None, None, None
    elif flow.protocol == "icmp":
        yield (ICMPV6 if ethertype == "IPv6" else ICMP), None, None
    else:
        for low, high in flow.port_ranges():
            yield _PROTOCOLS[flow.protocol], low, high


def _outside(
    direction: Direction,
    ethertype: Ethertype,
    protocol: int | None,
    low: int | None,
    high: int | None,
    prefixes: Iterable[str],
) -> Iterator[Rule]:
    """One rule for each prefix of this ethertype."""
    for prefix in prefixes:
        if f"IPv{ip_network(prefix).version}" == ethertype:
            yield Rule(direction, ethertype, protocol, low, high, canonical_prefix(prefix, ethertype))


def _least(rules: Iterable[Rule]) -> list[Rule]:
    """The same packets without a repeat: ports and prefixes joined where they touch, covered rules left out (L12)."""
    found = _joined_prefixes(_joined_ports(rules))
    return [rule for rule in found if not any(_covers(other, rule) for other in found if other != rule)]


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


def _covers(outer: Rule, inner: Rule) -> bool:
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
