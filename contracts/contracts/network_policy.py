"""What network-policy is asked and tells: groups and rules, the proof of isolation, drift and its repair."""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from contracts.chassis import chassis_messages
from contracts.envelope import Answer, Event, Query
from contracts.examples import PROJECT_ID, WORKSPACE
from contracts.identifiers import Digest, Generation, Identifier, ResourceId, Text

OWNER = "network-policy"
CHASSIS = chassis_messages(OWNER)


class Part(BaseModel):
    """A piece of a message."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Rule(Part):
    """A security group rule in Neutron's terms; None means any."""

    direction: Literal["ingress", "egress"]
    ethertype: Literal["IPv4", "IPv6"]
    protocol: Annotated[str, StringConstraints(max_length=20)] | None = None
    port_range_min: Annotated[int, Field(ge=0, le=65535)] | None = None
    """For ICMP the type."""
    port_range_max: Annotated[int, Field(ge=0, le=65535)] | None = None
    """For ICMP the code."""
    remote_ip_prefix: Annotated[str, StringConstraints(max_length=43)] | None = None
    remote_group_id: ResourceId | None = None
    remote_address_group_id: ResourceId | None = None


class Counterexample(Part):
    """One packet that is possible and should not be, with what lets it pass."""

    source: Text
    """A port, or a prefix outside the cloud's workspaces."""
    source_address: Annotated[str, StringConstraints(max_length=43)]
    destination: Text
    destination_address: Annotated[str, StringConstraints(max_length=43)]
    protocol: Annotated[str, StringConstraints(max_length=20)]
    port: Annotated[int, Field(ge=0, le=65535)] | None = None
    rule_ids: tuple[ResourceId, ...]
    """The rules (or, where there is no rule, the port) that let it pass."""
    why: Text


_PACKET: dict[str, Any] = {
    "source": "outside",
    "source_address": "198.51.100.7",
    "destination": "port 9c0e2b6a-2f5d-4b1b-8d5c-3e1f7a9b2c03 of openhpc",
    "destination_address": "10.42.0.11",
    "protocol": "tcp",
    "port": 22,
    "rule_ids": ["7d2e0c52-3d5e-4b6e-9a8a-0b1c2d3e4f05"],
    "why": "an ingress rule of group tre-openhpc-login permits tcp/22 from 0.0.0.0/0",
}


class PolicyEnforced(Event):
    """The declared policy is what Neutron says, and isolation is proven on it: ports may be born in the groups."""

    type = "network-policy.policy.enforced"

    workspace: Identifier
    generation: Generation
    project_id: ResourceId
    groups: dict[Identifier, ResourceId]
    """The security group of each role."""
    rules: Annotated[int, Field(ge=0)]
    proof: Digest
    """SHA-256 over the observed state that the proof was made on."""
    assumptions: tuple[Text, ...]

    example = {
        "workspace": WORKSPACE,
        "generation": 1,
        "project_id": PROJECT_ID,
        "groups": {
            "login": "3a5b7c9d-1e2f-4a3b-8c4d-5e6f7a8b9c04",
            "compute": "4b6c8d0e-2f3a-4b4c-9d5e-6f7a8b9c0d05",
        },
        "rules": 24,
        "proof": "sha256:" + "a" * 64,
        "assumptions": ["Neutron's answer is what its backend enforces"],
    }


class PolicyWithdrawn(Event):
    """A deleted workspace's groups are gone."""

    type = "network-policy.policy.withdrawn"

    workspace: Identifier
    generation: Generation

    example = {"workspace": WORKSPACE, "generation": 2}


class IsolationViolated(Event):
    """A packet is possible that nobody declared; `repairing` tells whether Tresor is closing it by itself."""

    type = "network-policy.isolation.violated"

    workspace: Identifier
    generation: Generation
    counterexamples: Annotated[tuple[Counterexample, ...], Field(min_length=1, max_length=20)]
    more: Annotated[int, Field(ge=0)] = 0
    """How many were found beyond those listed."""
    repairing: bool

    example = {
        "workspace": WORKSPACE,
        "generation": 1,
        "counterexamples": [_PACKET],
        "repairing": True,
    }


class IsolationProven(Event):
    """No undeclared packet is possible any more, after there was one."""

    type = "network-policy.isolation.proven"

    workspace: Identifier
    generation: Generation
    proof: Digest
    assumptions: tuple[Text, ...]

    example = {
        "workspace": WORKSPACE,
        "generation": 1,
        "proof": "sha256:" + "b" * 64,
        "assumptions": ["Neutron's answer is what its backend enforces"],
    }


