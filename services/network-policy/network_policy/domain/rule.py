"""A security group rule, canonical: two rules that Neutron treats alike are one value, however they were written.

Sources of the equivalences: neutron/db/securitygroups_db.py (`_rule_to_key`, `_get_ip_proto_name_and_num`) and the IANA
protocol numbers. CVE-2012-2654, CVE-2019-9735: compare canonical protocols; ports belong to port protocols only.
"""

from dataclasses import dataclass, replace
from enum import StrEnum
from functools import lru_cache
from ipaddress import ip_network
from socket import AF_INET, AF_INET6, inet_pton
from sys import intern
from typing import Literal

from network_policy.domain.intervals import Intervals

Direction = Literal["ingress", "egress"]
Ethertype = Literal["IPv4", "IPv6"]

ETHERTYPES: tuple[Ethertype, Ethertype] = ("IPv4", "IPv6")
ICMP = 1
TCP = 6
UDP = 17
ICMPV6 = 58
PORT_PROTOCOLS = frozenset({TCP, UDP, 33, 132, 136})
"""tcp, udp, dccp, sctp, udplite: the protocols whose rules Neutron takes with a port range."""

_NUMBERS = {
    "ah": 51, "dccp": 33, "egp": 8, "esp": 50, "gre": 47, "hopopt": 0, "icmp": 1, "igmp": 2, "ip": 0, "ipip": 4,
    "ipv6-encap": 41, "ipv6-frag": 44, "ipv6-icmp": 58, "icmpv6": 58, "ipv6-nonxt": 59, "ipv6-opts": 60,
    "ipv6-route": 43, "ospf": 89, "pgm": 113, "rsvp": 46, "sctp": 132, "tcp": 6, "udp": 17, "udplite": 136,
    "vrrp": 112,
}  # fmt: skip
_NAMES = {TCP: "tcp", UDP: "udp", ICMP: "icmp", ICMPV6: "ipv6-icmp"}
_ANY_PROTOCOL = frozenset({"", "any", "-1"})

WHOLE: dict[Ethertype, tuple[int, int]] = {"IPv4": (0, 2**32 - 1), "IPv6": (0, 2**128 - 1)}
ALL_TRAFFIC: Intervals = ((0, 256 * 65536 - 1),)
"""A packet's kind as one number: protocol · 65536 + destination port, or + ICMP type · 256 + code."""


class RemoteKind(StrEnum):
    """What the far end of a rule is named by."""

    ANY = "any"
    PREFIX = "prefix"
    ROLE = "role"
    """A role of the same workspace: a group whose id need not be known yet."""
    GROUP = "group"
    ADDRESS_GROUP = "address-group"


def name_of(kind: RemoteKind, value: str) -> str:
    """The name of the far end that these make: no other has the same."""
    return intern(f"{kind} {value}")


class _Named:
    """What a far end is called, beside its fields: no part of its value."""

    __slots__ = ("name",)
    name: str


@dataclass(frozen=True, order=True, slots=True)
class Remote(_Named):
    """The far end: a prefix, a role's or another group's members, an address group, or anything."""

    kind: RemoteKind
    value: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "name", name_of(self.kind, self.value))


ANYWHERE = Remote(RemoteKind.ANY)


class _Told:
    """A rule in two texts, made once: whoever compares a hundred thousand rules compares these. No part of its value."""

    __slots__ = ("far_end", "packets")
    packets: str
    """Direction, ethertype, protocol and ports."""
    far_end: str
    """The remote's name."""


@dataclass(frozen=True, slots=True)
class Rule(_Told):
    """What one rule permits. `low` and `high` are ports, or ICMP type and code; None means any."""

    direction: Direction
    ethertype: Ethertype
    protocol: int | None
    low: int | None
    high: int | None
    remote: Remote

    def __post_init__(self) -> None:
        # Rules share these texts, so they take little room and are hashed once.
        told = f"{self.direction} {self.ethertype} {self.protocol} {self.low} {self.high}"
        object.__setattr__(self, "packets", intern(told))
        object.__setattr__(self, "far_end", self.remote.name)

    def key(self) -> tuple[object, ...]:
        """What rules are sorted by, so that a plan is the same each time."""
        numbers = (-1 if number is None else number for number in (self.protocol, self.low, self.high))
        return (self.direction, self.ethertype, *numbers, self.remote)

    @property
    def traffic(self) -> Intervals:
        """The kinds of packet that it permits, wherever they come from or go to."""
        if self.protocol is None or self.protocol == 0:
            return ALL_TRAFFIC  # 0 is `ip` in some backends and hop-by-hop options in others: the wider one is taken
        first = self.protocol * 65536
        if self.protocol in PORT_PROTOCOLS and self.low is not None:
            return ((first + self.low, first + (self.low if self.high is None else self.high)),)
        if self.protocol in (ICMP, ICMPV6) and self.low is not None:
            code_low, code_high = (0, 255) if self.high is None else (self.high, self.high)
            return ((first + self.low * 256 + code_low, first + self.low * 256 + code_high),)
        return ((first, first + 65535),)

    def with_remote(self, remote: Remote) -> "Rule":
        """The same rule for another far end."""
        return replace(self, remote=remote)


