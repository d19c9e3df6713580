"""A workspace document and the site file, compiled to the rules of one security group for each role.

Security groups only permit, so what is not compiled is denied: both ways, also inside a workspace (rows L5, I6), and
between zones that the site's matrix does not join (row L4). IPv6 stays off for a role none of whose networks has an
IPv6 prefix.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from ipaddress import ip_network
from typing import Literal

from contracts.network_problems import reaches_api
from contracts.site import Site
from contracts.workspace import KUBERNETES_API_PORT, Flow, NodeRole, Workspace, bounds
from contracts.zones import forbidden
from network_policy.domain.boot import boot_rules, ethertypes, reply
from network_policy.domain.hygiene.joining import covers, joined
from network_policy.domain.rule import (
    ICMP,
    ICMPV6,
    TCP,
    UDP,
    Direction,
    Ethertype,
    Remote,
    RemoteKind,
    Rule,
    canonical_prefix,
)

IKE_PORT = 500
IPSEC_NAT_PORT = 4500
ESP = 50

_PROTOCOLS = {"tcp": TCP, "udp": UDP}
Traffic = tuple[int | None, int | None, int | None]
"""Protocol, and the least and greatest port, or ICMP type and code."""


class Uncompilable(Exception):
    """The document asks for what no rule may permit; documents are checked before, so this stops a stale one."""


@dataclass(frozen=True)
class Policy:
    """The declared rules of each role, far ends by role: whole before any group exists."""

    workspace: str
    roles: Mapping[str, frozenset[Rule]]
    boot: Mapping[str, frozenset[Rule]]
    """Of those, the ones without which a node does not come up: they go in before the defaults go out (row L6)."""
    stateless: frozenset[str] = field(default=frozenset())
    """The roles whose groups track no connections."""
    far_ends: Literal["group", "address-group"] = "group"
    """What stands for a role at the far end of a rule: its group, or an address group with its nodes' addresses."""

    @cached_property
    def texts(self) -> Mapping[str, frozenset[tuple[str, str]]]:
        """Of each role: its rules as their two texts, made once for as long as the document stands."""
        return {role: frozenset((rule.packets, rule.far_end) for rule in rules) for role, rules in self.roles.items()}

    @property
    def rule_count(self) -> int:
        return sum(len(rules) for rules in self.roles.values())


def compile_policy(document: Workspace, site: Site) -> Policy:
    """The rules that the document declares at this site. Raises Uncompilable."""
    boot = {role.name: frozenset(boot_rules(document, role)) for role in document.roles}
    declared: dict[str, list[Rule]] = {role.name: [] for role in document.roles}
    for role in document.roles:
        declared[role.name] += _always(document, site, role)
        declared[role.name] += _gateway(document, site, role)
        if role.kubernetes_api and site.api_proxy_endpoint is not None:
            for ethertype in ethertypes(document, role):
                prefixes = site.endpoints[site.api_proxy_endpoint].prefixes
                api = (TCP, KUBERNETES_API_PORT, KUBERNETES_API_PORT)
                declared[role.name] += _outside("ingress", ethertype, api, prefixes)
    for flow in document.flows:
        if not forbidden(document, site, flow):
            _add_flow(declared, document, site, flow)
    stateless = frozenset(role.name for role in document.roles if role.stateless)
    for name in stateless:
        declared[name] += [answer for rule in declared[name] if (answer := reply(rule)) is not None]
    rules = {name: frozenset(joined([*boot[name], *found])) for name, found in declared.items()}
    return Policy(
        document.name,
        rules,
        {
            name: frozenset(rule for rule in found if any(covers(rule, needed) for needed in boot[name]))
            for name, found in rules.items()
        },
        stateless,
        "address-group" if site.far_end_kind == "address-group" else "group",
    )


def _always(document: Workspace, site: Site, role: NodeRole) -> Iterator[Rule]:
    """What every node may reach, by the site file."""
    for endpoint in site.endpoints.values():
        for service in endpoint.always:
            for ethertype in ethertypes(document, role):
                for low, high in map(bounds, service.ports):
                    traffic = (_PROTOCOLS[service.protocol], low, high)
                    yield from _outside("egress", ethertype, traffic, endpoint.prefixes)


def _gateway(document: Workspace, site: Site, role: NodeRole) -> Iterator[Rule]:
    """IKE and ESP between a tunnel's near gateway and its peers, either of which may begin (row D4; RFC 7296, RFC 4303)."""
    for name in role.tunnels:
        if name not in site.tunnels:
            raise Uncompilable(
                f"role '{role.name}' is a gateway of '{name}', a tunnel that the site file does not know"
            )
        for ethertype in ethertypes(document, role):
            for traffic in ((UDP, IKE_PORT, IKE_PORT), (UDP, IPSEC_NAT_PORT, IPSEC_NAT_PORT), (ESP, None, None)):
                yield from _outside("egress", ethertype, traffic, site.tunnels[name].peers)
                yield from _outside("ingress", ethertype, traffic, site.tunnels[name].peers)


def _role(document: Workspace, name: str) -> NodeRole:
    role = document.role(name)
    if role is None:
        raise Uncompilable(f"a flow names the role '{name}', which the document does not declare")
    return role


