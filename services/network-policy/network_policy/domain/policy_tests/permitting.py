"""Whether every packet of a policy test passes, and if not, one that does not."""

from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property

from contracts.network_policy import Counterexample
from contracts.policy_tests import PolicyTest
from network_policy.domain.filters import Box, beyond
from network_policy.domain.intervals import Intervals, subtract, union
from network_policy.domain.packet import describe, example_address, example_kind, port_of, show_kind
from network_policy.domain.policy_tests.ends import Addresses, Places, Reach
from network_policy.domain.policy_tests.kinship import Kin, Kinship
from network_policy.domain.policy_tests.saying import Words, say_traffic
from network_policy.domain.policy_tests.wanted import address_of, has_family, traffic_of
from network_policy.domain.reachability import Reachability
from network_policy.domain.rule import ETHERTYPES, Ethertype, addresses_of
from network_policy.domain.world import Port

Node = tuple[Port, ...]
"""The ports of one device: a node reaches another by any of them."""


class Permitting:
    """Looks for what must pass and doesn't, over one world."""

    def __init__(self, places: Places, kinship: Kinship, reachability: Reachability, words: Words) -> None:
        self._places = places
        self._kinship = kinship
        self._reachability = reachability
        self._words = words

    def stopped(self, test: PolicyTest, sources: Reach, targets: Reach) -> Iterator[Counterexample | None]:
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
        for ethertype in ETHERTYPES:
            for node in senders:
                far = subtract(targets.outside[ethertype], self._taken[ethertype])
                boxes = [box for port in node for box in self._reachability.to_outside(port.id, ethertype)]
                yield from self._stopped_outside(test, node, far, boxes, ethertype, outwards=True)
            for node in receivers:
                far = subtract(sources.outside[ethertype], self._taken[ethertype])
                boxes = [box for port in node for box in self._reachability.from_outside(port.id, ethertype)]
                yield from self._stopped_outside(test, node, far, boxes, ethertype, outwards=False)

    def _all_reached(self, test: PolicyTest, sender: Node, receiver: Node) -> bool:
        """Whether it is certain of all nodes like these, without a look at each."""
        return any(
            self._kinship.reach_all(
                self._kinship.of(one), self._kinship.of(other), ethertype, traffic_of(test, ethertype)
            )
            for ethertype in ETHERTYPES
            for one in sender
            for other in receiver
        )

    def _nodes(self, port_ids: Iterable[str]) -> list[Node]:
        """The ports by the device that they are of."""
        found: dict[str, list[Port]] = {}
        for port_id in sorted(port_ids):
            port = self._places.ports[port_id]
            found.setdefault(port.device_id or port.id, []).append(port)
        return [tuple(ports) for ports in found.values()]

    @cached_property
    def _taken(self) -> Addresses:
        """The addresses of the cloud's ports: these are not outside."""
        return {
            each: union(
                *(addresses_of(address, each) for port in self._places.ports.values() for address in port.addresses)
            )
            for each in ETHERTYPES
        }

    def _stopped_between(self, test: PolicyTest, sender: Node, receiver: Node) -> Iterator[Counterexample | None]:
        short: Counterexample | None = None
        for ethertype in ETHERTYPES:
            if not all(any(has_family(port, ethertype) for port in node) for node in (sender, receiver)):
                continue
            passing = union(*(self._passing(one, other, ethertype) for one in sender for other in receiver))
            missing = subtract(traffic_of(test, ethertype), passing)
            if not missing:
                yield None
                return
            short = short or _not_passing(
                self._words.port(sender[0]), address_of(sender[0], ethertype),
                self._words.port(receiver[0]), address_of(receiver[0], ethertype), missing,
            )  # fmt: skip
        if short is not None:
            yield short

    def _passing(self, sender: Port, receiver: Port, ethertype: Ethertype) -> Intervals:
        """By the ports' own addresses; what only a broadcast carries is not said to reach anybody."""
        carried = self._kinship.carried(sender, receiver, ethertype)
        return self._reachability.between(sender.id, receiver.id, ethertype) if carried is None else carried

    def _stopped_outside(
        self,
        test: PolicyTest,
        node: Node,
        far: Intervals,
        boxes: Sequence[Box],
        ethertype: Ethertype,
        *,
        outwards: bool,
    ) -> Iterator[Counterexample | None]:
        if not far or not any(has_family(port, ethertype) for port in node):
            return
        wanted = [Box(far, piece, "") for piece in traffic_of(test, ethertype)]
        left = next(iter(beyond(wanted, boxes)), None)
        if left is None:
            yield None
            return
        near, there = address_of(node[0], ethertype), example_address(left.addresses, ethertype)
        ends = (
            (self._words.port(node[0]), near, "outside", there)
            if outwards
            else ("outside", there, self._words.port(node[0]), near)
        )
        yield _not_passing(*ends, (left.traffic,))


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
