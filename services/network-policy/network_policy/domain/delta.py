"""Which packets become possible or impossible between two worlds, for one workspace: exactly, and by its roles."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from network_policy.domain.filters import Box, beyond
from network_policy.domain.intervals import Intervals, meets, normalise, subtract, union
from network_policy.domain.packet import example_address, example_kind
from network_policy.domain.reachability import Reachability
from network_policy.domain.rule import ETHERTYPES, Ethertype, RemoteKind, addresses_of
from network_policy.domain.world import Port, World

OUTSIDE = "outside"


@dataclass(frozen=True, slots=True)
class Packets:
    """One set of packets: all kinds of `kinds` between the ends, and with all of `far` where one end is outside."""

    is_possible: bool
    """They become possible; else impossible."""
    source: str
    destination: str
    ethertype: Ethertype
    kinds: Intervals
    far: Intervals = ()
    source_port: str = ""
    """A port that can send one, or that could; empty for outside."""
    destination_port: str = ""
    source_address: str = ""
    destination_address: str = ""
    kind: int = 0
    rule_ids: tuple[str, ...] = ()
    """What lets the example pass, in the world in which it passes."""


@dataclass(frozen=True)
class Delta:
    """All differences, and the ports they concern."""

    packets: tuple[Packets, ...]
    port_ids: frozenset[str]

    @property
    def loosens(self) -> bool:
        return any(each.is_possible for each in self.packets)


@dataclass
class _Comparison:
    before: Reachability
    after: Reachability
    found: list[Packets] = field(default_factory=list)
    port_ids: set[str] = field(default_factory=set)

    def between(self, source: "_Alike", target: "_Alike", ethertype: Ethertype) -> None:
        sender = source.ports[0]
        receiver = next((each for each in target.ports if each.id != sender.id), None)
        if receiver is None:
            return
        old = self.before.between(sender.id, receiver.id, ethertype)
        new = self.after.between(sender.id, receiver.id, ethertype)
        for is_possible, kinds, where in (
            (True, subtract(new, old), self.after),
            (False, subtract(old, new), self.before),
        ):
            if not kinds:
                continue
            kind = example_kind(kinds)
            passing = where.example(sender.id, receiver.id, ethertype, kind)
            self.port_ids |= {each.id for each in (*source.ports, *target.ports)}
            self.found.append(
                Packets(
                    is_possible, source.title, target.title, ethertype, kinds,
                    source_port=sender.id, destination_port=receiver.id, kind=kind,
                    source_address=passing.source_address if passing else "",
                    destination_address=passing.destination_address if passing else "",
                    rule_ids=passing.rule_ids if passing else (),
                )
            )  # fmt: skip

    def outside(self, own: "_Alike", ethertype: Ethertype) -> None:
        port = own.ports[0]
        for is_out in (True, False):
            old = self.before.to_outside(port.id, ethertype) if is_out else self.before.from_outside(port.id, ethertype)
            new = self.after.to_outside(port.id, ethertype) if is_out else self.after.from_outside(port.id, ethertype)
            for is_possible, boxes in ((True, beyond(new, old)), (False, beyond(old, new))):
                for far, kinds in _by_address(boxes):
                    self.port_ids |= {each.id for each in own.ports}
                    self.found.append(self._beyond(own, port, ethertype, boxes, far, kinds, is_possible, is_out))

    def _beyond(
        self,
        own: "_Alike",
        port: Port,
        ethertype: Ethertype,
        boxes: Sequence[Box],
        far: Intervals,
        kinds: Intervals,
        is_possible: bool,
        is_out: bool,
    ) -> Packets:
        kind = example_kind(kinds)
        here, there = _address(port, ethertype), example_address(far, ethertype)
        makers = (box.source_id for box in boxes if box.traffic[0] <= kind <= box.traffic[1])
        return Packets(
            is_possible,
            own.title if is_out else OUTSIDE,
            OUTSIDE if is_out else own.title,
            ethertype,
            kinds,
            far,
            source_port=port.id if is_out else "",
            destination_port="" if is_out else port.id,
            source_address=here if is_out else there,
            destination_address=there if is_out else here,
            kind=kind,
            rule_ids=tuple(dict.fromkeys(makers))[:1],
        )


@dataclass(frozen=True)
class _Alike:
    """Ports that no rule of either world tells apart."""

    title: str
    is_own: bool
    ports: tuple[Port, ...]


def delta(before: World, after: World, roles: Mapping[str, str], project_id: str) -> Delta:
    """Both worlds have the same ports, of which `roles` names the role of the workspace's own.

    Ports are compared one for all that are alike: in the same groups of both worlds, on the same network, and in the same
    prefixes of all rules.
    """
    comparison = _Comparison(Reachability(before), Reachability(after))
    alike = list(_alike(before, after, roles, project_id))
    for ethertype in ETHERTYPES:
        for one in alike:
            if one.is_own:
                comparison.outside(one, ethertype)
            for other in alike:
                if one.is_own or other.is_own:
                    comparison.between(one, other, ethertype)
    own = frozenset(port.id for port in before.ports if port.project_id == project_id)
    return Delta(tuple(_merged(comparison.found)), frozenset(comparison.port_ids) & own)


def _alike(before: World, after: World, roles: Mapping[str, str], project_id: str) -> Iterator[_Alike]:
    later = {port.id: port for port in after.ports}
    bounds = {ethertype: _bounds((before, after), ethertype) for ethertype in ETHERTYPES}
    floating = {each.port_id for world in (before, after) for each in world.floating_ips if each.port_id}
    found: dict[tuple[object, ...], list[Port]] = {}
    for port in before.ports:
        is_own = port.project_id == project_id
        if port.id not in later or (not is_own and port.is_trusted):
            continue
        if is_own and port.is_trusted and port.id not in roles:
            continue
        key = (
            port.project_id,
            roles.get(port.id),
            port.network_id,
            *((each.group_ids, each.port_security, each.is_trusted) for each in (port, later[port.id])),
            port.id if port.id in floating or port.address_pairs or later[port.id].address_pairs else "",
            tuple(_inside(port, ethertype, bounds[ethertype]) for ethertype in ETHERTYPES),
        )
        found.setdefault(key, []).append(port)
    for ports in found.values():
        first = ports[0]
        is_own = first.project_id == project_id
        title = roles.get(first.id) or (f"port {first.id}" if is_own else f"port {first.id} of another project")
        yield _Alike(title, is_own, tuple(ports))


def _bounds(worlds: Iterable[World], ethertype: Ethertype) -> list[Intervals]:
    """The sets of addresses that rules name: prefixes, and address groups each as a whole."""
    sets = {
        addresses_of(each.rule.remote.value, ethertype)
        for world in worlds
        for group in world.groups
        for each in group.rules
        if each.rule.remote.kind is RemoteKind.PREFIX
    }
    sets |= {
        union(*(addresses_of(prefix, ethertype) for prefix in group.prefixes))
        for world in worlds
        for group in world.address_groups
    }
    return sorted(each for each in sets if each)


def _inside(port: Port, ethertype: Ethertype, bounds: list[Intervals]) -> tuple[int, ...]:
    """Which of the sets the port's addresses are in, each address by itself."""
    own = [place for address in port.addresses for place in addresses_of(address, ethertype)]
    places = (position for place in own for position, held in enumerate(bounds) if meets(held, (place,)))
    return (len(own), *places)


