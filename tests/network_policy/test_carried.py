"""Whose a port is to the proof, by trunk or by server, and what is assumed of servers on several networks (rows C11, M1)."""

from dataclasses import replace

import pytest

from contracts.network_policy import Counterexample
from network_policy.domain.audit.inventory import Inventory, Server
from network_policy.domain.audit.subject import Expected, Subject
from network_policy.domain.certificate import ASSUMED_OF_SEVERAL_NETWORKS
from network_policy.domain.engine import Engine
from network_policy.domain.policy_tests import PolicyTester
from network_policy.domain.proof import Prover, Verdict
from network_policy.domain.world import Network, Port, Trunk, World
from tests.network_policy.asking import asked
from tests.network_policy.enclaves import SITE, Enclave, document, together

ONE = Enclave(document(), "p1")
TWO = Enclave(document(name="genome"), "p2", "10.43.0")
CLOUD = together(ONE.world, TWO.world)
CLAIMS = [ONE.claim, TWO.claim]
PARENT = next(port for port in ONE.ports if "login" in port.id)
SUB = replace(TWO.ports[0], id="sub", name="sub", addresses=("10.43.0.99",), device_owner="trunk:subport", device_id="")
"""A port of the second workspace, in a group of its own."""
RECORDED = [
    ONE.claim,
    replace(TWO.claim, port_roles={**TWO.claim.port_roles, "sub": TWO.claim.port_roles[TWO.ports[0].id]}),
]


def with_ports(world: World, *ports: Port, trunks: tuple[Trunk, ...] = ()) -> World:
    return replace(world, ports=(*world.ports, *ports), trunks=trunks)


def trunk(*subports: str, parent: str = PARENT.id, project_id: str = "p1") -> Trunk:
    return Trunk("trunk", project_id, parent, subports)


def verdict(world: World, workspace: str) -> Verdict:
    """The same of both implementations."""
    told, plain = Engine(world, RECORDED).verdict(workspace), Prover(world, RECORDED).prove(workspace)
    assert (told.holds, told.assumptions) == (plain.holds, plain.assumptions)
    assert {each.why for each in told.counterexamples} == {each.why for each in plain.counterexamples}
    return plain


PLUGGED = replace(TWO.ports[0], id="plugged", name="plugged", addresses=("10.43.0.98",), device_id=PARENT.device_id)
"""A port of the second workspace that an administrator plugged into a server of the first."""


def between(found: tuple[Counterexample, ...]) -> list[Counterexample]:
    return [each for each in found if "genome" in each.why and "openhpc" in each.why]


def test_a_subport_of_the_own_server_is_a_port_as_any_other_c11() -> None:
    parent = TWO.ports[-1]
    assert verdict(with_ports(CLOUD, SUB, trunks=(trunk("sub", parent=parent.id, project_id="p2"),)), "genome").holds


@pytest.mark.parametrize("workspace", ["openhpc", "genome"])
def test_a_subport_on_another_projects_server_is_that_servers_c11_m1(workspace: str) -> None:
    """What its groups let it send and hear is between two workspaces, though it is recorded as a node of the one."""
    found = between(verdict(with_ports(CLOUD, SUB, trunks=(trunk("sub"),)), workspace).counterexamples)
    assert found
    assert all(f"port sub being a subport of {PARENT.id}" in each.why for each in found)


def test_a_strangers_server_is_not_what_a_document_speaks_for_c11() -> None:
    stranger = Port("vm", "vm", "p3", "p3-net", ("10.44.0.5",), "", (), device_id="vm")
    world = with_ports(CLOUD, SUB, stranger, trunks=(trunk("sub", parent="vm", project_id="p3"),))
    found = verdict(world, "genome").counterexamples
    assert any("another project" in each.why and "port sub" in f"{each.source} {each.destination}" for each in found)


@pytest.mark.parametrize("workspace", ["openhpc", "genome"])
def test_a_port_that_is_plugged_into_another_workspaces_server_is_that_servers_m1(workspace: str) -> None:
    assert not between(verdict(with_ports(CLOUD, replace(PLUGGED, device_id="")), workspace).counterexamples)
    found = between(verdict(with_ports(CLOUD, PLUGGED), workspace).counterexamples)
    assert found
    assert all(f"port plugged being plugged into server {PARENT.device_id}" in each.why for each in found)


def test_a_servers_id_on_a_port_that_no_host_plugs_in_says_nothing_m1() -> None:
    """Whoever owns a port may write it there: a stranger would make any workspace look open."""
    stranger = replace(PLUGGED, project_id="p3", network_id="p3-net", group_ids=(), port_security=False)
    world = with_ports(CLOUD, replace(stranger, is_bound=False), replace(stranger, id="other", device_id="vm"))
    before = {each.why for each in verdict(world, "openhpc").counterexamples}
    assert before == {each.why for each in verdict(with_ports(CLOUD, *world.ports[-1:]), "openhpc").counterexamples}
    plugged = verdict(with_ports(CLOUD, stranger, world.ports[-1]), "openhpc").counterexamples
    assert any("port plugged" in each.why for each in plugged)


def test_a_trunk_on_a_plugged_port_is_its_servers_c11_m1() -> None:
    carried = with_ports(
        CLOUD, replace(PLUGGED, group_ids=()), SUB, trunks=(trunk("sub", parent="plugged", project_id="p2"),)
    )
    assert between(verdict(carried, "genome").counterexamples)


