"""What comes in and goes out, on one line for an overview."""

from contracts.network_policy import RoleReach
from network_policy.domain.beyond import MAX_WORDS, from_outside, to_outside
from network_policy.domain.plan import enclose
from network_policy.domain.prospect import prospect
from network_policy.domain.reach import reach
from tests.network_policy.enclaves import SITE, document


def rows(*given: tuple[str, str, str, str]) -> tuple[RoleReach, ...]:
    return tuple(RoleReach(source=a, destination=b, protocol=c, ports=d) for a, b, c, d in given)


def test_a_documents_ways_in_and_out() -> None:
    made = document(flows=[{"from": "site:jumphosts", "to": "login", "ports": [22]},
                           {"from": "login", "to": "compute", "ports": [6818]},
                           {"from": "login", "to": "site:proxy", "ports": [3128]}])  # fmt: skip
    world, claim = prospect(made, SITE)
    found = reach(enclose(claim.policy, claim.project_id, world.groups, {}))
    assert from_outside(found, made) == "tcp 22"
    assert to_outside(found, made) == "tcp 53,3128; udp 53", "DHCP and metadata lead nowhere"


def test_a_role_named_by_its_networks_prefix_is_not_outside() -> None:
    networks = [{"name": "cluster", "cidr": "10.42.0.0/24"}, {"name": "data", "cidr": "10.43.0.0/24"}]
    roles = [
        {"name": name, "count": 1, "flavor": "f", "image": "i", "networks": [network]}
        for name, network in (("login", "cluster"), ("compute", "data"))
    ]
    made = document(
        networks=networks, roles=roles, flows=[{"from": "login", "to": "compute", "ports": [22]}], storage={}
    )
    world, claim = prospect(made, SITE.model_copy(update={"far_ends": "prefix"}))
    found = reach(enclose(claim.policy, claim.project_id, world.groups, {}))
    assert any(each.source == "10.42.0.0/24" for each in found)
    assert from_outside(found, made) == ""
    assert to_outside(found, made) == "tcp 53; udp 53"


def test_ports_are_in_order_and_told_once() -> None:
    given = rows(
        ("1.2.3.0/24", "role a", "tcp", "443,80"),
        ("5.6.7.0/24", "role b", "tcp", "80,1000-2000"),
        ("5.6.7.0/24", "role b", "icmp", "all"),
        ("role a", "role b", "udp", "1"),
    )
    assert from_outside(given, None) == "icmp; tcp 80,443,1000-2000"


def test_anything_is_anything_and_nothing_is_nothing() -> None:
    assert from_outside(rows(("anywhere", "role a", "any", "all"), ("x", "role a", "tcp", "22")), None) == "anything"
    assert from_outside((), None) == ""


def test_the_words_are_bounded() -> None:
    ports = ",".join(str(port) for port in range(1000, 1030))
    given = rows(*(("anywhere", "role a", f"{number}", ports) for number in range(100, 140)))
    assert len(from_outside(given, None)) == MAX_WORDS
