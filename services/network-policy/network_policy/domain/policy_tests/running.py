"""Runs policy tests over one world: for each that does not hold, a packet that shows it."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Literal

from contracts.network_policy import Counterexample, PolicyTestResult
from contracts.policy_tests import PolicyTest
from contracts.site import Site
from network_policy.domain.filters import Box, Claim, beyond
from network_policy.domain.intervals import EMPTY, Intervals, intersect, normalise, subtract, union
from network_policy.domain.packet import describe, example_address, example_kind, port_of, show_kind
from network_policy.domain.policy_tests.ends import Places, Reach, UnknownEnd
from network_policy.domain.policy_tests.kinship import Kin, Kinship
from network_policy.domain.policy_tests.saying import say_port, say_rules, say_traffic
from network_policy.domain.reachability import Reachability
from network_policy.domain.rule import ALL_TRAFFIC, ETHERTYPES, ICMP, ICMPV6, TCP, UDP, Ethertype, addresses_of
from network_policy.domain.topology import Topology
from network_policy.domain.world import Port, World


class PolicyTester:
    """Runs tests over one world. Makes its indices once; tests may be many."""

    def __init__(
        self, world: World, claims: Sequence[Claim], site: Site, reachability: Reachability | None = None
    ) -> None:
        self.world = world
        self._reachability = reachability or Reachability(world)
        self._topology = Topology(world)
        self._places = Places(world, {claim.workspace: claim for claim in claims}, site, self._topology)
        self._kinship = Kinship(world, self._places.ports, self._topology)

    def run(self, test: PolicyTest, workspace: str) -> PolicyTestResult:
        """Whether the test holds; `workspace` is meant where the test names none."""
        whose = test.workspace or workspace
        try:
            return self._run(test, whose)
        except UnknownEnd as error:
            return _result(test, whose, "failed", str(error))

    def _run(self, test: PolicyTest, whose: str) -> PolicyTestResult:
        places = self._places
        if test.reach is not None:
            target = places.find(test.reach, whose)
            permitted = places.together(test.only or (), whose)
            ends, missing = (places.all_but(permitted), target), (test.reach, target)
        elif test.reaches_only is not None:
            source = places.find(str(test.from_), whose)
            permitted = places.together(test.reaches_only, whose)
            ends, missing = (source, places.all_but(permitted)), (str(test.from_), source)
        else:
            ends = places.find(str(test.from_), whose), places.find(str(test.to), whose)
            missing = (str(test.from_), ends[0]) if _is_empty(ends[0]) else (str(test.to), ends[1])
        if _is_empty(missing[1]):
            return _result(test, whose, "skipped", f"nothing to try: {_say_missing(*missing)}")
        if test.expect == "permitted":
            return self._permitted(test, whose, *ends)
        if _is_alone(*ends):
            return _result(test, whose, "skipped", "nothing to try: there is one port only, and no other to reach")
        packet = self._passing(test, *ends)
        if packet is None:
            return _result(test, whose, "passed")
        return _result(test, whose, "failed", packet.why, packet)

    def packets(self, source: str, target: str, workspace: str) -> Iterator[Counterexample]:
        """Packets that pass from one end to the other, until all rules are shown that let some to or from outside.

        Between two ports the ends of each range of kinds are shown, with a rule for each. Raises UnknownEnd.
        """
        sources, targets = (self._places.find(end, workspace) for end in (source, target))
        for ethertype in ETHERTYPES:
            yield from self._out(sources.port_ids, targets.outside[ethertype], ethertype, ALL_TRAFFIC)
            yield from self._in(sources.outside[ethertype], targets.port_ids, ethertype, ALL_TRAFFIC)
            for one in sorted(sources.port_ids):
                for other in sorted(targets.port_ids - {one}):
                    kinds = self._reachability.between(one, other, ethertype)
                    for kind in sorted({end for interval in kinds for end in interval}):
                        yield from self._across((one,), (other,), ethertype, ((kind, kind),))

    # -- denied: no packet at all

    def _passing(self, test: PolicyTest, sources: Reach, targets: Reach) -> Counterexample | None:
        """A packet of the test's traffic that passes from one of these to one of those."""
        for ethertype in ETHERTYPES:
            traffic = traffic_of(test, ethertype)
            for found in (
                self._out(sources.port_ids, targets.outside[ethertype], ethertype, traffic),
                self._in(sources.outside[ethertype], targets.port_ids, ethertype, traffic),
                self._across(sources.port_ids, targets.port_ids, ethertype, traffic),
            ):
                if (packet := next(found, None)) is not None:
                    return packet
        return None

    def _across(
        self, sources: Iterable[str], targets: Iterable[str], ethertype: Ethertype, traffic: Intervals
    ) -> Iterator[Counterexample]:
        theirs = list(self._kinship.among(targets))
        for source_kin, own in self._kinship.among(sources):
            for target_kin, other in theirs:
                if self._kinship.may_pass(source_kin, target_kin, ethertype, traffic):
                    yield from self._one_by_one(own, other, ethertype, traffic)

    def _one_by_one(
        self, sources: Iterable[str], targets: Iterable[str], ethertype: Ethertype, traffic: Intervals
    ) -> Iterator[Counterexample]:
        ports, passable = self._places.ports, self._reachability
        for source in sources:
            for target in targets:
                if source == target:
                    continue
                kinds = intersect(passable.between(source, target, ethertype), traffic)
                if not kinds:
                    continue
                kind = example_kind(kinds)
                packet = passable.example(source, target, ethertype, kind)
                if packet is not None:
                    yield self._told(
                        say_port(ports[source]), packet.source_address,
                        say_port(ports[target]), packet.destination_address,
                        kind, packet.rule_ids,
                    )  # fmt: skip

    def _out(
        self, sources: Iterable[str], far: Intervals, ethertype: Ethertype, traffic: Intervals
    ) -> Iterator[Counterexample]:
        if not far:
            return
        for source in sorted(sources):
            port = self._places.ports[source]
            for box in _within(self._reachability.to_outside(source, ethertype), far, traffic):
                yield self._told(
                    say_port(port), _address(port, ethertype),
                    "outside", example_address(box.addresses, ethertype),
                    example_kind((box.traffic,)), (box.source_id,),
                )  # fmt: skip

    def _in(
        self, far: Intervals, targets: Iterable[str], ethertype: Ethertype, traffic: Intervals
    ) -> Iterator[Counterexample]:
        if not far:
            return
        for target in sorted(targets):
            port = self._places.ports[target]
            for box in _within(self._reachability.from_outside(target, ethertype), far, traffic):
                yield self._told(
                    "outside", example_address(box.addresses, ethertype),
                    say_port(port), _address(port, ethertype),
                    example_kind((box.traffic,)), (box.source_id,),
                )  # fmt: skip

    def _told(
        self, source: str, source_address: str, target: str, target_address: str, kind: int, rule_ids: tuple[str, ...]
    ) -> Counterexample:
        said = say_rules(self.world, rule_ids)
        return Counterexample(
            source=source,
            source_address=source_address,
            destination=target,
            destination_address=target_address,
            protocol=show_kind(kind),
            port=port_of(kind),
            rule_ids=tuple(each for each in rule_ids if each),
            why=f"{describe(kind)} may pass from {source} to {target}" + (f" ({said})" if said else ""),
        )

    # -- permitted: every packet

    def _permitted(self, test: PolicyTest, whose: str, sources: Reach, targets: Reach) -> PolicyTestResult:
        tried = False
        for packet in self._stopped(test, sources, targets):
            if packet is not None:
                return _result(test, whose, "failed", packet.why, packet)
            tried = True
        if not tried:
            return _result(
                test, whose, "skipped", "nothing to try: the two ends have no two nodes, or no address family"
            )
        return _result(test, whose, "passed")

    def _stopped(self, test: PolicyTest, sources: Reach, targets: Reach) -> Iterator[Counterexample | None]:
        """For each pair that has to reach each other a packet that does not pass, or None when all do."""
        senders, receivers = self._nodes(sources.port_ids), self._nodes(targets.port_ids)
        alike: dict[tuple[Kin, ...], bool] = {}
        for sender in senders:
            for receiver in receivers:
                if {port.id for port in sender} & {port.id for port in receiver}:
                    continue
                key = tuple(self._kinship.of(port) for port in (*sender, *receiver))
                if key not in alike:
                    alike[key] = self._all_reached(test, sender, receiver)
                if alike[key]:
                    yield None
                else:
                    yield from self._stopped_between(test, sender, receiver)
        taken = self._taken()
        for ethertype in ETHERTYPES:
            for node in senders:
                far = subtract(targets.outside[ethertype], taken[ethertype])
                boxes = [box for port in node for box in self._reachability.to_outside(port.id, ethertype)]
                yield from self._stopped_outside(test, node, far, boxes, ethertype, outwards=True)
            for node in receivers:
                far = subtract(sources.outside[ethertype], taken[ethertype])
                boxes = [box for port in node for box in self._reachability.from_outside(port.id, ethertype)]
                yield from self._stopped_outside(test, node, far, boxes, ethertype, outwards=False)

    def _all_reached(self, test: PolicyTest, sender: tuple[Port, ...], receiver: tuple[Port, ...]) -> bool:
        """Whether it is certain of all nodes like these, without a look at each."""
        return any(
            self._kinship.reach_all(
                self._kinship.of(one), self._kinship.of(other), ethertype, traffic_of(test, ethertype)
            )
            for ethertype in ETHERTYPES
            for one in sender
            for other in receiver
        )

    def _nodes(self, port_ids: Iterable[str]) -> list[tuple[Port, ...]]:
        """The ports by the device that they are of: a node reaches another by any of them."""
        found: dict[str, list[Port]] = {}
        for port_id in sorted(port_ids):
            port = self._places.ports[port_id]
            found.setdefault(port.device_id or port.id, []).append(port)
        return [tuple(ports) for ports in found.values()]

    def _taken(self) -> dict[Ethertype, Intervals]:
        """The addresses of the cloud's ports: these are not outside."""
        return {
            each: union(
                *(addresses_of(address, each) for port in self._places.ports.values() for address in port.addresses)
            )
            for each in ETHERTYPES
        }

    def _stopped_between(
        self, test: PolicyTest, sender: tuple[Port, ...], receiver: tuple[Port, ...]
    ) -> Iterator[Counterexample | None]:
        short: Counterexample | None = None
        for ethertype in ETHERTYPES:
            if not all(any(_has(port, ethertype) for port in node) for node in (sender, receiver)):
                continue
            passing = union(
                *(self._reachability.between(one.id, other.id, ethertype) for one in sender for other in receiver)
            )
            missing = subtract(traffic_of(test, ethertype), passing)
            if not missing:
                yield None
                return
            short = short or _not_passing(
                say_port(sender[0]), _address(sender[0], ethertype),
                say_port(receiver[0]), _address(receiver[0], ethertype), missing,
            )  # fmt: skip
        if short is not None:
            yield short

    def _stopped_outside(
        self,
        test: PolicyTest,
        node: tuple[Port, ...],
        far: Intervals,
        boxes: Sequence[Box],
        ethertype: Ethertype,
        *,
        outwards: bool,
    ) -> Iterator[Counterexample | None]:
        if not far or not any(_has(port, ethertype) for port in node):
            return
        wanted = [Box(far, piece, "") for piece in traffic_of(test, ethertype)]
        left = next(iter(beyond(wanted, boxes)), None)
        if left is None:
            yield None
            return
        near, there = _address(node[0], ethertype), example_address(left.addresses, ethertype)
        ends = (say_port(node[0]), near, "outside", there) if outwards else ("outside", there, say_port(node[0]), near)
        yield _not_passing(*ends, (left.traffic,))


