"""What OpenStack says there is: the provisioner's view of one project, and of what all projects may use."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

GONE = "absent"
"""The status of a node that has no server."""


@dataclass(frozen=True)
class SeenProject:
    """`is_ours`: it carries the mark that Tresor gives at creation."""

    id: str
    name: str
    is_ours: bool
    is_enabled: bool = True


@dataclass(frozen=True)
class SeenNetwork:
    id: str
    name: str
    is_marked: bool = True
    is_shared: bool = False
    mtu_bytes: int = 0
    """0 where Neutron does not say."""
    is_born_ours: bool = False
    """Its description says so, which the call that makes it sets, as a tag can't be: the call after it sets that."""


@dataclass(frozen=True)
class SeenSubnet:
    id: str
    name: str
    network_id: str
    cidr: str
    is_marked: bool = True


@dataclass(frozen=True)
class SeenRouter:
    id: str
    name: str
    gateway_network_id: str | None = None
    is_marked: bool = True
    is_born_ours: bool = False
    """As of a network."""


@dataclass(frozen=True)
class SeenPort:
    id: str
    name: str
    network_id: str
    device_id: str = ""
    device_owner: str = ""
    group_ids: frozenset[str] = frozenset()
    is_secured: bool = True
    """Port security is on."""
    subnet_ids: tuple[str, ...] = ()
    addresses: tuple[str, ...] = ()
    is_marked: bool = True
    vnic_type: str = "normal"

    @property
    def is_network_own(self) -> bool:
        """Neutron's own: a router's interface, a DHCP or metadata port; it goes with its owner."""
        return self.device_owner.startswith("network:")


@dataclass(frozen=True)
class SeenTrunk:
    """A port that carries others, each under a VLAN tag of its own."""

    id: str
    name: str
    parent_id: str
    subports: frozenset[tuple[str, int]] = frozenset()
    """Port id and tag of each."""
    is_marked: bool = True

    @property
    def port_ids(self) -> frozenset[str]:
        """Its ports, the parent too: Neutron deletes none of them while it stands."""
        return frozenset((self.parent_id, *(port_id for port_id, _ in self.subports)))


@dataclass(frozen=True)
class SeenServer:
    id: str
    name: str
    status: str
    is_busy: bool = False
    """A task is under way in Nova: its status is about to change."""
    fault: str = ""
    host: str = ""
    volume_ids: frozenset[str] = frozenset()
    is_marked: bool = True
    """Its metadata says that it is this workspace's."""


@dataclass(frozen=True)
class Observed:
    """All of one project that the provisioner is concerned with, as read now."""

    project: SeenProject | None = None
    networks: tuple[SeenNetwork, ...] = ()
    subnets: tuple[SeenSubnet, ...] = ()
    routers: tuple[SeenRouter, ...] = ()
    ports: tuple[SeenPort, ...] = ()
    trunks: tuple[SeenTrunk, ...] = ()
    servers: tuple[SeenServer, ...] = ()
    quotas: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    """Limits by service; a service that was not asked is missing."""
    is_granted: bool = False
    """The service's own user has its role in the project."""

    def server(self, name: str, known_id: str | None = None) -> SeenServer | None:
        """The server that bears that name: the recorded one if it is there, else the first by id."""
        named = sorted((server for server in self.servers if server.name == name), key=lambda server: server.id)
        recorded = [server for server in named if server.id == known_id]
        return next(iter(recorded or named), None)

    def port(self, name: str) -> SeenPort | None:
        """The port that bears that name: one in use if there is one, then one on a trunk, else the first by id."""
        named = [port for port in self.ports if port.name == name and not port.is_network_own]
        return min(
            named, key=lambda port: (not port.device_id, self.trunk_with(port.id) is None, port.id), default=None
        )

    def trunk_with(self, port_id: str) -> SeenTrunk | None:
        """The trunk that the port is on, as its parent or as a subport."""
        return self._carriers.get(port_id)

    def is_in_use(self, port: SeenPort) -> bool:
        """A server that Nova still lists has the port, or the parent of its trunk.

        A device that is gone leaves its id behind at times.
        """
        trunk = self.trunk_with(port.id)
        is_carried = trunk is not None and self._devices.get(trunk.parent_id) in self._server_ids
        return is_carried or port.device_id in self._server_ids

    @cached_property
    def _carriers(self) -> dict[str, SeenTrunk]:
        return {port_id: trunk for trunk in self.trunks for port_id in trunk.port_ids}

    @cached_property
    def _devices(self) -> dict[str, str]:
        return {port.id: port.device_id for port in self.ports}

    @cached_property
    def _server_ids(self) -> frozenset[str]:
        return frozenset(server.id for server in self.servers)

    def network(self, name: str, known_id: str | None = None) -> SeenNetwork | None:
        """The network that bears that name: the recorded one if it is there, else one with subnets, else the first by id."""
        named = [network for network in self.networks if network.name == name]
        joined = {subnet.network_id for subnet in self.subnets}
        return min(
            named, key=lambda network: (network.id != known_id, network.id not in joined, network.id), default=None
        )

    def router(self, name: str) -> SeenRouter | None:
        """The router that bears that name: one with interfaces if there is one, else the first by id."""
        named = [router for router in self.routers if router.name == name]
        return min(named, key=lambda router: (not self.interfaces(router.id), router.id), default=None)

    def is_bare(self, network: SeenNetwork) -> bool:
        """Nothing is on the network: no subnet, no port."""
        used = {*(subnet.network_id for subnet in self.subnets), *(port.network_id for port in self.ports)}
        return network.id not in used

    def interfaces(self, router_id: str) -> frozenset[str]:
        """The subnets that the router has an interface on."""
        return frozenset(
            subnet_id
            for port in self.ports
            if port.device_id == router_id and port.is_network_own and port.device_owner != "network:router_gateway"
            for subnet_id in port.subnet_ids
        )
