"""What Neutron says, as values. A world may be one workspace's surroundings or the whole cloud (`whole`)."""

from dataclasses import dataclass, field

from network_policy.domain.rule import Rule

SUBPORT_OWNER = "trunk:subport"
TRUSTED_OWNER = "network:"
"""Neutron filters no port whose device owner begins so (neutron_lib.plugins.utils, `is_port_trusted`)."""


@dataclass(frozen=True, slots=True)
class GroupRule:
    """A rule as it stands in a group."""

    id: str
    group_id: str
    rule: Rule
    unclear: str = field(default="", compare=False, repr=False)
    """Why it can't be taken at its word, so that `rule` is the widest that it may mean; empty where it can."""


@dataclass(frozen=True, slots=True)
class Group:
    """A security group; its rules only permit, and add up."""

    id: str
    name: str
    project_id: str
    rules: tuple[GroupRule, ...] = ()
    stateful: bool = True
    revision: int = 0
    created_at: str = ""


@dataclass(frozen=True, slots=True)
class AddressPair:
    """A prefix that a port may use beside its own addresses; `0.0.0.0/0` turns anti-spoofing off."""

    prefix: str
    mac_address: str = ""


@dataclass(frozen=True, slots=True)
class Port:
    """A port; without `port_security` nothing is filtered on it."""

    id: str
    name: str
    project_id: str
    network_id: str
    addresses: tuple[str, ...] = ()
    mac_address: str = ""
    group_ids: tuple[str, ...] = ()
    port_security: bool = True
    device_owner: str = ""
    device_id: str = ""
    address_pairs: tuple[AddressPair, ...] = ()
    vnic_type: str = "normal"
    revision: int = 0
    dhcp_options: tuple[str, ...] = ()
    """What its DHCP answers say that the network's do not, as `name=value`: they may name any router or boot server."""
    is_bound: bool = True
    """Whether a host is told to plug it in (`binding:host_id`); True where that can't be seen."""

    @property
    def is_trusted(self) -> bool:
        """Whether Neutron leaves it unfiltered because of who it says it belongs to."""
        return self.device_owner.startswith(TRUSTED_OWNER)

    @property
    def is_baremetal(self) -> bool:
        """Whether Ironic gives it boot options of its own, as it does to every node."""
        return self.vnic_type == "baremetal" or self.device_owner.startswith("baremetal:")

    @property
    def is_subport(self) -> bool:
        """Whether it says that a trunk carries it; only the list of trunks tells which."""
        return self.device_owner == SUBPORT_OWNER


@dataclass(frozen=True, slots=True)
class Network:
    id: str
    name: str
    project_id: str
    external: bool = False
    shared: bool = False
    physical_network: str = ""
    """The provider's network that it lies on; empty for an overlay."""
    wires: tuple[str, ...] = ()
    """Its segments, as `vlan physnet1 100`; networks with one in common meet there without a router. Neutron gives each
    segment to one network, and tells them to administrators only."""


@dataclass(frozen=True, slots=True)
class Subnet:
    id: str
    network_id: str
    cidr: str


@dataclass(frozen=True, slots=True)
class Router:
    """`external_network_id` is None without a gateway; its interfaces are ports with its id as their device."""

    id: str
    project_id: str
    external_network_id: str | None = None
    external_addresses: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class FloatingIp:
    id: str
    project_id: str
    address: str
    port_id: str | None = None


@dataclass(frozen=True, slots=True)
class AddressGroup:
    id: str
    project_id: str
    prefixes: tuple[str, ...] = ()
    name: str = ""


@dataclass(frozen=True, slots=True)
class Sharing:
    """An RBAC policy: who else may use a network, a group or an address group."""

    id: str
    object_type: str
    object_id: str
    target_project_id: str
    action: str


@dataclass(frozen=True, slots=True)
class Trunk:
    """A port that carries others: whoever has the parent is on the subports' networks too."""

    id: str
    project_id: str
    port_id: str
    subport_ids: tuple[str, ...] = ()
    """Sorted."""


@dataclass(frozen=True, slots=True)
class World:
    """Everything that was observed at one time."""

    groups: tuple[Group, ...] = ()
    ports: tuple[Port, ...] = ()
    networks: tuple[Network, ...] = ()
    subnets: tuple[Subnet, ...] = ()
    routers: tuple[Router, ...] = ()
    floating_ips: tuple[FloatingIp, ...] = ()
    address_groups: tuple[AddressGroup, ...] = ()
    sharings: tuple[Sharing, ...] = ()
    trunks: tuple[Trunk, ...] = ()
    whole: bool = False
    """Whether all projects were listed; else only what one workspace's ports can meet directly."""
