"""What is said of groups, and the smaller set with the commands that lead to it (rows L12, M9)."""

from dataclasses import replace
from itertools import count
from typing import Any

import pytest

from network_policy.domain.hygiene.amendment import amend
from network_policy.domain.hygiene.inspection import Inspection, Remark, opened_to_world
from network_policy.domain.hygiene.listing import NotAListing, read_listing
from network_policy.domain.rule import read_rule
from network_policy.domain.world import AddressGroup, Group, GroupRule, Port, World

numbers = count(1)


def group(name: str, *rules: dict[str, Any], project_id: str = "p1") -> Group:
    made = tuple(
        GroupRule(
            each.get("id", f"r{next(numbers)}"),
            name,
            read_rule(**{"direction": "ingress", "ethertype": "IPv4", **{k: v for k, v in each.items() if k != "id"}}),
        )
        for each in rules
    )
    return Group(name, name, project_id, made)


def port(name: str, *group_ids: str, addresses: tuple[str, ...] = ("10.0.0.5",)) -> Port:
    return Port(name, name, "p1", "n1", addresses, group_ids=group_ids)


def tcp(low: int, high: int | None = None, prefix: str | None = None, **more: Any) -> dict[str, Any]:
    ports = {"port_range_min": low, "port_range_max": low if high is None else high}
    return {"protocol": "tcp", **ports, "remote_ip_prefix": prefix, **more}


def remarks(world: World, **more: Any) -> dict[str, list[Remark]]:
    found: dict[str, list[Remark]] = {}
    for each in Inspection(world, **more).groups():
        for remark in each.remarks:
            found.setdefault(remark.kind, []).append(remark)
    return found


def slide() -> dict[str, Any]:
    """65 rules as a secure group of a TRE has them: services by host, 9 of them written twice, one to everybody (L12)."""
    hosts = [
        (port_, f"192.0.2.{host}/32")
        for host, ports in ((10, (443, 123, 53)), (32, (443, 401, 51, 4014)), (35, (1514, 8080, 80, 55000, 587)),
                            (70, (25, 587)), (12, (53, 3128)), (14, (443, 80)), (19, (443, 8080)), (41, (443,)), (51, (80, 443)))
        for port_ in ports
    ]  # fmt: skip
    hosts += [(8080, f"198.51.100.{host}/32") for host in range(1, 64, 2)]
    rules = [tcp(port_, prefix=prefix, direction="egress") for port_, prefix in hosts]
    rules += [tcp(8080, prefix="203.0.113.0/26", direction="egress"), tcp(87, prefix="0.0.0.0/0", direction="egress")]
    rules = rules[:56]
    rules[-1] = tcp(87, prefix="0.0.0.0/0", direction="egress")
    repeats = [{**rule, "remote_ip_prefix": rule["remote_ip_prefix"]} for rule in rules[:9]]
    bodies = [{"id": f"s{position}", "ethertype": "IPv4", **rule} for position, rule in enumerate([*rules, *repeats])]
    assert len(bodies) == 65
    return {"security_groups": [{"id": "slide", "name": "slide", "security_group_rules": bodies}]}


def test_the_slides_65_rules_l12() -> None:
    (listed,) = read_listing(slide())
    assert len(listed.rules) == 65
    found = remarks(World(groups=(Group("slide", "slide", "p1", listed.rules),), ports=(port("a", "slide"),)))
    assert len(found["rule-repeated"]) == 9
    anywhere = [each for each in listed.rules if each.rule.remote.value == ""]
    assert len(anywhere) == 1
    amendment = amend(listed.id, listed.rules, listed.unclear)
    assert amendment.proof.is_equal
    assert amendment.is_exact
    assert amendment.rules_after == 56
    assert len(amendment.removed) == 9
    assert amendment.added == ()
    assert amendment.commands[0].startswith("openstack security group rule delete s")


def test_rules_with_bad_prefixes_are_left_alone() -> None:
    """They would read as `anywhere` and swallow all others."""
    listed = read_listing(
        {
            "security_group_rules": [
                {"id": "a", "security_group_id": "g", "direction": "egress", "ethertype": "IPv4", **tcp(443, prefix="192.0.2.1/32")},
                {"id": "b", "security_group_id": "g", "direction": "egress", "ethertype": "IPv4", **tcp(443, prefix="27.21.8.245.50/32")},
                {"id": "c", "security_group_id": "g", "direction": "egress", "ethertype": "IPv4", **tcp(443, prefix="191.152.209/132")},
                {"id": "d", "security_group_id": "g", "direction": "egress", "ethertype": "IPv4", "port_range_min": 8080,
                 "port_range_max": 8080, "remote_ip_prefix": "192.0.2.1/32"},
                {"id": "e", "security_group_id": "g", "direction": "egress", "ethertype": "IPv4", "protocol": "vrrp",
                 "port_range_min": 1, "port_range_max": 2},
            ]
        }
    )[0]  # fmt: skip
    assert listed.unclear.keys() == {"b", "c", "d", "e"}
    amendment = amend(listed.id, listed.rules, listed.unclear)
    assert [each.id for each in amendment.kept] == ["a"]
    assert amendment.commands == ()
    assert amendment.rules_after == 5


