"""The fewest rules that permit the same packets (rows L12, M9).

A direction and ethertype at a time: packets are cut into cells where no rule begins or ends; every rule that lies
wholly in what is permitted and could not be wider is a candidate; the cheapest candidates that cover all cells are
chosen, and of equally few those that are there already. Nobody has to trust this: `equality.prove_equal` decides.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise

from network_policy.domain.hygiene.cover import cheapest_cover
from network_policy.domain.hygiene.joining import joined
from network_policy.domain.hygiene.shape import (
    ALL_KINDS,
    PROTOCOL_SPAN,
    Piece,
    piece_of,
    prefixes,
    rule_of,
)
from network_policy.domain.intervals import Interval, Intervals, contains, intersect, normalise
from network_policy.domain.rule import (
    ICMP,
    ICMPV6,
    PORT_PROTOCOLS,
    WHOLE,
    Direction,
    Ethertype,
    Remote,
    Rule,
)

MAX_CANDIDATES = 1500
"""Of one direction and ethertype; beyond, neighbours are joined and covered rules dropped, which need not be the fewest."""
_RULE_COST = 10_000
_NEW_RULE_COST = _RULE_COST + 1
"""So little more that new rules never outweigh one rule less, for as many rules as are searched."""


@dataclass(frozen=True, slots=True)
class Least:
    """A smaller set; `is_exact` when no set of fewer rules permits the same packets."""

    rules: frozenset[Rule]
    is_exact: bool


class TooMany(Exception):
    """More candidates than are worth a search."""


def minimise(rules: Collection[Rule]) -> Least:
    """The smallest set found; the rules themselves, without repeats, where nothing is smaller."""
    kept: set[Rule] = set()
    is_exact = True
    sides: dict[tuple[Direction, Ethertype], set[Rule]] = {}
    for rule in rules:
        sides.setdefault((rule.direction, rule.ethertype), set()).add(rule)
    for (direction, ethertype), side in sorted(sides.items()):
        try:
            found, exact = _Side(direction, ethertype, side).least()
        except TooMany:
            found, exact = frozenset(joined(side)), False
        kept |= found if len(found) < len(side) else side
        is_exact = is_exact and exact
    return Least(frozenset(kept), is_exact)


class _Side:
    """The rules of one direction and ethertype."""

    def __init__(self, direction: Direction, ethertype: Ethertype, rules: set[Rule]) -> None:
        self.direction = direction
        self.ethertype = ethertype
        self.rules = rules
        self.whole = WHOLE[ethertype]
        self.pieces = [piece_of(rule) for rule in sorted(rules, key=Rule.key)]
        self.atoms = list(_atoms([piece.kinds for piece in self.pieces]))
        starts = [atom[0] for atom in self.atoms]
        by_atom: list[list[Interval]] = [[] for _ in self.atoms]
        remotes: list[set[Remote]] = [set() for _ in self.atoms]
        for piece in self.pieces:
            for position in range(bisect_left(starts, piece.kinds[0]), bisect_right(starts, piece.kinds[1])):
                if isinstance(piece.far, Remote):
                    remotes[position].add(piece.far)
                else:
                    by_atom[position].append(piece.far)
        self.addresses: list[Intervals] = [normalise(each) for each in by_atom]
        # Where every address is permitted, so are the members of any group.
        self.remotes = [
            frozenset() if addresses == (self.whole,) else frozenset(found)
            for addresses, found in zip(self.addresses, remotes, strict=True)
        ]

    def least(self) -> tuple[frozenset[Rule], bool]:
        """The fewest rules. Raises TooMany."""
        candidates = dict.fromkeys(self._candidates())
        existing = set(self.pieces)
        pieces = [*self.pieces, *(piece for piece in candidates if piece not in existing)]
        columns = self._columns(pieces)
        starts = [column[0] for column in columns]
        symbols = sorted({remote for found in self.remotes for remote in found})
        width = len(columns) + len(symbols)
        rows = [atom[0] for atom in self.atoms]
        universe = 0
        for position, addresses in enumerate(self.addresses):
            row = self._row_of(addresses, starts)
            for remote in self.remotes[position]:
                row |= 1 << (len(columns) + symbols.index(remote))
            universe |= row << (position * width)
        sets = []
        for piece in pieces:
            if isinstance(piece.far, Remote):
                row = 1 << (len(columns) + symbols.index(piece.far)) if piece.far in symbols else 0
            else:
                row = self._row_of((piece.far,), starts)
                if piece.far == self.whole:
                    row |= ((1 << len(symbols)) - 1) << len(columns)
            first, last = bisect_left(rows, piece.kinds[0]), bisect_right(rows, piece.kinds[1])
            mask = 0
            for position in range(first, last):
                mask |= row << (position * width)
            sets.append(mask & universe)
        costs = [_RULE_COST if piece in existing else _NEW_RULE_COST for piece in pieces]
        choice = cheapest_cover(sets, costs, universe)
        chosen = frozenset(rule_of(self.direction, self.ethertype, pieces[position]) for position in choice.chosen)
        return chosen, choice.exact

    def _columns(self, pieces: Iterable[Piece]) -> list[Interval]:
        """The ranges of addresses in which no piece begins or ends."""
        return list(_between([piece.far for piece in pieces if not isinstance(piece.far, Remote)]))

    def _row_of(self, addresses: Intervals, starts: list[int]) -> int:
        row = 0
        for low, high in addresses:
            first, last = bisect_left(starts, low), bisect_right(starts, high)
            row |= ((1 << (last - first)) - 1) << first
        return row

    # -- candidates: what a rule can say, lies in what is permitted, and could not be wider

    def _candidates(self) -> Iterator[Piece]:
        made = 0
        everywhere: Intervals = ()
        remotes_everywhere: frozenset[Remote] = frozenset()
        if self.atoms and _is_gapless(self.atoms, ALL_KINDS):
            everywhere, remotes_everywhere = self._common(range(len(self.atoms)))
            for far in _places(everywhere, remotes_everywhere):
                made += 1
                yield Piece(far, ALL_KINDS)
        by_protocol: dict[int, list[int]] = {}
        for position, (low, high) in enumerate(self.atoms):
            if low // PROTOCOL_SPAN == high // PROTOCOL_SPAN:
                by_protocol.setdefault(low // PROTOCOL_SPAN, []).append(position)
        for number, positions in by_protocol.items():
            for first, last in self._ranges(number, positions):
                addresses, remotes = self._common(range(first, last + 1))
                if not addresses and not remotes:
                    continue
                kinds = (self.atoms[first][0], self.atoms[last][1])
                wider = self._wider(number, positions, first, last)
                for far in _places(addresses, remotes):
                    is_everywhere = (
                        far in remotes_everywhere if isinstance(far, Remote) else contains(everywhere, (far,))
                    )
                    if is_everywhere or any(self._holds(position, far) for position in wider):
                        continue
                    made += 1
                    if made > MAX_CANDIDATES:
                        raise TooMany
                    yield Piece(far, kinds)

    def _common(self, positions: range) -> tuple[Intervals, frozenset[Remote]]:
        """What is permitted for all of the kinds; a remote where its members are, by its name or by all addresses."""
        addresses: Intervals = (self.whole,)
        remotes: frozenset[Remote] | None = None
        for position in positions:
            addresses = intersect(addresses, self.addresses[position])
            if self.addresses[position] != (self.whole,):
                found = self.remotes[position]
                remotes = found if remotes is None else remotes & found
            if not addresses and remotes is not None and not remotes:
                break
        return addresses, remotes or frozenset()

    def _holds(self, position: int, far: Interval | Remote) -> bool:
        if self.addresses[position] == (self.whole,):
            return True
        return far in self.remotes[position] if isinstance(far, Remote) else contains(self.addresses[position], (far,))

    def _ranges(self, number: int, positions: list[int]) -> Iterator[tuple[int, int]]:
        """The ranges of kinds of one protocol that one rule can say."""
        span = (number * PROTOCOL_SPAN, number * PROTOCOL_SPAN + PROTOCOL_SPAN - 1)
        own = [self.atoms[position] for position in positions]
        if number in PORT_PROTOCOLS:
            for index, first in enumerate(positions):
                for last in positions[index:]:
                    if not _is_gapless(self.atoms[first : last + 1]):
                        break
                    addresses, remotes = self._common(range(first, last + 1))
                    if not addresses and not remotes:
                        break
                    yield first, last
            return
        if _is_gapless(own, span):
            yield positions[0], positions[-1]
        if number in (ICMP, ICMPV6):
            of_type: dict[int, list[int]] = {}
            for position in positions:
                low, high = self.atoms[position]
                if low // 256 == high // 256:
                    of_type.setdefault(low // 256, []).append(position)
                    if low == high:
                        yield position, position
            for kind, inside in of_type.items():
                if _is_gapless([self.atoms[each] for each in inside], (kind * 256, kind * 256 + 255)):
                    yield inside[0], inside[-1]

    def _wider(self, number: int, positions: list[int], first: int, last: int) -> list[int]:
        """The neighbours that a wider rule of the protocol would take in; only port ranges widen by one."""
        if number not in PORT_PROTOCOLS:
            return []
        sides = []
        if first > positions[0] and self.atoms[first - 1][1] + 1 == self.atoms[first][0]:
            sides.append(first - 1)
        if last < positions[-1] and self.atoms[last][1] + 1 == self.atoms[last + 1][0]:
            sides.append(last + 1)
        return sides


def _prefixes(addresses: Intervals) -> Iterator[Interval]:
    for each in addresses:
        yield from prefixes(each)


def _places(addresses: Intervals, remotes: Iterable[Remote]) -> Iterator[Interval | Remote]:
    yield from _prefixes(addresses)
    yield from sorted(remotes)


def _between(ranges: Collection[Interval]) -> Iterator[Interval]:
    """The ranges cut at each other's ends; what is in none of them is left out."""
    cuts = sorted({low for low, _ in ranges} | {high + 1 for _, high in ranges})
    held = normalise(ranges)
    for low, after in pairwise(cuts):
        if contains(held, ((low, after - 1),)):
            yield low, after - 1


def _atoms(ranges: Collection[Interval]) -> Iterator[Interval]:
    """Ranges of kinds in which no rule begins or ends, each of one protocol, an ICMP type's codes apart where named."""
    pieces = list(_between(ranges))
    named = {number for low, high in ranges if (low, high) != ALL_KINDS for number in (low // PROTOCOL_SPAN,)}
    for start, high in pieces:
        low = start
        while low <= high:
            number = low // PROTOCOL_SPAN
            end = min(high, number * PROTOCOL_SPAN + PROTOCOL_SPAN - 1)
            if number not in named:
                following = min((each for each in named if each > number), default=ALL_KINDS[1] // PROTOCOL_SPAN + 1)
                end = min(high, following * PROTOCOL_SPAN - 1)
            yield low, end
            low = end + 1


def _is_gapless(atoms: Collection[Interval], span: Interval | None = None) -> bool:
    """Whether the ranges follow each other without a gap, and make up the span if there is one."""
    held = normalise(atoms)
    return held == (span,) if span is not None else len(held) == 1
