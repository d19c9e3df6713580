"""A plan as a whole: from what was observed, by which steps, to which packets; with the digests that name it."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from contracts.site import Site
from contracts.workspace import Workspace
from network_policy.domain.compile import Policy, compile_policy
from network_policy.domain.delta import Delta, delta
from network_policy.domain.drift import Nodes, ProtectPort
from network_policy.domain.outcome import settled
from network_policy.domain.outlook import moved_in, outlook
from network_policy.domain.plan import Enclosure, Step, enclose
from network_policy.domain.rule import Rule
from network_policy.domain.sight import Sight, see
from network_policy.domain.world import World


@dataclass(frozen=True)
class Preview:
    """What applying a document would do to the cloud as it was observed."""

    policy: Policy
    sight: Sight
    """The project as it stands, measured by the new document."""
    result: Enclosure
    """The project's groups when all steps are made."""
    steps: tuple[Step | ProtectPort, ...]
    change: Delta
    observed: str
    plan: str


@dataclass(frozen=True)
class Standing:
    """What is remembered of the workspace; of one that is not known nothing is."""

    project_id: str
    generation: int = 0
    recorded_groups: Mapping[str, str] | None = None
    nodes: Nodes | None = None


def preview(document: Workspace, site: Site, standing: Standing, world: World) -> Preview:
    """The plan of a document in the world as observed. Raises Uncompilable.

    What packets change is told for every role as if it had two nodes at least, so that a rule counts before the first
    node is there. It is exact for the groups and ports that were observed.
    """
    project_id, recorded = standing.project_id, standing.recorded_groups or {}
    sight = see(
        compile_policy(document, site),
        project_id,
        world.groups,
        world.ports,
        recorded_groups=recorded,
        known_rules={},
        nodes=standing.nodes or Nodes({}),
        address_groups=world.address_groups,
    )
    policy = sight.policy
    there = outlook(document, site, project_id, world, sight.claim.port_roles, sight.actual.group_ids)
    addresses = sight.addresses
    end, steps = settled(world, policy, project_id, recorded, sight.repairs, addresses)
    result = enclose(policy, project_id, end.groups, recorded, end.address_groups)
    later = replace(there.before, groups=end.groups, address_groups=end.address_groups)
    moved = {port.id: port for port in end.ports}
    later = replace(later, ports=tuple(moved.get(port.id, port) for port in later.ports))
    later = moved_in(later, there.made_up, result.group_ids)
    before, later = _with_made_up_addresses(there.before, later, there.made_up, policy, result)
    observed = observed_digest(sight)
    all_steps = (*sight.repairs, *steps)
    return Preview(
        policy, sight, result, all_steps, delta(before, later, there.roles, project_id), observed,
        _digest([document.model_dump(mode="json", by_alias=True), standing.generation, observed, _steps(all_steps)]),
    )  # fmt: skip


def observed_digest(sight: Sight) -> str:
    """Of all that a plan starts from: the project's groups with their rules and revisions, and its ports' filters."""
    groups = [
        [
            group.id,
            group.name,
            group.stateful,
            group.revision,
            sorted([each.id, _rule(each.rule)] for each in group.rules),
        ]
        for group in sight.groups
        if group.project_id == sight.project_id
    ]
    ports = [
        [port.id, port.addresses, port.group_ids, port.port_security, port.device_owner, [asdict(each) for each in port.address_pairs]]
        for port in sight.ports
        if port.project_id == sight.project_id
    ]  # fmt: skip
    addresses = [[group.id, sorted(group.prefixes)] for group in sight.actual.address_groups.values()]
    return _digest([sight.project_id, sorted(groups), sorted(ports), sorted(addresses)])


def _steps(steps: tuple[Step | ProtectPort, ...]) -> list[Any]:
    """The steps as JSON; a port's revision is not part of what a person agreed to."""
    told: list[Any] = []
    for step in steps:
        body = {name: value for name, value in asdict(step).items() if name not in ("revision", "rule", "rules")}
        rules = [step.rule] if hasattr(step, "rule") else list(getattr(step, "rules", ()))
        told.append([type(step).__name__, body, [_rule(rule) for rule in rules]])
    return told


def _rule(rule: Rule) -> list[Any]:
    return [rule.direction, rule.ethertype, rule.protocol, rule.low, rule.high, rule.remote.kind, rule.remote.value]


def _digest(value: Any) -> str:
    return "sha256:" + hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


def _with_made_up_addresses(
    before: World, later: World, made_up: Mapping[str, str], policy: Policy, result: Enclosure
) -> tuple[World, World]:
    """The made-up ports' addresses in the address groups of their roles, where these stand for roles."""
    if policy.far_ends == "group" or not made_up:
        return before, later
    more: dict[str, tuple[str, ...]] = {}
    for port in later.ports:
        if port.id in made_up and made_up[port.id] in result.address_groups:
            group_id = result.address_groups[made_up[port.id]].id
            more[group_id] = (*more.get(group_id, ()), *port.addresses)
    joined = [
        tuple(replace(each, prefixes=(*each.prefixes, *more.get(each.id, ()))) for each in world.address_groups)
        for world in (before, later)
    ]
    return replace(before, address_groups=joined[0]), replace(later, address_groups=joined[1])
