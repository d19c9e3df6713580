"""What is to be said of the groups that were observed, of all projects (row L12).

Members of remote groups are looked at to tell that there are none, never to call two rules equal: they come and go.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

from network_policy.domain.hygiene.away import ports_away
from network_policy.domain.hygiene.equality import overlaps, uncovered
from network_policy.domain.hygiene.minimise import Least, minimise
from network_policy.domain.hygiene.shape import Piece, piece_of
from network_policy.domain.intervals import Interval, contains
from network_policy.domain.names import DEFAULT_GROUP
from network_policy.domain.rule import (
    ANYWHERE,
    PORT_PROTOCOLS,
    WHOLE,
    Ethertype,
    Remote,
    RemoteKind,
    Rule,
    addresses_of,
    protocol_name,
)
from network_policy.domain.world import Group, GroupRule, Port, World

RemarkKind = Literal[
    "rule-repeated",
    "rule-shadowed",
    "rule-unclear",
    "rule-without-members",
    "rule-over-broad",
    "rule-ipv6-leftover",
    "group-unused",
    "group-of-no-project",
    "group-not-least",
]
OWN_MEMBERS = Remote(RemoteKind.GROUP, "")
"""How a group's own id reads while rule sets are compared: so that the same set in two groups is worked out once."""


@dataclass(frozen=True, slots=True)
class Remark:
    """One thing about one group; `rule_ids` are the rules that could go, where there are any."""

    kind: RemarkKind
    group_id: str
    rule_ids: tuple[str, ...]
    words: str


@dataclass(frozen=True, slots=True)
class GroupHygiene:
    """A group as it is and as it could be."""

    group: Group
    port_count: int
    least_rules: int
    """How many rules would permit the same packets, unclear ones included."""
    is_least_exact: bool
    remarks: tuple[Remark, ...]


@dataclass
class Inspection:
    """Looks at every group of a world. `project_ids`: all that exist, or None where that isn't known.

    `places`: prefixes of the site's zones and endpoints; a rule that holds more than such a place is over-broad.
    `port_roles`: what is recorded of nodes' ports, which belong to their roles' groups in quarantine too.
    """

    world: World
    project_ids: frozenset[str] | None = None
    places: tuple[str, ...] = ()
    port_roles: Mapping[str, str] = field(default_factory=dict)
    unclear: Mapping[str, str] = field(init=False)
    """Why a rule can't be taken at its word, by rule id."""
    _members: dict[str, list[Port]] = field(init=False)
    _away: dict[str, list[Port]] = field(init=False)
    _group_ids: frozenset[str] = field(init=False)
    _referenced: frozenset[str] = field(init=False)
    _least: dict[frozenset[Rule], Least] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.unclear = {each.id: each.unclear for group in self.world.groups for each in group.rules if each.unclear}
        self._members = {}
        for port in self.world.ports:
            for group_id in port.group_ids:
                self._members.setdefault(group_id, []).append(port)
        self._away = ports_away(self.world, self.port_roles)
        self._group_ids = frozenset(group.id for group in self.world.groups)
        self._referenced = frozenset(
            each.rule.remote.value
            for group in self.world.groups
            for each in group.rules
            if each.rule.remote.kind is RemoteKind.GROUP and each.rule.remote.value != group.id
        )

    def groups(self) -> Iterator[GroupHygiene]:
        """Every group, in the world's order."""
        return (self.group(group) for group in self.world.groups)

    def group(self, group: Group) -> GroupHygiene:
        """One of them."""
        clear = [each for each in group.rules if each.id not in self.unclear]
        least = self.least_of(group)
        left_alone = len(group.rules) - len(clear)
        remarks = [
            *self._unclear_rules(group),
            *repeated(group.id, clear),
            *shadowed(group.id, clear),
            *self._without_members(group.id, clear),
            *self._over_broad(group.id, clear),
            *self._ipv6_leftovers(group.id, clear),
            *self._unused(group),
            *self._of_no_project(group),
        ]
        if len(least.rules) < len({each.rule for each in clear}):
            words = f"{len(group.rules)} rules, where {len(least.rules) + left_alone} permit the same packets"
            remarks.append(Remark("group-not-least", group.id, (), words))
        return GroupHygiene(
            group=group,
            port_count=len(self._members.get(group.id, ())),
            least_rules=len(least.rules) + left_alone,
            is_least_exact=least.is_exact,
            remarks=tuple(remarks),
        )

    def least_of(self, group: Group) -> Least:
        """The fewest rules for the group's clear ones."""
        own = Remote(RemoteKind.GROUP, group.id)
        rules = frozenset(_renamed(each.rule, own, OWN_MEMBERS) for each in group.rules if each.id not in self.unclear)
        if rules not in self._least:
            self._least[rules] = minimise(rules)
        found = self._least[rules]
        return Least(frozenset(_renamed(rule, OWN_MEMBERS, own) for rule in found.rules), found.is_exact)

    def _unclear_rules(self, group: Group) -> Iterator[Remark]:
        for each in group.rules:
            if each.id in self.unclear:
                yield Remark("rule-unclear", group.id, (each.id,), self.unclear[each.id])

    def _belonging(self, group_id: str) -> list[Port]:
        return [*self._members.get(group_id, ()), *self._away.get(group_id, ())]

    def _without_members(self, group_id: str, rules: Iterable[GroupRule]) -> Iterator[Remark]:
        empty = {group.id for group in self.world.address_groups if not group.prefixes}
        for each in rules:
            remote = each.rule.remote
            if remote.kind is RemoteKind.GROUP and remote.value in self._group_ids and remote.value != group_id:
                if not self._belonging(remote.value):
                    yield Remark("rule-without-members", group_id, (each.id,), f"group {remote.value} has no port")
            elif remote.kind is RemoteKind.ADDRESS_GROUP and remote.value in empty:
                words = f"address group {remote.value} has no address"
                yield Remark("rule-without-members", group_id, (each.id,), words)

    def _over_broad(self, group_id: str, rules: Iterable[GroupRule]) -> Iterator[Remark]:
        for each in rules:
            why = list(self._broadness(each.rule))
            if why:
                words = f"{each.rule.direction} {each.rule.ethertype}: {', '.join(why)}"
                yield Remark("rule-over-broad", group_id, (each.id,), words)

    def _broadness(self, rule: Rule) -> Iterator[str]:
        is_open, is_ingress = rule.remote == ANYWHERE, rule.direction == "ingress"
        if is_open and is_ingress:
            yield "from every address"
        if rule.remote.kind is not RemoteKind.GROUP and (is_open or is_ingress):
            if rule.protocol in (None, 0):
                yield "every protocol" if is_ingress else "every protocol to every address"
            elif rule.protocol in PORT_PROTOCOLS and rule.low is None:
                yield f"every port of {protocol_name(rule.protocol)}"
        if rule.remote.kind is RemoteKind.PREFIX:
            held = addresses_of(rule.remote.value, rule.ethertype)
            for place in self.places:
                inside = addresses_of(place, rule.ethertype)
                if inside and inside != held and contains(held, inside):
                    yield f"{rule.remote.value} holds the site's {place} and more"
                    return

    def _ipv6_leftovers(self, group_id: str, rules: Iterable[GroupRule]) -> Iterator[Remark]:
        members = self._belonging(group_id)
        if not members or any(":" in address for port in members for address in port.addresses):
            return
        found = tuple(each.id for each in rules if each.rule.ethertype == "IPv6")
        if found:
            words = f"{len(found)} IPv6 rules, and none of its {len(members)} ports has an IPv6 address"
            yield Remark("rule-ipv6-leftover", group_id, found, words)

    def _unused(self, group: Group) -> Iterator[Remark]:
        if group.name == DEFAULT_GROUP or self._belonging(group.id):
            return
        others = (
            " and no rule names it" if group.id not in self._referenced else ", though rules of other groups name it"
        )
        yield Remark("group-unused", group.id, (), f"no port is in it{others}")

    def _of_no_project(self, group: Group) -> Iterator[Remark]:
        if self.project_ids is not None and group.project_id not in self.project_ids:
            words = f"its project '{group.project_id}' does not exist" if group.project_id else "it has no project"
            yield Remark("group-of-no-project", group.id, (), words)


