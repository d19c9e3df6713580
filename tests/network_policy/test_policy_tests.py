"""Policy tests over the world that a document makes: exact, and each failure with a packet (M17)."""

from dataclasses import replace
from typing import Any

import pytest

from network_policy.domain.policy_tests.ends import internet
from network_policy.domain.rule import addresses_of
from network_policy.domain.world import World
from tests.network_policy.asking import OPENHPC, run
from tests.network_policy.enclaves import SITE, document, rule, with_port, with_rule


@pytest.mark.parametrize(
    "fields",
    [
        {"from": "role:compute", "to": "internet", "expect": "denied"},
        {"from": "role:login", "to": "internet", "expect": "denied"},
        {"from": "role:compute", "to": "role:login", "expect": "denied"},
        {"from": "internet", "to": "workspace", "expect": "denied"},
        {"from": "node:compute-3", "to": "site:proxy", "expect": "denied"},
        {"from": "role:login", "to": "prefix:10.42.0.0/24", "expect": "denied", "protocol": "udp", "ports": [53]},
        {"from": "site:jumphosts", "to": "role:login", "expect": "permitted", "protocol": "tcp", "ports": [22]},
        {
            "from": "role:login",
            "to": "role:compute",
            "expect": "permitted",
            "protocol": "tcp",
            "ports": [22, "6817-6819"],
        },
        {
            "from": "role:compute",
            "to": "role:compute",
            "expect": "permitted",
            "protocol": "tcp",
            "ports": ["1024-65535"],
        },
        {"from": "role:login", "to": "site:proxy", "expect": "permitted", "protocol": "tcp", "ports": [3128]},
        {"from": "workspace", "to": "site:dns", "expect": "permitted", "protocol": "udp", "ports": [53]},
        {"only": ["site:jumphosts"], "reach": "role:login"},
        {"only": ["site:jumphosts"], "reach": "role:login", "protocol": "tcp", "ports": [22]},
        {"only": ["role:login", "role:compute"], "reach": "role:compute"},
        {"from": "role:compute", "reaches_only": ["role:compute", "site:dns"]},
    ],
)
def test_what_the_document_says_holds_m17(fields: dict[str, Any]) -> None:
    result = run(fields)
    assert result.result == "passed", result


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"from": "role:login", "to": "role:compute", "expect": "denied"}, "tcp/22 may pass from openhpc-login-0 to openhpc-compute-0"),
        ({"from": "role:login", "to": "outside", "expect": "denied"}, "may pass from openhpc-login-0 to outside"),
        ({"from": "zone:clinic", "to": "role:login", "expect": "permitted"}, "does not pass from outside to openhpc-login-0"),
        ({"from": "site:jumphosts", "to": "role:login", "expect": "permitted", "protocol": "tcp", "ports": ["22-23"]}, "this does not: tcp/23"),
        ({"from": "role:compute", "to": "role:compute", "expect": "permitted", "protocol": "tcp"}, "tcp/22 does not pass"),
        ({"from": "prefix:203.0.113.0/27", "to": "role:login", "expect": "permitted", "protocol": "tcp", "ports": [22]}, "does not pass from outside"),
        ({"only": ["zone:clinic"], "reach": "role:login"}, "tcp/22 may pass from outside to openhpc-login-0"),
        ({"only": ["site:jumphosts"], "reach": "role:compute"}, "from openhpc-compute-0 to openhpc-compute-1"),
        ({"from": "role:login", "reaches_only": ["site:dns", "site:proxy"]}, "from openhpc-login-0 to openhpc-compute-0"),
        ({"from": "role:gpu", "to": "internet", "expect": "denied"}, "has no role 'gpu'"),
        ({"from": "role:login", "to": "site:moon", "expect": "denied"}, "no endpoint 'moon'"),
        ({"from": "node:login", "to": "internet", "expect": "denied"}, "no node"),
    ],
)  # fmt: skip
def test_what_it_does_not_say_fails_with_a_packet(fields: dict[str, Any], reason: str) -> None:
    result = run(fields)
    assert result.result == "failed"
    assert reason in result.reason


def test_a_packet_names_its_rules_and_the_rules_are_told() -> None:
    result = run({"from": "role:login", "to": "role:compute", "expect": "denied", "protocol": "tcp", "ports": [6818]})
    assert result.packet is not None
    assert (result.packet.source_address, result.packet.destination_address) == ("10.42.0.3", "10.42.0.4")
    assert (result.packet.protocol, result.packet.port, len(result.packet.rule_ids)) == ("tcp", 6818, 2)
    assert "tresor-openhpc-login: egress tcp/6817-6819 to tresor-openhpc-compute" in result.reason


def test_one_address_outside_the_jumphosts_breaks_the_only_l3() -> None:
    wide = rule(protocol="tcp", port_range_min=22, port_range_max=22, remote_ip_prefix="203.0.113.0/27")
    result = run(
        {"only": ["site:jumphosts"], "reach": "role:login"},
        change=lambda world: with_rule(world, "tresor-openhpc-login", "rogue", wide),
    )
    assert result.packet is not None
    assert (result.packet.source, result.packet.source_address) == ("outside", "203.0.113.16")
    assert result.packet.rule_ids == ("rogue",)


