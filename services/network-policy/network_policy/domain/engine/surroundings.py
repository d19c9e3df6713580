"""Which ports could meet which: screens that leave out only what certainly can't, for the examiner to look at the rest."""

from collections.abc import Iterable
from dataclasses import replace

from network_policy.domain.engine.addresses import books
from network_policy.domain.engine.remotes import DIRECTIONS, Remotes
from network_policy.domain.filters import Filters, own_addresses
from network_policy.domain.intervals import EMPTY, Intervals, meets, normalise, union
from network_policy.domain.rule import ETHERTYPES, Direction, Ethertype, Remote, RemoteKind, Rule, addresses_of
from network_policy.domain.topology import Topology
from network_policy.domain.world import Group, GroupRule, Port, World


class Surroundings:
    """Filters and topology with the inverse indices over them, kept up to date by whoever changes them."""

    def __init__(self, world: World) -> None:
        self.filters = Filters(world)
        self.topology = Topology(world)
        self.books = books()
        self._singles: dict[Ethertype, dict[str, tuple[int, ...]]] = {"IPv4": {}, "IPv6": {}}
        self.remotes = Remotes(world.groups)
        self.odd: set[str] = set()
        """Ports that may send from, or be reached at, more than their own addresses, or that nothing filters."""
        self.wide: set[str] = set()
        """Of those, the ones that no list of single addresses tells of."""
        self.on_wire: dict[str, dict[str, None]] = {}
        """Ports by the network that stands for all on their wire."""
        self.projects: dict[str, dict[str, int]] = {}
        """Of each segment: whose ports are on it, and how many."""
        self._places: dict[str, tuple[dict[str, None], dict[str, int]]] = {}
        """Of each network: the two above for its wire and its segment."""
        self._unseen: dict[tuple[Direction, Ethertype], frozenset[str]] = {}
        self._gateways: dict[tuple[str, Ethertype], Intervals] = {}
        for port in world.ports:
            self._learn(port)

    # -- keeping up to date

    def put_rule(self, group: Group, each: GroupRule) -> Group:
        """The group with one more rule."""
        made = replace(group, rules=(*group.rules, each))
        self._index(each.rule, group)
        self.filters.put_group(made)
        return made

    def drop_rule(self, group: Group, each: GroupRule) -> Group:
        """The group with one rule less."""
        made = replace(group, rules=tuple(rule for rule in group.rules if rule is not each))
        self.remotes.remove(each.rule, group)
        self.filters.put_group(made)
        return made

    def change_group(self, group: Group, went: Iterable[GroupRule], came: Iterable[GroupRule]) -> None:
        """The group is as given, which is some rules less and some more than it was."""
        for each in went:
            self.remotes.remove(each.rule, group)
        for each in came:
            self._index(each.rule, group)
        self.filters.put_group(group)

    def put_group(self, group: Group) -> None:
        """The whole group is as given."""
        self.drop_group(group.id)
        self.remotes.add_group(group)
        self.filters.put_group(group)
        self._unseen.clear()

    def drop_group(self, group_id: str) -> None:
        """The group is gone."""
        known = self.filters.groups.get(group_id)
        if known is not None:
            self.remotes.remove_group(known)
        self.filters.drop_group(group_id)
        self._unseen.clear()

    def _index(self, rule: Rule, group: Group) -> None:
        self.remotes.add(rule, group)
        if rule.remote.kind is RemoteKind.GROUP and rule.remote.value not in self.filters.groups:
            self._unseen.clear()

    def put_port(self, port: Port) -> None:
        """The port is as given."""
        self.drop_port(port.id)
        self.filters.put_port(port)
        self._learn(port)

    def drop_port(self, port_id: str) -> None:
        """The port is gone."""
        port = self.filters.ports.get(port_id)
        if port is None:
            return
        for kind in ETHERTYPES:
            for address in self.singles(port, kind):
                self.books[kind].remove(address, port_id)
            self._singles[kind].pop(port_id, None)
        self.odd.discard(port_id)
        self.wide.discard(port_id)
        on_wire, there = self._place(port.network_id)
        if port_id in on_wire:
            del on_wire[port_id]
            there[port.project_id] -= 1
            if not there[port.project_id]:
                del there[port.project_id]
        self.filters.drop_port(port_id)

    def _learn(self, port: Port) -> None:
        texts: Iterable[str] = port.addresses
        floating = self.topology.floating_addresses.get(port.id, ())
        if port.address_pairs or floating:
            texts = [*texts, *(pair.prefix for pair in port.address_pairs), *floating]
        for text in texts:
            kind: Ethertype = "IPv6" if ":" in text else "IPv4"
            for low, high in addresses_of(text, kind):
                if low == high:
                    known = self._singles[kind]
                    known[port.id] = (*known.get(port.id, ()), low)
                    self.books[kind].add(low, port.id)
        if self.topology.is_infrastructure(port):
            return
        if not self.is_plain(port):
            self.odd.add(port.id)
            if self._is_wide(port):
                self.wide.add(port.id)
        on_wire, there = self._place(port.network_id)
        on_wire[port.id] = None
        there[port.project_id] = there.get(port.project_id, 0) + 1

    def _place(self, network_id: str) -> tuple[dict[str, None], dict[str, int]]:
        found = self._places.get(network_id)
        if found is None:
            on_wire = self.on_wire.setdefault(self.topology.wire(network_id), {})
            there = self.projects.setdefault(self.topology.segment(network_id), {})
            found = self._places[network_id] = on_wire, there
        return found

    def is_plain(self, port: Port) -> bool:
        """Whether it is filtered by groups that can be seen and goes by its own addresses alone."""
        known = self.filters.groups
        return (
            port.port_security
            and not port.address_pairs
            and not port.is_trusted
            and known.keys() >= set(port.group_ids)
        )

    def singles(self, port: Port, ethertype: Ethertype) -> tuple[int, ...]:
        """The single addresses that it goes by: its own, its pairs' and the floating ones."""
        return self._singles[ethertype].get(port.id, ())

    # -- screens

    def gateways(self, network_id: str, ethertype: Ethertype) -> Intervals:
        """The routers' outer addresses of the network's segment."""
        key = (self.topology.segment(network_id), ethertype)
        if key not in self._gateways:
            self._gateways[key] = self.topology.gateways(network_id, ethertype)
        return self._gateways[key]

    def naming(self, group_id: str) -> set[str]:
        """The groups that may have rules that name this one."""
        return self.remotes.naming(group_id, self.filters.groups.get(group_id))

    def far_end(self, remote: Remote, ethertype: Ethertype) -> Intervals:
        """The addresses that a rule's far end stands for."""
        rule = Rule("ingress", ethertype, None, None, None, remote)
        return union(*(box.addresses for box in self.filters.boxes_of(rule, "")))

    def _admit(self, found: set[str], direction: Direction, ethertype: Ethertype, addresses: set[int]) -> None:
        """Into `found`: the groups with a rule that admits one of the addresses, and perhaps others."""
        index, ports = self.remotes[direction, ethertype], self.filters.ports
        index.naming_addresses(found, addresses)
        members = {
            group_id for port_id in self.books[ethertype].at_any(addresses) for group_id in ports[port_id].group_ids
        }
        named = tuple(index.address_groups())
        here = normalise((each, each) for each in addresses) if self.wide or named else EMPTY
        for port_id in self.wide:
            if ports[port_id].address_pairs and meets(own_addresses(ports[port_id], ethertype), here):
                members.update(ports[port_id].group_ids)
        for group_id in members:
            found.update(index.naming(group_id))
        known = self.filters.groups
        for project_id in {known[group_id].project_id for group_id in members if group_id in known}:
            found.update(self.remotes.of_project(project_id))
        for address_group_id, naming in named:
            group = self.filters.address_groups.get(address_group_id)
            if group is None or any(meets(addresses_of(each, ethertype), here) for each in group.prefixes):
                found.update(naming)
        key = (direction, ethertype)
        if key not in self._unseen:
            self._unseen[key] = frozenset(index.unseen(self.filters.groups))
        found |= self._unseen[key]

    def may_reach(self, one: str, other: str) -> bool:
        """Whether packets can travel between two networks at all."""
        near = self.topology
        return near.segment(one) == near.segment(other) or (near.is_exposed(one) and near.is_exposed(other))

    def candidates(self, ports: Iterable[Port], own: set[str], closed: Iterable[str]) -> set[str]:
        """Ports beyond `own` that one of these may send to or hear from; `closed` are groups with own members only."""
        groups: set[str] = set()
        found: set[str] = set()
        mine = tuple(ports)
        networks = {port.network_id for port in mine}
        if any(port.id in self.wide for port in mine):
            return set(self.filters.ports.keys() - own)
        for kind in ETHERTYPES:
            addresses = {each for port in mine for each in self.singles(port, kind)}
            if addresses:
                self._admit(groups, "egress", kind, addresses)
                for network_id in networks:
                    for low, high in self.gateways(network_id, kind):
                        addresses.update(range(low, high + 1))
                self._admit(groups, "ingress", kind, addresses)
        for network_id in networks:
            if len(self.projects.get(self.topology.segment(network_id), ())) > 1:
                found.update(self.on_wire.get(self.topology.wire(network_id), ()))
        groups.difference_update(closed)
        for group_id in groups:
            found.update(self.filters.members(group_id))
        found |= self.wide
        found -= own
        return found

    def _is_wide(self, port: Port) -> bool:
        """Whether no list of addresses tells where it may send from."""
        return not self.is_plain(replace(port, address_pairs=())) or any(
            low != high
            for pair in port.address_pairs
            for kind in ETHERTYPES
            for low, high in addresses_of(pair.prefix, kind)
        )

    def names_others(self, rule: Rule, port_ids: Iterable[str], own: set[str]) -> bool:
        """Whether the rule, in a group of these ports, may let packets pass with ports beyond `own`."""
        if self.wide and not self.wide <= own:
            return True
        segments = {self.topology.segment(self.filters.ports[port_id].network_id) for port_id in port_ids}
        if any(len(self.projects.get(segment, ())) > 1 for segment in segments):
            return True
        far = self.far_end(rule.remote, rule.ethertype)
        if meets(far, self.topology.all_gateways(rule.ethertype)):
            return True
        book = self.books[rule.ethertype]
        return book.count(far) > 8 or any(port_id not in own for port_id in book.within(far))

    def shares_addresses(self, port: Port) -> bool:
        """Whether another port goes by one of its addresses."""
        return any(len(self.books[kind].at(each)) > 1 for kind in ETHERTYPES for each in self.singles(port, kind))

    def narrowed(self, found: set[str], ports: Iterable[Port]) -> set[str]:
        """Of the candidates, those whose addresses one of the ports names as a far end, or that it hears unnamed."""
        allowed = set(self.wide)
        every = tuple(ports)
        for network_id in {port.network_id for port in every}:
            allowed.update(self.on_wire.get(self.topology.wire(network_id), ()))
        for kind in ETHERTYPES:
            sides = {way: self._named(every, way, kind) for way in DIRECTIONS}
            if meets(sides["ingress"], self.topology.all_gateways(kind)):
                return found
            allowed.update(self.books[kind].within(union(*sides.values())))
        return found & allowed

    def _named(self, ports: Iterable[Port], direction: Direction, kind: Ethertype) -> Intervals:
        sides = {frozenset(port.group_ids): port for port in ports if self.filters.is_filtered(port)}
        loose = (port for port in ports if not self.filters.is_filtered(port))
        boxes = (box for port in (*sides.values(), *loose) for box in self.filters.actual(port, direction, kind))
        return union(*(box.addresses for box in boxes))