def _renamed(rule: Rule, was: Remote, named: Remote) -> Rule:
    return replace(rule, remote=named) if rule.remote == was else rule


def repeated(group_id: str, rules: Iterable[GroupRule]) -> Iterator[Remark]:
    """Rules that say the same as another. Neutron refuses the plain repeat; host bits, port ranges that mean any, and
    ICMP's names under IPv6 get by."""
    first: dict[Rule, str] = {}
    for each in rules:
        if each.rule in first:
            yield Remark("rule-repeated", group_id, (each.id,), f"says the same as {first[each.rule]}")
        else:
            first[each.rule] = each.id


def shadowed(group_id: str, rules: Collection[GroupRule]) -> Iterator[Remark]:
    """Rules all of whose packets others of the group permit, one of them or several together; repeats aside."""
    sides: dict[tuple[str, Ethertype], dict[Rule, tuple[str, Piece]]] = {}
    for each in rules:
        side = sides.setdefault((each.rule.direction, each.rule.ethertype), {})
        side.setdefault(each.rule, (each.id, piece_of(each.rule)))
    for (_, ethertype), side in sides.items():
        for rule, (rule_id, piece) in side.items():
            near = [
                (other_id, other)
                for each, (other_id, other) in side.items()
                if each is not rule and overlaps(piece, other)
            ]
            if not near or uncovered(piece, [other for _, other in near], ethertype) is not None:
                continue
            alone = next((o for o in near if uncovered(piece, [o[1]], ethertype) is None), None)
            by = [alone[0]] if alone else [other_id for other_id, _ in near]
            words = (
                f"all that it permits {by[0]} permits"
                if alone
                else f"all that it permits {', '.join(by)} permit together"
            )
            yield Remark("rule-shadowed", group_id, (rule_id,), words)


def opened_to_world(rules: Iterable[GroupRule], ethertype: Ethertype) -> list[tuple[str, Interval]]:
    """The kinds of packet that everybody may send, with the rule that says so: prefixes that together are everything
    count as well."""
    pieces = [
        (each.id, piece_of(each.rule))
        for each in rules
        if each.rule.direction == "ingress" and each.rule.ethertype == ethertype
    ]
    wide = [(rule_id, piece) for rule_id, piece in pieces if not isinstance(piece.far, Remote)]
    return [
        (rule_id, piece.kinds)
        for rule_id, piece in wide
        if piece.far == WHOLE[ethertype]
        or uncovered(Piece(WHOLE[ethertype], piece.kinds), [other for _, other in wide], ethertype) is None
    ]