def test_the_engine_follows_ports_into_servers_and_out_of_them_m1() -> None:
    engine = Engine(CLOUD, RECORDED)
    steps = (replace(PLUGGED, is_bound=False), PLUGGED, replace(PLUGGED, device_id=TWO.ports[0].device_id), PLUGGED)
    for port in steps:
        engine.put(port)
        world = with_ports(CLOUD, port)
        fresh = Engine(world, RECORDED)
        assert engine.digest == fresh.digest
        for workspace in ("openhpc", "genome"):
            assert engine.holds(workspace) == fresh.holds(workspace) == Prover(world, RECORDED).prove(workspace).holds
        assert {each.id: each for each in engine.world().ports} == {each.id: each for each in world.ports}
    assert between(engine.verdict("genome").counterexamples)
    engine.drop("port", "plugged")
    assert engine.holds("openhpc")
    assert engine.holds("genome")


def test_the_engine_follows_what_is_recorded_of_servers_m1() -> None:
    """A port was plugged in before the workspace knew the server for its own."""
    unknown = replace(ONE.claim, server_ids=frozenset())
    engine = Engine(with_ports(CLOUD, PLUGGED), [unknown, RECORDED[1]])
    assert not between(engine.verdict("openhpc").counterexamples)
    engine.changed()
    engine.put_claim(ONE.claim)
    assert {"openhpc", "genome"} <= engine.changed()
    assert between(engine.verdict("openhpc").counterexamples)
    assert between(engine.verdict("genome").counterexamples)
    engine.put_claim(unknown)
    assert not between(engine.verdict("genome").counterexamples)


def test_a_parent_that_cannot_be_seen_is_the_trunks_projects_c11() -> None:
    hidden = trunk("sub", parent="hidden")
    assert between(verdict(with_ports(CLOUD, SUB, trunks=(hidden,)), "genome").counterexamples)
    assert verdict(with_ports(CLOUD, SUB, trunks=(replace(hidden, project_id="p2"),)), "genome").holds


def test_the_engine_follows_trunks_ports_and_parents_as_they_come_and_go_c11() -> None:
    engine = Engine(CLOUD, RECORDED)
    held = trunk("sub", parent="late", project_id="p2")
    late = replace(PARENT, id="late", name="late", addresses=("10.42.0.77",), group_ids=())
    states: list[tuple[bool, str]] = []
    for step in (SUB, held, late):
        engine.put(step)
        states.append((engine.holds("genome"), engine.digest))
    world = with_ports(CLOUD, SUB, late, trunks=(held,))
    assert [holds for holds, _ in states] == [True, True, False]
    assert engine.digest == Engine(world, RECORDED).digest
    assert {port.id: port for port in engine.world().ports} == {port.id: port for port in world.ports}
    engine.put(replace(SUB, group_ids=()))
    assert not between(engine.verdict("genome").counterexamples)
    engine.put(SUB)
    engine.drop("port", "late")
    assert engine.holds("genome")
    engine.put(late)
    assert not engine.holds("genome")
    engine.drop("trunk", "trunk")
    assert engine.holds("genome")
    assert {port.id: port for port in engine.world().ports}["sub"] == SUB


def test_what_a_server_on_several_networks_passes_on_is_told_as_assumed_c11() -> None:
    leg = replace(SUB, project_id="p1", network_id="p1-more", group_ids=())
    more = replace(CLOUD, networks=(*CLOUD.networks, Network("p1-more", "more", "p1")))
    assert ASSUMED_OF_SEVERAL_NETWORKS not in verdict(CLOUD, "openhpc").assumptions
    carried = with_ports(more, leg, trunks=(trunk("sub"),))
    assert ASSUMED_OF_SEVERAL_NETWORKS in verdict(carried, "openhpc").assumptions
    assert ASSUMED_OF_SEVERAL_NETWORKS not in verdict(carried, "genome").assumptions
    second = replace(leg, device_owner="compute:nova", device_id=PARENT.device_id)
    assert ASSUMED_OF_SEVERAL_NETWORKS in verdict(with_ports(more, second), "openhpc").assumptions


def test_the_audits_matrix_counts_a_subport_to_its_servers_project_c11_l4() -> None:
    def pairs(world: World) -> set[tuple[str, str]]:
        return {(each.source, each.target) for each in Subject(Inventory(world), Expected()).matrix.cells}

    across = {("p1", "p2"), ("p2", "p1")}
    assert across.isdisjoint(pairs(with_ports(CLOUD, SUB)))
    assert pairs(with_ports(CLOUD, SUB, trunks=(trunk("sub"),))) & across
    server = Server(PARENT.device_id, "vm", "p1")
    plugged = Subject(Inventory(with_ports(CLOUD, PLUGGED), servers=(server,)), Expected())
    assert {(each.source, each.target) for each in plugged.matrix.cells} & across


def test_a_policy_test_counts_a_subport_to_its_servers_workspace_c11_m17() -> None:
    """A port of the second workspace on the trunk of the first one's server reaches the second as the first."""
    test = asked(**{"from": "workspace", "to": "workspace:genome", "expect": "denied"})
    assert PolicyTester(CLOUD, RECORDED, SITE).run(test, "openhpc").result == "passed"
    carried = PolicyTester(with_ports(CLOUD, SUB, trunks=(trunk("sub"),)), RECORDED, SITE).run(test, "openhpc")
    assert carried.result == "failed"
    assert PolicyTester(with_ports(CLOUD, PLUGGED), RECORDED, SITE).run(test, "openhpc").result == "failed"
