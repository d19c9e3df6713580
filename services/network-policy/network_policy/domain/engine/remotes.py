"""The inverse of the rules: which groups admit an address, in either direction, without looking at any rule."""

from collections.abc import Iterable, Iterator
from ipaddress import ip_network

from network_policy.domain.rule import Direction, Ethertype, Remote, RemoteKind

Prefix = tuple[int, int]
"""How many low bits are free, and the bits above them."""
Holders = dict[str, int]
"""Groups, with how many of their rules name the same far end."""
_BY_GROUP, _BY_PREFIX = RemoteKind.GROUP, RemoteKind.PREFIX


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
        self._texts: dict[str, Holders] = {}
        """By how the prefix is written; what is no prefix of this ethertype admits nothing."""
        self._groups: dict[str, Holders] = {}
        self._address_groups: dict[str, Holders] = {}

    def add(self, remote: Remote, group_id: str) -> None:
        """A rule of the group names it."""
        kind = remote.kind
        known = self._groups if kind is _BY_GROUP else self._texts if kind is _BY_PREFIX else None
        holders = known.get(remote.value) if known is not None else None
        if holders is None:
            holders = self._holders(remote)
        holders[group_id] = holders.get(group_id, 0) + 1

    def remove(self, remote: Remote, group_id: str) -> None:
        """One rule of the group less names it."""
        holders = self._holders(remote)
        left = holders.get(group_id, 0) - 1
        if left > 0:
            holders[group_id] = left
        else:
            holders.pop(group_id, None)

    def _holders(self, remote: Remote) -> Holders:
        kind = remote.kind
        if kind is RemoteKind.GROUP:
            return self._groups.setdefault(remote.value, {})
        if kind is RemoteKind.ADDRESS_GROUP:
            return self._address_groups.setdefault(remote.value, {})
        if kind is RemoteKind.PREFIX:
            if remote.value not in self._texts:
                prefix = prefix_of(remote.value, self.ethertype)
                self._texts[remote.value] = (
                    {} if prefix is None else self._prefixes.setdefault(prefix[0], {}).setdefault(prefix[1], {})
                )
            return self._texts[remote.value]
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
