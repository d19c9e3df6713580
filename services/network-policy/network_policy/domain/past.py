"""What could pass between two ends in one past world; the ends are those of policy tests."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any

from contracts.network_policy import Counterexample
from contracts.policy_tests import PolicyTest
from contracts.site import Site
from contracts.workspace import Workspace
from network_policy.domain.compile import Policy, Uncompilable, compile_policy
from network_policy.domain.drift import Nodes
from network_policy.domain.filters import Claim
from network_policy.domain.policy_tests import PolicyTester
from network_policy.domain.sight import see
from network_policy.domain.world import World

MAX_WAYS = 100
"""Rules, or pairs of them, that are told of one moment."""


@dataclass(frozen=True)
class Declared:
    """What was declared for a workspace at the time."""

    workspace: str
    project_id: str
    generation: int
    policy: Policy
    group_ids: Mapping[str, str]
    nodes: Nodes

    def claim(self, world: World) -> Claim:
        """Its side of the proof in that world."""
        return see(
            self.policy, self.project_id, world.groups, world.ports,
            recorded_groups=self.group_ids, known_rules={}, nodes=self.nodes,
        ).claim  # fmt: skip


def declared_of(workspace: str, project_id: str, body: Mapping[str, Any], site: Site) -> Declared | None:
    """From what is kept of it; None where there was no document, or this site can't compile it any more."""
    if body["document"] is None:
        return None
    try:
        policy = compile_policy(Workspace.model_validate(body["document"]), site)
    except (Uncompilable, ValueError):
        return None
    nodes = Nodes(body["port_roles"], frozenset(body["server_ids"]))
    return Declared(workspace, project_id, body["generation"], policy, body["group_ids"], nodes)


def end_in(world: World, end: str) -> str:
    """The end as a policy test writes it: a port's id as its address, an address as a prefix, a bare name as a role."""
    if ":" in end and not _is_address(end):
        return end
    if end in ("workspace", "others", "outside", "internet", "anywhere"):
        return end
    port = next((port for port in world.ports if port.id == end and port.addresses), None)
    address = port.addresses[0] if port else end
    if _is_address(address):
        return f"prefix:{address}/{ip_address(address).max_prefixlen}"
    return f"role:{end}"


def ends_in(world: World, source: str, target: str) -> PolicyTest:
    """The question as a policy test. Raises ValidationError for what is no end."""
    return PolicyTest.model_validate(
        {"name": "past", "from": end_in(world, source), "to": end_in(world, target), "expect": "denied"}
    )


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def passing(
    world: World, claims: Sequence[Claim], site: Site, workspace: str, source: str, target: str
) -> dict[tuple[str, ...], Counterexample]:
    """By the rules that let it pass, one packet from the one end to the other. Raises ValueError for what is no end.

    Raises UnknownEnd for an end that did not exist.
    """
    ends = ends_in(world, source, target)
    tester = PolicyTester(world, claims, site)
    found: dict[tuple[str, ...], Counterexample] = {}
    for packet in tester.packets(str(ends.from_), str(ends.to), workspace):
        found.setdefault(packet.rule_ids, packet)
        if len(found) >= MAX_WAYS:
            break
    return found