def _result(
    test: PolicyTest,
    whose: str,
    result: Literal["passed", "failed", "skipped"],
    reason: str = "",
    packet: Counterexample | None = None,
) -> PolicyTestResult:
    return PolicyTestResult(name=test.name, workspace=whose, result=result, reason=reason, packet=packet)


def traffic_of(test: PolicyTest, ethertype: Ethertype) -> Intervals:
    """The kinds of packet that the test is about."""
    if test.protocol == "any":
        return ALL_TRAFFIC
    if test.protocol == "icmp":
        first = (ICMPV6 if ethertype == "IPv6" else ICMP) * 65536
        return ((first, first + 0xFFFF),)
    first = (TCP if test.protocol == "tcp" else UDP) * 65536
    ranges = test.port_ranges() or ((1, 0xFFFF),)
    return normalise((first + low, first + high) for low, high in ranges)


def _is_empty(reach: Reach) -> bool:
    return not reach.port_ids and all(addresses == EMPTY for addresses in reach.outside.values())


def _is_alone(sources: Reach, targets: Reach) -> bool:
    """Whether the one port at both ends is all there is."""
    if any(far for each in (sources, targets) for far in each.outside.values()):
        return False
    return sources.port_ids == targets.port_ids and len(sources.port_ids) == 1


