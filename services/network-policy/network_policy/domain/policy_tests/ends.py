"""Which ports and which addresses outside an end of a policy test names."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from ipaddress import ip_network

from contracts.site import Site
from network_policy.domain.filters import Claim
from network_policy.domain.intervals import EMPTY, Intervals, meets, subtract, union
from network_policy.domain.names import node_name
from network_policy.domain.rule import ETHERTYPES, WHOLE, Ethertype, addresses_of
from network_policy.domain.topology import Topology
from network_policy.domain.world import Port, World

_NOT_THE_INTERNET: dict[Ethertype, tuple[str, ...]] = {
    "IPv4": (
        "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24",
        "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24",
        "224.0.0.0/4", "240.0.0.0/4",
    ),
    "IPv6": ("::/3", "4000::/2", "8000::/1", "2001::/23", "2001:db8::/32", "3fff::/20"),
}  # fmt: skip
"""What is not globally reachable: IANA's special-purpose registries (RFC 6890), multicast, and IPv6 not yet given out."""
_NARROWEST_INTERNET: dict[Ethertype, int] = {"IPv4": 8, "IPv6": 16}
"""A place of the site file with a shorter prefix than this is a way to write `the internet`, not a place in it."""

Addresses = Mapping[Ethertype, Intervals]
NOWHERE: Addresses = {"IPv4": EMPTY, "IPv6": EMPTY}
EVERYWHERE: Addresses = {"IPv4": (WHOLE["IPv4"],), "IPv6": (WHOLE["IPv6"],)}


@dataclass(frozen=True)
class Reach:
    """An end: these ports of the cloud, and these addresses outside it."""

    port_ids: frozenset[str]
    outside: Addresses
    named: bool = True
    """Whether what it names exists in this world; else it may come to be, and nothing can be tried."""


class UnknownEnd(Exception):
    """The end names a role, a node, a place that there is not."""


