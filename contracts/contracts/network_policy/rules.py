"""A security group rule and a packet, as messages carry them."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from contracts.identifiers import ResourceId, Text


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


class Whose(Part):
    """The workspace that a port belongs to, and its role there; None for a port of no role."""

    workspace: Text
    role: Text | None = None


class Counterexample(Part):
    """One packet that is possible and should not be, with what lets it pass."""

    source: Text
    """A port, or a prefix outside the cloud's workspaces."""
    source_of: Whose | None = None
    """None: not known to be a workspace's."""
    source_address: Annotated[str, StringConstraints(max_length=43)]
    destination: Text
    destination_of: Whose | None = None
    destination_address: Annotated[str, StringConstraints(max_length=43)]
    protocol: Annotated[str, StringConstraints(max_length=20)]
    port: Annotated[int, Field(ge=0, le=65535)] | None = None
    rule_ids: tuple[ResourceId, ...]
    """The rules (or, where there is no rule, the port) that let it pass."""
    why: Text


EXAMPLE_PACKET: dict[str, Any] = {
    "source": "outside",
    "source_address": "198.51.100.7",
    "destination": "port 9c0e2b6a-2f5d-4b1b-8d5c-3e1f7a9b2c03 of openhpc",
    "destination_of": {"workspace": "openhpc", "role": "login"},
    "destination_address": "10.42.0.11",
    "protocol": "tcp",
    "port": 22,
    "rule_ids": ["7d2e0c52-3d5e-4b6e-9a8a-0b1c2d3e4f05"],
    "why": "an ingress rule of group tre-openhpc-login permits tcp/22 from 0.0.0.0/0",
}