class RuleDrift(Part):
    """One rule or group that is not as declared."""

    change: Literal[
        "rule-added",
        "rule-removed",
        "group-missing",
        "group-unmanaged",
        "port-regrouped",
        "port-unprotected",
        "port-address-pairs",
        "port-trusted",
    ]
    """`port-trusted`: a node's port calls itself `network:…`, so that Neutron would not filter it (CVE-2015-5240)."""
    group_id: ResourceId | None = None
    role: Identifier | None = None
    rule_id: ResourceId | None = None
    rule: Rule | None = None
    port_id: ResourceId | None = None


class DriftDetected(Event):
    """Somebody changed the policy behind Tresor's back; `actor` is who, where OpenStack's notification names one."""

    type = "network-policy.drift.detected"

    workspace: Identifier
    generation: Generation
    drift: Annotated[tuple[RuleDrift, ...], Field(min_length=1, max_length=200)]
    seen_by: Literal["notification", "scan"]
    happened_at: datetime | None = None
    """When OpenStack's notification was made; None when a scan found it."""
    actor: Annotated[str, StringConstraints(max_length=255)] = ""
    """Keystone user id; empty: nobody can be named."""
    request_id: Annotated[str, StringConstraints(max_length=64)] = ""
    repairing: bool

    example = {
        "workspace": WORKSPACE,
        "generation": 1,
        "drift": [
            {
                "change": "rule-added",
                "group_id": "3a5b7c9d-1e2f-4a3b-8c4d-5e6f7a8b9c04",
                "role": "login",
                "rule_id": "7d2e0c52-3d5e-4b6e-9a8a-0b1c2d3e4f05",
                "rule": {
                    "direction": "ingress",
                    "ethertype": "IPv4",
                    "protocol": "tcp",
                    "port_range_min": 22,
                    "port_range_max": 22,
                    "remote_ip_prefix": "0.0.0.0/0",
                },
            }
        ],
        "seen_by": "notification",
        "happened_at": "2026-11-21T10:00:00Z",
        "actor": "5f1c0a9e8d7b4c6f9e2a1b3c4d5e6f70",
        "request_id": "req-0198c0de-0000-4000-8000-000000000002",
        "repairing": True,
    }


class DriftRepaired(Event):
    """What drifted is as declared again."""

    type = "network-policy.drift.repaired"

    workspace: Identifier
    generation: Generation
    steps: Annotated[int, Field(ge=0)]
    """How many differences are gone."""
    seconds_since_change: Annotated[float, Field(ge=0)] | None = None
    """From OpenStack's notification of the change; None when a scan found it."""
    seconds_since_detection: Annotated[float, Field(ge=0)]

    example = {
        "workspace": WORKSPACE,
        "generation": 1,
        "steps": 1,
        "seconds_since_change": 0.31,
        "seconds_since_detection": 0.12,
    }


class RoleReach(Part):
    """What a role can send to, or hear from."""

    source: Text
    destination: Text
    protocol: Annotated[str, StringConstraints(max_length=20)]
    ports: Annotated[str, StringConstraints(max_length=200)]


class WorkspaceIsolation(Part):
    """One workspace's verdict with what it was proven on."""

    workspace: Identifier
    verdict: Literal["isolated", "violated", "unknown"]
    """`unknown` where the state could not be observed; treat as violated."""
    generation: Generation
    proof: Digest | None = None
    proven_at: datetime | None = None
    groups: int
    rules: int
    ports: int
    counterexamples: tuple[Counterexample, ...] = ()
    reach: tuple[RoleReach, ...] = ()
    """What is permitted, role by role; only when one workspace was asked for."""


class IsolationShown(Answer):
    """The latest verdicts, and how old what they rest on can be."""

    type = "network-policy.isolation.shown"

    workspaces: tuple[WorkspaceIsolation, ...]
    staleness_seconds: Annotated[float, Field(ge=0)]
    """The bound on the age of what the verdict rests on where OpenStack is silent: the scan's period."""
    assumptions: tuple[Text, ...] = ()

    example = {
        "workspaces": [
            {
                "workspace": WORKSPACE,
                "verdict": "isolated",
                "generation": 1,
                "proof": "sha256:" + "a" * 64,
                "proven_at": "2026-11-21T10:00:00Z",
                "groups": 2,
                "rules": 24,
                "ports": 6,
            }
        ],
        "staleness_seconds": 60,
    }


class ShowIsolation(Query):
    """The verdict for one workspace, or for all."""

    type = "network-policy.isolation.show"
    answer = IsolationShown

    of: Identifier | None = None

    @property
    def aggregate(self) -> str:
        return self.of or "site"

    example = {"of": WORKSPACE}


MESSAGES = (
    PolicyEnforced,
    PolicyWithdrawn,
    IsolationViolated,
    IsolationProven,
    DriftDetected,
    DriftRepaired,
    ShowIsolation,
    IsolationShown,
    *CHASSIS,
)
