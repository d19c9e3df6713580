"""The same packets with fewer rules: neighbours made one, covered ones dropped (row L12).

Not always the fewest, as `minimise` finds them, but quick for any number of rules.
"""

from collections.abc import Iterable

from network_policy.domain.hygiene.shape import ALL_KINDS, PROTOCOL_SPAN, Piece, piece_of, prefixes, rule_of
from network_policy.domain.intervals import contains, normalise
from network_policy.domain.rule import PORT_PROTOCOLS, WHOLE, Direction, Ethertype, Remote, Rule

_Sided = tuple[Direction, Ethertype, Piece]


def joined(rules: Iterable[Rule]) -> list[Rule]:
    """Neighbouring ports and prefixes joined, covered rules dropped. Raises ValueError as `piece_of` does."""
    found = set(rules)
    while True:
        before = len(found)
        for by_far in (True, False):
            alike: dict[tuple[object, ...], list[Rule]] = {}
            for rule in found:
                piece = piece_of(rule)
                number = piece.kinds[0] // PROTOCOL_SPAN
                kind = (piece.far, number, piece.kinds == ALL_KINDS) if by_far else (piece.kinds,)
                alike.setdefault((rule.direction, rule.ethertype, *kind), []).append(rule)
            for same in alike.values():
                found = (found - set(same)) | set(_join(same, by_far=by_far))
        if len(found) == before:
            break
    pieces = {(rule.direction, rule.ethertype, piece_of(rule)): rule for rule in sorted(found, key=Rule.key)}
    return [rule for side, rule in pieces.items() if not any(_covers(other, side) for other in pieces if other != side)]


def covers(outer: Rule, inner: Rule) -> bool:
    """Whether every packet that `inner` permits is permitted by `outer` alone, whoever the members of groups are."""
    one, other = ((rule.direction, rule.ethertype, piece_of(rule)) for rule in (outer, inner))
    return _covers(one, other)


def _join(rules: list[Rule], *, by_far: bool) -> Iterable[Rule]:
    direction, ethertype = rules[0].direction, rules[0].ethertype
    pieces = [piece_of(rule) for rule in rules]
    far = pieces[0].far
    if by_far:
        if pieces[0].kinds[0] // PROTOCOL_SPAN not in PORT_PROTOCOLS or pieces[0].kinds == ALL_KINDS:
            return rules
        return [
            rule_of(direction, ethertype, Piece(far, kinds)) for kinds in normalise(piece.kinds for piece in pieces)
        ]
    joined = (
        prefix
        for each in normalise(piece.far for piece in pieces if not isinstance(piece.far, Remote))
        for prefix in prefixes(each)
    )
    kept = [rule for rule, piece in zip(rules, pieces, strict=True) if isinstance(piece.far, Remote)]
    return [*kept, *(rule_of(direction, ethertype, Piece(prefix, pieces[0].kinds)) for prefix in joined)]


def _covers(outer: _Sided, inner: _Sided) -> bool:
    if outer[:2] != inner[:2] or not contains((outer[2].kinds,), (inner[2].kinds,)):
        return False
    wide, narrow = outer[2].far, inner[2].far
    if isinstance(wide, Remote) or isinstance(narrow, Remote):
        return wide in (narrow, WHOLE[outer[1]])
    return contains((wide,), (narrow,))
