"""A policy's plan: what a document would change, told before anything is; and the command that applies exactly that."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from contracts.envelope import Answer, Command, Event, Problem, Query, Role
from contracts.examples import DOCUMENT, WORKSPACE
from contracts.identifiers import Digest, Identifier, ResourceId, Text
from contracts.network_policy.rules import EXAMPLE_PACKET, Counterexample, Part, Rule
from contracts.workspace import Workspace

MAX_PLANNED_RULES = 300
MAX_PLANNED_PACKETS = 60
MAX_PLANNED_PORTS = 200
_PLAN = "sha256:" + "c" * 64


class PlannedRule(Part):
    """A rule that comes or goes."""

    action: Literal["add", "remove"]
    rule: Rule
    far_role: Identifier | None = None
    """The role that the far end is, where it is one."""
    rule_id: ResourceId | None = None
    """Of a rule that is there."""


class RolePlan(Part):
    """One security group: that of a role, or the project's default group."""

    role: Identifier | None
    """None: the default group, which has no rules."""
    group_id: ResourceId | None = None
    group: Literal["keep", "create", "remove"]
    stateful: bool = True
    added: Annotated[int, Field(ge=0)]
    removed: Annotated[int, Field(ge=0)]
    rules: tuple[PlannedRule, ...] = ()
    """As many as there is room for in the answer; `added` and `removed` count all."""


class PacketChange(Part):
    """A set of packets that become possible, or impossible: exactly these, with one of them as an example."""

    change: Literal["possible", "impossible"]
    source: Text
    """A role, a prefix outside, or a port of somebody else."""
    destination: Text
    ethertype: Literal["IPv4", "IPv6"]
    far_addresses: Text = ""
    """Where one end is outside: its addresses."""
    kinds: Text
    """Protocols and ports, or ICMP types."""
    example: Counterexample
    """`rule_ids` are of rules that are there; empty for what only the planned rules permit."""


class PolicyPlanned(Answer):
    """What applying the document would change, and everything that speaks against it."""

    type = "network-policy.plan.shown"

    workspace: Identifier
    generation: Annotated[int, Field(ge=0)]
    """Where the workspace stands; 0: nothing is known of it, and all of the plan is new."""
    plan: Digest
    """What `network-policy.policy.apply` names: of the document, the steps and what was observed."""
    observed: Digest
    """Of the groups, rules and ports that the plan starts from."""
    observed_at: datetime
    roles: tuple[RolePlan, ...]
    steps: Annotated[int, Field(ge=0)]
    """Calls that change Neutron."""
    packets: Annotated[tuple[PacketChange, ...], Field(max_length=2 * MAX_PLANNED_PACKETS)]
    more_packets: Annotated[int, Field(ge=0)] = 0
    """Sets beyond those listed."""
    ports: Annotated[tuple[ResourceId, ...], Field(max_length=MAX_PLANNED_PORTS)] = ()
    """Nodes' ports whose packets change or that are put right."""
    more_ports: Annotated[int, Field(ge=0)] = 0
    servers: Annotated[tuple[ResourceId, ...], Field(max_length=MAX_PLANNED_PORTS)] = ()
    more_servers: Annotated[int, Field(ge=0)] = 0
    loosens: bool
    """Whether any packet becomes possible that is not."""
    problems: tuple[Problem, ...] = ()
    """Why it would be refused."""
    notes: tuple[Text, ...] = ()

    example = {
        "workspace": WORKSPACE,
        "generation": 1,
        "plan": _PLAN,
        "observed": "sha256:" + "d" * 64,
        "observed_at": "2026-11-21T10:00:00Z",
        "roles": [
            {
                "role": "login",
                "group_id": "3a5b7c9d-1e2f-4a3b-8c4d-5e6f7a8b9c04",
                "group": "keep",
                "added": 1,
                "removed": 0,
                "rules": [
                    {
                        "action": "add",
                        "rule": {
                            "direction": "ingress",
                            "ethertype": "IPv4",
                            "protocol": "tcp",
                            "port_range_min": 22,
                            "port_range_max": 22,
                            "remote_ip_prefix": "192.0.2.16/28",
                        },
                    }
                ],
            }
        ],
        "steps": 1,
        "packets": [
            {
                "change": "possible",
                "source": "outside",
                "destination": "login",
                "ethertype": "IPv4",
                "far_addresses": "192.0.2.16/28",
                "kinds": "tcp/22",
                "example": {**EXAMPLE_PACKET, "rule_ids": []},
            }
        ],
        "ports": ["9c0e2b6a-2f5d-4b1b-8d5c-3e1f7a9b2c03"],
        "loosens": True,
    }


class PlanPolicy(Query):
    """What a document would change in the cloud as it is; the cloud is listed for this."""

    type = "network-policy.plan.show"
    answer = PolicyPlanned

    document: Workspace

    @property
    def aggregate(self) -> str:
        return self.document.name

    example = {"document": DOCUMENT}


class ApplyPolicy(Command):
    """Apply exactly the plan of that digest: refused when the cloud or the workspace has moved since it was made.

    Networks and the roles' nodes are the provisioner's: such a document is given with `provisioner.workspace.create`.
    """

    type = "network-policy.policy.apply"
    roles = frozenset({Role.OPERATOR, Role.SECURITY_OFFICER})

    document: Workspace
    plan: Digest

    @property
    def aggregate(self) -> str:
        return self.document.name

    example = {"document": DOCUMENT, "plan": _PLAN}


class PolicyRefused(Event):
    """A declared policy does not fit into the project's quota, so nothing of it was begun; tried again while it is declared."""

    type = "network-policy.policy.refused"

    workspace: Identifier
    generation: Annotated[int, Field(ge=1)]
    problems: Annotated[tuple[Problem, ...], Field(min_length=1)]

    example = {
        "workspace": WORKSPACE,
        "generation": 1,
        "problems": [
            {
                "field": "quota.security_group_rule",
                "reason": "24 more security group rules are needed, 90 of 100 are used",
                "remedy": "raise the project's quota to at least 114",
            }
        ],
    }


class PolicyApplied(Event):
    """A plan was applied on command; the document's flows are in force, ahead of the provisioner's register."""

    type = "network-policy.policy.applied"

    workspace: Identifier
    generation: Annotated[int, Field(ge=1)]
    plan: Digest
    holder: Annotated[str, StringConstraints(max_length=120)]
    """Who gave the command."""

    example = {"workspace": WORKSPACE, "generation": 1, "plan": _PLAN, "holder": "ana@example.org"}


MESSAGES = (PlanPolicy, PolicyPlanned, ApplyPolicy, PolicyRefused, PolicyApplied)
