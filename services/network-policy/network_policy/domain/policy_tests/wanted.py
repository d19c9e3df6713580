"""Which packets a policy test is about, and which ports can carry them."""

from contracts.policy_tests import PolicyTest
from network_policy.domain.intervals import Intervals, normalise
from network_policy.domain.rule import ALL_TRAFFIC, ICMP, ICMPV6, TCP, UDP, Ethertype, addresses_of
from network_policy.domain.world import Port


def traffic_of(test: PolicyTest, ethertype: Ethertype) -> Intervals:
    """The kinds of packet that the test is about."""
    if test.protocol == "any":
        return ALL_TRAFFIC
    if test.protocol == "icmp":
        first = (ICMPV6 if ethertype == "IPv6" else ICMP) * 65536
        return ((first, first + 0xFFFF),)
    first = (TCP if test.protocol == "tcp" else UDP) * 65536
    ranges = test.port_ranges() or ((1, 0xFFFF),)
    return normalise((first + low, first + high) for low, high in ranges)


def has_family(port: Port, ethertype: Ethertype) -> bool:
    """Whether the port has an address of the family."""
    return any(addresses_of(address, ethertype) for address in port.addresses)


def address_of(port: Port, ethertype: Ethertype) -> str:
    """One of the port's addresses, of that family where it has one."""
    own = (address for address in port.addresses if addresses_of(address, ethertype))
    return next(own, port.addresses[0] if port.addresses else "")
