"""One message of the audit log as rules see it, whichever bus it came from."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from contracts.audit import OPENSTACK, TRESOR, Row
from contracts.identifiers import NAME
from contracts.openstack import Notification
from contracts.openstack.glance import Image
from contracts.openstack.neutron import FloatingIp, NetworkPayload, Port, Resource
from contracts.openstack.nova import Scheduling, Server
from contracts.openstack.payload import Payload
from contracts.site import Site

_IDENTIFIER = re.compile(rf"(?=.{{1,40}}$){NAME[1:]}")
"""A workspace's name; what an event is about may be something else."""


@dataclass(frozen=True, slots=True)
class Node:
    """A server that Tresor made."""

    workspace: str
    role: str
    is_sensitive: bool
    """What the role says of itself (row L15)."""


@dataclass(frozen=True)
class Known:
    """What Tresor knows beside the message."""

    site: Site
    workspaces: Mapping[str, str] = field(default_factory=dict)
    """By the id of their project."""
    sensitivities: Mapping[str, str] = field(default_factory=dict)
    """By the workspace's name."""
    nodes: Mapping[str, Node] = field(default_factory=dict)
    """By the server's id."""


@dataclass(frozen=True, slots=True)
class Record:
    """A message. Its fields are what rules name; None: it does not say."""

    stream: str
    position: int
    at: datetime
    """When it happened, by whoever told it, but never later than it was written down."""
    written_at: datetime
    type: str
    source: str
    """OpenStack's publisher, or the service of Tresor."""
    message_id: str
    request_id: str | None = None
    project_id: str | None = None
    """The project of the caller."""
    user_id: str | None = None
    user: str | None = None
    """The caller's name, or id where there is no name."""
    address: str | None = None
    """Where the call came from; Keystone alone tells it."""
    resource_id: str | None = None
    owner_project_id: str | None = None
    """The project that the resource belongs to; the caller's where it isn't told."""
    payload: Payload | None = None
    data: Mapping[str, Any] = field(default_factory=dict)
    """What an event of Tresor's own says."""
    workspace: str | None = None
    sensitivity: str | None = None
    server_id: str | None = None
    role: str | None = None
    role_is_sensitive: bool | None = None
    is_working_time: bool | None = None
    """None: the site file names no working hours."""

    @property
    def resources(self) -> tuple[Resource | None, ...]:
        """Each resource of Neutron's that it is about; a rule looks at one at a time."""
        return (
            self.payload.resources if isinstance(self.payload, NetworkPayload) and self.payload.resources else (None,)
        )


def server_of(payload: Payload | None) -> str | None:
    """The server that a payload is about, whatever kind of resource it tells of."""
    if isinstance(payload, Server | Scheduling):
        return payload.resource_id
    if isinstance(payload, Image):
        found = payload.properties.get("instance_uuid")
        return found if isinstance(found, str) else None
    if isinstance(payload, NetworkPayload) and isinstance(payload.resource, Port | FloatingIp):
        return payload.resource.device_id
    return None


def project_of(notification: Notification) -> str | None:
    """Whose the resource is."""
    return notification.payload.owner_project_id or notification.project_id


def record_of_notification(row: Row, said: Notification, known: Known) -> Record:
    """A notification of OpenStack's."""
    server_id, project_id = server_of(said.payload), project_of(said)
    node = known.nodes.get(server_id or "")
    workspace = node.workspace if node else known.workspaces.get(project_id or "")
    at = _happened(row)
    return Record(
        OPENSTACK,
        row.position,
        at,
        row.recorded_at,
        said.event_type,
        said.publisher_id,
        said.message_id,
        said.request_id,
        said.project_id,
        said.user_id,
        said.user_name or said.user_id,
        said.remote_address,
        said.resource_id,
        project_id,
        said.payload,
        {},
        workspace,
        known.sensitivities.get(workspace or ""),
        server_id,
        node.role if node else None,
        node.is_sensitive if node else None,
        known.site.is_working_time(at),
    )


def record_of_event(row: Row, envelope: Mapping[str, Any], known: Known) -> Record:
    """An event of Tresor's own, from its envelope's JSON."""
    data = envelope.get("data")
    said: Mapping[str, Any] = data if isinstance(data, Mapping) else {}
    holder = said.get("holder")
    named = row.entry.workspace
    workspace = named if named != "site" and _IDENTIFIER.fullmatch(named) else None
    at = _happened(row)
    return Record(
        TRESOR,
        row.position,
        at,
        row.recorded_at,
        row.entry.type,
        row.entry.source,
        row.entry.message_id,
        row.entry.request_id or None,
        row.entry.project_id or None,
        user_id=holder if isinstance(holder, str) else None,
        user=holder if isinstance(holder, str) else None,
        data=said,
        workspace=workspace,
        sensitivity=known.sensitivities.get(workspace or ""),
        is_working_time=known.site.is_working_time(at),
    )


def _happened(row: Row) -> datetime:
    told = row.entry.occurred_at
    return row.recorded_at if told is None else min(told, row.recorded_at)
