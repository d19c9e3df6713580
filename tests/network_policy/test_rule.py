"""However a rule was written, Neutron's sameness is ours (CVE-2012-2654; row L12)."""

import pytest

from network_policy.domain.rule import ALL_TRAFFIC, ANYWHERE, Remote, RemoteKind, protocol_number
from tests.network_policy.enclaves import rule


@pytest.mark.parametrize(
    ("ethertype", "written", "number"),
    [
        ("IPv4", "tcp", 6), ("IPv4", "TCP", 6), ("IPv4", "6", 6), ("IPv4", 6, 6), ("IPv4", None, None),
        ("IPv4", "any", None), ("IPv4", "icmp", 1), ("IPv6", "icmp", 58), ("IPv6", "icmpv6", 58),
        ("IPv6", "ipv6-icmp", 58), ("IPv6", "1", 58), ("IPv6", "58", 58), ("IPv4", "vrrp", 112), ("IPv4", "112", 112),
        ("IPv4", "no-such-protocol", None), ("IPv4", "300", None),
    ],
)  # fmt: skip
def test_a_protocol_has_one_number(ethertype: str, written: str | int | None, number: int | None) -> None:
    assert protocol_number(written, "IPv6" if ethertype == "IPv6" else "IPv4") == number


def test_everywhere_is_everywhere_however_written() -> None:
    everywhere = rule(protocol="tcp", port_range_min=22, port_range_max=22)
    assert everywhere == rule(protocol="6", port_range_min=22, port_range_max=22, remote_ip_prefix="0.0.0.0/0")
    assert rule(ethertype="IPv6", remote_ip_prefix="::/0") == rule(ethertype="IPv6")
    assert everywhere.remote == ANYWHERE


def test_a_prefix_with_host_bits_is_its_network() -> None:
    assert rule(remote_ip_prefix="10.1.2.3/8").remote == Remote(RemoteKind.PREFIX, "10.0.0.0/8")
    assert rule(remote_ip_prefix="10.1.2.3").remote == Remote(RemoteKind.PREFIX, "10.1.2.3/32")


def test_what_is_no_prefix_is_taken_for_anything() -> None:
    assert rule(remote_ip_prefix="300.1.1.1/8").remote == ANYWHERE
    assert rule(remote_ip_prefix="2001:db8::/32").remote == ANYWHERE


def test_all_ports_written_out_are_no_ports_written() -> None:
    assert rule(protocol="udp", port_range_min=1, port_range_max=65535) == rule(protocol="udp")


def test_traffic_of_ports_types_and_whole_protocols() -> None:
    assert rule().traffic == ALL_TRAFFIC
    assert rule(protocol="tcp", port_range_min=22, port_range_max=23).traffic == ((6 * 65536 + 22, 6 * 65536 + 23),)
    assert rule(protocol="icmp", port_range_min=8).traffic == ((65536 + 2048, 65536 + 2303),)
    assert rule(protocol="icmp", port_range_min=3, port_range_max=1).traffic == ((65536 + 769, 65536 + 769),)
    assert rule(protocol="vrrp", port_range_min=5, port_range_max=6).traffic == ((112 * 65536, 112 * 65536 + 65535),)


def test_protocol_zero_is_the_widest_it_may_mean() -> None:
    assert rule(protocol="0").traffic == rule(protocol="ip").traffic == ALL_TRAFFIC
    assert rule(protocol="0") != rule()
