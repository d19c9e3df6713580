"""Who can reach whom, by project: small enough for hundreds of projects, exact where it says that nothing passes."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from ipaddress import ip_address

from network_policy.domain.audit.inventory import Inventory
from network_policy.domain.audit.services import kinds_in_words
from network_policy.domain.filters import Filters, own_addresses, traffic_between
from network_policy.domain.intervals import EMPTY, Intervals, contains, intersect, normalise, union
from network_policy.domain.reachability import Reachability
from network_policy.domain.rule import ETHERTYPES, WHOLE, Direction, Ethertype
from network_policy.domain.topology import Topology, is_open
from network_policy.domain.world import Port, World

OUTSIDE = "*outside*"
"""No project has such an id; a port may have none."""


@dataclass(frozen=True, slots=True)
class Cell:
    """What can pass from the ports of one project (or from outside) to those of another (or to outside)."""

    source: str
    target: str
    ipv4: Intervals
    ipv6: Intervals
    networks: tuple[str, ...]
    """Ids of the networks on which it arrives, or from which it leaves to outside."""
    example: tuple[str, str]
    """Two ports; the id is empty for outside."""
    is_certain: bool = True
    """False where it passes only if somebody outside routes packets to the project's private addresses."""

    @property
    def words(self) -> str:
        """For people."""
        said = []
        if self.ipv4:
            said.append(kinds_in_words(self.ipv4))
        if self.ipv6 and self.ipv6 != self.ipv4:
            said.append(f"IPv6: {kinds_in_words(self.ipv6)}")
        return "; ".join(said)


@dataclass(frozen=True)
class Matrix:
    """Only what can pass; a pair that isn't there is closed."""

    projects: tuple[str, ...]
    cells: tuple[Cell, ...]

    def as_document(self, inventory: Inventory) -> list[dict[str, object]]:
        """For JSON and YAML."""
        return [
            {
                "from": end_name(inventory, cell.source),
                "to": end_name(inventory, cell.target),
                "what": cell.words,
                "certain": cell.is_certain,
                "networks": list(cell.networks),
                "example_ports": [each for each in cell.example if each],
            }
            for cell in self.cells
        ]


def end_name(inventory: Inventory, project_id: str) -> str:
    """The project's name, or `outside`."""
    return "outside" if project_id == OUTSIDE else inventory.project(project_id)


def public_networks(world: World) -> frozenset[str]:
    """Networks whose addresses are known outside: external ones, and those on the provider's own wires."""
    return frozenset(network.id for network in world.networks if is_open(network))


def is_public_port(topology: Topology, port: Port, public: frozenset[str]) -> bool:
    """Whether outside has an address for the port: its own on a public network, or a floating one. Any IPv6 address that
    is not unique-local counts: nothing translates it on the way."""
    if port.network_id in public or any(topology.floating(port, ethertype) for ethertype in ETHERTYPES):
        return True
    return topology.is_exposed(port.network_id) and any(
        ":" in address and not ip_address(address).is_private for address in port.addresses
    )


@dataclass(frozen=True)
class _Class:
    """Ports that are alike but for their addresses; `is_public`: outside has addresses for them."""

    project_id: str
    ports: tuple[Port, ...]
    is_public: bool

    @property
    def first(self) -> Port:
        return self.ports[0]


@dataclass
class _Sum:
    """A cell that grows."""

    traffic: dict[Ethertype, Intervals]
    networks: dict[str, None]
    example: tuple[str, str]


class _AddressBook:
    """Senders by their addresses, so that a receiver that hears few addresses is asked about few senders."""

    def __init__(self, senders: Iterable[tuple[_Class, Intervals | None]]) -> None:
        self._everywhere: list[_Class] = []
        """Those that may send from any address, or from more than single ones."""
        points: list[tuple[int, int]] = []
        self._senders: list[_Class] = []
        for sender, addresses in senders:
            if addresses is None or any(low != high for low, high in addresses):
                self._everywhere.append(sender)
            else:
                points += [(low, len(self._senders)) for low, _ in addresses]
                self._senders.append(sender)
        points.sort()
        self._numbers = [number for number, _ in points]
        self._whose = [whose for _, whose in points]

    def within(self, addresses: Intervals) -> Iterator[_Class]:
        """The senders that may send from one of the addresses, each once."""
        found: set[int] = set()
        for low, high in addresses:
            found.update(self._whose[bisect_left(self._numbers, low) : bisect_right(self._numbers, high)])
        yield from (self._senders[position] for position in sorted(found))
        yield from self._everywhere


