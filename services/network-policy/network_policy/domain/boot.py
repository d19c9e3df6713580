"""What a node needs before anything else: an address and its metadata; and, without connection tracking, the replies."""

from collections.abc import Iterator

from contracts.workspace import NetworkClass, NodeRole, Workspace
from network_policy.domain.rule import (
    ETHERTYPES,
    ICMP,
    ICMPV6,
    PORT_PROTOCOLS,
    TCP,
    UDP,
    Ethertype,
    Rule,
    canonical_prefix,
)

DHCP_PORT = 67
DHCP_CLIENT_PORT = 68
DHCPV6_PORT = 547
DHCPV6_CLIENT_PORT = 546
DHCPV6_SERVERS = "ff02::1:2/128"
"""All_DHCP_Relay_Agents_and_Servers (RFC 8415, 7.1)."""
LINK_LOCAL_V6 = "fe80::/10"
BROADCAST = "255.255.255.255/32"
METADATA = "169.254.169.254/32"
METADATA_V6 = "fe80::a9fe:a9fe/128"
"""Neutron's metadata address under IPv6 (neutron_lib.constants.METADATA_V6_IP)."""
METADATA_PORT = 80
FIRST_CLIENT_PORT = 1024
"""Below it no system takes the port that a connection comes from (RFC 6056, 3.2)."""

_ICMP_REPLIES = {(ICMP, 8): 0, (ICMP, 13): 14, (ICMPV6, 128): 129}
"""Echo, timestamp and echo of ICMPv6 (RFC 792, RFC 4443): the types that are answered by another type."""


def boot_rules(document: Workspace, role: NodeRole) -> Iterator[Rule]:
    """DHCP to the broadcast address and, for renewals, to the servers on the role's private networks; metadata.

    On a network that others use no neighbour is opened for renewals: they go by broadcast then (RFC 2131, 4.4.5).
    """
    own = [network for network in document.networks if network.name in role.all_networks]
    private = [network for network in own if network.network_class is NetworkClass.PRIVATE]
    for prefix in (BROADCAST, *(network.cidr for network in private)):
        yield Rule("egress", "IPv4", UDP, DHCP_PORT, DHCP_PORT, canonical_prefix(prefix, "IPv4"))
    yield Rule("egress", "IPv4", TCP, METADATA_PORT, METADATA_PORT, canonical_prefix(METADATA, "IPv4"))
    if any(network.cidr6 for network in own):
        yield Rule("egress", "IPv6", UDP, DHCPV6_PORT, DHCPV6_PORT, canonical_prefix(DHCPV6_SERVERS, "IPv6"))
        yield Rule("egress", "IPv6", TCP, METADATA_PORT, METADATA_PORT, canonical_prefix(METADATA_V6, "IPv6"))
    if role.stateless:
        yield from _boot_replies(document, role)


def _boot_replies(document: Workspace, role: NodeRole) -> Iterator[Rule]:
    """Where nothing is tracked, DHCP's and the metadata service's answers come in by rules of their own."""
    own = [network for network in document.networks if network.name in role.all_networks]
    for network in own:
        yield Rule("ingress", "IPv4", UDP, DHCP_CLIENT_PORT, DHCP_CLIENT_PORT, canonical_prefix(network.cidr, "IPv4"))
    yield Rule("ingress", "IPv4", TCP, FIRST_CLIENT_PORT, 65535, canonical_prefix(METADATA, "IPv4"))
    if any(network.cidr6 for network in own):
        yield Rule(
            "ingress", "IPv6", UDP, DHCPV6_CLIENT_PORT, DHCPV6_CLIENT_PORT, canonical_prefix(LINK_LOCAL_V6, "IPv6")
        )
        yield Rule("ingress", "IPv6", TCP, FIRST_CLIENT_PORT, 65535, canonical_prefix(METADATA_V6, "IPv6"))


def reply(rule: Rule) -> Rule | None:
    """The rule by which a stateless group lets answers pass; None for what nobody answers.

    A rule knows destination ports only, so answers are permitted to every port that a client may have.
    """
    back = "egress" if rule.direction == "ingress" else "ingress"
    low, high = rule.low, rule.high
    if rule.protocol in PORT_PROTOCOLS:
        low, high = FIRST_CLIENT_PORT, 65535
    elif rule.protocol in (ICMP, ICMPV6) and low is not None:
        answer = _ICMP_REPLIES.get((rule.protocol or 0, low))
        if answer is None:
            return None
        low, high = answer, None
    return Rule("egress" if back == "egress" else "ingress", rule.ethertype, rule.protocol, low, high, rule.remote)


def ethertypes(document: Workspace, role: NodeRole) -> tuple[Ethertype, ...]:
    """IPv6 only where the role sits on a network with an IPv6 prefix (CVE-2021-20267)."""
    dual = any(network.cidr6 for network in document.networks if network.name in role.all_networks)
    return ETHERTYPES if dual else ("IPv4",)
