"""The prover and the engine against every packet of small random worlds (M1)."""

from ipaddress import IPv4Address

from hypothesis import given, settings

from network_policy.domain.engine import Engine
from network_policy.domain.proof import Prover
from network_policy.domain.world import World
from tests.network_policy.packets import Packet, Universe, number_of
from tests.network_policy.worlds import ADDRESSES, ONE, SLOW, TWO, worlds


@settings(SLOW, max_examples=100)
@given(worlds())
def test_the_prover_says_what_trying_every_packet_says_m1(world: World) -> None:
    claims = [ONE.claim, TWO.claim]
    prover, universe = Prover(world, claims), Universe(world, claims, ADDRESSES)
    engine = Engine(world, claims)
    for workspace in ("openhpc", "genome"):
        verdict = prover.prove(workspace)
        tried = next(universe.violations(workspace), None)
        if tried is not None:
            way = f"{tried.sender and tried.sender.id} > {tried.receiver and tried.receiver.id}: {tried}"
            assert not verdict.holds, way
            assert not engine.holds(workspace), way
        if verdict.holds:
            assert engine.holds(workspace)
            continue
        # Each counterexample is a packet that the second implementation, too, lets pass and finds undeclared.
        for told in (*verdict.counterexamples, *engine.verdict(workspace).counterexamples):
            sender = next((port for port in universe.world.ports if f"port {port.id} " in f"{told.source} "), None)
            receiver = next(
                (port for port in universe.world.ports if f"port {port.id} " in f"{told.destination} "), None
            )
            protocol = number_of(told.protocol)
            source, destination = IPv4Address(told.source_address), IPv4Address(told.destination_address)
            packet = Packet(sender, receiver, source, destination, protocol, told.port or 0)
            assert universe.possible(packet), told
            assert not universe.declared(packet), told
