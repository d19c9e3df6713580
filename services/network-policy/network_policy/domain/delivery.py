"""At which addresses a packet gets from one port to another, and which it can claim to come from: once, for all who ask."""

from collections.abc import Iterable
from dataclasses import dataclass

from network_policy.domain.filters import Box, Filters, own_addresses
from network_policy.domain.intervals import EMPTY, Intervals, intersect, meets, subtract, union
from network_policy.domain.rule import WHOLE, Ethertype
from network_policy.domain.topology import Topology, never_routed
from network_policy.domain.world import Port


@dataclass(frozen=True)
class Delivery:
    """The ways of one world."""

    filters: Filters
    topology: Topology

    def sources(self, port: Port, ethertype: Ethertype) -> Intervals:
        """What a packet of the port's may say that it comes from."""
        if not self.filters.is_filtered(port):
            return (WHOLE[ethertype],)  # anti-spoofing is off too
        return union(own_addresses(port, ethertype), self.topology.translated(port, ethertype))

    def destinations(self, port: Port, ethertype: Ethertype) -> Intervals:
        """The addresses that stand for the port anywhere."""
        return union(own_addresses(port, ethertype), self.topology.floating(port, ethertype))

    def reached(self, sender: Port, receiver: Port, ethertype: Ethertype) -> Intervals:
        """The addresses at which the receiver can get a packet from the sender."""
        near = self.topology
        if near.segment(sender.network_id) == near.segment(receiver.network_id):
            own = own_addresses(receiver, ethertype)
            if near.share_wire(sender.network_id, receiver.network_id):
                if not own:
                    return EMPTY
                return union(own, near.floating(receiver, ethertype), near.heard_by_all(receiver.network_id, ethertype))
            return union(subtract(own, never_routed(ethertype)), near.floating(receiver, ethertype))
        if not (near.is_exposed(sender.network_id) and near.is_exposed(receiver.network_id)):
            return EMPTY
        delivered_here = union(near.local(sender.network_id, ethertype), never_routed(ethertype))
        return subtract(self.destinations(receiver, ethertype), delivered_here)


def within(boxes: Iterable[Box], far_end: Intervals) -> list[Box]:
    """The boxes cut to those far-end addresses."""
    return [
        Box(shared, box.traffic, box.source_id)
        for box in boxes
        if meets(box.addresses, far_end) and (shared := intersect(box.addresses, far_end))
    ]
