"""The audit's judgement on inventories that no twin would hold, and its matrix against every pair of ports."""

from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings

from network_policy.domain.audit.finding import Severity
from network_policy.domain.audit.inventory import Agent, Attachment, Image, Inventory, Part, PortFacts, Server, Volume
from network_policy.domain.audit.kinds import KINDS
from network_policy.domain.audit.matrix import OUTSIDE
from network_policy.domain.audit.report import Report, audit
from network_policy.domain.audit.services import ADMIN, admin_services, kinds_in_words
from network_policy.domain.audit.subject import Expected, Subject
from network_policy.domain.carried import as_carried
from network_policy.domain.intervals import EMPTY, Intervals, normalise, union
from network_policy.domain.rule import ETHERTYPES, read_rule
from network_policy.domain.world import Group, GroupRule, Network, Port, World
from tests.network_policy.worlds import worlds

Wanted = dict[tuple[str, str], dict[str, Intervals]]
RULE = read_rule(direction="ingress", ethertype="IPv4", protocol="tcp", port_range_min=22, port_range_max=22)


def told(inventory: Inventory, expected: Expected | None = None) -> dict[str, list[Severity]]:
    found: dict[str, list[Severity]] = {}
    for finding in audit(inventory, expected or Expected()).findings:
        found.setdefault(finding.kind.name, []).append(finding.severity)
    return found


def test_linux_bridges_and_agents_that_are_away() -> None:
    agents = (
        Agent("a", "Linux bridge agent", "h1"),
        Agent("b", "Open vSwitch agent", "h2", is_hybrid=True),
        Agent("c", "OVN Controller agent", "h3", is_alive=False),
    )
    found = told(Inventory(World(), agents=agents))
    assert found == {"agent-linuxbridge": [Severity.HIGH, Severity.LOW], "agent-down": [Severity.MEDIUM]}


def test_an_unclear_rule_is_a_finding_and_takes_part_in_nothing_else() -> None:
    group = Group("g", "g", "p", (GroupRule("r", "g", RULE, "'10.0.0.0/99' is no prefix"),))
    ports = (Port("x", "x", "p", "n", ("10.0.0.1",), group_ids=("g",)),)
    world = World(groups=(group,), ports=ports, networks=(Network("n", "n", "p"),))
    found = told(Inventory(world))
    assert found == {"rule-unclear": [Severity.HIGH]}
    clear = replace(world, groups=(replace(group, rules=(GroupRule("r", "g", RULE),)),))
    assert "world-open-admin" in told(Inventory(clear))


@pytest.mark.parametrize(
    ("value", "severity"), [("192.0.2.66", Severity.HIGH), ("192.0.2.66\ndhcp-script=/tmp/x", Severity.CRITICAL)]
)
def test_a_dhcp_option_with_a_line_break_is_an_attack(value: str, severity: Severity) -> None:
    """A Neutron without the fix of CVE-2021-40085 takes it; the twin and today's Neutron refuse it."""
    port = Port("x", "x", "p", "n", ("10.0.0.1",), dhcp_options=(f"server-ip-address={value}",))
    found = told(Inventory(World(ports=(port,), networks=(Network("n", "n", "p"),))))
    assert found["port-dhcp-options"] == [severity]


def test_volumes_that_two_believe_to_have() -> None:
    servers = tuple(Server(each, each, "p", volumes) for each, volumes in (("s1", ("v1", "v2", "v3")), ("s2", ("v3",))))
    volumes = (
        Volume("v1", "p", "in-use"),
        Volume("v2", "p", "in-use"),
        Volume("v3", "p", "in-use"),
        Volume("v4", "p", "in-use"),
    )
    attachments = (
        Attachment("a1", "v1", "s1", "attached"),
        Attachment("a3", "v3", "s1", "attached"),
        Attachment("a4", "v4", "gone", "attached"),
        Attachment("a5", "v1", "s9", "reserved"),
    )
    report = audit(Inventory(World(), servers=servers, volumes=volumes, attachments=attachments), Expected())
    found = {(each.found.resource_id, each.severity) for each in report.findings}
    assert found == {("v2", Severity.HIGH), ("v3", Severity.CRITICAL), ("v4", Severity.HIGH)}
    shared = tuple(replace(each, is_multiattach=each.id == "v3") for each in volumes)
    report = audit(Inventory(World(), servers=servers, volumes=shared, attachments=attachments), Expected())
    assert ("v3", Severity.HIGH) in {(each.found.resource_id, each.severity) for each in report.findings}


def test_formats_that_the_site_expects() -> None:
    images = (
        Image("i", "i", "p", "iso", "private"),
        Image("j", "j", "p", "qcow2", "public"),
        Image("k", "k", "p", "", "private"),
    )
    inventory = Inventory(World(), images=images)
    assert told(inventory) == {"image-format": [Severity.MEDIUM]}
    assert told(inventory, Expected(image_formats=frozenset({"iso", "qcow2"}))) == {}


@pytest.mark.parametrize("part", list(Part))
def test_every_list_that_is_missing_leaves_kinds_unjudged(part: Part) -> None:
    """None of them comes to an answer on a list that was not read."""
    report = audit(Inventory(World(), unread={part: "HTTP 403"}, is_whole=True), Expected())
    unjudged = {each.what.partition(":")[0] for each in report.unread}
    depending = {kind.name for kind in KINDS if part in kind.needs}
    assert depending, part
    assert depending <= unjudged
    assert all("HTTP 403" in each.why or each.what == "the matrix of projects" for each in report.unread)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(worlds())
