"""Where packets can travel at all: networks joined by routers, and what lies beyond them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from ipaddress import ip_network

from network_policy.domain.intervals import Intervals, normalise, union
from network_policy.domain.rule import Ethertype, addresses_of
from network_policy.domain.world import Network, Port, Router, World

ROUTER_INTERFACES = ("network:router_interface", "network:ha_router_replicated_interface")
ROUTER_OWNERS = (*ROUTER_INTERFACES, "network:router_gateway", "network:router_centralized_snat", "network:router_ha")

_NEVER_ROUTED: dict[Ethertype, tuple[str, ...]] = {
    "IPv4": ("0.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16", "224.0.0.0/4", "255.255.255.255/32"),
    "IPv6": ("::/127", "fe80::/10", "ff00::/8"),
}
"""Link-local, loopback, multicast and broadcast addresses: no router takes these any further (RFC 6890)."""


def never_routed(ethertype: Ethertype) -> Intervals:
    """The addresses that no packet from or to another network carries."""
    return union(*(addresses_of(prefix, ethertype) for prefix in _NEVER_ROUTED[ethertype]))


def is_open(network: Network) -> bool:
    """Whether others than its ports may be on it: it is external, or lies on the provider's own wires."""
    return network.external or bool(network.physical_network)


def wires_of(networks: Iterable[Network]) -> dict[str, str]:
    """Of each network that has a segment in common with another one, the network that stands for their wire."""
    first: dict[str, str] = {}
    wires: dict[str, str] = {}
    for network in networks:
        for name in network.wires:
            known = first.setdefault(name, network.id)
            if known != network.id:
                one, other = wires.setdefault(known, known), wires.setdefault(network.id, network.id)
                wires.update((each, other) for each, wire in tuple(wires.items()) if wire == one)
    return wires


