"""The inverse of the rules: which groups admit an address, in either direction, without looking at any rule."""

from collections.abc import Iterable, Iterator

from network_policy.domain.rule import ETHERTYPES, Direction, Ethertype, Remote, RemoteKind, Rule, addresses_of, name_of
from network_policy.domain.world import Group

DIRECTIONS: tuple[Direction, Direction] = ("ingress", "egress")
Prefix = tuple[int, int]
"""How many low bits are free, and the bits above them."""
Holders = dict[str, int]
"""Groups, with how many of their rules name the same far end."""


def prefix_of(text: str, ethertype: Ethertype) -> Prefix | None:
    """The prefix as bits; None when it is of the other ethertype or no prefix at all."""
    pieces = addresses_of(text, ethertype)
    if not pieces:
        return None
    ((low, high),) = pieces
    free = (high - low).bit_length()
    return free, low >> free


class RemoteIndex:
    """The far ends of all rules of one direction and ethertype. Prefixes nest, so an address is in one of each length."""

    def __init__(self, direction: Direction, ethertype: Ethertype) -> None:
        self.direction = direction
        self.ethertype = ethertype
        self._anywhere: Holders = {}
        self._prefixes: dict[int, dict[int, Holders]] = {}
        self._groups: dict[str, Holders] = {}
        self._address_groups: dict[str, Holders] = {}
        self._named: dict[str, Holders] = {}
        """By the far end's name, so that it is read once; what is no prefix of this ethertype admits nothing."""

    def add(self, remote: Remote, group_id: str) -> None:
        """A rule of the group names it."""
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
        found = self._named.get(remote.name)
        if found is None:
            found = self._named[remote.name] = self._first(remote)
        return found

    def _first(self, remote: Remote) -> Holders:
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

    def naming_addresses(self, found: set[str], addresses: set[int]) -> None:
        """Into `found`: the groups with a prefix that holds one of the addresses, or with a rule without any far end."""
        found.update(self._anywhere)
        for free, prefixes in self._prefixes.items():
            # Ports of one workspace are mostly in one prefix, of any length but that of single addresses.
            for bits in prefixes.keys() & ({address >> free for address in addresses} if free else addresses):
                found.update(prefixes[bits])


class Remotes:
    """The indices of both directions and ethertypes, kept up to date together.

    That a group names one of its own project is not in them: there are many such rules, and who asks for the groups that
    name one is given all of its project besides. So they are built anew when a group comes, goes, or changes its project.
    """

    def __init__(self, groups: Iterable[Group]) -> None:
        self._indices = {(way, kind): RemoteIndex(way, kind) for way in DIRECTIONS for kind in ETHERTYPES}
        self._of_projects: dict[str, dict[str, str]] = {}
        """Of each project: its groups' names as far ends, and their ids."""
        known = {group.id: group for group in groups}
        for group in known.values():
            names = self._of_projects.setdefault(group.project_id, {})
            names[name_of(RemoteKind.GROUP, group.id)] = group.id
        for group in known.values():
            self.add_group(group)

    def __getitem__(self, side: tuple[Direction, Ethertype]) -> RemoteIndex:
        return self._indices[side]

    def add(self, rule: Rule, group: Group) -> None:
        """The group has one more such rule."""
        if rule.far_end not in self._of_projects.get(group.project_id, ()):
            self._indices[rule.direction, rule.ethertype].add(rule.remote, group.id)

    def remove(self, rule: Rule, group: Group) -> None:
        """The group has one such rule less."""
        if rule.far_end not in self._of_projects.get(group.project_id, ()):
            self._indices[rule.direction, rule.ethertype].remove(rule.remote, group.id)

    def add_group(self, group: Group) -> None:
        """The group's rules, all at once."""
        own, group_id, indices = self._of_projects.get(group.project_id, {}), group.id, self._indices
        for rule in [each.rule for each in group.rules if each.rule.far_end not in own]:
            indices[rule.direction, rule.ethertype].add(rule.remote, group_id)

    def remove_group(self, group: Group) -> None:
        """None of the group's rules stands."""
        for each in group.rules:
            self.remove(each.rule, group)

    def of_project(self, project_id: str) -> Iterable[str]:
        """The groups of the project, each of which may name any other."""
        return self._of_projects.get(project_id, {}).values()

    def naming(self, group_id: str, group: Group | None) -> set[str]:
        """The groups that may have rules that name this one, which is None if it can't be seen."""
        foreign = {naming for index in self._indices.values() for naming in index.naming(group_id)}
        return foreign if group is None else foreign.union(self.of_project(group.project_id))