def test_the_matrix_holds_what_every_pair_of_ports_holds(world: World) -> None:
    """Worked out by classes of ports; asked here pair by pair."""
    subject = Subject(Inventory(world), Expected())
    cells: dict[tuple[str, str], tuple[Intervals, Intervals]] = {}
    for cell in subject.matrix.cells:
        ends = (cell.source, cell.target)
        known = cells.get(ends, (EMPTY, EMPTY))
        cells[ends] = (union(known[0], cell.ipv4), union(known[1], cell.ipv6))
    near, ask = subject.topology, subject.reachability
    ports = [port for port in as_carried(world, {}).ports if not near.is_infrastructure(port)]
    wanted: Wanted = {}
    for ethertype in ETHERTYPES:
        for source in ports:
            passing = normalise(box.traffic for box in ask.to_outside(source.id, ethertype))
            _add(wanted, (source.project_id, OUTSIDE), ethertype, passing)
            passing = normalise(box.traffic for box in ask.from_outside(source.id, ethertype))
            _add(wanted, (OUTSIDE, source.project_id), ethertype, passing)
            for target in ports:
                if source.id != target.id:
                    _add(
                        wanted,
                        (source.project_id, target.project_id),
                        ethertype,
                        ask.between(source.id, target.id, ethertype),
                    )
    assert cells == {ends: (found.get("IPv4", EMPTY), found.get("IPv6", EMPTY)) for ends, found in wanted.items()}


def _add(wanted: Wanted, ends: tuple[str, str], ethertype: str, passing: Intervals) -> None:
    if passing:
        known = wanted.setdefault(ends, {})
        known[ethertype] = union(known.get(ethertype, EMPTY), passing)


def test_words() -> None:
    assert admin_services(ADMIN) == ["every one of them"]
    assert admin_services(((6 * 65536 + 22, 6 * 65536 + 23),)) == ["SSH", "telnet"]
    assert kinds_in_words(((6 * 65536, 6 * 65536 + 65535),)) == "tcp"
    assert kinds_in_words(((6 * 65536 + 22, 6 * 65536 + 25), (17 * 65536 + 53, 17 * 65536 + 53))) == "tcp 22-25; udp 53"
    assert kinds_in_words(()) == "nothing"


def test_the_report_counts_the_worst_first() -> None:
    report: Report = audit(Inventory(World()), Expected())
    assert list(report.counts) == ["critical", "high", "medium", "low", "informational"]
    assert not report.critical
    assert all(each.by_nature or each.what == "other projects" for each in report.not_judged)


def test_the_spurious_one_of_two_ports_with_one_mac_l7_l8() -> None:
    """The one that no server has is to be deleted; between two that are bound a person chooses."""
    networks = (Network("n1", "n1", "p"), Network("n2", "n2", "p"))
    mac = "fa:16:3e:00:00:01"
    ports = (
        Port("live", "a", "p", "n1", (), mac, device_owner="compute:nova", device_id="s1"),
        Port("stale", "b", "p", "n2", (), mac, device_owner="compute:nova", device_id="gone"),
    )
    facts = {"live": PortFacts(host="h1", is_bound=True, status="ACTIVE"), "stale": PortFacts(status="DOWN")}
    inventory = Inventory(
        World(ports=ports, networks=networks), is_whole=True, servers=(Server("s1", "s1", "p"),), port_facts=facts
    )
    (finding,) = [each for each in audit(inventory, Expected()).findings if each.kind.name == "duplicate-mac"]
    assert finding.found.mend == ("openstack port delete stale",)
    assert finding.severity is Severity.MEDIUM
    facts["stale"] = PortFacts(host="h2", is_bound=True, status="ACTIVE")
    (finding,) = [each for each in audit(inventory, Expected()).findings if each.kind.name == "duplicate-mac"]
    assert finding.found.mend == ()
    assert finding.severity is Severity.HIGH


def test_ports_that_are_alike_but_for_their_addresses_are_all_asked() -> None:
    """The receiver admits one of two senders to one port, the other to another."""

    def admits(rule_id: str, address: str, port: int) -> GroupRule:
        fields = {"protocol": "tcp", "port_range_min": port, "port_range_max": port, "remote_ip_prefix": address}
        return GroupRule(rule_id, "in", read_rule(direction="ingress", ethertype="IPv4", **fields))  # type: ignore[arg-type]

    out = Group("out", "out", "p", (GroupRule("o", "out", read_rule(direction="egress", ethertype="IPv4")),))
    into = Group("in", "in", "q", (admits("a", "10.0.0.4/32", 22), admits("b", "10.0.0.5/32", 80)))
    ports = (
        Port("s4", "s4", "p", "n", ("10.0.0.4",), group_ids=("out",)),
        Port("s5", "s5", "p", "n", ("10.0.0.5",), group_ids=("out",)),
        Port("r", "r", "q", "n", ("10.0.0.9",), group_ids=("in",)),
    )
    world = World(groups=(out, into), ports=ports, networks=(Network("n", "n", "p"),))
    cells = {(cell.source, cell.target): cell.words for cell in Subject(Inventory(world), Expected()).matrix.cells}
    assert cells["p", "q"] == "tcp 22, 80"
