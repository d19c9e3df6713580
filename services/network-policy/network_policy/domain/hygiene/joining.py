"""Neighbouring rules made one, and covered ones dropped: not always the fewest, but quick for any number of rules."""

from collections.abc import Iterable

from network_policy.domain.hygiene.shape import ALL_KINDS, PROTOCOL_SPAN, Piece, piece_of, prefixes, rule_of
from network_policy.domain.intervals import contains, normalise
from network_policy.domain.rule import PORT_PROTOCOLS, WHOLE, Ethertype, Remote, Rule


def joined(rules: Iterable[Rule]) -> list[Rule]:
    """Neighbouring ports and prefixes joined, covered rules dropped: what is left to do with very many rules."""
    found = set(rules)
    while True:
        before = len(found)
        for by_far in (True, False):
            alike: dict[tuple[object, ...], list[Rule]] = {}
            for rule in found:
                piece = piece_of(rule)
                number = piece.kinds[0] // PROTOCOL_SPAN
                key = (piece.far, number, piece.kinds == ALL_KINDS) if by_far else (piece.kinds,)
                alike.setdefault(key, []).append(rule)
            for same in alike.values():
                found = (found - set(same)) | set(_join(same, by_far=by_far))
        if len(found) == before:
            break
    pieces = {piece_of(rule): rule for rule in sorted(found, key=Rule.key)}
    return [
        rule
        for piece, rule in pieces.items()
        if not any(_inside(piece, other, rule.ethertype) for other in pieces if other != piece)
    ]


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


def _inside(piece: Piece, other: Piece, ethertype: Ethertype) -> bool:
    """Whether the other piece alone holds all of this one."""
    if not contains((other.kinds,), (piece.kinds,)):
        return False
    if isinstance(piece.far, Remote) or isinstance(other.far, Remote):
        return other.far in (piece.far, WHOLE[ethertype])
    return contains((other.far,), (piece.far,))