@dataclass
class Places:
    """Finds what ends mean in one world, for the workspaces of the claims at one site."""

    world: World
    claims: Mapping[str, Claim]
    """By workspace."""
    site: Site
    topology: Topology
    ports: Mapping[str, Port] = field(init=False)
    """Those that packets of the tests can come from or go to: Neutron's own are left out, as in the proof."""

    def __post_init__(self) -> None:
        by_project = {claim.project_id: claim for claim in self.claims.values()}
        self.ports = {
            port.id: port
            for port in self.world.ports
            if not self.topology.is_infrastructure(port)
            or ((claim := by_project.get(port.project_id)) is not None and port.id in claim.port_roles)
        }
        self._found: dict[tuple[str, str], Reach] = {}

    def find(self, end: str, workspace: str) -> Reach:
        """What the end means for that workspace. Raises UnknownEnd."""
        key = (end, workspace)
        if key not in self._found:
            self._found[key] = self._find(end, workspace)
        return self._found[key]

    def together(self, ends: Iterable[str], workspace: str) -> Reach:
        """All of the ends at once."""
        found = [self.find(end, workspace) for end in ends]
        return Reach(
            frozenset().union(*(each.port_ids for each in found)),
            {each: union(*(one.outside[each] for one in found)) for each in ETHERTYPES},
        )

    def all_but(self, left_out: Reach) -> Reach:
        """Everybody and everything else."""
        return Reach(
            frozenset(self.ports) - left_out.port_ids,
            {each: subtract(EVERYWHERE[each], left_out.outside[each]) for each in ETHERTYPES},
        )

    def _find(self, end: str, workspace: str) -> Reach:
        kind, _, value = end.partition(":")
        if kind == "role":
            return self._ports_of_role(workspace, value)
        if kind == "node":
            return self._ports_of_node(workspace, value)
        if kind == "workspace":
            return self._ports_of_workspace(value or workspace)
        if kind == "prefix":
            return self._addressed({each: addresses_of(value, each) for each in ETHERTYPES})
        if kind in ("site", "zone"):
            return self._addressed(addresses_of_place(self.site, kind, value))
        if kind == "others":
            own = self._claim(workspace).project_id
            return Reach(frozenset(each.id for each in self.ports.values() if each.project_id != own), NOWHERE)
        if kind == "anywhere":
            return Reach(frozenset(self.ports), EVERYWHERE)
        if kind == "outside":
            return Reach(frozenset(), EVERYWHERE)
        return Reach(frozenset(), internet(self.site))

    def _claim(self, workspace: str) -> Claim:
        if workspace not in self.claims:
            raise UnknownEnd(f"no workspace '{workspace}' is known here")
        return self.claims[workspace]

    def _ports_of_role(self, workspace: str, role: str) -> Reach:
        claim = self._claim(workspace)
        if role not in claim.policy.roles:
            raise UnknownEnd(f"workspace '{workspace}' has no role '{role}'")
        found = (port_id for port_id, name in claim.port_roles.items() if name == role and port_id in self.ports)
        return Reach(frozenset(found), NOWHERE)

    def _ports_of_node(self, workspace: str, node: str) -> Reach:
        claim = self._claim(workspace)
        role, _, position = node.rpartition("-")
        if role not in claim.policy.roles or not position.isdigit():
            raise UnknownEnd(f"'{node}' is no node of '{workspace}': write the role and a number, such as login-0")
        name = node_name(workspace, role, int(position))
        found = frozenset(
            port_id
            for port_id, of in claim.port_roles.items()
            if of == role and port_id in self.ports and self._is_of_node(self.ports[port_id], name)
        )
        return Reach(found, NOWHERE, named=bool(found))

    def _is_of_node(self, port: Port, name: str) -> bool:
        return port.name == name or port.name.startswith(f"{name}-")

    def _ports_of_workspace(self, workspace: str) -> Reach:
        if workspace not in self.claims:
            return Reach(frozenset(), NOWHERE, named=False)
        own = self.claims[workspace].project_id
        return Reach(frozenset(each.id for each in self.ports.values() if each.project_id == own), NOWHERE)

    def _addressed(self, addresses: Addresses) -> Reach:
        """These addresses: outside, and the ports of the cloud that have one of them."""
        found = frozenset(port.id for port in self.ports.values() if self._has_one_of(port, addresses))
        return Reach(found, addresses)

    def _has_one_of(self, port: Port, addresses: Addresses) -> bool:
        return any(
            meets(addresses[each], self.topology.floating(port, each))
            or any(meets(addresses[each], addresses_of(own, each)) for own in port.addresses)
            for each in ETHERTYPES
        )


def addresses_of_place(site: Site, kind: str, name: str) -> Addresses:
    """The addresses of an endpoint, zone or tunnel's far side of the site file. Raises UnknownEnd."""
    prefixes = site.place(f"{kind}:{name}")
    if prefixes is None:
        raise UnknownEnd(f"the site file names no {'endpoint' if kind == 'site' else 'zone'} '{name}'")
    return {each: union(*(addresses_of(prefix, each) for prefix in prefixes)) for each in ETHERTYPES}


def internet(site: Site) -> Addresses:
    """All addresses that are globally reachable, but for the places that the site file names."""
    places = [prefix for endpoint in site.endpoints.values() for prefix in endpoint.prefixes]
    places += [prefix for zone in site.zones.values() for prefix in zone.prefixes]
    places += [prefix for tunnel in site.tunnels.values() for prefix in (*tunnel.far_prefixes, *tunnel.peers)]
    found: dict[Ethertype, Intervals] = {}
    for each in ETHERTYPES:
        narrow = (prefix for prefix in places if ip_network(prefix).prefixlen >= _NARROWEST_INTERNET[each])
        left_out = union(*(addresses_of(prefix, each) for prefix in (*_NOT_THE_INTERNET[each], *narrow)))
        found[each] = subtract((WHOLE[each],), left_out)
    return found
