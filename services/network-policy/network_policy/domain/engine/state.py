"""What the engine keeps: surroundings, workspaces, and which of them are to be judged anew."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import repeat
from operator import attrgetter
from typing import Any

from network_policy.domain.carried import as_carried, port_of_server, projects_of_servers, projects_of_subports
from network_policy.domain.engine.judging import Judging
from network_policy.domain.engine.space import Space
from network_policy.domain.engine.surroundings import Surroundings
from network_policy.domain.filters import Claim
from network_policy.domain.rule import ETHERTYPES, addresses_of
from network_policy.domain.world import FloatingIp, Network, Port, Router, Sharing, Subnet, Trunk, World

STILL: dict[type, tuple[str, str]] = {
    Network: ("network", "networks"),
    Subnet: ("subnet", "subnets"),
    Router: ("router", "routers"),
    FloatingIp: ("floating-ip", "floating_ips"),
    Sharing: ("sharing", "sharings"),
    Trunk: ("trunk", "trunks"),
}
"""What seldom changes: the kind by which it is dropped, and its place in a world."""
_ID_OF = attrgetter("id")


@dataclass(frozen=True)
class Marks:
    """What was to be judged anew at some moment, over these surroundings."""

    near: Surroundings
    dirty: dict[str, set[str] | None]
    changed: set[str]


class State:
    """Everything as it stands; whoever changes it marks the workspaces that the change bears on."""

    def __init__(self, world: World, claims: Sequence[Claim], give_way: Callable[[], None]) -> None:
        self._give_way = give_way
        self._claims = {claim.workspace: claim for claim in claims}
        self._changed: set[str] = set()
        self._whole = world.whole
        self._build(world)

    def world(self) -> World:
        """Everything as it stands."""
        filters = self._near.filters
        still: dict[str, Any] = {name: tuple(each.values()) for name, each in self._still.items()}
        return World(
            groups=tuple(filters.groups.values()),
            ports=tuple(self._told.get(port_id, port) for port_id, port in filters.ports.items()),
            address_groups=tuple(filters.address_groups.values()),
            whole=self._whole,
            **still,
        )

    def _build(self, world: World) -> None:
        """All indices anew, as when networks, routers, floating IPs or claims changed."""
        self._still = {name: {each.id: each for each in getattr(world, name)} for _, name in STILL.values()}
        self._servers = projects_of_servers(self._claims.values())
        ports = {port.id: port for port in world.ports} if world.trunks else {}
        self._subports = projects_of_subports(world.trunks, ports, self._servers)
        self._parents = {trunk.port_id: trunk for trunk in world.trunks}
        told, world = world.ports, as_carried(world, self._servers)
        self._told = {each.id: each for each, kept in zip(told, world.ports, strict=True) if each is not kept}
        """Ports of another project than their server's, as Neutron tells them: what is kept beside is in the server's."""
        self._near = Surroundings(world)
        self._rules: dict[str, str] | None = None
        self._spaces: dict[str, Space] = {}
        self._projects: dict[str, Space] = {}
        self._users: dict[str, set[str]] = {}
        """Of each group: the workspaces with a port in it."""
        for claim in tuple(self._claims.values()):
            self._settle_in(claim, None)
        self._judging = Judging(self._near, self._projects, self._give_way)
        for port in world.ports:
            self._enter(port)
        self._dirty: dict[str, set[str] | None] = {}
        """The workspaces to judge anew, and which of their ports with others; None: all of them."""
        self._unclean: set[str] = set()
        for space in self._spaces.values():
            self._look_over(space)
        self._changed.update(self._spaces)

    def marks(self) -> Marks:
        """What is to be judged anew, for `take_back`."""
        dirty = {name: None if port_ids is None else set(port_ids) for name, port_ids in self._dirty.items()}
        return Marks(self._near, dirty, set(self._changed))

    def take_back(self, marks: Marks) -> None:
        """Everything is again as when the marks were made, and was not judged meanwhile."""
        if self._near is marks.near:  # else all was built anew, and nothing of it is judged yet
            self._dirty, self._changed = marks.dirty, marks.changed

    def _groups_of_rules(self) -> dict[str, str]:
        """By rule. Made when a rule is first told of by itself, and kept up to date from then on."""
        if self._rules is None:
            self._rules = {}
            for group in self._near.filters.groups.values():
                self._rules.update(zip(map(_ID_OF, group.rules), repeat(group.id)))
        return self._rules

    def _as_carried(self, port: Port) -> Port:
        """The port as it is judged."""
        kept = port_of_server(port, self._subports, self._servers)
        if kept is not port:
            self._told[port.id] = port
        else:
            self._told.pop(port.id, None)
        return kept

    def _carries_others(self, known: Claim, claim: Claim) -> bool:
        """Whether another project's port is plugged into a server that is recorded by one and not by the other."""
        changed = known.server_ids ^ claim.server_ids
        if not changed:
            return False
        self._servers = projects_of_servers(self._claims.values())
        told = (
            self._told.get(each.id, each) for each in self._near.filters.ports.values() if each.device_id in changed
        )
        return any(each.project_id != claim.project_id for each in told)

    def _settle_in(self, claim: Claim, known: Space | None) -> Space:
        """A space for the claim, in the place of the one that is known."""
        kept = dict(claim.port_roles)
        own = self._claims[claim.workspace] = replace(claim, port_roles=kept)
        space = self._spaces[claim.workspace] = self._projects[claim.project_id] = Space(own, kept)
        if known is not None:
            space.ports, space.partners, space.meets_strangers = known.ports, known.partners, known.meets_strangers
        return space

    def _turns_trusted(self, space: Space, claim: Claim) -> bool:
        """Whether a port that may be Neutron's own counts as a node by one record and not by the other."""
        ports = (self._near.filters.ports.get(each) for each in space.port_roles.keys() ^ claim.port_roles.keys())
        return any(port is not None and port.is_trusted for port in ports)

    def _enter(self, port: Port) -> None:
        space = self._projects.get(port.project_id)
        if space is None or (port.id not in space.port_roles and self._near.topology.is_infrastructure(port)):
            return
        space.ports.add(port.id)
        for group_id in port.group_ids:
            self._users.setdefault(group_id, set()).add(space.name)

    def _look_over(self, space: Space) -> None:
        """What of the workspace is not word for word as declared, from nothing; it is judged anew, too."""
        filters, near = self._near.filters, self._near
        groups = {
            group_id: role
            for role, group_id in space.claim.group_ids.items()
            if group_id in filters.groups
            and all(
                space.port_roles.get(port.id) == role and port.project_id == space.claim.project_id
                and not port.address_pairs
                for port in filters.members(group_id).values()
            )
        }  # fmt: skip
        is_by_address = space.claim.policy.far_ends == "address-group"
        space.stand_for(groups, self._roles_of_address_groups(space) if is_by_address else {})
        uses: set[tuple[str, str]] = set()
        space.odd_ports, space.odd_rules = set(), {}
        for port_id in space.ports:
            port, role = filters.ports[port_id], space.port_roles.get(port_id)
            if role is None or port_id in near.odd:
                space.odd_ports.add(port_id)
            uses.update((group_id, role or "") for group_id in port.group_ids)
        for group_id, role in uses:
            group = filters.groups.get(group_id)
            if group is not None:
                space.note_group(group, role)
        self._mark(space, None)

    def _roles_of_address_groups(self, space: Space) -> dict[str, str]:
        """The project's address groups that hold nothing but a role's addresses."""
        own = [
            each
            for each in self._near.filters.address_groups.values()
            if each.project_id == space.claim.project_id
        ]  # fmt: skip
        found: dict[str, str] = {}
        for role in space.claim.policy.roles if own else ():
            addresses = {
                piece
                for port_id in space.ports
                if space.port_roles.get(port_id) == role
                for text in self._near.filters.ports[port_id].addresses
                for kind in ETHERTYPES
                for piece in ((kind, each) for each in addresses_of(text, kind))
            }
            for group in own:
                pieces = {
                    (kind, each) for text in group.prefixes for kind in ETHERTYPES for each in addresses_of(text, kind)
                }
                if pieces and pieces <= addresses:
                    found[group.id] = role
        return found

    def _mark(self, space: Space, port_ids: set[str] | None) -> None:
        if space.is_clean:
            self._unclean.discard(space.name)
        else:
            self._unclean.add(space.name)
        if port_ids is None:
            self._dirty[space.name] = None
        elif (waiting := self._dirty.setdefault(space.name, set())) is not None:
            waiting |= port_ids
        self._changed.add(space.name)

    def _mark_all(self) -> None:
        for space in self._spaces.values():
            self._look_over(space)

    def _settle(self) -> None:
        while self._dirty:
            name, port_ids = self._dirty.popitem()
            space = self._spaces[name]
            before = space.partners
            if port_ids is None:
                partners, meets_strangers = self._judging.across(space, self._judging.own_ports(space))
            elif port_ids:
                ports = self._near.filters.ports
                more, strangers = self._judging.across(space, [ports[each] for each in port_ids if each in ports])
                partners, meets_strangers = before | more, space.meets_strangers or strangers
            else:
                partners, meets_strangers = before, space.meets_strangers
            space.partners, space.meets_strangers = partners, meets_strangers
            space.holds = not (partners or meets_strangers or self._judging.alone(space))
            for partner in before ^ partners:
                if partner in self._spaces:
                    self._dirty[partner] = None
                    self._changed.add(partner)

    def _touch_strangers(self, group_id: str) -> None:
        """Strangers in the group bear on workspaces that are not as declared, odd ones on all."""
        strangers = [
            port for port in self._near.filters.members(group_id).values() if port.project_id not in self._projects
        ]
        self._touch_for(strangers)

    def _touch_for(self, strangers: Iterable[Port]) -> None:
        ids = {port.id for port in strangers}
        if ids & self._near.odd:
            for space in self._spaces.values():
                self._mark(space, None)
        elif ids:
            for name in tuple(self._unclean):
                self._mark(self._spaces[name], None)

    def _touch_far(self, ends: Iterable[Port]) -> None:
        """Whatever a port bears on that is not an ordinary one: its own workspace, and by the groups it is in."""
        names = {self._projects[each.project_id].name for each in ends if each.project_id in self._projects}
        for each in ends:
            for group_id in each.group_ids:
                names |= self._users.get(group_id, set())
                for naming in self._near.naming(group_id):
                    names |= self._users.get(naming, set())
                    self._touch_strangers(naming)
        for name in names:
            self._look_over(self._spaces[name])

    def _is_ordinary(self, space: Space, port: Port) -> bool:
        """Whether it is a plain port of the space, in groups of its role alone, that this port leaves as they were."""
        role = space.port_roles.get(port.id)
        return (
            role is not None
            and port.project_id == space.claim.project_id
            and self._near.is_plain(port)
            and space.claim.policy.far_ends == "group"
            and all(space.roles_of_groups.get(group_id) == role for group_id in port.group_ids)
            and not any(key[0] in port.group_ids for key in space.odd_rules)
            and all(
                naming in space.roles_of_groups or not self._near.filters.members(naming)
                for group_id in port.group_ids
                for naming in self._near.naming(group_id)
            )
        )
