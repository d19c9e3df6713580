"""What the kinds of finding look at: the inventory with its indices, worked out once for all of them."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

from network_policy.domain.audit.inventory import Inventory, Part
from network_policy.domain.audit.matrix import Matrix, MatrixMaker, is_public_port, public_networks
from network_policy.domain.carried import as_carried
from network_policy.domain.hygiene.inspection import GroupHygiene, Inspection, opened_to_world
from network_policy.domain.intervals import EMPTY, Intervals, normalise, subtract, union
from network_policy.domain.reachability import Reachability
from network_policy.domain.rule import ETHERTYPES, Ethertype
from network_policy.domain.topology import Topology
from network_policy.domain.world import Group, Network, Port, Subnet


@dataclass(frozen=True)
class Expected:
    """What the site says, or what holds where it says nothing."""

    places: tuple[str, ...] = ()
    """Prefixes of zones and endpoints."""
    reserved: tuple[str, ...] = ()
    internal: str | None = None
    """Name or id of the network that OpenStack's services talk on."""
    internal_prefixes: tuple[str, ...] = ()
    image_formats: frozenset[str] = frozenset({"raw", "qcow2"})


@dataclass(frozen=True)
class Subject:
    """One cloud at one time."""

    inventory: Inventory
    expected: Expected

    @cached_property
    def inspection(self) -> Inspection:
        read = Part.PROJECTS not in self.inventory.unread
        return Inspection(
            self.inventory.world,
            project_ids=frozenset(self.inventory.project_names) if read and self.inventory.is_whole else None,
            places=self.expected.places,
        )

    @cached_property
    def hygiene(self) -> tuple[GroupHygiene, ...]:
        return tuple(self.inspection.groups())

    @cached_property
    def topology(self) -> Topology:
        return Topology(self.inventory.world)

    @cached_property
    def reachability(self) -> Reachability:
        return Reachability(self.inventory.world)

    @cached_property
    def matrix(self) -> Matrix:
        servers = {each.id: each.project_id for each in self.inventory.servers}
        world = as_carried(self.inventory.world, servers)
        ports = [port for port in world.ports if not self.topology.is_infrastructure(port)]
        return MatrixMaker(world, ports, self.reachability).matrix()

    @cached_property
    def _public_networks(self) -> frozenset[str]:
        return public_networks(self.inventory.world)

    def is_public(self, port: Port) -> bool:
        """Whether outside has an address for the port."""
        return is_public_port(self.topology, port, self._public_networks)

    @cached_property
    def groups(self) -> dict[str, Group]:
        return {group.id: group for group in self.inventory.world.groups}

    @cached_property
    def ports(self) -> dict[str, Port]:
        return {port.id: port for port in self.inventory.world.ports}

    @cached_property
    def networks(self) -> dict[str, Network]:
        return {network.id: network for network in self.inventory.world.networks}

    @cached_property
    def subnets(self) -> dict[str, list[Subnet]]:
        found: dict[str, list[Subnet]] = {}
        for subnet in self.inventory.world.subnets:
            found.setdefault(subnet.network_id, []).append(subnet)
        return found

    @cached_property
    def members(self) -> dict[str, list[Port]]:
        """Ports by group."""
        found: dict[str, list[Port]] = {}
        for port in self.inventory.world.ports:
            for group_id in port.group_ids:
                found.setdefault(group_id, []).append(port)
        return found

    @cached_property
    def tenant_ports(self) -> tuple[Port, ...]:
        """Ports that are not Neutron's own, whatever they say of themselves."""
        return tuple(port for port in self.inventory.world.ports if not self.topology.is_infrastructure(port))

    @cached_property
    def openings(self) -> dict[str, dict[Ethertype, Intervals]]:
        """By group: the kinds of packet that everybody may send to its ports."""
        return {
            group.id: {
                ethertype: normalise(
                    kinds for _, kinds in opened_to_world((each for each in group.rules if not each.unclear), ethertype)
                )
                for ethertype in ETHERTYPES
            }
            for group in self.inventory.world.groups
        }

    def opened(self, group_ids: Iterable[str], ethertype: Ethertype) -> Intervals:
        """What everybody may send to a port of all these groups."""
        return union(*(self.openings.get(group_id, {}).get(ethertype, EMPTY) for group_id in group_ids))

    def opened_beyond(self, group: Group, wider: Ethertype, narrower: Ethertype) -> Intervals:
        """What is open under one ethertype and closed under the other."""
        return subtract(self.openings[group.id][wider], self.openings[group.id][narrower])

    def where(self, project_id: str, kind: str, name: str, resource_id: str) -> str:
        """`project p1, port web`, for people."""
        return f"project {self.inventory.project(project_id)}, {kind} {name or resource_id}"