def test_a_role_that_is_empty_says_neither_yes_nor_no() -> None:
    empty = document(roles=[{**role, "count": 0} if role["name"] == "compute" else role for role in _roles()])
    fields = {"from": "role:compute", "to": "internet", "expect": "denied"}
    assert run(fields, empty).result == "skipped"
    assert run(fields, empty, least_nodes=2).result == "passed"
    assert run({**fields, "from": "node:compute-99"}).result == "skipped"
    assert run({"from": "workspace", "to": "workspace:elsewhere", "expect": "denied"}).result == "skipped"
    assert "others is nobody here" in run({"from": "others", "to": "workspace", "expect": "denied"}).reason
    single = {"from": "role:login", "to": "role:login", "expect": "denied"}
    assert "one port only" in run(single).reason


def test_other_workspaces_are_others() -> None:
    beside = document(name="genome", networks=[{"name": "cluster", "cidr": "10.43.0.0/24"}])

    def open_both(world: World) -> World:
        world = with_rule(world, "tresor-openhpc-login", "out", rule("egress", remote_ip_prefix="10.43.0.0/24"))
        return with_rule(world, "tresor-genome-login", "in", rule(remote_ip_prefix="10.42.0.0/24"))

    fields = {"from": "role:login", "to": "others", "expect": "denied"}
    named = {"from": "role:login", "to": "workspace:genome", "expect": "denied"}
    assert run(fields, beside=beside).result == "passed"
    assert run(named, beside=beside).result == "passed"
    for broken in (fields, named):
        result = run(broken, beside=beside, change=open_both)
        assert result.packet is not None
        assert result.packet.destination == "genome-login-0"
        assert set(result.packet.rule_ids) == {"out", "in"}


def test_ipv6_is_tried_too() -> None:
    dual = document(networks=[{"name": "cluster", "cidr": "10.42.0.0/24", "cidr6": "2001:db8:42::/64"}])
    opened = rule("egress", "IPv6", protocol="tcp", port_range_min=443, port_range_max=443)
    fields = {"from": "role:compute", "to": "internet", "expect": "denied"}
    assert run(fields, dual).result == "passed"
    result = run(fields, dual, lambda world: with_rule(world, "tresor-openhpc-compute", "six", opened))
    assert result.packet is not None
    assert ":" in result.packet.destination_address
    ping = {"from": "role:login", "to": "role:compute", "expect": "permitted", "protocol": "icmp"}
    both = document(
        networks=[{"name": "cluster", "cidr": "10.42.0.0/24", "cidr6": "2001:db8:42::/64"}],
        flows=[{"from": "login", "to": "compute", "protocol": "icmp"}],
    )
    assert run(ping, both).result == "passed"


def test_an_unfiltered_port_reaches_everything() -> None:
    result = run(
        {"from": "role:compute", "to": "internet", "expect": "denied"},
        change=lambda world: with_port(world, "openhpc-compute-2", port_security=False),
    )
    assert result.packet is not None
    assert result.packet.source == "openhpc-compute-2"
    assert "nothing filters openhpc-compute-2" in result.reason


def test_the_internet_is_what_is_reachable_and_not_named() -> None:
    def has(address: str) -> bool:
        (piece,) = addresses_of(address, "IPv6" if ":" in address else "IPv4")
        return any(low <= piece[0] <= high for low, high in internet(site)["IPv6" if ":" in address else "IPv4"])

    site = SITE.model_copy(
        update={
            "zones": {
                **SITE.zones,
                "campus": SITE.zones["clinic"].model_copy(update={"prefixes": ("130.10.0.0/16",)}),
                "world": SITE.zones["clinic"].model_copy(update={"prefixes": ("0.0.0.0/0", "::/0")}),
            }
        }
    )
    assert has("8.8.8.8")
    assert has("2a00:1450::1")
    for private in (
        "10.0.0.1",
        "192.168.3.4",
        "172.31.0.1",
        "100.64.0.1",
        "169.254.1.1",
        "fd00::1",
        "fe80::1",
        "ff02::1",
    ):
        assert not has(private)
    assert not has("130.10.3.4"), "a place that the site file names"


def _roles() -> list[dict[str, Any]]:
    return [role.model_dump(mode="json") for role in OPENHPC.roles]


def test_no_name_that_a_tenant_chose_is_told() -> None:
    hostile = "\x1b[2J\u202e" + "x" * 200
    result = run(
        {"from": "role:login", "to": "workspace", "expect": "denied"},
        change=lambda world: with_port(world, "openhpc-compute-0", name=hostile, port_security=False),
    )
    assert result.packet is not None
    assert result.packet.destination == "port openhpc-compute-0 of openhpc, role compute"
    assert "\x1b" not in result.model_dump_json()
    groups = {"from": "role:login", "to": "outside", "expect": "denied"}
    found = run(
        groups, change=lambda world: replace(world, groups=tuple(replace(each, name=hostile) for each in world.groups))
    )
    assert found.result == "failed"
    assert "tresor-openhpc-login: egress" in found.reason