def protocol_name(number: int | None) -> str:
    """As people write it: `any`, `tcp`, `ipv6-icmp`, or the number."""
    return "any" if number is None else _NAMES.get(number, str(number))


def neutron_protocol(rule: Rule) -> str | None:
    """As Neutron's API takes it."""
    return None if rule.protocol is None else protocol_name(rule.protocol)


def protocol_number(protocol: str | int | None, ethertype: Ethertype) -> int | None:
    """The IANA number of what Neutron returned, None for any. Under IPv6 every spelling of ICMP is 58.

    An unknown name is read as any protocol: what can't be understood is taken as the widest it may mean.
    """
    text = "" if protocol is None else str(protocol).strip().lower()
    if text in _ANY_PROTOCOL:
        return None
    number = int(text) if text.isdigit() else _NUMBERS.get(text)
    if number is None or number > 255:
        return None
    return ICMPV6 if number == ICMP and ethertype == "IPv6" else number


@lru_cache(maxsize=8192)
def canonical_prefix(text: str | None, ethertype: Ethertype) -> Remote:
    """A prefix without host bits; anything for /0, for none, and for what is no prefix of this ethertype."""
    if not text:
        return ANYWHERE
    try:
        prefix = ip_network(text, strict=False)
    except ValueError:
        return ANYWHERE
    if prefix.prefixlen == 0 or f"IPv{prefix.version}" != ethertype:
        return ANYWHERE
    return Remote(RemoteKind.PREFIX, str(prefix))


def read_rule(
    *,
    direction: str,
    ethertype: str | None,
    protocol: str | int | None = None,
    port_range_min: int | None = None,
    port_range_max: int | None = None,
    remote_ip_prefix: str | None = None,
    remote_group_id: str | None = None,
    remote_address_group_id: str | None = None,
) -> Rule:
    """The rule that Neutron's fields mean. Raises ValueError for a direction that Neutron doesn't have."""
    if direction not in ("ingress", "egress"):
        raise ValueError(f"a rule has no direction '{direction}'")
    version: Ethertype = "IPv6" if (ethertype or "").lower() == "ipv6" else "IPv4"
    number = protocol_number(protocol, version)
    if remote_group_id:
        remote = Remote(RemoteKind.GROUP, remote_group_id)
    elif remote_address_group_id:
        remote = Remote(RemoteKind.ADDRESS_GROUP, remote_address_group_id)
    else:
        remote = canonical_prefix(remote_ip_prefix, version)
    low, high = port_range_min, port_range_max
    if number in PORT_PROTOCOLS and (low is None) != (high is None):
        low, high = (low, low) if high is None else (high, high)
    if number in PORT_PROTOCOLS and (low, high) in ((0, 65535), (1, 65535)):
        low = high = None  # Neutron takes no port 0, so "all that can be written" and "none written" are the same
    return Rule("ingress" if direction == "ingress" else "egress", version, number, low, high, remote)


def addresses_of(prefix: str, ethertype: Ethertype) -> Intervals:
    """The addresses of a prefix as numbers; none when it is of the other ethertype or no prefix at all."""
    if (":" in prefix) != (ethertype == "IPv6"):
        return ()
    if "/" not in prefix and "%" not in prefix:  # most are single addresses, and reading those is most of the work
        try:
            number = int.from_bytes(inet_pton(AF_INET6 if ethertype == "IPv6" else AF_INET, prefix))
        except (OSError, ValueError):
            return ()
        return ((number, number),)
    return _addresses_within(prefix, ethertype)


@lru_cache(maxsize=8192)
def _addresses_within(prefix: str, ethertype: Ethertype) -> Intervals:
    try:
        network = ip_network(prefix, strict=False)
    except ValueError:
        return ()
    if f"IPv{network.version}" != ethertype:
        return ()
    return ((int(network.network_address), int(network.broadcast_address)),)
