"""One packet out of many, as a person would show it."""

from ipaddress import IPv4Address, IPv6Address

from network_policy.domain.intervals import Intervals, meets
from network_policy.domain.rule import ICMP, ICMPV6, PORT_PROTOCOLS, Ethertype, protocol_name

_TELLING_KINDS = (6 * 65536 + 22, 6 * 65536 + 443, 17 * 65536 + 53, 1 * 65536 + 8 * 256, 58 * 65536 + 128 * 256)
"""tcp/22, tcp/443, udp/53 and the echo requests: what says most when it is among many."""
_TELLING_ADDRESSES: dict[Ethertype, str] = {"IPv4": "198.51.100.7", "IPv6": "2001:db8::7"}
"""Of the prefixes for documentation (RFC 5737, RFC 3849)."""


def example_kind(kinds: Intervals) -> int:
    """One kind of packet of a set that is not empty."""
    for kind in _TELLING_KINDS:
        if meets(kinds, ((kind, kind),)):
            return kind
    return kinds[0][0]


def example_address(addresses: Intervals, ethertype: Ethertype) -> str:
    """One address of a set that is not empty."""
    telling = int((IPv4Address if ethertype == "IPv4" else IPv6Address)(_TELLING_ADDRESSES[ethertype]))
    number = telling if meets(addresses, ((telling, telling),)) else addresses[0][0]
    return str(IPv4Address(number) if ethertype == "IPv4" else IPv6Address(number))


def show_kind(kind: int) -> str:
    """The protocol's name or number."""
    return protocol_name(kind >> 16)


def port_of(kind: int) -> int | None:
    """The destination port; None for a protocol without."""
    return kind & 0xFFFF if kind >> 16 in PORT_PROTOCOLS else None


def describe(kind: int) -> str:
    """`tcp/22`, `icmp type 8`, `vrrp`."""
    number = kind >> 16
    if number in PORT_PROTOCOLS:
        return f"{protocol_name(number)}/{kind & 0xFFFF}"
    if number in (ICMP, ICMPV6):
        return f"{protocol_name(number)} type {(kind & 0xFFFF) >> 8}"
    return f"protocol {protocol_name(number)}"