def _say_missing(end: str, reach: Reach) -> str:
    if ":" not in end:
        return f"{end} is nobody here"
    return f"{end} has no port yet" if reach.named else f"{end} is not there"


def _within(boxes: Iterable[Box], far: Intervals, traffic: Intervals) -> Iterator[Box]:
    for box in boxes:
        kinds = intersect((box.traffic,), traffic)
        if kinds and (addresses := intersect(box.addresses, far)):
            kind = example_kind(kinds)
            yield Box(addresses, (kind, kind), box.source_id)


def _has(port: Port, ethertype: Ethertype) -> bool:
    return any(addresses_of(address, ethertype) for address in port.addresses)


def _address(port: Port, ethertype: Ethertype) -> str:
    own = (address for address in port.addresses if addresses_of(address, ethertype))
    return next(own, port.addresses[0] if port.addresses else "")


def _not_passing(
    source: str, source_address: str, target: str, target_address: str, missing: Intervals
) -> Counterexample:
    kind = example_kind(missing)
    return Counterexample(
        source=source,
        source_address=source_address,
        destination=target,
        destination_address=target_address,
        protocol=show_kind(kind),
        port=port_of(kind),
        rule_ids=(),
        why=f"{describe(kind)} does not pass from {source} to {target}; of what must, this does not: {say_traffic(missing)}",
    )