@dataclass
class Topology:
    """Networks in one segment reach each other through routers; an exposed segment also has a way out.

    Networks that lie on one wire are one network but for their names: whoever is on it hears all that is on it, and may
    send to any address there, whatever prefix its subnet has.
    """

    world: World
    parents: dict[str, str] = field(init=False)
    """Of each subport: its trunk's parent."""
    _wire: dict[str, str] = field(init=False)
    """Of networks that share a wire: the one that stands for all that are on it. Mostly there are none."""
    _open_wires: frozenset[str] = field(init=False)
    """Those that others than the networks' ports may be on."""
    _segment: dict[str, str] = field(init=False)
    _exposed: set[str] = field(init=False)
    _networks: dict[str, Network] = field(init=False)
    _routers: dict[str, Router] = field(init=False)
    _prefixes: dict[str, list[str]] = field(init=False)
    _cidrs: dict[str, list[str]] = field(init=False)
    _gateways: dict[str, list[str]] = field(init=False)
    _floating: dict[str, list[str]] = field(init=False)
    _local: dict[tuple[str, Ethertype], Intervals] = field(default_factory=dict)
    _outer: dict[Ethertype, Intervals] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._networks = {network.id: network for network in self.world.networks}
        self.parents = {each: trunk.port_id for trunk in self.world.trunks for each in trunk.subport_ids}
        self._wire = wires_of(self.world.networks)
        self._open_wires = frozenset(
            self._wire[network.id] for network in self.world.networks if network.id in self._wire and is_open(network)
        )
        self._segment = {network.id: network.id for network in self.world.networks}
        for network_id, wire in self._wire.items():
            self._join(network_id, wire)
        routers = self._routers = {router.id: router for router in self.world.routers}
        attached: dict[str, list[str]] = {}
        for port in self.world.ports:
            if port.device_owner.startswith(ROUTER_INTERFACES) and port.device_id in routers:
                attached.setdefault(port.device_id, []).append(port.network_id)
        for network_ids in attached.values():
            for network_id in network_ids[1:]:
                self._join(network_ids[0], network_id)
        self._exposed = {self.segment(network.id) for network in self.world.networks if is_open(network)}
        self._gateways = {}
        for router_id, network_ids in attached.items():
            if routers[router_id].external_network_id:
                segment = self.segment(network_ids[0])
                self._exposed.add(segment)
                self._gateways.setdefault(segment, []).extend(routers[router_id].external_addresses)
        self._prefixes = {}
        for subnet in self.world.subnets:
            self._prefixes.setdefault(self.segment(subnet.network_id), []).append(subnet.cidr)
        self._cidrs = {}
        for subnet in self.world.subnets:
            self._cidrs.setdefault(self.wire(subnet.network_id), []).append(subnet.cidr)
        self._floating = {}
        for floating in self.world.floating_ips:
            if floating.port_id:
                self._floating.setdefault(floating.port_id, []).append(floating.address)

    def _join(self, left: str, right: str) -> None:
        self._segment[self.segment(left)] = self.segment(right)

    def segment(self, network_id: str) -> str:
        """The network that stands for all those it is joined with by routers or by a wire."""
        while (parent := self._segment.setdefault(network_id, network_id)) != network_id:
            network_id = parent
        return network_id

    def wire(self, network_id: str) -> str:
        """The network that stands for all that lie on its wire."""
        return self._wire.get(network_id, network_id)

    def share_wire(self, one: str, other: str) -> bool:
        """Whether frames pass between two networks, or they are one."""
        return one == other or (bool(self._wire) and self.wire(one) == self.wire(other))

    def is_exposed(self, network_id: str) -> bool:
        """Whether packets may come from or go to outside; a network that can't be seen may have a way out."""
        return network_id not in self._networks or self.segment(network_id) in self._exposed

    def local(self, network_id: str, ethertype: Ethertype) -> Intervals:
        """Addresses that are delivered within the segment, so never come from or go to outside.

        None on a network that lies on the provider's own wires: others may be on the same prefix there.
        """
        network = self._networks.get(network_id)
        if network is None or is_open(network) or self.wire(network_id) in self._open_wires:
            return ()
        key = (self.segment(network_id), ethertype)
        if key not in self._local:
            self._local[key] = union(*(addresses_of(cidr, ethertype) for cidr in self._prefixes.get(key[0], ())))
        return self._local[key]

    def heard_by_all(self, network_id: str, ethertype: Ethertype) -> Intervals:
        """The broadcast and multicast addresses that reach every port of a network, and of those on its wire."""
        cidrs = self._cidrs.get(self.wire(network_id), ())
        own = (int(ip_network(cidr).broadcast_address) for cidr in cidrs if ":" not in cidr)
        if ethertype == "IPv6":
            return _addresses(("ff00::/8",), ethertype)
        return union(
            _addresses(("224.0.0.0/4", "255.255.255.255/32"), ethertype), normalise((each, each) for each in own)
        )

    def floating(self, port: Port, ethertype: Ethertype) -> Intervals:
        """The floating addresses that stand for the port outside."""
        return _addresses(self._floating.get(port.id, ()), ethertype)

    def translated(self, port: Port, ethertype: Ethertype) -> Intervals:
        """What the port's packets may carry as source beyond its routers: floating and gateways' addresses."""
        return union(
            self.floating(port, ethertype),
            _addresses(self._gateways.get(self.segment(port.network_id), ()), ethertype),
        )

    def gateways(self, network_id: str, ethertype: Ethertype) -> Intervals:
        """The addresses that routers give what goes out of the network's segment."""
        return _addresses(self._gateways.get(self.segment(network_id), ()), ethertype)

    def all_gateways(self, ethertype: Ethertype) -> Intervals:
        """The outer addresses of all routers."""
        if ethertype not in self._outer:
            texts = (text for each in self._gateways.values() for text in each)
            self._outer[ethertype] = _addresses(texts, ethertype)
        return self._outer[ethertype]

    @property
    def floating_addresses(self) -> Mapping[str, Sequence[str]]:
        """By the port that they stand for."""
        return self._floating

    def is_infrastructure(self, port: Port) -> bool:
        """Whether a port that calls itself `network:…` is Neutron's own: its device fits what it says (CVE-2015-5240)."""
        if not port.is_trusted:
            return False
        owner, device = port.device_owner, port.device_id
        if owner.startswith(ROUTER_OWNERS):
            return device in self._routers
        if owner == "network:dhcp":
            return device.startswith(("dhcp", "reserved_dhcp_port"))
        if owner == "network:distributed":
            return device.startswith(("ovnmeta-", "ovn-lb-hm-"))
        if owner == "network:floatingip":
            network = self._networks.get(port.network_id)
            return network is not None and network.external
        return False


def _addresses(texts: Iterable[str], ethertype: Ethertype) -> Intervals:
    return normalise(piece for text in texts for piece in addresses_of(text, ethertype))
