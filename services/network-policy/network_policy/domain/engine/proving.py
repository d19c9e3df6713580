"""The engine: what is asked of it, what it is told, and what each change touches."""

from collections.abc import Callable, Sequence
from operator import attrgetter

from network_policy.domain.certificate import claim_row
from network_policy.domain.engine.digest import Digest
from network_policy.domain.engine.state import STILL, State
from network_policy.domain.filters import Claim
from network_policy.domain.proof import Verdict, assumptions_of
from network_policy.domain.topology import ROUTER_INTERFACES
from network_policy.domain.world import (
    AddressGroup,
    FloatingIp,
    Group,
    GroupRule,
    Network,
    Port,
    Router,
    Sharing,
    Subnet,
    Trunk,
    World,
)

Resource = Port | GroupRule | Group | AddressGroup | Network | Subnet | Router | FloatingIp | Sharing | Trunk
_KINDS = {
    "groups": "group", "ports": "port", "address_groups": "address-group",
    **{name: kind for kind, name in STILL.values()},
}  # fmt: skip


_FEW_RULES = 8
"""So many that come or go are judged one by one; for more the group is looked over."""
_TOLD_OF = attrgetter("id", "rule.packets", "rule.far_end")
"""All that a rule is, in C."""


class Engine(State):
    """Verdicts over a world that is kept up to date; see the package for its use.

    `give_way` is called often while it judges, in the caller's thread.
    """

    def __init__(self, world: World, claims: Sequence[Claim], give_way: Callable[[], None] = lambda: None) -> None:
        super().__init__(world, claims, give_way)
        self._digest = Digest()
        for name, kind in _KINDS.items():
            for each in getattr(world, name):
                self._digest.put(kind, each.id, each)
        for claim in self._claims.values():
            self._say_claim(claim)
        self._digest.put("world", "whole", world.whole)

    # -- asking

    def changed(self) -> frozenset[str]:
        """The workspaces whose verdict may be another than when this was last asked."""
        self._settle()
        found = frozenset(self._changed)
        self._changed.clear()
        return found

    def holds(self, workspace: str) -> bool:
        """Whether nothing undeclared can pass from or to a port of the workspace. Raises KeyError without a claim."""
        self._settle()
        return self._spaces[workspace].holds

    def verdict(self, workspace: str) -> Verdict:
        """The verdict with counterexamples and digest. Raises KeyError without a claim."""
        self._settle()
        return self._verdict(workspace, is_known_to_hold=self._spaces[workspace].holds)

    def supposed(self, workspace: str) -> Verdict:
        """As `verdict`, of what stands only until `take_back`: nothing is judged for any other workspace."""
        return self._verdict(workspace, is_known_to_hold=False)

    def _verdict(self, workspace: str, *, is_known_to_hold: bool) -> Verdict:
        space = self._spaces[workspace]
        found = () if is_known_to_hold else tuple(self._judging.counterexamples(space).values())
        groups = self._near.filters.groups
        parents = self._near.topology.parents
        assumed = assumptions_of(self._judging.own_ports(space), groups, parents, is_whole=self._whole)
        return Verdict(workspace, found, self.digest, assumed)

    @property
    def digest(self) -> str:
        """Of everything that a verdict looks at."""
        return self._digest.value()

    # -- being told

    def put(self, resource: Resource) -> None:
        """The resource is as given: new, or another than it was."""
        if isinstance(resource, GroupRule):
            self._put_rule(resource)
        elif isinstance(resource, Port):
            self._digest.put("port", resource.id, resource)
            carried = self._as_carried(resource)
            self._put_port(resource.id, carried)
            self._follow_parent(resource.id, carried.project_id)
        elif isinstance(resource, Group):
            self._digest.put("group", resource.id, resource)
            self._put_group(resource.id, resource)
        elif isinstance(resource, AddressGroup):
            self._digest.put("address-group", resource.id, resource)
            self._near.filters.put_address_group(resource)
            self._mark_all()
        else:
            kind, name = STILL[type(resource)]
            self._digest.put(kind, resource.id, resource)
            self._still[name][resource.id] = resource
            if not isinstance(resource, Sharing):  # it lets nothing pass by itself: the ports that come of it do
                self._build(self.world())

    def drop(self, kind: str, id_: str) -> None:
        """The resource is gone; one that is not known is none. Raises KeyError for a kind that there isn't."""
        if kind == "rule":
            self._drop_rule(id_)
            return
        self._digest.drop(kind, id_)
        if kind == "port":
            self._told.pop(id_, None)
            self._put_port(id_, None)
            self._follow_parent(id_, None)
        elif kind == "group":
            self._put_group(id_, None)
        elif kind == "address-group":
            self._near.filters.drop_address_group(id_)
            self._mark_all()
        elif self._still[dict(STILL.values())[kind]].pop(id_, None) is not None and kind != "sharing":
            self._build(self.world())

    def put_claim(self, claim: Claim) -> None:
        """A workspace declares this. The ports of its project count as its own."""
        known = self._spaces.get(claim.workspace)
        self._claims[claim.workspace] = claim
        self._say_claim(claim)
        if (
            known is None
            or known.claim.project_id != claim.project_id
            or self._turns_trusted(known, claim)
            or self._carries_others(known.claim, claim)
        ):
            self._build(self.world())
        else:
            self._look_over(self._settle_in(claim, known))

    def drop_claim(self, workspace: str) -> None:
        """The workspace declares nothing any more, and its ports are strangers."""
        if self._claims.pop(workspace, None) is not None:
            self._digest.drop("claim", workspace)
            self._changed.add(workspace)
            self._build(self.world())

    def assign(self, workspace: str, port_id: str, role: str | None) -> None:
        """The record says that the port has the role; None: it has none. Raises KeyError without a claim."""
        space = self._spaces[workspace]
        if role is None:
            space.port_roles.pop(port_id, None)
        else:
            space.port_roles[port_id] = role
        self._say_claim(space.claim)
        port = self._near.filters.ports.get(port_id)
        if port is not None:
            self._put_port(port_id, port)

    def _say_claim(self, claim: Claim) -> None:
        self._digest.put("claim", claim.workspace, lambda: claim_row(self._claims[claim.workspace]))

    # -- what a change touches

    def _put_rule(self, each: GroupRule) -> None:
        rules = self._groups_of_rules()
        self._drop_rule(each.id)
        group = self._near.filters.groups.get(each.group_id)
        if group is None:
            return  # a group that can't be seen is taken to permit everything already
        rules[each.id] = each.group_id
        self._digest.put("group", group.id, self._near.put_rule(group, each))
        self._rule_came(group.id, each)

    def _drop_rule(self, rule_id: str) -> None:
        group = self._near.filters.groups.get(self._groups_of_rules().pop(rule_id, ""))
        if group is None:
            return
        each = next(each for each in group.rules if each.id == rule_id)
        self._digest.put("group", group.id, self._near.drop_rule(group, each))
        self._rule_went(group.id, each)

    def _rule_came(self, group_id: str, each: GroupRule) -> None:
        for name in self._users.get(group_id, ()):
            space = self._spaces[name]
            members = self._near.filters.members(group_id)
            mine = {port_id for port_id in members if port_id in space.ports}
            for role in {space.port_roles.get(port_id, "") for port_id in mine}:
                space.note(group_id, role, each)
            self._mark(space, mine if self._near.names_others(each.rule, mine, space.ports) else set())
        self._touch_strangers(group_id)

    def _rule_went(self, group_id: str, each: GroupRule) -> None:
        for name in self._users.get(group_id, ()):
            space = self._spaces[name]
            for key in [key for key in space.odd_rules if key[0] == group_id]:
                space.forget(*key, each.id)
            self._mark(space, None if space.partners or space.meets_strangers else set())
        self._touch_strangers(group_id)

    def _put_group(self, group_id: str, group: Group | None) -> None:
        known = self._near.filters.groups.get(group_id)
        if known is not None and group is not None and known.project_id == group.project_id:
            self._change_group(known, group)
            return
        if group is None:
            self._near.drop_group(group_id)
        else:
            self._near.put_group(group)
        if known is not None or group is not None:
            # Ports in it and rules that name it mean something else now.
            self._build(self.world())

    def _change_group(self, known: Group, group: Group) -> None:
        """The group has other rules: a few are told of one by one, as in most changes."""
        before, after = set(map(_TOLD_OF, known.rules)), set(map(_TOLD_OF, group.rules))
        lost, gained = {id_ for id_, *_ in before - after}, {id_ for id_, *_ in after - before}
        went = [each for each in known.rules if each.id in lost] if lost else []
        came = [each for each in group.rules if each.id in gained] if gained else []
        if self._rules is not None:
            for each in went:
                if self._rules.get(each.id) == group.id:
                    del self._rules[each.id]
            self._rules.update((each.id, group.id) for each in came)
        is_doubled = len(went) > len(lost) or len(came) > len(gained)
        if is_doubled or len(went) + len(came) > _FEW_RULES:
            self._near.put_group(group)
            for name in tuple(self._users.get(group.id, ())):
                self._look_over(self._spaces[name])
            self._touch_strangers(group.id)
            return
        self._near.change_group(group, went, came)
        for each in went:
            self._rule_went(group.id, each)
        for each in came:
            self._rule_came(group.id, each)
        if known.stateful != group.stateful:
            for name in self._users.get(group.id, ()):
                self._mark(self._spaces[name], set())

    def _put_port(self, port_id: str, port: Port | None) -> None:
        known = self._near.filters.ports.get(port_id)
        ends = [each for each in (known, port) if each is not None]
        if not ends:
            return
        if any(each.device_owner.startswith(ROUTER_INTERFACES) for each in ends):
            if port is None:
                self._near.drop_port(port_id)
            else:
                self._near.put_port(port)
            self._build(self.world())
            return
        strangers = [each for each in ends if each.project_id not in self._projects]
        if known is not None:
            self._touch_for(strangers)  # as it was
            space = self._projects.get(known.project_id)
            if space is not None:
                space.ports.discard(port_id)
        if port is None:
            self._near.drop_port(port_id)
        else:
            self._near.put_port(port)
            self._enter(port)
        self._touch_for(strangers)
        own = self._projects.get(ends[-1].project_id)
        if own is not None and all(self._is_ordinary(own, each) for each in ends) and self._has_company(port, known):
            shares = port is not None and self._near.shares_addresses(port)
            self._mark(own, None if own.partners or own.meets_strangers or shares else {port_id} if port else set())
        else:
            self._touch_far(ends)

    def _follow_parent(self, port_id: str, project_id: str | None) -> None:
        """A trunk's parent that came, went or is another's takes its subports with it."""
        trunk = self._parents.get(port_id)
        if trunk is not None and any(
            self._subports[each] != (project_id or trunk.project_id) for each in trunk.subport_ids
        ):
            self._build(self.world())

    def _has_company(self, port: Port | None, known: Port | None) -> bool:
        """Whether its groups were looked over for its role: a group with no port in it is not."""
        before = known.group_ids if known is not None else ()
        return port is None or all(
            group_id in before or len(self._near.filters.members(group_id)) > 1 for group_id in port.group_ids
        )
