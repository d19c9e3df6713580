"""What a quarantine does to a workspace's ports: which it covers, what is kept of them, what is to be changed."""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from network_policy.domain.compile import Policy
from network_policy.domain.confinement import Scope
from network_policy.domain.drift import Nodes, declared_role_of, is_node_port
from network_policy.domain.world import Port, Trunk

FILTERED_VNIC_TYPES = ("normal", "vhost-user", "vdpa")
"""Kinds of port whose packets pass where groups are enforced; a direct or bare-metal port is cut only by being down."""


@dataclass(frozen=True, slots=True)
class CustodyPort:
    """A port as it stands, with Neutron's own words of it."""

    port: Port
    admin_up: bool
    body: Mapping[str, Any]

    @property
    def is_filtered(self) -> bool:
        """Whether a group without rules stops its packets."""
        return not self.port.is_trusted and self.port.vnic_type in FILTERED_VNIC_TYPES


@dataclass(frozen=True, slots=True)
class CustodyFloatingIp:
    """A floating IP as it stands."""

    id: str
    address: str
    port_id: str | None
    fixed_address: str
    body: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class CustodyTrunk:
    """A trunk as it stands."""

    trunk: Trunk
    body: Mapping[str, Any]


@dataclass(frozen=True)
class Custody:
    """What stands of the workspace's project, as far as a quarantine is about it."""

    ports: tuple[CustodyPort, ...]
    floating_ips: tuple[CustodyFloatingIp, ...]
    trunks: tuple[CustodyTrunk, ...]

    def covered(self, scope: Scope, policy: Policy, nodes: Nodes, recorded: frozenset[str]) -> tuple[CustodyPort, ...]:
        """The ports that the quarantine is about: by its scope, as recorded, what else is plugged into their servers, and
        what they carry."""
        mine = {
            each.port.id
            for each in self.ports
            if each.port.id in recorded
            or (
                is_node_port(policy, each.port, nodes)
                and scope.covers(each.port, declared_role_of(policy, each.port, nodes))
            )
        }
        servers = {each.port.device_id for each in self.ports if each.port.id in mine and not each.port.is_trusted}
        mine |= {
            each.port.id
            for each in self.ports
            if each.port.is_bound and each.port.device_id and each.port.device_id in servers
        }
        for each in self.trunks:
            if each.trunk.port_id in mine:
                mine.update(each.trunk.subport_ids)
        return tuple(each for each in self.ports if each.port.id in mine)

    def floating_on(self, port_ids: frozenset[str]) -> tuple[CustodyFloatingIp, ...]:
        """The floating IPs that stand for these ports."""
        return tuple(each for each in self.floating_ips if each.port_id in port_ids)


def wanted_groups(each: CustodyPort, project_id: str, group_id: str) -> tuple[str, ...]:
    """The groups that a port in quarantine is to have; one of another project's can't be in ours: it has none."""
    return (group_id,) if each.port.project_id == project_id else ()


def is_enclosed(each: CustodyPort, project_id: str, group_id: str) -> bool:
    """Whether the port's filter lets nothing pass; one that is not filtered at all has to be down."""
    port = each.port
    if not each.is_filtered:
        return not each.admin_up
    return port.port_security and not port.address_pairs and port.group_ids == wanted_groups(each, project_id, group_id)


def evidence(
    custody: Custody,
    covered: Sequence[CustodyPort],
    groups: Iterable[Mapping[str, Any]],
    changes: Iterable[Mapping[str, Any]],
    heading: Mapping[str, Any],
    max_characters: int,
) -> tuple[str, str]:
    """The snapshot as canonical JSON, and its SHA-256 as `sha256:…`.

    What is too large loses the changes first, then the rules: what was left out is said in it.
    """
    port_ids = frozenset(each.port.id for each in covered)
    kept: dict[str, Any] = {
        **heading,
        "ports": [dict(each.body) for each in covered],
        "floating_ips": [dict(each.body) for each in custody.floating_on(port_ids)],
        "trunks": [dict(each.body) for each in custody.trunks if each.trunk.port_id in port_ids],
        "groups": [dict(each) for each in groups],
        "changes": [dict(each) for each in changes],
        "left_out": [],
    }
    text = _canonical(kept)
    for name in ("changes", "groups", "ports"):
        if len(text) <= max_characters:
            break
        kept = {**kept, name: [], "left_out": [*kept["left_out"], name]}
        text = _canonical(kept)
    return text, f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"


def parts(text: str, size: int) -> list[str]:
    """The text in pieces of at most `size` characters; at least one."""
    return [text[start : start + size] for start in range(0, len(text), size)] or [""]


def _canonical(content: Mapping[str, Any]) -> str:
    return json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=True, default=str)
