"""Do two rule sets permit the same packets? Decided by cutting boxes out of boxes, whatever made the sets.

It shares with the minimiser nothing but the meaning of a single rule (`shape.piece_of`), and it is told for every
membership of remote groups: such a rule is matched by the same remote, or by rules for every address there is.
"""

import hashlib
import json
from collections.abc import Collection, Iterable
from dataclasses import dataclass

from network_policy.domain.hygiene.shape import Piece, piece_of
from network_policy.domain.intervals import Interval
from network_policy.domain.packet import describe, example_address
from network_policy.domain.rule import WHOLE, Direction, Ethertype, Remote, Rule

ASSUMED = (
    "rules only permit, and add up",
    "port 0, which no rule can name, passes wherever port 1 does",
    "remote groups and address groups may have any members",
)


@dataclass(frozen=True, slots=True)
class Difference:
    """A packet that only one of the two sets permits."""

    direction: Direction
    ethertype: Ethertype
    far_end: str
    kind: int
    lost: bool
    """Whether the second set lacks it; else only the second permits it."""

    @property
    def words(self) -> str:
        """For people."""
        way = "from" if self.direction == "ingress" else "to"
        end = "is no longer permitted" if self.lost else "would be permitted and is not"
        return f"{self.ethertype} {describe(self.kind)} {way} {self.far_end} {end}"


@dataclass(frozen=True, slots=True)
class Proof:
    """`digest` is SHA-256 over both sets and the verdict: whoever has the two sets can work it out again."""

    before: int
    after: int
    difference: Difference | None
    digest: str

    @property
    def is_equal(self) -> bool:
        return self.difference is None


def prove_equal(before: Collection[Rule], after: Collection[Rule]) -> Proof:
    """Both sets taken as the packets that they permit."""
    difference = find_missing(before, after, lost=True) or find_missing(after, before, lost=False)
    told = [
        "equal" if difference is None else "different",
        *(sorted({_text(rule) for rule in rules}) for rules in (before, after)),
        ASSUMED,
    ]
    digest = "sha256:" + hashlib.sha256(json.dumps(told, separators=(",", ":")).encode()).hexdigest()
    return Proof(len(set(before)), len(set(after)), difference, digest)


def _text(rule: Rule) -> str:
    return json.dumps([rule.direction, rule.ethertype, rule.protocol, rule.low, rule.high, *_far(rule.remote)])


def _far(remote: Remote) -> tuple[str, str]:
    return remote.kind.value, remote.value


def find_missing(wanted: Iterable[Rule], given: Iterable[Rule], *, lost: bool = True) -> Difference | None:
    """A packet of the wanted rules that none of the given ones permits."""
    kept = set(given)
    pieces: dict[tuple[Direction, Ethertype], list[Piece]] = {}
    for rule in kept:
        pieces.setdefault((rule.direction, rule.ethertype), []).append(piece_of(rule))
    for rule in sorted(set(wanted) - kept, key=Rule.key):
        left = uncovered(piece_of(rule), pieces.get((rule.direction, rule.ethertype), []), rule.ethertype)
        if left is not None:
            far = left.far
            if isinstance(far, Remote):
                end = f"{far.kind.value} {far.value}"
            else:
                end = example_address((far,), rule.ethertype)
            return Difference(rule.direction, rule.ethertype, end, left.kinds[0], lost)
    return None


def uncovered(piece: Piece, others: Collection[Piece], ethertype: Ethertype) -> Piece | None:
    """Some part of the piece that none of the others holds, or None when together they hold all of it."""
    if isinstance(piece.far, Remote):
        alone = [piece.kinds]
        for other in others:
            if other.far == piece.far:
                alone = [rest for each in alone for rest in _cut(each, other.kinds)]
        for each in alone:
            left = uncovered(Piece(WHOLE[ethertype], each), others, ethertype)
            if left is not None:
                return Piece(piece.far, left.kinds)
        return None
    boxes = [(piece.far, piece.kinds)]
    for other in others:
        if isinstance(other.far, Remote):
            continue
        rest: list[tuple[Interval, Interval]] = []
        for addresses, kinds in boxes:
            shared = _shared(addresses, other.far)
            if shared is None or _shared(kinds, other.kinds) is None:
                rest.append((addresses, kinds))
                continue
            rest += [(outside, kinds) for outside in _cut(addresses, other.far)]
            rest += [(shared, outside) for outside in _cut(kinds, other.kinds)]
        boxes = rest
        if not boxes:
            return None
    return Piece(boxes[0][0], boxes[0][1])


def overlaps(piece: Piece, other: Piece) -> bool:
    """Whether the other piece holds any of this one, or may."""
    if _shared(piece.kinds, other.kinds) is None:
        return False
    if isinstance(other.far, Remote) or isinstance(piece.far, Remote):
        return other.far == piece.far or not isinstance(other.far, Remote)
    return _shared(piece.far, other.far) is not None


def _shared(one: Interval, other: Interval) -> Interval | None:
    low, high = max(one[0], other[0]), min(one[1], other[1])
    return (low, high) if low <= high else None


def _cut(one: Interval, out: Interval) -> list[Interval]:
    """What is left of the range without the other one."""
    if out[1] < one[0] or out[0] > one[1]:
        return [one]
    sides = [(one[0], out[0] - 1), (out[1] + 1, one[1])]
    return [side for side in sides if side[0] <= side[1]]
