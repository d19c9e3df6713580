"""A second, simple implementation of the proof's question: every packet of a small universe, tried one by one.

It shares no code with the prover but the world's values: addresses are looked up with `ipaddress`, kinds of packet are
pairs of protocol and port, and reachability is walked anew for each packet.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from ipaddress import IPv4Address, ip_address, ip_network

from network_policy.domain.filters import Claim
from network_policy.domain.rule import RemoteKind, Rule
from network_policy.domain.world import Port, World

KINDS = ((6, 21), (6, 22), (6, 50), (6, 80), (6, 81), (17, 53), (17, 67), (17, 22), (1, 2048), (112, 0))

PROTOCOLS = {"tcp": 6, "udp": 17, "icmp": 1, "ipv6-icmp": 58}


def number_of(protocol: str) -> int:
    """The protocol's number, by name or by number."""
    return PROTOCOLS.get(protocol) or int(protocol)


@dataclass(frozen=True)
class Packet:
    """`sender` and `receiver` are ports; None is somebody outside."""

    sender: Port | None
    receiver: Port | None
    source: IPv4Address
    destination: IPv4Address
    protocol: int
    port: int


def holds(address: IPv4Address, prefixes: Iterator[str] | tuple[str, ...] | list[str]) -> bool:
    return any(address in ip_network(prefix, strict=False) for prefix in prefixes)


def whose(world: World, port: Port, claims: list[Claim]) -> Port:
    """A port is in the project of the server that it is plugged into, a subport in its trunk's parent's."""
    for trunk in world.trunks:
        if port.id in trunk.subport_ids:
            parents = [plugged(each, claims).project_id for each in world.ports if each.id == trunk.port_id]
            return replace(port, project_id=parents[0] if parents else trunk.project_id)
    return plugged(port, claims)


def plugged(port: Port, claims: list[Claim]) -> Port:
    for claim in claims:
        if port.is_bound and port.device_id in claim.server_ids:
            return replace(port, project_id=claim.project_id)
    return port


