"""Two parties looked at closely: the packets that one port can send another, or outside, and nobody declared.

A packet is (source address, destination address, kind); the sender's side looks at the destination, the receiver's at
the source, so the two sides multiply, and each is a set of boxes.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import islice

from contracts.network_policy import Counterexample, Whose
from network_policy.domain.confinement import told_role
from network_policy.domain.delivery import Delivery, within
from network_policy.domain.filters import (
    Box,
    Filters,
    beyond,
    declared_traffic,
    own_addresses,
    traffic_between,
)
from network_policy.domain.intervals import Intervals, contains, intersect, meets, normalise, union
from network_policy.domain.packet import describe, example_address, example_kind, port_of, show_kind
from network_policy.domain.parties import Ends, Party
from network_policy.domain.rule import ALL_TRAFFIC, WHOLE, Ethertype, addresses_of
from network_policy.domain.topology import Topology, never_routed
from network_policy.domain.world import Port

Found = dict[tuple[str, ...], Counterexample]
"""The first counterexample of each way that packets can take."""


@dataclass(frozen=True)
class _Undeclared:
    """What is left of both sides once the declared is out of one of them, and the kinds of packet that both let by."""

    outs: Sequence[Box]
    ins: Sequence[Box]
    kinds: Intervals


class Examiner:
    """Looks at parties over one set of filters and one topology; shares them with whoever keeps them up to date."""

    def __init__(self, filters: Filters, topology: Topology) -> None:
        self.filters = filters
        self.topology = topology
        self.delivery = Delivery(filters, topology)

    # -- between ports

    def between(self, found: Found, source: Party, target: Party, ethertype: Ethertype) -> None:
        if not self._may_pass(source, target, ethertype):
            return
        way: tuple[str, ...] = (*_name(source), *_name(target), ethertype)
        for sender in source.ports:
            for receiver in target.ports:
                if sender.id == receiver.id:
                    continue
                if way in found:
                    return
                packet = self._packet(source, sender, target, receiver, ethertype)
                if packet is not None:
                    found[way] = packet

    def passes(self, source: Party, target: Party, ethertype: Ethertype) -> bool:
        """Whether `between` would find anything."""
        return self._may_pass(source, target, ethertype) and any(
            self._undeclared(source, sender, target, receiver, ethertype) is not None
            for sender in source.ports
            for receiver in target.ports
            if sender.id != receiver.id
        )

    def _ends(self, party: Party, ethertype: Ethertype) -> Ends:
        found = party.ends.get(ethertype)
        if found is None:
            found = party.ends[ethertype] = Ends(
                self.filters.actual(party.first, "egress", ethertype),
                self.filters.actual(party.first, "ingress", ethertype),
                union(*(own_addresses(port, ethertype) for port in party.ports)),
                union(*(self.topology.floating(port, ethertype) for port in party.ports)),
                union(*(self.delivery.sources(port, ethertype) for port in party.ports)),
            )
        return found

    def _may_pass(self, source: Party, target: Party, ethertype: Ethertype) -> bool:
        """A cheap look at all ports of both at once; True may still turn out to be nothing, False is certain."""
        near = self.topology
        sending, hearing = self._ends(source, ethertype), self._ends(target, ethertype)
        out, into = sending.out, hearing.into
        # Beside the ports' own addresses: those that stand for them elsewhere, and those that all on a network hear.
        elsewhere = hearing.floating
        if near.share_wire(source.first.network_id, target.first.network_id):
            elsewhere = union(elsewhere, near.heard_by_all(target.first.network_id, ethertype))
        sent = traffic_between(out, union(hearing.own, elsewhere) if elsewhere else hearing.own)
        if not sent:
            return False
        passing = intersect(sent, traffic_between(into, sending.sources))
        if not passing:
            return False
        if source.claim is None or source.claim is not target.claim or not (source.role and target.role):
            return True
        if not (source.is_plain and target.is_plain):
            return True
        # A flow declares packets between the roles' own addresses; what goes by other addresses is looked at closely.
        disguised = union(*(near.translated(port, ethertype) for port in source.ports))
        if meets(passing, traffic_between(out, elsewhere)) or meets(passing, traffic_between(into, disguised)):
            return True
        return not contains(declared_traffic(source.claim.policy, source.role, target.role, ethertype), passing)

    def _packet(
        self, source: Party, sender: Port, target: Party, receiver: Port, ethertype: Ethertype
    ) -> Counterexample | None:
        """An undeclared packet from one port to the other, if there is any."""
        found = self._undeclared(source, sender, target, receiver, ethertype)
        if found is None:
            return None
        kind = example_kind(found.kinds)
        sent, heard = _with(found.outs, kind), _with(found.ins, kind)
        how = self._how(source, sender, target, receiver)
        return Counterexample(
            source=_title(source, sender),
            source_of=_whose(source),
            source_address=example_address(heard.addresses, ethertype),
            destination=_title(target, receiver),
            destination_of=_whose(target),
            destination_address=example_address(sent.addresses, ethertype),
            protocol=show_kind(kind),
            port=port_of(kind),
            rule_ids=tuple(dict.fromkeys((sent.source_id, heard.source_id))),
            why=f"{describe(kind)} may pass {_relation(source, target)}{how}, and no flow declares it",
        )

    def _undeclared(
        self, source: Party, sender: Port, target: Party, receiver: Port, ethertype: Ethertype
    ) -> _Undeclared | None:
        """What may pass from one port to the other and is not declared, if anything."""
        destinations = self.delivery.reached(sender, receiver, ethertype)
        if not destinations:
            return None
        sources = self.delivery.sources(sender, ethertype)
        out = within(self.filters.actual(sender, "egress", ethertype), destinations)
        into = within(self.filters.actual(receiver, "ingress", ethertype), sources)
        declared_out: list[Box] = []
        declared_in: list[Box] = []
        if not (source.claim and target.claim and source.claim is not target.claim):
            true_sources = union(_fixed(sender, ethertype), self.topology.translated(sender, ethertype))
            true_destinations = union(_fixed(receiver, ethertype), self.topology.floating(receiver, ethertype))
            if self.topology.share_wire(sender.network_id, receiver.network_id):
                to_all = self.topology.heard_by_all(receiver.network_id, ethertype)
                true_destinations = union(true_destinations, to_all)
            # What a workspace declares holds for the other end's true addresses; a stranger is held to nothing.
            declared_out = [*self._declared(source, "egress", ethertype)]
            if source.claim:
                declared_out = within(declared_out, true_destinations)
            declared_in = [*self._declared(target, "ingress", ethertype)]
            if target.claim:
                declared_in = within(declared_in, true_sources)
        # undeclared is what the sender's side or the receiver's side does not declare, where the other side lets it by
        for outs, ins in ((beyond(out, declared_out), into), (out, beyond(into, declared_in))):
            kinds = intersect(normalise(box.traffic for box in outs), normalise(box.traffic for box in ins))
            if kinds:
                return _Undeclared(outs, ins, kinds)
        return None

    def _how(self, source: Party, sender: Port, target: Party, receiver: Port) -> str:
        """What few would look for: a wire without a router, a server with a leg on another network or of another project."""
        near = self.topology
        is_by_wire = sender.network_id != receiver.network_id and near.share_wire(
            sender.network_id, receiver.network_id
        )
        said = ", by the wire that both networks lie on" if is_by_wire else ""
        for party, port in ((source, sender), (target, receiver)):
            if port.id in near.parents:
                said += f", port {port.id} being a subport of {near.parents[port.id]}"
            elif party.claim and party.role is None and port.device_id in party.claim.server_ids:
                said += f", port {port.id} being plugged into server {port.device_id}"
        return said

    def _declared(self, party: Party, direction: str, ethertype: Ethertype) -> Iterable[Box]:
        if party.claim is None:
            return (Box((WHOLE[ethertype],), ALL_TRAFFIC[0], ""),)  # a stranger declares nothing and is held to nothing
        if party.role is None:
            return ()
        return self.filters.declared(
            party.claim, party.role, "egress" if direction == "egress" else "ingress", ethertype
        )

    # -- from and to outside

    def outside(self, found: Found, party: Party, ethertype: Ethertype) -> None:
        reached = (port for port in party.ports if self.delivery.destinations(port, ethertype))
        for port in tuple(islice(reached, 1)):
            if not self.topology.is_exposed(port.network_id):
                return
            inside = union(self.topology.local(port.network_id, ethertype), never_routed(ethertype))
            for direction in ("egress", "ingress"):
                boxes = self.filters.actual(port, "egress" if direction == "egress" else "ingress", ethertype)
                left = beyond(boxes, self._declared(party, direction, ethertype), inside)
                if left:
                    kind = example_kind(normalise(box.traffic for box in left))
                    box = _with(left, kind)
                    here = example_address(self.delivery.destinations(port, ethertype), ethertype)
                    there = example_address(box.addresses, ethertype)
                    outwards = direction == "egress"
                    found[(*_name(party), direction, "outside", ethertype)] = Counterexample(
                        source=_title(party, port) if outwards else "outside",
                        source_of=_whose(party) if outwards else None,
                        source_address=here if outwards else there,
                        destination="outside" if outwards else _title(party, port),
                        destination_of=None if outwards else _whose(party),
                        destination_address=there if outwards else here,
                        protocol=show_kind(kind),
                        port=port_of(kind),
                        rule_ids=(box.source_id,),
                        why=f"{describe(kind)} may pass {'to' if outwards else 'from'} outside, and no flow declares it",
                    )


def _name(party: Party) -> tuple[str, str]:
    return (party.claim.workspace if party.claim else "", party.role or party.first.id)


def _title(party: Party, port: Port) -> str:
    owner = party.claim.workspace if party.claim else f"project {port.project_id or 'none'}"
    return f"port {port.id} of {owner}" + (f", role {party.role}" if party.role else "")


def _whose(party: Party) -> Whose | None:
    return Whose(workspace=party.claim.workspace, role=told_role(party.role)) if party.claim else None


def _relation(source: Party, target: Party) -> str:
    if source.claim and target.claim:
        if source.claim is target.claim:
            return f"inside {source.claim.workspace}"
        return f"from {source.claim.workspace} to {target.claim.workspace}"
    if source.claim:
        return f"out of {source.claim.workspace} to another project"
    return f"into {target.claim.workspace} from another project" if target.claim else "between other projects"


def _fixed(port: Port, ethertype: Ethertype) -> Intervals:
    return union(*(addresses_of(address, ethertype) for address in port.addresses))


def _with(boxes: Iterable[Box], kind: int) -> Box:
    return next(box for box in boxes if box.traffic[0] <= kind <= box.traffic[1])
