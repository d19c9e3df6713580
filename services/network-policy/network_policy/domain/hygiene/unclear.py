"""Rules whose text doesn't say one thing: they are shown as they stand, and never joined, covered or replaced."""

from collections.abc import Mapping
from ipaddress import ip_network
from typing import Any

from network_policy.domain.rule import ICMP, ICMPV6, PORT_PROTOCOLS, Ethertype, protocol_number

UNCLEAR_BY = (
    "direction", "ethertype", "protocol", "port_range_min", "port_range_max", "remote_ip_prefix", "remote_group_id",
    "remote_address_group_id",
)  # fmt: skip
"""The fields that tell."""
_ONLY_IPV6 = frozenset({41, 43, 44, 58, 59, 60})
_ANY = frozenset({"", "any", "-1", "none"})


def unclear(fields: Mapping[str, Any]) -> str:
    """Why a rule, in the fields of Neutron's API, can't be taken at its word; empty where it can.

    Neutron refuses all of this today; older databases, other backends and files written by hand hold it
    (CVE-2019-9735, CVE-2019-10876: such a rule may stop a host from filtering at all).
    """
    if fields.get("direction") not in ("ingress", "egress"):
        return f"there is no direction '{fields.get('direction')}'"
    named = str(fields.get("ethertype") or "IPv4").lower()
    if named not in ("ipv4", "ipv6"):
        return f"there is no ethertype '{fields.get('ethertype')}'"
    ethertype: Ethertype = "IPv6" if named == "ipv6" else "IPv4"
    return _prefix(fields.get("remote_ip_prefix"), ethertype) or _traffic(fields, ethertype) or _remotes(fields)


def _prefix(prefix: Any, ethertype: Ethertype) -> str:
    if prefix in (None, ""):
        return ""
    try:
        version = ip_network(str(prefix), strict=False).version
    except ValueError:
        return f"'{prefix}' is no prefix"
    return "" if f"IPv{version}" == ethertype else f"'{prefix}' is no {ethertype} prefix"


def _traffic(fields: Mapping[str, Any], ethertype: Ethertype) -> str:
    text = str(fields.get("protocol") if fields.get("protocol") is not None else "").strip().lower()
    number = protocol_number(text, ethertype)
    if number is None and text not in _ANY:
        return f"there is no protocol '{text}'"
    if ethertype == "IPv4" and number in _ONLY_IPV6:
        return f"protocol '{text}' is of IPv6 only"
    bounds = (fields.get("port_range_min"), fields.get("port_range_max"))
    if bounds == (None, None):
        return ""
    try:
        low, high = (None if bound is None else int(bound) for bound in bounds)
    except (TypeError, ValueError):
        return f"'{bounds[0]}' to '{bounds[1]}' are no ports"
    if number is None:
        return "ports without a protocol"
    if number in PORT_PROTOCOLS:
        if low is None or high is None or not 1 <= low <= high <= 65535:
            return f"{low} to {high} is no range of ports"
        return ""
    if number in (ICMP, ICMPV6):
        is_right = low is not None and 0 <= low <= 255 and (high is None or 0 <= high <= 255)
        return "" if is_right else f"{low}, {high} is no ICMP type and code"
    return f"protocol '{text}' has no ports"


def _remotes(fields: Mapping[str, Any]) -> str:
    names = ("remote_ip_prefix", "remote_group_id", "remote_address_group_id")
    return "more than one far end" if sum(bool(fields.get(name)) for name in names) > 1 else ""
