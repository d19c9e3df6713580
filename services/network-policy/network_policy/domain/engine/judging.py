"""What the screens leave over, looked at closely: a workspace by itself, and with the ports of others."""

from collections.abc import Callable, Iterable, Iterator, Mapping

from network_policy.domain.engine.space import Space
from network_policy.domain.engine.surroundings import Surroundings
from network_policy.domain.filters import Claim, beyond
from network_policy.domain.intervals import Intervals, subtract, union
from network_policy.domain.pairs import Examiner, Found
from network_policy.domain.parties import Party, parties_of
from network_policy.domain.rule import ETHERTYPES, Ethertype
from network_policy.domain.topology import never_routed
from network_policy.domain.world import Port

_NARROWED_FROM = 64
"""So many candidates are worth a second screen."""


class Judging:
    """Judges over one set of surroundings; `spaces` by project. `give_way` is called between one pair and the next."""

    def __init__(self, near: Surroundings, spaces: Mapping[str, Space], give_way: Callable[[], None]) -> None:
        self._near = near
        self._spaces = spaces
        self._give_way = give_way
        self._examiner = Examiner(near.filters, near.topology)
        self._insides: dict[tuple[str, Ethertype], Intervals] = {}
        """By network: the addresses that no packet from or to outside carries. As lasting as the topology."""

    def own_ports(self, space: Space) -> list[Port]:
        return [self._near.filters.ports[port_id] for port_id in sorted(space.ports)]

    def _parties(self, ports: Iterable[Port]) -> tuple[Party, ...]:
        every = tuple(ports)
        claims: dict[str, Claim] = {}
        for port in every:
            space = self._spaces.get(port.project_id)
            if space is not None:
                claims[port.project_id] = space.claim
        return tuple(parties_of(every, claims, self._near.filters, self._near.topology))

    def others(self, space: Space, ports: Iterable[Port], *, is_clean: bool) -> list[Port]:
        """The ports beyond the workspace that may have undeclared packets with some of its own."""
        near, mine = self._near, tuple(ports)
        found = near.candidates(mine, space.ports, space.roles_of_groups)
        if not found:
            return []
        if len(found) > _NARROWED_FROM:
            found = near.narrowed(found, mine)
        networks = {port.network_id for port in mine}
        kept = []
        for port_id in sorted(found):
            port = near.filters.ports[port_id]
            other = self._spaces.get(port.project_id)
            if other is space or (other is None and is_clean and port_id not in near.odd):
                continue
            if any(near.may_reach(network_id, port.network_id) for network_id in networks):
                kept.append(port)
        return kept

    def across(self, space: Space, ports: Iterable[Port]) -> tuple[frozenset[str], bool]:
        """The workspaces that undeclared packets are possible with, and whether they are with strangers."""
        mine = tuple(ports)
        others = self.others(space, mine, is_clean=space.is_clean)
        if not others:
            return frozenset(), False
        partners: set[str] = set()
        meets_strangers = False
        ours = self._parties(mine)
        for other in self._parties(others):
            known = other.claim.workspace in partners if other.claim else meets_strangers
            if not known and any(self._pass(one, other) for one in ours):
                if other.claim:
                    partners.add(other.claim.workspace)
                else:
                    meets_strangers = True
        return frozenset(partners), meets_strangers

    def _pass(self, one: Party, other: Party) -> bool:
        self._give_way()
        return any(
            self._examiner.passes(source, target, kind)
            for kind in ETHERTYPES
            for source, target in ((one, other), (other, one))
        )

    def alone(self, space: Space) -> bool:
        """Whether anything undeclared can pass inside the workspace, or between it and outside."""
        if space.is_clean:
            return False
        if any(self._passes_outside(space)):
            return True
        found = Found()
        parties = self._parties(self.own_ports(space))
        for kind in ETHERTYPES:
            for one in parties:
                self._examiner.outside(found, one, kind)
            for one in parties:
                for other in parties:
                    self._give_way()
                    if found:
                        return True
                    if one is not other or len(one.ports) > 1:
                        self._examiner.between(found, one, other, kind)
        return bool(found)

    def _passes_outside(self, space: Space) -> Iterator[bool]:
        """The odd rules by themselves: what is declared can't be what passes undeclared to outside."""
        filters, near = self._near.filters, self._near.topology
        beyond_network: dict[tuple[str, Ethertype, str], bool] = {}
        """Whether a far end has addresses outside: many rules name the same."""
        for (group_id, role), rules in space.odd_rules.items():
            seen: set[tuple[str, str]] = set()
            for port in filters.members(group_id).values():
                if port.id not in space.ports or space.port_roles.get(port.id, "") != role:
                    continue
                for each in rules.values():
                    kind, way = each.rule.ethertype, each.rule.direction
                    if (port.network_id, each.id) in seen or not near.is_exposed(port.network_id):
                        continue
                    if not self._near.singles(port, kind) or not filters.is_filtered(port):
                        continue
                    seen.add((port.network_id, each.id))
                    key = (port.network_id, kind, each.rule.far_end)
                    inside = self._inside(port.network_id, kind)
                    if key not in beyond_network:
                        beyond_network[key] = bool(subtract(self._near.far_end(each.rule.remote, kind), inside))
                    if not beyond_network[key]:
                        continue
                    boxes = filters.boxes_of(each.rule, each.id)
                    declared = filters.declared(space.claim, role, way, kind, each.rule.traffic)
                    yield bool(beyond(boxes, declared, inside))

    def _inside(self, network_id: str, kind: Ethertype) -> Intervals:
        if (network_id, kind) not in self._insides:
            self._insides[network_id, kind] = union(self._near.topology.local(network_id, kind), never_routed(kind))
        return self._insides[network_id, kind]

    def counterexamples(self, space: Space) -> Found:
        """Everything that can pass undeclared, as the plain prover tells it."""
        found = Found()
        mine = self.own_ports(space)
        ours = self._parties(mine)
        theirs = self._parties(self.others(space, mine, is_clean=False))
        for kind in ETHERTYPES:
            for one in ours:
                self._examiner.outside(found, one, kind)
            for one in ours:
                for other in (*ours, *theirs):
                    self._give_way()
                    for source, target in ((one, other), (other, one)):
                        if source is not target or len(source.ports) > 1:
                            self._examiner.between(found, source, target, kind)
        return found
