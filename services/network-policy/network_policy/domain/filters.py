"""What a port may send and hear: boxes of far-end addresses × kinds of packet, actual (by its groups) or declared."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from network_policy.domain.compile import Policy
from network_policy.domain.intervals import EMPTY, Interval, Intervals, intersect, meets, normalise, subtract, union
from network_policy.domain.rule import ALL_TRAFFIC, WHOLE, Direction, Ethertype, RemoteKind, Rule, addresses_of
from network_policy.domain.world import AddressGroup, Group, Port, World


@dataclass(frozen=True, slots=True)
class Box:
    """One thing permitted: these far ends, these kinds of packet; `source_id` is the rule, or the port without one."""

    addresses: Intervals
    traffic: Interval
    source_id: str


@dataclass(frozen=True)
class Claim:
    """A workspace's side of the proof: what it declared, where, and which of the cloud's things are whose."""

    workspace: str
    project_id: str
    policy: Policy
    group_ids: Mapping[str, str]
    """By role."""
    port_roles: Mapping[str, str]
    """By port id: recorded when the nodes became active, or told by the port's name."""
    server_ids: frozenset[str] = frozenset()
    """The nodes' servers, as recorded."""


def own_addresses(port: Port, ethertype: Ethertype) -> Intervals:
    """Where packets for the port come to, and what it may send from: its addresses and its address pairs'."""
    pairs = (pair.prefix for pair in port.address_pairs)
    return union(*(addresses_of(each, ethertype) for each in (*port.addresses, *pairs)))


