"""The inverse of the rules: which groups admit an address, in either direction, without looking at any rule."""

from collections import Counter
from collections.abc import Iterable, Iterator
from ipaddress import ip_network
from operator import attrgetter

from network_policy.domain.rule import ETHERTYPES, Direction, Ethertype, Remote, RemoteKind, Rule
from network_policy.domain.world import Group

DIRECTIONS: tuple[Direction, Direction] = ("ingress", "egress")
Prefix = tuple[int, int]
"""How many low bits are free, and the bits above them."""
Holders = dict[str, int]
"""Groups, with how many of their rules name the same far end."""
_SIDE_OF = attrgetter("rule.side")


def prefix_of(text: str, ethertype: Ethertype) -> Prefix | None:
    """The prefix as bits; None when it is of the other ethertype or no prefix at all."""
    try:
        network = ip_network(text, strict=False)
    except ValueError:
        return None
    if f"IPv{network.version}" != ethertype:
        return None
    free = network.max_prefixlen - network.prefixlen
    return free, int(network.network_address) >> free


class RemoteIndex:
    """The far ends of all rules of one direction and ethertype. Prefixes nest, so an address is in one of each length."""

    def __init__(self, direction: Direction, ethertype: Ethertype) -> None:
        self.direction = direction
        self.ethertype = ethertype
        self._anywhere: Holders = {}
        self._prefixes: dict[int, dict[int, Holders]] = {}
        self._groups: dict[str, Holders] = {}
        self._address_groups: dict[str, Holders] = {}

    def holders(self, remote: Remote) -> Holders:
        """Who names it, to be kept up to date by whoever asks; a prefix of the other ethertype admits nothing."""
        if remote.kind is RemoteKind.GROUP:
            return self._groups.setdefault(remote.value, {})
        if remote.kind is RemoteKind.ADDRESS_GROUP:
            return self._address_groups.setdefault(remote.value, {})
        if remote.kind is RemoteKind.PREFIX:
            prefix = prefix_of(remote.value, self.ethertype)
            return {} if prefix is None else self._prefixes.setdefault(prefix[0], {}).setdefault(prefix[1], {})
        return self._anywhere

    def naming(self, group_id: str) -> Iterable[str]:
        """The groups with rules that name this group."""
        return self._groups.get(group_id, ())

    def address_groups(self) -> Iterable[tuple[str, Iterable[str]]]:
        """Each address group that a rule names, and the groups of those rules."""
        return self._address_groups.items()

    def unseen(self, known: Iterable[str]) -> Iterator[str]:
        """The groups with a rule that names a group which is not among the known."""
        for group_id in self._groups.keys() - set(known):
            yield from self._groups[group_id]

    def naming_addresses(self, found: set[str], address: int) -> None:
        """Into `found`: the groups with a prefix that holds the address, or with a rule without any far end."""
        found.update(self._anywhere)
        for free, prefixes in self._prefixes.items():
            holders = prefixes.get(address >> free)
            if holders:
                found.update(holders)


class Remotes:
    """The indices of both directions and ethertypes, kept up to date together."""

    def __init__(self) -> None:
        self._indices = {(way, kind): RemoteIndex(way, kind) for way in DIRECTIONS for kind in ETHERTYPES}
        self._sides: dict[str, Holders] = {}
        """By how a rule says it, so that what is said often is looked up and not read again."""

    def __getitem__(self, side: tuple[Direction, Ethertype]) -> RemoteIndex:
        return self._indices[side]

    def add(self, rule: Rule, group_id: str) -> None:
        """The group has one more such rule."""
        holders = self._holders(rule)
        holders[group_id] = holders.get(group_id, 0) + 1

    def remove(self, rule: Rule, group_id: str) -> None:
        """The group has one such rule less."""
        holders = self._holders(rule)
        left = holders.get(group_id, 0) - 1
        if left > 0:
            holders[group_id] = left
        else:
            holders.pop(group_id, None)

    def add_group(self, group: Group) -> None:
        """The group's rules, none of which is known yet."""
        group_id, sides = group.id, self._sides
        for side, count in Counter(map(_SIDE_OF, group.rules)).items():
            holders = sides.get(side)
            if holders is None:
                for each in group.rules:
                    self._holders(each.rule)
                holders = sides[side]
            holders[group_id] = holders.get(group_id, 0) + count  # one prefix may be written in two ways

    def remove_group(self, group: Group) -> None:
        """None of the group's rules stands."""
        for side in set(map(_SIDE_OF, group.rules)):
            self._sides[side].pop(group.id, None)

    def naming(self, group_id: str) -> set[str]:
        """The groups with rules of any sort that name this group."""
        return {naming for index in self._indices.values() for naming in index.naming(group_id)}

    def _holders(self, rule: Rule) -> Holders:
        found = self._sides.get(rule.side)
        if found is None:
            found = self._sides[rule.side] = self[rule.direction, rule.ethertype].holders(rule.remote)
        return found
