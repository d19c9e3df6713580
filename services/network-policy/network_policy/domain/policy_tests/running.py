"""Runs policy tests over one world: for each that does not hold, a packet that shows it."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Literal

from contracts.network_policy import Counterexample, PolicyTestResult
from contracts.policy_tests import PolicyTest
from contracts.site import Site
from network_policy.domain.carried import as_carried, projects_of_servers
from network_policy.domain.filters import Box, Claim
from network_policy.domain.intervals import EMPTY, Intervals, intersect
from network_policy.domain.packet import describe, example_address, example_kind, port_of, show_kind
from network_policy.domain.policy_tests.ends import Places, Reach, UnknownEnd
from network_policy.domain.policy_tests.kinship import Kinship
from network_policy.domain.policy_tests.permitting import Permitting
from network_policy.domain.policy_tests.saying import Words
from network_policy.domain.policy_tests.wanted import address_of, traffic_of
from network_policy.domain.reachability import Reachability
from network_policy.domain.rule import ALL_TRAFFIC, ETHERTYPES, Ethertype
from network_policy.domain.topology import Topology
from network_policy.domain.world import World


class PolicyTester:
    """Runs tests over one world. Makes its indices once; tests may be many."""

    def __init__(
        self, world: World, claims: Sequence[Claim], site: Site, reachability: Reachability | None = None
    ) -> None:
        self.world = world = as_carried(world, projects_of_servers(claims))
        self._reachability = reachability or Reachability(world)
        self._topology = Topology(world)
        self._places = Places(world, {claim.workspace: claim for claim in claims}, site, self._topology)
        self._kinship = Kinship(world, self._places.ports, self._topology)
        self._words = Words(world, self._places.claims)
        self._permitting = Permitting(self._places, self._kinship, self._reachability, self._words)

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

    def _permitted(self, test: PolicyTest, whose: str, sources: Reach, targets: Reach) -> PolicyTestResult:
        is_tried = False
        for packet in self._permitting.stopped(test, sources, targets):
            if packet is not None:
                return _result(test, whose, "failed", packet.why, packet)
            is_tried = True
        if is_tried:
            return _result(test, whose, "passed")
        return _result(test, whose, "skipped", "nothing to try: the two ends have no two nodes, or no address family")

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
                        self._words.port(ports[source]), packet.source_address,
                        self._words.port(ports[target]), packet.destination_address,
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
                    self._words.port(port), address_of(port, ethertype),
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
                    self._words.port(port), address_of(port, ethertype),
                    example_kind((box.traffic,)), (box.source_id,),
                )  # fmt: skip

    def _told(
        self, source: str, source_address: str, target: str, target_address: str, kind: int, rule_ids: tuple[str, ...]
    ) -> Counterexample:
        said = self._words.rules(rule_ids)
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


def _result(
    test: PolicyTest,
    whose: str,
    result: Literal["passed", "failed", "skipped"],
    reason: str = "",
    packet: Counterexample | None = None,
) -> PolicyTestResult:
    return PolicyTestResult(name=test.name, workspace=whose, result=result, reason=reason, packet=packet)


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