@dataclass
class Filters:
    """The filters of one world's ports, computed once for all ports with the same groups."""

    world: World
    _groups: dict[str, Group] = field(init=False)
    _address_groups: dict[str, AddressGroup] = field(init=False)
    _members: dict[str, dict[str, Port]] = field(init=False)
    _ports: dict[str, Port] = field(init=False)
    _made: dict[tuple[frozenset[str], Direction, Ethertype], tuple[Box, ...]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._groups = {group.id: group for group in self.world.groups}
        self._address_groups = {group.id: group for group in self.world.address_groups}
        self._ports = {port.id: port for port in self.world.ports}
        self._members = {}
        for port in self.world.ports:
            for group_id in port.group_ids:
                self._members.setdefault(group_id, {})[port.id] = port

    def put_group(self, group: Group) -> None:
        """The group is as given."""
        self._groups[group.id] = group
        self._made.clear()

    def drop_group(self, group_id: str) -> None:
        """The group is gone."""
        self._groups.pop(group_id, None)
        self._made.clear()

    def put_port(self, port: Port) -> None:
        """The port is as given."""
        self.drop_port(port.id)
        self._ports[port.id] = port
        for group_id in port.group_ids:
            self._members.setdefault(group_id, {})[port.id] = port

    def drop_port(self, port_id: str) -> None:
        """The port is gone."""
        port = self._ports.pop(port_id, None)
        for group_id in port.group_ids if port else ():
            self._members[group_id].pop(port_id, None)
        self._made.clear()

    def put_address_group(self, group: AddressGroup) -> None:
        """The address group is as given."""
        self._address_groups[group.id] = group
        self._made.clear()

    def drop_address_group(self, group_id: str) -> None:
        """The address group is gone."""
        self._address_groups.pop(group_id, None)
        self._made.clear()

    @property
    def groups(self) -> Mapping[str, Group]:
        return self._groups

    @property
    def ports(self) -> Mapping[str, Port]:
        return self._ports

    @property
    def address_groups(self) -> Mapping[str, AddressGroup]:
        return self._address_groups

    def members(self, group_id: str) -> Mapping[str, Port]:
        """The ports in the group, by id."""
        return self._members.get(group_id, {})

    def is_filtered(self, port: Port) -> bool:
        """Whether Neutron applies the port's groups to it."""
        return port.port_security and not port.is_trusted

    def actual(self, port: Port, direction: Direction, ethertype: Ethertype) -> tuple[Box, ...]:
        """What Neutron permits the port. All, when nothing filters it or one of its groups can't be seen."""
        if not self.is_filtered(port) or any(group_id not in self._groups for group_id in port.group_ids):
            return (Box((WHOLE[ethertype],), ALL_TRAFFIC[0], port.id),)
        key = (frozenset(port.group_ids), direction, ethertype)
        if key not in self._made:
            self._made[key] = tuple(
                box
                for group_id in sorted(key[0])
                for each in self._groups[group_id].rules
                if (each.rule.direction, each.rule.ethertype) == (direction, ethertype)
                for box in self.boxes_of(each.rule, each.id)
            )
        return self._made[key]

    def boxes_of(self, rule: Rule, rule_id: str) -> Iterable[Box]:
        """What one rule permits."""
        addresses = self._far_end(rule)
        return (Box(addresses, traffic, rule_id) for traffic in rule.traffic) if addresses else ()

    def _far_end(self, rule: Rule) -> Intervals:
        remote, everything = rule.remote, (WHOLE[rule.ethertype],)
        if remote.kind is RemoteKind.PREFIX:
            return addresses_of(remote.value, rule.ethertype)
        if remote.kind is RemoteKind.GROUP:
            if remote.value not in self._groups:
                return everything  # its members can't be seen: they may be anybody
            return self.member_addresses(remote.value, rule.ethertype)
        if remote.kind is RemoteKind.ADDRESS_GROUP:
            group = self._address_groups.get(remote.value)
            if group is None:
                return everything
            return union(*(addresses_of(prefix, rule.ethertype) for prefix in group.prefixes))
        return everything

    def member_addresses(self, group_id: str, ethertype: Ethertype) -> Intervals:
        """The addresses that Neutron takes for the group's, address pairs included."""
        return union(*(own_addresses(port, ethertype) for port in self._members.get(group_id, {}).values()))

    def declared(
        self,
        claim: Claim,
        role: str,
        direction: Direction,
        ethertype: Ethertype,
        traffic: Intervals = ALL_TRAFFIC,
    ) -> tuple[Box, ...]:
        """What the document permits a port of the role, far ends being the ports that have the roles by record.

        With `traffic`, boxes that have none of it may be left out.
        """
        found: list[Box] = []
        mine = (
            rule
            for rule in claim.policy.roles.get(role, frozenset())
            if (rule.direction, rule.ethertype) == (direction, ethertype)
            and (traffic is ALL_TRAFFIC or meets(rule.traffic, traffic))
        )
        for rule in sorted(mine, key=Rule.key):
            if rule.remote.kind is RemoteKind.ROLE:
                addresses = self.role_addresses(claim, rule.remote.value, ethertype)
            else:
                addresses = self._far_end(rule)
            found += [Box(addresses, traffic, "") for traffic in rule.traffic if addresses]
        return tuple(found)

    def role_addresses(self, claim: Claim, role: str, ethertype: Ethertype) -> Intervals:
        """The addresses of the role's ports, without address pairs: nobody declared those."""
        return union(
            *(
                addresses_of(address, ethertype)
                for port_id, recorded in claim.port_roles.items()
                if recorded == role and (port := self._ports.get(port_id)) is not None
                if port.project_id == claim.project_id
                for address in port.addresses
            )
        )


def traffic_between(boxes: Iterable[Box], far_end: Intervals) -> Intervals:
    """The kinds of packet that the boxes permit with any of these addresses."""
    return normalise(box.traffic for box in boxes if meets(box.addresses, far_end))


def declared_traffic(policy: Policy, source: str, target: str, ethertype: Ethertype) -> Intervals:
    """The kinds of packet that flows permit from one role to another, by the roles alone."""

    def side(role: str, direction: Direction, far: str) -> Intervals:
        return union(
            *(
                rule.traffic
                for rule in policy.roles.get(role, frozenset())
                if (rule.direction, rule.ethertype) == (direction, ethertype)
                and rule.remote.kind is RemoteKind.ROLE
                and rule.remote.value == far
            )
        )

    return intersect(side(source, "egress", target), side(target, "ingress", source))


def beyond(boxes: Iterable[Box], declared: Iterable[Box], left_out: Intervals = EMPTY) -> list[Box]:
    """What the boxes permit and `declared` doesn't, far ends in `left_out` aside."""
    pieces = [
        Box(addresses, box.traffic, box.source_id) for box in boxes if (addresses := subtract(box.addresses, left_out))
    ]
    for permitted in declared:
        rest: list[Box] = []
        for piece in pieces:
            shared = intersect((piece.traffic,), (permitted.traffic,))
            if not shared or not meets(piece.addresses, permitted.addresses):
                rest.append(piece)
                continue
            rest += [Box(piece.addresses, traffic, piece.source_id) for traffic in subtract((piece.traffic,), shared)]
            if addresses := subtract(piece.addresses, permitted.addresses):
                rest.append(Box(addresses, shared[0], piece.source_id))
        pieces = rest
    return pieces