def _by_address(boxes: Iterable[Box]) -> Iterator[tuple[Intervals, Intervals]]:
    """The boxes joined: sets of far addresses, each with all the kinds that go there, no packet in two of them."""
    kinds: dict[Intervals, list[tuple[int, int]]] = {}
    pieces = [(piece, box.traffic) for box in boxes for piece in box.addresses]
    edges = sorted({edge for (low, high), _ in pieces for edge in (low, high + 1)})
    for low, end in pairwise(edges):
        traffic = normalise(kind for (start, stop), kind in pieces if start <= low and end - 1 <= stop)
        if traffic:
            kinds.setdefault(traffic, []).append((low, end - 1))
    for traffic, addresses in kinds.items():
        yield normalise(addresses), traffic


def _merged(found: Iterable[Packets]) -> Iterator[Packets]:
    """The same packets between the same ends are told once, whichever ports showed them."""
    seen: set[tuple[object, ...]] = set()
    for each in found:
        key = (each.is_possible, each.source, each.destination, each.ethertype, each.kinds, each.far)
        if key not in seen:
            seen.add(key)
            yield each


def _address(port: Port, ethertype: Ethertype) -> str:
    own = union(*(addresses_of(each, ethertype) for each in port.addresses))
    return example_address(own, ethertype) if own else ""