class MatrixMaker:
    """Asks about classes of ports first: what no two classes can send each other, no two of their ports can."""

    def __init__(self, world: World, tenant_ports: Iterable[Port], reachability: Reachability) -> None:
        self.reachability = reachability
        self.filters = Filters(world)
        self.topology = Topology(world)
        public = public_networks(world)
        alike: dict[tuple[str, str, frozenset[str], bool, bool], list[Port]] = {}
        for port in tenant_ports:
            is_filtered, is_public = self.filters.is_filtered(port), is_public_port(self.topology, port, public)
            key = (port.project_id, port.network_id, frozenset(port.group_ids), is_filtered, is_public)
            alike.setdefault(key, []).append(port)
        self.classes = tuple(_Class(key[0], tuple(ports), key[4]) for key, ports in alike.items())
        self._bounds: dict[tuple[int, Ethertype], tuple[Intervals, Intervals]] = {}
        self._named: dict[tuple[int, Direction, Ethertype], Intervals] = {}
        self._sums: dict[tuple[str, str, bool], _Sum] = {}

    def matrix(self) -> Matrix:
        """Every pair of projects, and each with outside."""
        for ethertype in ETHERTYPES:
            senders = [each for each in self.classes if self.filters.actual(each.first, "egress", ethertype)]
            receivers = [each for each in self.classes if self.filters.actual(each.first, "ingress", ethertype)]
            book = _AddressBook(
                (each, self._addresses(each, ethertype)[0] if self.filters.is_filtered(each.first) else None)
                for each in senders
            )
            for target in receivers:
                for source in book.within(self._far_ends(target, "ingress", ethertype)):
                    if self._may_meet(source, target):
                        self._between(source, target, ethertype)
            for each in self.classes:
                self._outside(each, ethertype)
        cells = tuple(
            Cell(
                source,
                target,
                found.traffic.get("IPv4", EMPTY),
                found.traffic.get("IPv6", EMPTY),
                tuple(found.networks),
                found.example,
                is_certain,
            )
            for (source, target, is_certain), found in sorted(self._sums.items())
        )
        return Matrix(tuple(sorted({each.project_id for each in self.classes})), cells)

    def _may_meet(self, source: _Class, target: _Class) -> bool:
        if source is target and len(source.ports) == 1:
            return False
        near, here, there = self.topology, source.first.network_id, target.first.network_id
        return near.segment(here) == near.segment(there) or (near.is_exposed(here) and near.is_exposed(there))

    def _between(self, source: _Class, target: _Class, ethertype: Ethertype) -> None:
        bound = self._bound(source, target, ethertype)
        if not bound:
            return
        is_near = self.topology.segment(source.first.network_id) == self.topology.segment(target.first.network_id)
        key = (source.project_id, target.project_id, is_near or target.is_public)
        known = self._sums[key].traffic.get(ethertype, EMPTY) if key in self._sums else EMPTY
        if contains(known, bound) and target.first.network_id in self._sums[key].networks:
            return
        for sender in source.ports:
            for receiver in target.ports:
                if sender.id == receiver.id:
                    continue
                passing = self.reachability.between(sender.id, receiver.id, ethertype)
                if passing:
                    self._add(key, ethertype, passing, receiver.network_id, (sender.id, receiver.id))
                    if contains(self._sums[key].traffic[ethertype], bound):
                        return

    def _bound(self, source: _Class, target: _Class, ethertype: Ethertype) -> Intervals:
        """No more than this passes between any two ports of the classes."""
        sources, destinations = self._addresses(source, ethertype)[0], self._addresses(target, ethertype)[1]
        is_filtered = self.filters.is_filtered(source.first)
        if self.topology.share_wire(source.first.network_id, target.first.network_id):
            destinations = union(destinations, self.topology.heard_by_all(target.first.network_id, ethertype))
        sent = traffic_between(self.filters.actual(source.first, "egress", ethertype), destinations)
        if not sent:
            return EMPTY
        heard = traffic_between(
            self.filters.actual(target.first, "ingress", ethertype), sources if is_filtered else (WHOLE[ethertype],)
        )
        return intersect(sent, heard)

    def _far_ends(self, each: _Class, direction: Direction, ethertype: Ethertype) -> Intervals:
        """All that its filters name in one direction: most pairs of classes are told apart by this alone."""
        key = (id(each), direction, ethertype)
        if key not in self._named:
            boxes = self.filters.actual(each.first, direction, ethertype)
            self._named[key] = union(*(box.addresses for box in boxes))
        return self._named[key]

    def _addresses(self, each: _Class, ethertype: Ethertype) -> tuple[Intervals, Intervals]:
        """What its packets may carry as source, and where packets for it go to."""
        key = (id(each), ethertype)
        if key not in self._bounds:
            own = union(*(own_addresses(port, ethertype) for port in each.ports))
            self._bounds[key] = (
                union(own, *(self.topology.translated(port, ethertype) for port in each.ports)),
                union(own, *(self.topology.floating(port, ethertype) for port in each.ports)),
            )
        return self._bounds[key]

    def _outside(self, each: _Class, ethertype: Ethertype) -> None:
        for port in each.ports:
            into = normalise(box.traffic for box in self.reachability.from_outside(port.id, ethertype))
            if into:
                self._add((OUTSIDE, each.project_id, each.is_public), ethertype, into, port.network_id, ("", port.id))
            out = normalise(box.traffic for box in self.reachability.to_outside(port.id, ethertype))
            if out:
                self._add((each.project_id, OUTSIDE, True), ethertype, out, port.network_id, (port.id, ""))

    def _add(
        self,
        key: tuple[str, str, bool],
        ethertype: Ethertype,
        traffic: Intervals,
        network_id: str,
        example: tuple[str, str],
    ) -> None:
        found = self._sums.setdefault(key, _Sum({}, {}, example))
        found.traffic[ethertype] = union(found.traffic.get(ethertype, EMPTY), traffic)
        found.networks[network_id] = None
