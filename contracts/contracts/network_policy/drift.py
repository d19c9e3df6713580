"""What somebody changed behind Tresor's back, and that it is as declared again."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from contracts.envelope import Event
from contracts.examples import WORKSPACE
from contracts.identifiers import Generation, Identifier, ResourceId
from contracts.network_policy.rules import Part, Rule


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
        "floating-ip-attached",
        "port-on-internal-network",
        "port-dhcp-options",
    ]
    """`port-trusted`: a node's port calls itself `network:…`, so that Neutron would not filter it (CVE-2015-5240).
    `floating-ip-attached`: to a port in quarantine. `port-on-internal-network`: a tenant's port on the network that
    OpenStack's own services talk on (row C3). `port-dhcp-options`: a node's port has DHCP options of its own, which may
    name it another router, DNS or boot server (CVE-2021-40085)."""
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


MESSAGES = (DriftDetected, DriftRepaired)