class Universe:
    """One world with its claims, and the addresses that matter in it."""

    def __init__(self, world: World, claims: list[Claim], addresses: list[str]) -> None:
        self.world = world = replace(world, ports=tuple(whose(world, port, claims) for port in world.ports))
        self.claims = {claim.project_id: claim for claim in claims}
        self.addresses = [IPv4Address(each) for each in addresses]
        self.asked: dict[tuple[str, str, IPv4Address, int, int], bool] = {}
        self.groups = {group.id: group for group in world.groups}
        self.networks = {network.id: network for network in world.networks}
        self.wires: dict[str, set[str]] = {}
        self.segments: dict[str, set[str]] = {}

    # -- where packets can travel

    def wire(self, network_id: str) -> set[str]:
        """The networks that frames get to from one."""
        if network_id not in self.wires:
            found, more = {network_id}, {network_id}
            while more:
                wires = {each for one in found if one in self.networks for each in self.networks[one].wires}
                more = {each.id for each in self.world.networks if wires.intersection(each.wires)} - found
                found |= more
            self.wires[network_id] = found
        return self.wires[network_id]

    def segment(self, network_id: str) -> set[str]:
        if network_id not in self.segments:
            self.segments[network_id] = self._segment(network_id)
        return self.segments[network_id]

    def _segment(self, network_id: str) -> set[str]:
        found, growing = self.wire(network_id), True
        while growing:
            growing = False
            for router in self.world.routers:
                joined = {
                    port.network_id
                    for port in self.world.ports
                    if port.device_owner == "network:router_interface" and port.device_id == router.id
                }
                joined = {each for one in joined for each in self.wire(one)}
                if joined & found and not joined <= found:
                    found |= joined
                    growing = True
        return found

    def exposed(self, network_id: str) -> bool:
        segment = self.segment(network_id)
        if any(self.is_open(each) for each in segment):
            return True
        return any(
            router.external_network_id
            and any(port.device_id == router.id and port.network_id in segment for port in self.world.ports)
            for router in self.world.routers
        )

    def is_open(self, network_id: str) -> bool:
        return self.networks[network_id].external or self.networks[network_id].physical_network != ""

    def local(self, network_id: str, address: IPv4Address) -> bool:
        if any(self.is_open(each) for each in self.wire(network_id)):
            return False
        segment = self.segment(network_id)
        return holds(address, [subnet.cidr for subnet in self.world.subnets if subnet.network_id in segment])

    def never_routed(self, address: IPv4Address) -> bool:
        return holds(address, ("0.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16", "224.0.0.0/4", "255.255.255.255/32"))

    def to_all(self, network_id: str, address: IPv4Address) -> bool:
        last = {
            ip_network(subnet.cidr).broadcast_address
            for subnet in self.world.subnets
            if subnet.network_id in self.wire(network_id)
        }
        return address in last or holds(address, ("224.0.0.0/4", "255.255.255.255/32"))

    # -- whose an address is

    def fixed(self, port: Port, address: IPv4Address) -> bool:
        return address in {ip_address(each) for each in port.addresses}

    def own(self, port: Port, address: IPv4Address) -> bool:
        return self.fixed(port, address) or holds(address, [pair.prefix for pair in port.address_pairs])

    def floating(self, port: Port, address: IPv4Address) -> bool:
        return any(f.port_id == port.id and ip_address(f.address) == address for f in self.world.floating_ips)

    def translated(self, port: Port, address: IPv4Address) -> bool:
        segment = self.segment(port.network_id)
        gateways = [
            each
            for router in self.world.routers
            if router.external_network_id
            and any(other.device_id == router.id and other.network_id in segment for other in self.world.ports)
            for each in router.external_addresses
        ]
        return self.floating(port, address) or address in {ip_address(each) for each in gateways}

    # -- what passes

    def filtered(self, port: Port) -> bool:
        return port.port_security and not port.device_owner.startswith("network:")

    def matches(self, rule: Rule, far: IPv4Address, protocol: int, number: int) -> bool:
        if rule.ethertype != "IPv4":
            return False
        if rule.protocol is not None and rule.protocol != protocol:
            return False
        if rule.protocol in (6, 17) and rule.low is not None and not rule.low <= number <= (rule.high or rule.low):
            return False
        kind, value = rule.remote.kind, rule.remote.value
        if kind is RemoteKind.PREFIX:
            return far in ip_network(value)
        if kind is RemoteKind.GROUP:
            if value not in self.groups:
                return True
            return any(value in port.group_ids and self.own(port, far) for port in self.world.ports)
        if kind is RemoteKind.ADDRESS_GROUP:
            return any(each.id == value and holds(far, each.prefixes) for each in self.world.address_groups)
        return True

    def permitted(self, port: Port, direction: str, far: IPv4Address, protocol: int, number: int) -> bool:
        key = (port.id, direction, far, protocol, number)
        if key not in self.asked:
            self.asked[key] = self._permitted(port, direction, far, protocol, number)
        return self.asked[key]

    def _permitted(self, port: Port, direction: str, far: IPv4Address, protocol: int, number: int) -> bool:
        if not self.filtered(port) or any(each not in self.groups for each in port.group_ids):
            return True
        return any(
            each.rule.direction == direction and self.matches(each.rule, far, protocol, number)
            for group_id in port.group_ids
            for each in self.groups[group_id].rules
        )

    def declared_side(self, port: Port, direction: str, far: IPv4Address, protocol: int, number: int) -> bool:
        claim = self.claims.get(port.project_id)
        if claim is None:
            return True
        for rule in claim.policy.roles.get(claim.port_roles.get(port.id, ""), ()):
            if rule.direction != direction:
                continue
            if rule.remote.kind is RemoteKind.ROLE:
                members = [
                    p
                    for p in self.world.ports
                    if claim.port_roles.get(p.id) == rule.remote.value and p.project_id == claim.project_id
                ]
                if not any(self.fixed(member, far) for member in members):
                    continue
                if self.matches(rule.with_remote(type(rule.remote)(RemoteKind.ANY)), far, protocol, number):
                    return True
            elif self.matches(rule, far, protocol, number):
                return True
        return False

    def possible(self, packet: Packet) -> bool:
        sender, receiver, kind = packet.sender, packet.receiver, (packet.protocol, packet.port)
        if sender and receiver:
            if not self.sends_from(sender, packet.source):
                return False
            if not self.arrives(sender, receiver, packet.destination):
                return False
        elif sender:
            there = packet.destination
            if not self.exposed(sender.network_id) or self.local(sender.network_id, there) or self.never_routed(there):
                return False
            return self.permitted(sender, "egress", there, *kind)
        elif receiver:
            here = packet.source
            if not self.exposed(receiver.network_id) or self.local(receiver.network_id, here):
                return False
            return not self.never_routed(here) and self.permitted(receiver, "ingress", here, *kind)
        assert sender is not None
        assert receiver is not None
        return self.permitted(sender, "egress", packet.destination, *kind) and self.permitted(
            receiver, "ingress", packet.source, *kind
        )

    def sends_from(self, sender: Port, source: IPv4Address) -> bool:
        return not self.filtered(sender) or self.own(sender, source) or self.translated(sender, source)

    def arrives(self, sender: Port, receiver: Port, destination: IPv4Address) -> bool:
        own, floating = self.own(receiver, destination), self.floating(receiver, destination)
        if receiver.network_id in self.wire(sender.network_id):
            return own or floating or self.to_all(receiver.network_id, destination)
        if receiver.network_id in self.segment(sender.network_id):
            return floating or (own and not self.never_routed(destination))
        if not (self.exposed(sender.network_id) and self.exposed(receiver.network_id)):
            return False
        if self.local(sender.network_id, destination) or self.never_routed(destination):
            return False
        return own or floating

    def declared(self, packet: Packet) -> bool:
        sender, receiver, kind = packet.sender, packet.receiver, (packet.protocol, packet.port)
        if sender and receiver:
            one, other = self.claims.get(sender.project_id), self.claims.get(receiver.project_id)
            if one and other and one is not other:
                return False
            if one and not (
                self.fixed(receiver, packet.destination)
                or self.floating(receiver, packet.destination)
                or (
                    receiver.network_id in self.wire(sender.network_id)
                    and self.to_all(receiver.network_id, packet.destination)
                )
            ):
                return False
            if other and not (self.fixed(sender, packet.source) or self.translated(sender, packet.source)):
                return False
        if sender and not self.declared_side(sender, "egress", packet.destination, *kind):
            return False
        return not receiver or self.declared_side(receiver, "ingress", packet.source, *kind)

    def violations(self, workspace: str) -> Iterator[Packet]:
        """Every undeclared packet from or to a port of the workspace."""
        actors = [port for port in self.world.ports if not port.device_owner.startswith("network:")]
        ends: list[Port | None] = [*actors, None]
        for sender in ends:
            for receiver in ends:
                touched = [port for port in (sender, receiver) if port is not None]
                if sender is receiver or not any(
                    (claim := self.claims.get(port.project_id)) and claim.workspace == workspace for port in touched
                ):
                    continue
                # Only addresses that the sender can use and at which the receiver is reached are worth trying.
                sources = [each for each in self.addresses if sender is None or self.sends_from(sender, each)]
                destinations = [
                    each
                    for each in self.addresses
                    if sender is None or receiver is None or self.arrives(sender, receiver, each)
                ]
                for source in sources if receiver else self.addresses[:1]:
                    for destination in destinations if sender else self.addresses[:1]:
                        for protocol, number in KINDS:
                            packet = Packet(sender, receiver, source, destination, protocol, number)
                            if self.possible(packet) and not self.declared(packet):
                                yield packet
