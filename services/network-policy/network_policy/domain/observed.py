"""What was observed of the cloud, by id, and an engine brought to the same: the differences of a listing are given to it.

A listing may be of the whole cloud or of one workspace's surroundings. What it would have contained and does not, is gone.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

from network_policy.domain.engine import Engine
from network_policy.domain.filters import Claim
from network_policy.domain.topology import ROUTER_INTERFACES
from network_policy.domain.world import Group, GroupRule, Port, World

_KINDS = {
    "groups": "group", "ports": "port", "address_groups": "address-group", "networks": "network", "subnets": "subnet",
    "routers": "router", "floating_ips": "floating-ip", "sharings": "sharing", "trunks": "trunk",
}  # fmt: skip
"""The engine's names for what a world has."""
Changes = dict[tuple[str, str], Any]
"""By place in a world and id: what stands; None for what is gone."""


@dataclass(frozen=True)
class Nearby:
    """A workspace's surroundings as they were listed: everything of the project, and on these networks."""

    world: World
    project_id: str
    network_ids: frozenset[str]


class Observed:
    """Begins with a whole world. Each change gives back the engine to go on with, which may be another.

    `give_way` is what such an engine calls often while it judges.
    """

    def __init__(self, world: World, claims: Sequence[Claim], give_way: Callable[[], None] = lambda: None) -> None:
        self._give_way = give_way
        self._values: dict[str, dict[str, Any]] = {
            name: {each.id: each for each in getattr(world, name)} for name in _KINDS
        }
        self.claims = {claim.workspace: claim for claim in claims}

    def world(self) -> World:
        """Everything as it was last observed."""
        return World(**{name: tuple(values.values()) for name, values in self._values.items()}, whole=True)

    def take(self, engine: Engine, world: World, claims: Sequence[Claim]) -> Engine:
        """The whole world was listed, with all claims."""
        changes: Changes = {}
        for name, known in self._values.items():
            changes |= self._differing(name, getattr(world, name))
            listed = {each.id for each in getattr(world, name)}
            changes |= {(name, each): None for each in known if each not in listed}
        engine = self._apply(engine, changes)
        told = {claim.workspace: claim for claim in claims}
        for workspace in self.claims.keys() - told.keys():
            del self.claims[workspace]
            engine.drop_claim(workspace)
        for claim in claims:
            self._declare(engine, claim)
        return engine

    def look(self, engine: Engine, nearby: Nearby, claim: Claim) -> Engine:
        """A workspace's surroundings were listed."""
        changes: Changes = {}
        for each in fields(nearby.world):
            if each.name in _KINDS:
                changes |= self._differing(each.name, getattr(nearby.world, each.name))
        changes |= self._gone(nearby)
        engine = self._apply(engine, changes)
        self._declare(engine, claim)
        return engine

    def hear(self, engine: Engine, resource: Port | GroupRule) -> Engine:
        """A notification tells of a port, or of a rule that was made: what is known to be later stays."""
        if isinstance(resource, GroupRule):
            return self._apply(engine, self._with_rules([resource]))
        known = self._values["ports"].get(resource.id)
        if known is not None and known.revision >= resource.revision:
            return engine
        return self._apply(engine, {("ports", resource.id): resource})

    def put_back(self, engine: Engine, former: Iterable[GroupRule | Port]) -> tuple[Engine, Changes]:
        """These stand as well, or in the place of what does; and what `undo` takes to end that."""
        everything = tuple(former)
        changes = self._with_rules([each for each in everything if isinstance(each, GroupRule)])
        changes |= {("ports", each.id): each for each in everything if isinstance(each, Port)}
        before = {(name, id_): self._values[name].get(id_) for name, id_ in changes}
        return self._apply(engine, changes), before

    def undo(self, engine: Engine, before: Changes) -> Engine:
        """It is as before `put_back`."""
        return self._apply(engine, before)

    def _differing(self, name: str, listed: Iterable[Any]) -> Changes:
        known = self._values[name]
        return {(name, each.id): each for each in listed if known.get(each.id) != each}

    def _with_rules(self, rules: Iterable[GroupRule]) -> Changes:
        changes: Changes = {}
        for each in rules:
            group: Group | None = changes.get(("groups", each.group_id)) or self._values["groups"].get(each.group_id)
            if group is not None and all(rule.id != each.id for rule in group.rules):
                changes["groups", group.id] = replace(group, rules=(*group.rules, each))
        return changes

    def _gone(self, nearby: Nearby) -> Changes:
        """What the listing would have had in it, and did not."""
        world, project_id = nearby.world, nearby.project_id
        listed = {name: {each.id for each in getattr(world, name)} for name in _KINDS}
        changes: Changes = {}
        for name, known in self._values.items():
            gone = (
                id_ for id_ in known if id_ not in listed[name] and _would_be_listed(name, known[id_], nearby, listed)
            )
            changes |= {(name, id_): None for id_ in gone}
        # A port of somebody else's that was in a group of the project would have been listed for it.
        own = frozenset(each.id for each in world.groups if each.project_id == project_id)
        for id_, port in self._values["ports"].items():
            if id_ not in listed["ports"] and ("ports", id_) not in changes and not own.isdisjoint(port.group_ids):
                left = tuple(each for each in port.group_ids if each not in own)
                changes["ports", id_] = replace(port, group_ids=left)
        return changes

    def _declare(self, engine: Engine, claim: Claim) -> None:
        if self.claims.get(claim.workspace) != claim:
            self.claims[claim.workspace] = claim
            engine.put_claim(claim)

    def _apply(self, engine: Engine, changes: Mapping[tuple[str, str], Any]) -> Engine:
        """Several changes that each build the engine anew build it once."""
        built = sum(self._builds(name, id_, each) for (name, id_), each in changes.items())
        for (name, id_), each in changes.items():
            if each is None:
                self._values[name].pop(id_, None)
            else:
                self._values[name][id_] = each
        if built > 1:
            return Engine(self.world(), list(self.claims.values()), self._give_way)
        for (name, id_), each in changes.items():
            if each is None:
                engine.drop(_KINDS[name], id_)
            else:
                engine.put(each)
        return engine

    def _builds(self, name: str, id_: str, resource: Any) -> bool:
        known = self._values[name].get(id_)
        if name == "groups":
            return (known is None) is not (resource is None)
        if name == "ports":
            return any(each and each.device_owner.startswith(ROUTER_INTERFACES) for each in (known, resource))
        return name not in ("address_groups", "sharings")


def _would_be_listed(name: str, each: Any, nearby: Nearby, listed: Mapping[str, set[str]]) -> bool:
    """Whether a listing of the surroundings has this in it, if it is there."""
    networks = nearby.network_ids
    if name == "ports":
        return each.project_id == nearby.project_id or each.network_id in networks
    if name == "networks":
        return each.id in networks
    if name == "subnets":
        return each.network_id in networks
    if name == "address_groups":
        return True
    if name == "trunks":  # all of them, where there is a subport
        return any(port.is_subport for port in nearby.world.ports) or not listed["ports"].isdisjoint(each.subport_ids)
    if name == "sharings":
        own = (group.id for group in nearby.world.groups if group.project_id == nearby.project_id)
        return each.object_id in networks or each.object_id in own
    return bool(each.project_id == nearby.project_id)
