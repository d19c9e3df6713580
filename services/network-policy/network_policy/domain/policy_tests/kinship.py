"""Ports that are alike to a policy test, so that a whole cloud is not tried port by port.

What is said of kin is certain in one direction each: nothing passes between kin that `may_pass` denies, and all of their
ports reach each other where `reach_all`. In between, ports are tried one by one.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache

from network_policy.domain.filters import Box, Filters, beyond, own_addresses, traffic_between
from network_policy.domain.intervals import EMPTY, Intervals, intersect, meets, normalise, union
from network_policy.domain.rule import WHOLE, Ethertype, addresses_of
from network_policy.domain.topology import Topology, never_routed
from network_policy.domain.world import Port, World


@dataclass(frozen=True, eq=False)
class Kin:
    """Ports of one network with the same groups, filtered alike."""

    ports: tuple[Port, ...]
    filtered: bool

    @property
    def first(self) -> Port:
        return self.ports[0]


class Kinship:
    """All kin of one world, among the ports that tests are about."""

    def __init__(self, world: World, ports: Mapping[str, Port], topology: Topology) -> None:
        self._filters = Filters(world)
        self._topology = topology
        alike: dict[tuple[object, ...], list[Port]] = {}
        for port in ports.values():
            filtered = self._filters.is_filtered(port)
            # A port without a filter is named by its packets' reason, so it is kin to nobody.
            key = (frozenset(port.group_ids), port.network_id, port.project_id, None if filtered else port.id)
            alike.setdefault(key, []).append(port)
        kin = [Kin(tuple(found), self._filters.is_filtered(found[0])) for found in alike.values()]
        self._of = {port.id: each for each in kin for port in each.ports}
        self.destinations = cache(self._destinations)
        self.sources = cache(self._sources)
        self.fixed = cache(self._fixed)

    def among(self, port_ids: Iterable[str]) -> Iterator[tuple[Kin, list[str]]]:
        """The kin of these ports, each with those of its ports that are among them."""
        found: dict[Kin, list[str]] = {}
        for port_id in port_ids:
            found.setdefault(self._of[port_id], []).append(port_id)
        for kin in sorted(found, key=lambda kin: kin.first.id):
            yield kin, sorted(found[kin])

    def of(self, port: Port) -> Kin:
        """The port's kin."""
        return self._of[port.id]

    def may_pass(self, source: Kin, target: Kin, ethertype: Ethertype, traffic: Intervals) -> bool:
        """False is certain: none of these kinds of packet passes from any of the one to any of the other."""
        near, to_all = self._topology, EMPTY
        if near.share_wire(source.first.network_id, target.first.network_id):
            to_all = near.heard_by_all(target.first.network_id, ethertype)
        elif near.segment(source.first.network_id) != near.segment(target.first.network_id) and not (
            near.is_exposed(source.first.network_id) and near.is_exposed(target.first.network_id)
        ):
            return False
        destinations, sources = self.destinations(target, ethertype), self.sources(source, ethertype)
        if not destinations or not sources:
            return False
        sent = self._kinds(self._filters.actual(source.first, "egress", ethertype), destinations, to_all, traffic)
        if not sent:
            return False
        return bool(
            intersect(
                sent, self._kinds(self._filters.actual(target.first, "ingress", ethertype), sources, EMPTY, traffic)
            )
        )

    def reach_all(self, source: Kin, target: Kin, ethertype: Ethertype, traffic: Intervals) -> bool:
        """True is certain: each port of the one reaches each of the other with all of these kinds of packet."""
        near = self._topology
        if near.segment(source.first.network_id) != near.segment(target.first.network_id):
            return False
        destinations, sources = self.fixed(target, ethertype), self.fixed(source, ethertype)
        if not destinations or not sources:
            return False
        if source.first.network_id != target.first.network_id and meets(destinations, never_routed(ethertype)):
            return False
        sides = (
            (destinations, self._filters.actual(source.first, "egress", ethertype)),
            (sources, self._filters.actual(target.first, "ingress", ethertype)),
        )
        return not any(beyond([Box(far, piece, "") for piece in traffic], boxes) for far, boxes in sides)

    def carried(self, sender: Port, receiver: Port, ethertype: Ethertype) -> Intervals | None:
        """The kinds of packet that pass between the ports' own addresses; None where they are not routed to each other,
        so that only what stands for them outside could be."""
        near = self._topology
        if near.segment(sender.network_id) != near.segment(receiver.network_id):
            return None
        sources, destinations = (
            [found for address in port.addresses if (found := addresses_of(address, ethertype))]
            for port in (sender, receiver)
        )
        if not near.share_wire(sender.network_id, receiver.network_id):
            destinations = [each for each in destinations if not meets(each, never_routed(ethertype))]
        out = self._filters.actual(sender, "egress", ethertype)
        into = self._filters.actual(receiver, "ingress", ethertype)
        return union(
            *(
                intersect(traffic_between(out, there), traffic_between(into, here))
                for here in sources
                for there in destinations
            )
        )

    def _kinds(self, boxes: Iterable[Box], far: Intervals, further: Intervals, traffic: Intervals) -> Intervals:
        passing = normalise(box.traffic for box in boxes if meets(box.addresses, far) or meets(box.addresses, further))
        return intersect(passing, traffic)

    def _destinations(self, kin: Kin, ethertype: Ethertype) -> Intervals:
        near = self._topology
        return union(*(union(own_addresses(port, ethertype), near.floating(port, ethertype)) for port in kin.ports))

    def _sources(self, kin: Kin, ethertype: Ethertype) -> Intervals:
        if not kin.filtered:
            return (WHOLE[ethertype],)
        near = self._topology
        return union(*(union(own_addresses(port, ethertype), near.translated(port, ethertype)) for port in kin.ports))

    def _fixed(self, kin: Kin, ethertype: Ethertype) -> Intervals:
        """The ports' own addresses; none when one of them has no address of the family."""
        found = [union(*(addresses_of(address, ethertype) for address in port.addresses)) for port in kin.ports]
        return union(*found) if all(found) else EMPTY
