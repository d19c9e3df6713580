"""What Neutron accepts as a rule, in Neutron's words (neutron.db.securitygroups_db, neutron.extensions.securitygroup)."""

from ipaddress import ip_network
from typing import Any

from twin.neutron.errors import bad_input, bad_request, refused

PROTOCOLS = {
    "ah": 51,
    "dccp": 33,
    "egp": 8,
    "esp": 50,
    "gre": 47,
    "hopopt": 0,
    "icmp": 1,
    "igmp": 2,
    "ip": 0,
    "ipip": 4,
    "ipv6-encap": 41,
    "ipv6-frag": 44,
    "ipv6-icmp": 58,
    "icmpv6": 58,
    "ipv6-nonxt": 59,
    "ipv6-opts": 60,
    "ipv6-route": 43,
    "ospf": 89,
    "pgm": 113,
    "rsvp": 46,
    "sctp": 132,
    "tcp": 6,
    "udp": 17,
    "udplite": 136,
    "vrrp": 112,
}
WITH_PORTS = (33, 132, 6, 17, 136)
ONLY_IPV6 = (41, 44, 58, 59, 60, 43)


def number(protocol: str | None) -> int | None:
    """The protocol's number; None is any."""
    if protocol is None:
        return None
    return PROTOCOLS[protocol] if protocol in PROTOCOLS else int(protocol)


def normalized(prefix: str | None) -> str | None:
    """The prefix without host bits."""
    return str(ip_network(prefix, strict=False)) if prefix else None


def somewhere(prefix: str | None) -> str | None:
    """The prefix as given, with "everywhere" as None: Neutron takes those two, and only those, for the same."""
    return None if prefix in (None, "0.0.0.0/0", "::/0") else prefix


def checked(body: dict[str, Any]) -> dict[str, Any]:
    """The rule's values, canonical; ApiError 400 as Neutron raises it."""
    if not body.get("security_group_id"):
        raise bad_request("Failed to parse request. Required attribute 'security_group_id' not specified")
    direction = body.get("direction")
    if not direction:
        raise bad_request("Failed to parse request. Required attribute 'direction' not specified")
    if direction not in ("ingress", "egress"):
        raise bad_input("direction", f"{direction} is not in valid_values.")
    values: dict[str, Any] = {
        "security_group_id": body["security_group_id"],
        "direction": direction,
        "ethertype": _ethertype(body.get("ethertype") or "IPv4"),
        "protocol": _protocol(body.get("protocol")),
        "port_range_min": _port(body.get("port_range_min")),
        "port_range_max": _port(body.get("port_range_max")),
        "remote_ip_prefix": _prefix(body.get("remote_ip_prefix")),
        "remote_group_id": body.get("remote_group_id"),
        "remote_address_group_id": body.get("remote_address_group_id"),
        "description": body.get("description") or "",
    }
    _check_ports(values)
    _check_ethertype(values)
    remotes = [values[name] for name in ("remote_ip_prefix", "remote_group_id", "remote_address_group_id")]
    if sum(remote is not None for remote in remotes) > 1:
        raise refused(
            400,
            "SecurityGroupMultipleRemoteEntites",
            "Only one of remote_ip_prefix or remote_group_id or remote_address_group_id may be provided.",
        )
    if number(values["protocol"]) == 1 and values["ethertype"] == "IPv6":
        values["protocol"] = "ipv6-icmp"
    values["normalized_cidr"] = normalized(values["remote_ip_prefix"])
    return values


def _ethertype(given: Any) -> str:
    for known in ("IPv4", "IPv6"):
        if str(given).lower() == known.lower():
            return known
    raise refused(
        400,
        "SecurityGroupRuleInvalidEtherType",
        f"Security group rule for ethertype '{given}' not supported. Allowed values are ['IPv4', 'IPv6'].",
    )


def _protocol(given: Any) -> str | None:
    if given is None or str(given).lower() in ("", "any", "-1"):
        return None
    text = str(given).lower()
    if text in PROTOCOLS or (text.isdigit() and 0 <= int(text) <= 255):
        return text
    names = ", ".join(f"'{name}'" for name in PROTOCOLS)
    raise refused(
        400,
        "SecurityGroupRuleInvalidProtocol",
        f"Security group rule protocol {given} not supported. Only protocol values (None, 'any', {names}) and integer "
        "representations [0 to 255] are supported.",
    )


def _port(given: Any) -> int | None:
    if given is None or given == "":
        return None
    try:
        port = int(given)
    except (TypeError, ValueError):
        raise refused(400, "SecurityGroupInvalidPortValue", f"Invalid value for port {given}") from None
    if not 0 <= port <= 65535:
        raise refused(400, "SecurityGroupInvalidPortValue", f"Invalid value for port {port}")
    return port


def _prefix(given: Any) -> str | None:
    if given is None or given == "":
        return None
    try:
        parsed = ip_network(str(given), strict=False)
    except ValueError:
        raise refused(400, "InvalidCIDR", f"Invalid CIDR {given} given as IP prefix.") from None
    return str(given) if "/" in str(given) else f"{given}/{parsed.prefixlen}"


def _check_ports(values: dict[str, Any]) -> None:
    low, high = values["port_range_min"], values["port_range_max"]
    if low is None and high is None:
        return
    protocol = number(values["protocol"])
    if protocol is None:
        raise refused(
            400,
            "SecurityGroupProtocolRequiredWithPorts",
            "Must also specify protocol if port range is given.",
        )
    if protocol in (1, 58):
        for name, label, value in (("port_range_min", "type", low), ("port_range_max", "code", high)):
            if value is not None and value > 255:
                raise refused(
                    400,
                    "SecurityGroupInvalidIcmpValue",
                    f"Invalid value for ICMP {label} ({name}) {value}. It must be 0 to 255.",
                )
        if low is None and high is not None:
            raise refused(
                400,
                "SecurityGroupMissingIcmpType",
                f"ICMP code (port-range-max) {high} is provided but ICMP type (port-range-min) is missing.",
            )
        return
    if protocol not in WITH_PORTS:
        raise refused(
            400,
            "SecurityGroupInvalidProtocolForPort",
            f"Ports cannot be specified for protocol {protocol}. Ports are only supported for DCCP, SCTP, TCP, UDP, "
            "UDPLITE.",
        )
    if low == 0 or high == 0:
        raise refused(400, "SecurityGroupInvalidPortValue", "Invalid value for port 0")
    if low is None or high is None or low > high:
        raise refused(
            400, "SecurityGroupInvalidPortRange", "For TCP/UDP protocols, port_range_min must be <= port_range_max"
        )


def _check_ethertype(values: dict[str, Any]) -> None:
    prefix, ethertype = values["remote_ip_prefix"], values["ethertype"]
    if prefix is not None and f"IPv{ip_network(prefix, strict=False).version}" != ethertype:
        raise refused(
            400, "SecurityGroupRuleParameterConflict", f"Conflicting value ethertype {ethertype} for CIDR {prefix}"
        )
    if ethertype == "IPv4" and number(values["protocol"]) in ONLY_IPV6:
        raise refused(
            400,
            "SecurityGroupEthertypeConflictWithProtocol",
            f"Invalid ethertype {ethertype} for protocol {values['protocol']}.",
        )