def test_repeats_that_neutron_lets_by() -> None:
    """Host bits, every port, ICMP's names; the first of them stays."""
    world = World(
        groups=(
            group(
                "g",
                tcp(22, prefix="10.0.0.0/8", id="a"),
                tcp(22, prefix="10.0.0.9/8", id="b"),
                {"protocol": "tcp", "id": "c"},
                tcp(1, 65535, id="d"),
                {"protocol": "icmp", "ethertype": "IPv6", "id": "e"},
                {"protocol": "ipv6-icmp", "ethertype": "IPv6", "id": "f"},
            ),
        ),
        ports=(port("a", "g", addresses=("10.0.0.5", "2001:db8::1")),),
    )
    assert [each.rule_ids for each in remarks(world)["rule-repeated"]] == [("b",), ("d",), ("f",)]


def test_a_rule_is_shadowed_by_one_or_by_several_together() -> None:
    world = World(
        groups=(
            group(
                "g",
                tcp(20, 30, "10.0.0.0/8", id="a"),
                tcp(22, prefix="10.1.0.0/16", id="one"),
                tcp(80, 90, "10.0.0.0/9", id="b"),
                tcp(80, 90, "10.128.0.0/9", id="c"),
                tcp(85, prefix="10.0.0.0/8", id="several"),
                tcp(84, 91, "10.0.0.0/8", id="not"),
            ),
        )
    )
    shadows = {each.rule_ids[0]: each.words for each in remarks(world)["rule-shadowed"]}
    assert shadows.keys() == {"one", "several"}
    assert shadows["one"] == "all that it permits a permits"
    assert shadows["several"] == "all that it permits not permits"


def test_a_union_shadows_what_none_of_it_does_alone() -> None:
    rules = (tcp(1, 50, "10.0.0.0/8", id="a"), tcp(51, 99, "10.0.0.0/8", id="b"), tcp(40, 60, "10.2.0.0/16", id="x"))
    found = remarks(World(groups=(group("g", *rules),)))["rule-shadowed"]
    assert [(each.rule_ids, each.words) for each in found] == [(("x",), "all that it permits a, b permit together")]


def test_members_never_make_a_shadow() -> None:
    """Today the group's only member lies in the prefix; tomorrow another one may not."""
    members = group("members")
    rules = (tcp(22, prefix="10.0.0.0/8", id="a"), {**tcp(22, id="b"), "remote_group_id": "members"})
    world = World(groups=(members, group("g", *rules)), ports=(port("m", "members"), port("p", "g")))
    assert "rule-shadowed" not in remarks(world)
    assert "rule-without-members" not in remarks(world)


def test_what_is_never_used() -> None:
    world = World(
        groups=(
            group(
                "used",
                {**tcp(22, id="a"), "remote_group_id": "empty"},
                {**tcp(23, id="b"), "remote_address_group_id": "ag"},
            ),
            group("empty"),
            group("default"),
        ),
        ports=(port("p", "used"),),
        address_groups=(AddressGroup("ag", "p1"),),
    )
    found = remarks(world)
    assert [each.rule_ids for each in found["rule-without-members"]] == [("a",), ("b",)]
    assert [(each.group_id, each.words) for each in found["group-unused"]] == [
        ("empty", "no port is in it, though rules of other groups name it")
    ]


def test_a_role_whose_nodes_are_in_quarantine_is_not_unused() -> None:
    """Whoever deleted its group, or the rules that name it, would have nothing to put the nodes back into."""
    held = tuple(
        replace(each, name=each.id) for each in (port("w-db-0", "q"), port("renamed", "q", addresses=("fd00::5",)))
    )
    groups = (
        Group("q", "tresor-w:quarantine", "p1"),
        replace(
            group("db", {"remote_group_id": "login", "id": "a"}, {"ethertype": "IPv6", "id": "six"}), name="tresor-w-db"
        ),
        replace(group("login", {"remote_group_id": "db", "id": "b"}), name="tresor-w-login"),
        replace(group("idle"), name="tresor-w-idle"),
        replace(group("other", project_id="p2"), name="tresor-w-db"),
    )
    found = remarks(World(groups=groups, ports=held), port_roles={"renamed": "db"})
    assert [each.group_id for each in found["group-unused"]] == ["login", "idle", "other"]
    assert [each.rule_ids for each in found["rule-without-members"]] == [("a",)]
    assert "rule-ipv6-leftover" not in found
    unknown = remarks(World(groups=groups, ports=held))
    assert [each.group_id for each in unknown["group-unused"]] == ["other"], "the renamed one may be of any role"
    back = tuple(replace(each, group_ids=("db",)) for each in held)
    over = remarks(World(groups=groups, ports=back))
    assert [each.group_id for each in over["group-unused"]] == ["q", "login", "idle", "other"]


