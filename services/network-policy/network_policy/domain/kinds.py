"""Kinds of packet and sets of addresses in words, whole and exact: every set has its one way to be said."""

from ipaddress import IPv4Address, IPv6Address, summarize_address_range

from network_policy.domain.intervals import Intervals
from network_policy.domain.packet import describe
from network_policy.domain.rule import ALL_TRAFFIC, ICMP, ICMPV6, PORT_PROTOCOLS, WHOLE, Ethertype, protocol_name

_LAST = 65535


def kinds_in_words(kinds: Intervals) -> str:
    """`tcp/22, udp/1-65535, icmp type 8`; `any` for everything."""
    if kinds == ALL_TRAFFIC:
        return "any"
    return ", ".join(word for low, high in kinds for word in _words(low, high))


def _words(low: int, high: int) -> list[str]:
    found: list[str] = []
    first, last = low >> 16, high >> 16
    if low & _LAST:
        end = min(high, (first << 16) + _LAST)
        found.append(_part(first, low & _LAST, end & _LAST))
        first += 1
    whole_last = last if high & _LAST == _LAST else last - 1
    if first == whole_last:
        found.append(protocol_name(first))
    elif first < whole_last:
        found.append(f"protocols {first}-{whole_last}")
    if whole_last < last and last >= first:
        found.append(_part(last, 0, high & _LAST))
    return found


def _part(protocol: int, low: int, high: int) -> str:
    if protocol in PORT_PROTOCOLS:
        return f"{protocol_name(protocol)}/{low}" if low == high else f"{protocol_name(protocol)}/{low}-{high}"
    if protocol in (ICMP, ICMPV6):
        if low >> 8 == high >> 8:
            code = "" if (low & 255, high & 255) == (0, 255) else f" code {low & 255}-{high & 255}"
            return f"{describe(protocol * 65536 + low)}{code}"
        return f"{protocol_name(protocol)} types {low >> 8}-{high >> 8}"
    return f"protocol {protocol_name(protocol)} {low}-{high}"


def addresses_in_words(addresses: Intervals, ethertype: Ethertype, most: int = 20) -> str:
    """The prefixes that make up the set, or its ranges where those are shorter; `any` for everything."""
    if addresses == (WHOLE[ethertype],):
        return "any"
    made = IPv4Address if ethertype == "IPv4" else IPv6Address
    words: list[str] = []
    for low, high in addresses:
        prefixes = []
        for prefix in summarize_address_range(made(low), made(high)):
            prefixes.append(str(prefix))
            if len(prefixes) > 2:
                break
        words += prefixes if len(prefixes) <= 2 else [f"{made(low)}-{made(high)}"]
    return ", ".join(words[:most]) + (f" and {len(words) - most} more ranges" if len(words) > most else "")
