"""What is open beyond the declaration in the cloud as it is sampled, and in what Tresor itself asks for."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from contracts.site import Site
from contracts.workspace import Workspace
from network_policy.cloud import reading
from network_policy.domain.compile import Policy, compile_policy
from network_policy.domain.drift import Nodes, role_of
from network_policy.domain.names import group_name
from network_policy.domain.proof import Prover
from network_policy.domain.rule import Remote, RemoteKind, read_rule
from network_policy.domain.sight import see
from network_policy.domain.world import World


@dataclass(frozen=True)
class Declared:
    """The workspace as it is declared."""

    policy: Policy
    project_id: str
    nodes: Nodes

    @classmethod
    def of(cls, document: Workspace, site: Site, project_id: str, world: World) -> "Declared":
        """With the ports of its nodes as they are called while all is in order."""
        policy, unknown = compile_policy(document, site), Nodes({})
        own = [port for port in world.ports if port.project_id == project_id]
        roles = {port.id: role for port in own if (role := role_of(policy, port, unknown)) is not None}
        return cls(policy, project_id, Nodes(roles))


@dataclass(frozen=True)
class Open:
    """A rule or a port by which something may be open that is not declared."""

    words: str
    group_id: str = ""
    port_ids: tuple[str, ...] = ()
    """Of a rule, the ports in its group: without one it opens nothing."""


def world_of(listed: Mapping[str, Iterable[Mapping[str, Any]]]) -> World:
    """The world in the lists of the twin's Neutron."""
    return World(
        groups=tuple(map(reading.group, listed["security_groups"])),
        ports=tuple(map(reading.port, listed["ports"])),
        networks=tuple(map(reading.network, listed["networks"])),
        subnets=tuple(map(reading.subnet, listed["subnets"])),
        routers=tuple(map(reading.router, listed["routers"])),
        floating_ips=tuple(map(reading.floating_ip, listed["floatingips"])),
        address_groups=tuple(map(reading.address_group, listed["address_groups"])),
        sharings=tuple(map(reading.sharing, listed["rbac_policies"])),
        whole=True,
    )


def beyond(declared: Declared, world: World) -> dict[str, Open]:
    """What is open beyond the declaration, by the ids of rules and ports."""
    policy, project_id = declared.policy, declared.project_id
    by_name = {group_name(policy.workspace, role): role for role in policy.roles}
    own = [group for group in world.groups if group.project_id == project_id]
    recorded = {by_name[group.name]: group.id for group in own if group.name in by_name}
    sight = see(
        policy, project_id, world.groups, world.ports, recorded_groups=recorded, known_rules={}, nodes=declared.nodes
    )
    members: dict[str, tuple[str, ...]] = {}
    for port in world.ports:
        for group_id in port.group_ids:
            members[group_id] = (*members.get(group_id, ()), port.id)
    found: dict[str, Open] = {}
    for drift in sight.drift:
        group_id = drift.group_id or ""
        if drift.change == "rule-added" and drift.rule_id and group_id in members:
            words = f"rule of {drift.role or 'no role'}: {drift.rule}"
            found[drift.rule_id] = Open(words, group_id, members[group_id])
        if drift.port_id:
            found[drift.port_id] = Open(f"{drift.change} {drift.role}")
    strangers = {
        group_id
        for port in world.ports
        if port.project_id == project_id and role_of(policy, port, declared.nodes)
        for group_id in set(port.group_ids) - set(recorded.values())
    }
    for group in world.groups:
        if group.id in strangers:
            opened = Open(f"rule of {group.name}, with a node's port in it", group.id, members.get(group.id, ()))
            found |= {each.id: opened for each in group.rules}
    if not found:  # what is out of order explains what the proof finds; where nothing is, the proof must hold
        for example in Prover(world, [sight.claim]).prove(policy.workspace).counterexamples:
            words = f"{example.why}: {example.source} to {example.destination}"
            found |= dict.fromkeys(example.rule_ids, Open(words))
    return found


def who_put(calls: Iterable[Mapping[str, Any]], port_id: str, group_id: str, before: float) -> tuple[str, float]:
    """Who last asked for the port to be in the group, and when; `before` and the answer in seconds since the epoch."""
    for call in sorted(calls, key=lambda each: -each["number"]):
        if call["arrived_at"] > before or call["method"] not in ("PUT", "POST") or "/ports" not in call["path"]:
            continue
        groups = ((call["body"] or {}).get("port") or {}).get("security_groups")
        if groups is not None and group_id in groups and call["path"].endswith(port_id):
            return call["user_name"], call["arrived_at"]
    return "", 0.0


def undeclared_calls(declared: Declared, roles: Mapping[str, str], calls: Iterable[Mapping[str, Any]]) -> list[str]:
    """Those of Tresor's own calls that would open what is not declared (I7). `roles`: of each group of ours, by its id."""
    found: list[str] = []
    for call in calls:
        if call["service"] != "neutron" or not call["user_name"].startswith("tresor-"):
            continue
        body = call["body"] or {}
        if call["method"] == "POST" and call["path"].endswith("/security-group-rules"):
            rules = body.get("security_group_rules") or [body["security_group_rule"]]
            found += [str(rule) for rule in rules if not _is_declared(declared.policy, roles, rule)]
        if "/ports" in call["path"] and call["method"] in ("POST", "PUT"):
            ports = body.get("ports") or [body.get("port") or {}]
            for port in ports:
                strange = set(port.get("security_groups") or ()) - set(roles)
                if strange or port.get("port_security_enabled") is False or port.get("allowed_address_pairs"):
                    found.append(str(port))
    return found


def _is_declared(policy: Policy, roles: Mapping[str, str], body: Mapping[str, Any]) -> bool:
    role = roles.get(body["security_group_id"])
    names = ("ethertype", "protocol", "port_range_min", "port_range_max", "remote_ip_prefix", "remote_group_id",
             "remote_address_group_id")  # fmt: skip
    rule = read_rule(direction=str(body.get("direction")), **{name: body.get(name) for name in names})
    if rule.remote.kind is RemoteKind.GROUP and rule.remote.value in roles:
        rule = rule.with_remote(Remote(RemoteKind.ROLE, roles[rule.remote.value]))
    return role is not None and rule in policy.roles.get(role, frozenset())
