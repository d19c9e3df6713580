"""Which packets can pass at all between two ports, or between a port and outside, whoever declared what."""

from dataclasses import dataclass

from network_policy.domain.delivery import Delivery, within
from network_policy.domain.filters import Box, Filters
from network_policy.domain.intervals import Intervals, intersect, normalise, subtract, union
from network_policy.domain.packet import example_address
from network_policy.domain.rule import Direction, Ethertype
from network_policy.domain.topology import Topology, never_routed
from network_policy.domain.world import Port, World


@dataclass(frozen=True, slots=True)
class Passing:
    """A packet that passes, and the rules that let it."""

    source_address: str
    destination_address: str
    rule_ids: tuple[str, ...]


class Reachability:
    """Answers over one world. Makes its indices once; questions may be many."""

    def __init__(self, world: World) -> None:
        self._filters = Filters(world)
        self._topology = Topology(world)
        self._delivery = Delivery(self._filters, self._topology)
        self._ports = {port.id: port for port in world.ports}

    def between(self, source_port_id: str, target_port_id: str, ethertype: Ethertype) -> Intervals:
        """The kinds of packet that can pass from one port to the other (numbers as in `rule.ALL_TRAFFIC`)."""
        out, into = self._met(self._ports[source_port_id], self._ports[target_port_id], ethertype)
        return intersect(normalise(box.traffic for box in out), normalise(box.traffic for box in into))

    def to_outside(self, port_id: str, ethertype: Ethertype) -> tuple[Box, ...]:
        """Far addresses and kinds of packet that can leave for no network of the port's segment."""
        return self._beyond(self._ports[port_id], "egress", ethertype)

    def from_outside(self, port_id: str, ethertype: Ethertype) -> tuple[Box, ...]:
        """Far addresses and kinds of packet that can come in from no network of the port's segment."""
        return self._beyond(self._ports[port_id], "ingress", ethertype)

    def why(self, source_port_id: str, target_port_id: str, ethertype: Ethertype, kind: int) -> tuple[str, ...]:
        """The rules (or the port that nothing filters) by which that kind of packet passes; none when it does not."""
        found = self.example(source_port_id, target_port_id, ethertype, kind)
        return () if found is None else found.rule_ids

    def example(self, source_port_id: str, target_port_id: str, ethertype: Ethertype, kind: int) -> Passing | None:
        """One packet of that kind that passes from one port to the other, or None."""
        sides = self._met(self._ports[source_port_id], self._ports[target_port_id], ethertype)
        sent, heard = (next((box for box in side if box.traffic[0] <= kind <= box.traffic[1]), None) for side in sides)
        if sent is None or heard is None:
            return None
        return Passing(
            example_address(heard.addresses, ethertype),
            example_address(sent.addresses, ethertype),
            tuple(dict.fromkeys((sent.source_id, heard.source_id))),
        )

    def _met(self, sender: Port, receiver: Port, ethertype: Ethertype) -> tuple[list[Box], list[Box]]:
        """What the sender may send to the receiver's addresses, and the receiver hear from the sender's."""
        reached = self._delivery.reached(sender, receiver, ethertype)
        if not reached:
            return [], []
        out = within(self._filters.actual(sender, "egress", ethertype), reached)
        into = within(self._filters.actual(receiver, "ingress", ethertype), self._delivery.sources(sender, ethertype))
        return out, into

    def _beyond(self, port: Port, direction: Direction, ethertype: Ethertype) -> tuple[Box, ...]:
        near = self._topology
        if not near.is_exposed(port.network_id):
            return ()
        if not self._delivery.destinations(port, ethertype):
            return ()
        inside = union(near.local(port.network_id, ethertype), never_routed(ethertype))
        return tuple(
            Box(addresses, box.traffic, box.source_id)
            for box in self._filters.actual(port, direction, ethertype)
            if (addresses := subtract(box.addresses, inside))
        )
