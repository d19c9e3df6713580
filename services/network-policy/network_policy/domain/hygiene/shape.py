"""How a rule reads to the minimiser: where it reaches × what it lets pass, and which such pieces a rule can say.

A remote group or address group is a place of its own, whoever its members are: only a rule for anything at all covers it.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network

from network_policy.domain.intervals import Interval
from network_policy.domain.rule import (
    ALL_TRAFFIC,
    ANYWHERE,
    ICMP,
    ICMPV6,
    PORT_PROTOCOLS,
    WHOLE,
    Direction,
    Ethertype,
    Remote,
    RemoteKind,
    Rule,
    addresses_of,
)

PROTOCOL_SPAN = 65536
ALL_KINDS: Interval = ALL_TRAFFIC[0]

_BITS: dict[Ethertype, int] = {"IPv4": 32, "IPv6": 128}


@dataclass(frozen=True, slots=True)
class Piece:
    """A far end (a range of addresses, or a remote that is no prefix) × a range of kinds of packet."""

    far: Interval | Remote
    kinds: Interval


def piece_of(rule: Rule) -> Piece:
    """What the rule permits. Raises ValueError for a prefix that is none of its ethertype."""
    if rule.remote.kind is RemoteKind.ANY:
        return Piece(WHOLE[rule.ethertype], kinds_of(rule))
    if rule.remote.kind is RemoteKind.PREFIX:
        found = addresses_of(rule.remote.value, rule.ethertype)
        if not found:
            raise ValueError(f"'{rule.remote.value}' is no {rule.ethertype} prefix")
        return Piece(found[0], kinds_of(rule))
    return Piece(rule.remote, kinds_of(rule))


def kinds_of(rule: Rule) -> Interval:
    """The kinds of packet. Port 0, which no rule can name, goes with port 1, so that 1–65535 is the whole protocol.

    Protocol 0 is its own kind here, neither more nor less: a backend reads it as any protocol or as hop-by-hop options,
    and what is equal must be so under both readings.
    """
    number = rule.protocol
    if number is None:
        return ALL_KINDS
    first = number * PROTOCOL_SPAN
    if number in PORT_PROTOCOLS and rule.low is not None:
        low, high = rule.low, rule.low if rule.high is None else rule.high
        return first + (0 if low <= 1 else low), first + high
    if number in (ICMP, ICMPV6) and rule.low is not None:
        codes = (0, 255) if rule.high is None else (rule.high, rule.high)
        return first + rule.low * 256 + codes[0], first + rule.low * 256 + codes[1]
    return first, first + PROTOCOL_SPAN - 1


def rule_of(direction: Direction, ethertype: Ethertype, piece: Piece) -> Rule:
    """The rule that says a piece; the piece must be one that a rule can say."""
    remote = piece.far if isinstance(piece.far, Remote) else _remote(piece.far, ethertype)
    low, high = piece.kinds
    if piece.kinds == ALL_KINDS:
        return Rule(direction, ethertype, None, None, None, remote)
    number, start, end = low // PROTOCOL_SPAN, low % PROTOCOL_SPAN, high % PROTOCOL_SPAN
    if (start, end) == (0, PROTOCOL_SPAN - 1):
        return Rule(direction, ethertype, number, None, None, remote)
    if number in PORT_PROTOCOLS:
        return Rule(direction, ethertype, number, max(start, 1), end, remote)
    return Rule(direction, ethertype, number, start // 256, None if end - start == 255 else start % 256, remote)


def _remote(addresses: Interval, ethertype: Ethertype) -> Remote:
    if addresses == WHOLE[ethertype]:
        return ANYWHERE
    length = _BITS[ethertype] - (addresses[1] - addresses[0]).bit_length()
    network = (IPv4Network if ethertype == "IPv4" else IPv6Network)((addresses[0], length))
    return Remote(RemoteKind.PREFIX, str(network))


def prefixes(addresses: Interval) -> Iterator[Interval]:
    """The fewest prefixes that make up a range of addresses; each is the largest that lies in the range."""
    low, high = addresses
    while low <= high:
        size = (high - low + 1).bit_length() - 1
        if low:
            size = min(size, (low & -low).bit_length() - 1)
        yield low, low + (1 << size) - 1
        low += 1 << size
