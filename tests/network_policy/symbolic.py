"""A third implementation of the proof's question, for z3: one formula over all packets, true of the undeclared ones.

It shares the world's values with the prover and nothing else. IPv4 only; a packet's kind is its protocol and one number.
"""

from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Network, ip_network

import z3  # type: ignore[import-untyped]

from network_policy.domain.filters import Claim
from network_policy.domain.rule import RemoteKind, Rule
from network_policy.domain.world import Port, World
from tests.network_policy.packets import Universe

SOURCE, DESTINATION = z3.BitVecs("source destination", 32)
PROTOCOL, NUMBER = z3.BitVec("protocol", 8), z3.BitVec("number", 16)
NEVER_ROUTED = ("0.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16", "224.0.0.0/4", "255.255.255.255/32")


def among(address: z3.BitVecRef, prefixes: Iterable[str]) -> z3.BoolRef:
    """The address is in one of the prefixes."""
    found = []
    for text in prefixes:
        prefix = ip_network(text, strict=False)
        if isinstance(prefix, IPv4Network):
            found.append((address & int(prefix.netmask)) == int(prefix.network_address))
    return z3.Or(found)


class Formula:
    """Walks of segments are taken from the universe; everything about addresses and kinds is symbolic."""

    def __init__(self, world: World, claims: list[Claim]) -> None:
        self.walk = Universe(world, claims, [])
        self.world = self.walk.world
        self.claims = {claim.project_id: claim for claim in claims}
        self.groups = {group.id: group for group in world.groups}

    def own(self, port: Port, address: z3.BitVecRef) -> z3.BoolRef:
        return among(address, (*port.addresses, *(pair.prefix for pair in port.address_pairs)))

    def floating(self, port: Port, address: z3.BitVecRef) -> z3.BoolRef:
        return among(address, (each.address for each in self.world.floating_ips if each.port_id == port.id))

    def translated(self, port: Port, address: z3.BitVecRef) -> z3.BoolRef:
        segment = self.walk.segment(port.network_id)
        outer = [
            text
            for router in self.world.routers
            if router.external_network_id
            and any(each.device_id == router.id and each.network_id in segment for each in self.world.ports)
            for text in router.external_addresses
        ]
        return z3.Or(self.floating(port, address), among(address, outer))

    def local(self, network_id: str, address: z3.BitVecRef) -> z3.BoolRef:
        if any(self.walk.is_open(each) for each in self.walk.wire(network_id)):
            return z3.BoolVal(False)
        segment = self.walk.segment(network_id)
        return among(address, (subnet.cidr for subnet in self.world.subnets if subnet.network_id in segment))

    def to_all(self, network_id: str, address: z3.BitVecRef) -> z3.BoolRef:
        wire = self.walk.wire(network_id)
        cidrs = [ip_network(subnet.cidr) for subnet in self.world.subnets if subnet.network_id in wire]
        last = [str(IPv4Address(int(cidr.broadcast_address))) for cidr in cidrs if isinstance(cidr, IPv4Network)]
        return among(address, (*last, "224.0.0.0/4", "255.255.255.255/32"))

    def matches(self, rule: Rule, far: z3.BitVecRef) -> z3.BoolRef:
        if rule.ethertype != "IPv4":
            return z3.BoolVal(False)
        terms = []
        if rule.protocol:
            terms.append(rule.protocol == PROTOCOL)
            if rule.protocol in (6, 17) and rule.low is not None:
                high = rule.low if rule.high is None else rule.high
                terms += [z3.UGE(NUMBER, rule.low), z3.ULE(NUMBER, high)]
        kind, value = rule.remote.kind, rule.remote.value
        if kind is RemoteKind.PREFIX:
            terms.append(among(far, (value,)))
        elif kind is RemoteKind.GROUP and value in self.groups:
            terms.append(z3.Or([self.own(port, far) for port in self.world.ports if value in port.group_ids]))
        elif kind is RemoteKind.ADDRESS_GROUP:
            prefixes = [text for each in self.world.address_groups if each.id == value for text in each.prefixes]
            terms.append(among(far, prefixes))
        return z3.And(terms)

    def permitted(self, port: Port, direction: str, far: z3.BitVecRef) -> z3.BoolRef:
        if not self.walk.filtered(port) or any(each not in self.groups for each in port.group_ids):
            return z3.BoolVal(True)
        rules = [each.rule for group_id in port.group_ids for each in self.groups[group_id].rules]
        return z3.Or([self.matches(rule, far) for rule in rules if rule.direction == direction])

    def declared_side(self, port: Port, direction: str, far: z3.BitVecRef) -> z3.BoolRef:
        claim = self.claims.get(port.project_id)
        if claim is None:
            return z3.BoolVal(True)
        found = []
        for rule in claim.policy.roles.get(claim.port_roles.get(port.id, ""), ()):
            if rule.direction != direction:
                continue
            if rule.remote.kind is RemoteKind.ROLE:
                role, own = rule.remote.value, claim.project_id
                members = [
                    each
                    for each in self.world.ports
                    if claim.port_roles.get(each.id) == role and each.project_id == own
                ]
                anywhere = rule.with_remote(type(rule.remote)(RemoteKind.ANY))
                there = z3.Or([among(far, member.addresses) for member in members])
                found.append(z3.And(there, self.matches(anywhere, far)))
            else:
                found.append(self.matches(rule, far))
        return z3.Or(found)

    def _between(self, sender: Port, receiver: Port) -> z3.BoolRef:
        walk, network_id = self.walk, receiver.network_id
        own, floating = self.own(receiver, DESTINATION), self.floating(receiver, DESTINATION)
        routed = z3.Not(among(DESTINATION, NEVER_ROUTED))
        is_near = network_id in walk.wire(sender.network_id)
        if is_near:
            arrives = z3.Or(own, floating, self.to_all(network_id, DESTINATION))
        elif network_id in walk.segment(sender.network_id):
            arrives = z3.Or(floating, z3.And(own, routed))
        elif walk.exposed(sender.network_id) and walk.exposed(network_id):
            arrives = z3.And(z3.Not(self.local(sender.network_id, DESTINATION)), routed, z3.Or(own, floating))
        else:
            return z3.BoolVal(False)
        spoofs = z3.BoolVal(not walk.filtered(sender))
        sends = z3.Or(spoofs, self.own(sender, SOURCE), self.translated(sender, SOURCE))
        one, other = self.claims.get(sender.project_id), self.claims.get(receiver.project_id)
        declared = [self.declared_side(sender, "egress", DESTINATION), self.declared_side(receiver, "ingress", SOURCE)]
        if one and other and one is not other:
            declared = [z3.BoolVal(False)]
        if one:
            true_ends = [among(DESTINATION, receiver.addresses), floating]
            if is_near:
                true_ends.append(self.to_all(network_id, DESTINATION))
            declared.append(z3.Or(true_ends))
        if other:
            declared.append(z3.Or(among(SOURCE, sender.addresses), self.translated(sender, SOURCE)))
        passes = [self.permitted(sender, "egress", DESTINATION), self.permitted(receiver, "ingress", SOURCE)]
        return z3.And(sends, arrives, *passes, z3.Not(z3.And(declared)))

    def _outside(self, port: Port, direction: str, far: z3.BitVecRef) -> z3.BoolRef:
        if not self.walk.exposed(port.network_id):
            return z3.BoolVal(False)
        inside = z3.Or(self.local(port.network_id, far), among(far, NEVER_ROUTED))
        declared = self.declared_side(port, direction, far)
        return z3.And(z3.Not(inside), self.permitted(port, direction, far), z3.Not(declared))

    def holds(self, workspace: str) -> bool:
        """Whether no packet from or to a port of the workspace is possible and undeclared."""
        actors = [port for port in self.world.ports if not port.device_owner.startswith("network:")]
        claims = self.claims
        own = [port for port in actors if (c := claims.get(port.project_id)) and c.workspace == workspace]
        ids = {port.id for port in own}
        found = [self._outside(port, "egress", DESTINATION) for port in own]
        found += [self._outside(port, "ingress", SOURCE) for port in own]
        found += [
            self._between(sender, receiver)
            for sender in actors
            for receiver in actors
            if sender is not receiver and (sender.id in ids or receiver.id in ids)
        ]
        solver = z3.Solver()
        solver.add(z3.Or(found))
        answer = solver.check()
        assert answer != z3.unknown
        return bool(answer == z3.unsat)