def _add_flow(declared: dict[str, list[Rule]], document: Workspace, site: Site, flow: Flow) -> None:
    if ":" in flow.from_:
        role = _role(document, flow.to)
        prefixes = _prefixes(site, flow, role)
        for ethertype in ethertypes(document, role):
            for traffic in _traffic(flow, ethertype):
                declared[role.name] += _outside("ingress", ethertype, traffic, prefixes)
        _through_gateway(declared, document, site, flow, role, "egress", flow.from_)
    elif ":" in flow.to:
        role = _role(document, flow.from_)
        prefixes = _prefixes(site, flow, None)
        for ethertype in ethertypes(document, role):
            for traffic in _traffic(flow, ethertype):
                declared[role.name] += _outside("egress", ethertype, traffic, prefixes)
        _through_gateway(declared, document, site, flow, role, "ingress", flow.to)
    else:
        source = _role(document, flow.from_)
        target = source if flow.to == "self" else _role(document, flow.to)
        _between(declared, document, site, flow, source, target)


def _between(
    declared: dict[str, list[Rule]], document: Workspace, site: Site, flow: Flow, source: NodeRole, target: NodeRole
) -> None:
    for ethertype in ethertypes(document, source):
        if ethertype not in ethertypes(document, target):
            continue
        for traffic in _traffic(flow, ethertype):
            for to in _far_ends(document, site, target, ethertype):
                declared[source.name].append(Rule("egress", ethertype, *traffic, to))
            for from_ in _far_ends(document, site, source, ethertype):
                declared[target.name].append(Rule("ingress", ethertype, *traffic, from_))


def _far_ends(document: Workspace, site: Site, role: NodeRole, ethertype: Ethertype) -> Iterator[Remote]:
    """What stands for the role at the far end of a rule."""
    if site.far_end_kind != "prefix":
        yield Remote(RemoteKind.ROLE, role.name)
        return
    for network in document.networks:
        if network.name in role.all_networks:
            if any(each.name != role.name and network.name in each.all_networks for each in document.roles):
                raise Uncompilable(
                    f"network '{network.name}' has more than role '{role.name}', so its prefix says too much"
                )
            for prefix in (network.cidr, network.cidr6):
                if prefix and f"IPv{ip_network(prefix).version}" == ethertype:
                    yield canonical_prefix(prefix, ethertype)


def _through_gateway(
    declared: dict[str, list[Rule]],
    document: Workspace,
    site: Site,
    flow: Flow,
    role: NodeRole,
    direction: Direction,
    end: str,
) -> None:
    """A flow with a tunnel's far side passes the near gateway's port, on the side of the role."""
    name = end.removeprefix("zone:")
    gateways = [each for each in document.roles if name in each.tunnels and each.name != role.name]
    for gateway in gateways if name != end and name in site.tunnels else ():
        for ethertype in ethertypes(document, role):
            if ethertype in ethertypes(document, gateway):
                for traffic in _traffic(flow, ethertype):
                    for far in _far_ends(document, site, role, ethertype):
                        declared[gateway.name].append(Rule(direction, ethertype, *traffic, far))


def _prefixes(site: Site, flow: Flow, opened: NodeRole | None) -> tuple[str, ...]:
    """The prefixes of the flow's outer end; `opened` is the role that it opens connections to, if it does."""
    end = flow.to if opened is None else flow.from_
    prefixes = site.place(end)
    if prefixes is None:
        raise Uncompilable(f"a flow names '{end}', which the site file does not know")
    if opened is None:
        return prefixes
    is_from_proxy = end == f"site:{site.api_proxy_endpoint}"
    if opened.kubernetes_api and reaches_api(flow) and not is_from_proxy:
        raise Uncompilable(f"'{end}' may not reach the Kubernetes API of '{opened.name}' (row L26)")
    is_api = is_from_proxy and opened.kubernetes_api
    if end.startswith("site:") and end != f"site:{site.ingress_endpoint}" and not is_api:
        raise Uncompilable(f"only site:{site.ingress_endpoint} may open connections to nodes, not '{end}' (row L3)")
    if opened.stateless and end == f"site:{site.ingress_endpoint}":
        raise Uncompilable(f"people log in to '{opened.name}', so it can't be stateless (row L3)")
    return prefixes


def _traffic(flow: Flow, ethertype: Ethertype) -> Iterator[Traffic]:
    if flow.protocol == "any":
        yield None, None, None
    elif flow.protocol == "icmp":
        number, types = (ICMPV6, flow.icmpv6_types) if ethertype == "IPv6" else (ICMP, flow.icmp_types)
        if not flow.icmp_types and not flow.icmpv6_types:
            yield number, None, None
        for each in types:
            yield number, each, None
    else:
        for low, high in flow.port_ranges():
            yield _PROTOCOLS[flow.protocol], low, high


def _outside(direction: Direction, ethertype: Ethertype, traffic: Traffic, prefixes: Iterable[str]) -> Iterator[Rule]:
    """One rule for each prefix of this ethertype."""
    for prefix in prefixes:
        if f"IPv{ip_network(prefix).version}" == ethertype:
            yield Rule(direction, ethertype, *traffic, canonical_prefix(prefix, ethertype))