def test_what_is_over_broad() -> None:
    rules = [
        {**tcp(22), "id": "world"},
        {"protocol": None, "remote_ip_prefix": "10.0.0.0/8", "id": "everything"},
        {"protocol": "udp", "remote_ip_prefix": "10.5.0.0/16", "id": "ports"},
        tcp(443, prefix="192.0.2.0/24", id="place", direction="egress"),
        tcp(443, prefix="192.0.2.0/26", id="just", direction="egress"),
        {"direction": "egress", "id": "out"},
        {"remote_group_id": "g", "id": "self"},
    ]
    world = World(groups=(group("g", *rules),), ports=(port("p", "g"),))
    found = {each.rule_ids[0]: each.words for each in remarks(world, places=("192.0.2.0/26",))["rule-over-broad"]}
    assert found == {
        "world": "ingress IPv4: from every address",
        "everything": "ingress IPv4: every protocol",
        "ports": "ingress IPv4: every port of udp",
        "place": "egress IPv4: 192.0.2.0/24 holds the site's 192.0.2.0/26 and more",
        "out": "egress IPv4: every protocol to every address",
    }


def test_leftovers_of_ipv6_and_of_projects() -> None:
    rules = ({"ethertype": "IPv6", "direction": "egress", "id": "six"}, {"direction": "egress"})
    groups = (group("g", *rules), group("lost", project_id="nobody"), group("none", project_id=""))
    found = remarks(World(groups=groups, ports=(port("p", "g"),)), project_ids=frozenset({"p1"}))
    assert [each.rule_ids for each in found["rule-ipv6-leftover"]] == [("six",)]
    assert {each.group_id for each in found["group-of-no-project"]} == {"lost", "none"}
    dual = World(groups=groups, ports=(port("p", "g", addresses=("10.0.0.5", "2001:db8::5")),))
    assert "rule-ipv6-leftover" not in remarks(dual)
    assert "group-of-no-project" not in remarks(dual), "nobody knows which projects exist"


def test_two_halves_of_the_world_are_the_world() -> None:
    halves = group("g", tcp(22, 25, "0.0.0.0/1", id="a"), tcp(20, 23, "128.0.0.0/1", id="b"), tcp(22, 23, id="c"))
    assert [rule_id for rule_id, _ in opened_to_world(halves.rules, "IPv4")] == ["c"]
    both = group("g", tcp(22, 23, "0.0.0.0/1", id="a"), tcp(22, 23, "128.0.0.0/1", id="b"))
    assert [rule_id for rule_id, _ in opened_to_world(both.rules, "IPv4")] == ["a", "b"]


def test_new_rules_come_before_old_ones_go_and_say_the_same() -> None:
    rules = group("web", tcp(1, 1023, "10.0.0.0/9", id="a"), tcp(1, 1023, "10.128.0.0/9", id="b")).rules
    amendment = amend("web", rules)
    assert amendment.commands == (
        "openstack security group rule create --ingress --ethertype IPv4 --protocol tcp --dst-port 1:1023 "
        "--remote-ip 10.0.0.0/8 web",
        "openstack security group rule delete a",
        "openstack security group rule delete b",
    )


OSC = [
    {"ID": "1", "IP Protocol": "tcp", "Ethertype": "IPv4", "IP Range": "0.0.0.0/0", "Port Range": "22:22",
     "Direction": "ingress", "Remote Security Group": None, "Remote Address Group": None, "Security Group": "g"},
    {"ID": "2", "IP Protocol": None, "Ethertype": "IPv6", "IP Range": "::/0", "Port Range": "", "Direction": "egress",
     "Remote Security Group": None, "Remote Address Group": None, "Security Group": "g"},
    {"ID": "3", "IP Protocol": "icmp", "Ethertype": "IPv4", "IP Range": "10.0.0.0/8", "Port Range": "type=8",
     "Direction": "ingress", "Remote Security Group": None, "Remote Address Group": None, "Security Group": "g"},
    {"ID": "4", "IP Protocol": "tcp", "Ethertype": "IPv4", "IP Range": "", "Port Range": "80:80", "Direction": "ingress",
     "Remote Security Group": "other", "Remote Address Group": None, "Security Group": "h"},
]  # fmt: skip


def test_the_openstack_commands_list_is_read_and_its_gap_known() -> None:
    """It prints neither ICMP type 0 nor code 0, so that `type=8` may be one code or all of them."""
    first, second = read_listing(OSC)
    assert (first.id, second.id) == ("g", "h")
    assert first.rules[0].rule == read_rule(direction="ingress", ethertype="IPv4", **tcp(22))
    assert first.rules[1].rule == read_rule(direction="egress", ethertype="IPv6")
    assert first.unclear.keys() == {"3"}
    assert second.rules[0].rule.remote.value == "other"
    short = [{name: value for name, value in row.items() if name != "Direction"} for row in OSC]
    assert read_listing(short)[0].unclear.keys() == {"1", "2", "3"}


@pytest.mark.parametrize("document", [{}, 5, "x", {"security_groups": [5]}, [5], {"rules": {}}])
def test_what_is_no_listing_is_refused(document: Any) -> None:
    with pytest.raises(NotAListing):
        read_listing(document)
