"""Networks that meet on one segment of the provider's, without any router between them (rows C4, C10, M1)."""

from dataclasses import replace
from typing import Any

import pytest

from contracts.network_policy import Counterexample
from network_policy.cloud.reading import network
from network_policy.domain.audit.matrix import MatrixMaker
from network_policy.domain.engine import Engine
from network_policy.domain.proof import Prover
from network_policy.domain.reachability import Reachability
from network_policy.domain.topology import Topology
from network_policy.domain.world import Network, World
from tests.network_policy.enclaves import Enclave, document, rule, together, with_rule

ONE = Enclave(document(), "p1")
TWO = Enclave(document(name="genome"), "p2", "10.43.0")
CLAIMS = [ONE.claim, TWO.claim]
CLOUD = together(ONE.world, TWO.world)
CLOSED = replace(CLOUD, routers=tuple(replace(each, external_network_id=None) for each in CLOUD.routers))
"""Two networks that no router leads out of."""
WIRE = "geneve  5"


def on_wires(world: World, **wires: tuple[str, ...]) -> World:
    told = {name.replace("_", "-"): each for name, each in wires.items()}
    networks = tuple(replace(each, wires=told.get(each.id, ())) for each in world.networks)
    return replace(world, networks=networks)


def opened(world: World) -> World:
    """Groups that would let SSH pass from one workspace to the other, if there were a way."""
    ssh: dict[str, Any] = {"protocol": "tcp", "port_range_min": 22, "port_range_max": 22}
    world = with_rule(world, ONE.ids["login"], "out", rule("egress", **ssh, remote_ip_prefix="10.43.0.0/24"))
    return with_rule(world, TWO.ids["login"], "in", rule(**ssh, remote_ip_prefix="10.42.0.0/24"))


def across(world: World, workspace: str) -> Counterexample:
    found = Prover(world, CLAIMS).prove(workspace).counterexamples
    (packet,) = (each for each in found if "from openhpc to genome" in each.why and "out" in each.rule_ids)
    return packet


def test_no_way_leads_from_one_network_to_another_m1() -> None:
    assert Prover(opened(CLOSED), CLAIMS).prove("openhpc").holds
    apart = on_wires(opened(CLOSED), p1_net=(WIRE,), p2_net=("geneve  6",))
    assert Prover(apart, CLAIMS).prove("openhpc").holds


@pytest.mark.parametrize("workspace", ["openhpc", "genome"])
def test_a_doubled_segment_is_a_way_c10_m1(workspace: str) -> None:
    world = on_wires(opened(CLOSED), p1_net=(WIRE,), p2_net=(WIRE,))
    packet = across(world, workspace)
    assert (packet.port, packet.rule_ids) == (22, ("out", "in"))
    assert "by the wire that both networks lie on" in packet.why
    engine = Engine(world, CLAIMS)
    assert packet in engine.verdict(workspace).counterexamples
    for each in on_wires(world).networks:
        engine.put(each)
    assert engine.holds(workspace)


def test_groups_that_let_nothing_pass_hold_on_a_doubled_segment_too() -> None:
    world = on_wires(CLOUD, p1_net=(WIRE,), p2_net=(WIRE,))
    engine = Engine(world, CLAIMS)
    for workspace in ("openhpc", "genome"):
        assert Prover(world, CLAIMS).prove(workspace).holds
        assert engine.holds(workspace)
    assert any("tells the same segment of both" in each for each in engine.verdict("openhpc").assumptions)


def test_what_all_on_a_network_hear_is_heard_on_its_wire() -> None:
    world = with_rule(CLOSED, ONE.ids["login"], "out", rule("egress", protocol="udp", remote_ip_prefix="224.0.0.0/4"))
    world = with_rule(world, TWO.ids["login"], "in", rule(protocol="udp", remote_ip_prefix="10.42.0.0/24"))
    assert Prover(world, CLAIMS).prove("genome").holds
    world = on_wires(world, p1_net=(WIRE,), p2_net=(WIRE,))
    packet = across(world, "genome")
    assert packet.destination_address == "224.0.0.0"


def test_a_network_of_two_segments_joins_the_wires_of_both() -> None:
    networks = (
        Network("one", "", "", wires=("vlan physnet1 100",)),
        Network("two", "", "", wires=("vlan physnet1 200",)),
        Network("both", "", "", wires=("vlan physnet1 100", "vlan physnet1 200"), physical_network="physnet1"),
        Network("other", "", "", wires=("vlan physnet2 100",)),
    )
    for world in (World(networks=networks), World(networks=tuple(reversed(networks)))):
        near = Topology(world)
        assert near.share_wire("one", "two")
        assert near.share_wire("both", "one")
        assert not near.share_wire("one", "other")
        assert near.is_exposed("one")
        assert not near.is_exposed("other")


def test_the_matrix_knows_of_it_l4() -> None:
    def cells(world: World) -> set[tuple[str, str]]:
        ports = [port for port in world.ports if not port.is_trusted]
        made = MatrixMaker(world, ports, Reachability(world)).matrix()
        return {(cell.source, cell.target) for cell in made.cells}

    assert ("p1", "p2") not in cells(opened(CLOSED))
    assert ("p1", "p2") in cells(on_wires(opened(CLOSED), p1_net=(WIRE,), p2_net=(WIRE,)))


def test_segments_are_read_as_neutron_tells_them() -> None:
    told = {"id": "n", "provider:network_type": "vlan", "provider:physical_network": "physnet1",
            "provider:segmentation_id": 100}  # fmt: skip
    assert network(told).wires == ("vlan physnet1 100",)
    several = {"id": "n", "segments": [{**told, "provider:segmentation_id": each} for each in (0, 200)]}
    assert network(several).wires == ("vlan physnet1 0", "vlan physnet1 200")
    assert network(several).physical_network == "physnet1"
    flat = {"id": "n", "provider:network_type": "flat", "provider:physical_network": "physnet1"}
    assert network(flat).wires == ("flat physnet1 ",)
    assert network({"id": "n", "provider:network_type": "local"}).wires == ()
    assert network({"id": "n"}).wires == ()
