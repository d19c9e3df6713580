"""What is known of each node, and what a new look at Nova means for it."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from contracts.workspace import Workspace
from provisioner.domain import faults, names
from provisioner.domain.observed import GONE, Observed, SeenPort, SeenServer

MAX_ATTEMPTS = 3
"""Servers made for one node in a row before it is given up."""
STABLE_AFTER = timedelta(minutes=10)
"""A node that was active this long starts its count of attempts anew when it fails."""


@dataclass(frozen=True)
class NodeRecord:
    """A declared node, as stored."""

    name: str
    role: str
    position: int
    server_id: str | None = None
    status: str = GONE
    attempts: int = 0
    """Servers of this node that failed, in a row."""
    fault: str = ""
    failed_server_id: str | None = None
    """The server whose failure was counted and told."""
    told_server_id: str | None = None
    """The server that was told to be active."""
    active_since: datetime | None = None
    port_ids: tuple[str, ...] = ()
    addresses: tuple[str, ...] = ()
    host: str = ""

    @property
    def is_spent(self) -> bool:
        """No further server is made for it."""
        return self.attempts >= MAX_ATTEMPTS

    @property
    def is_active(self) -> bool:
        """Its present server was told to be active and is still there."""
        return self.told_server_id is not None and self.told_server_id == self.server_id


@dataclass(frozen=True)
class NodeChange:
    """A node as it is to be stored, and what is to be told of it."""

    node: NodeRecord
    became_active: bool = False
    failed_server_id: str | None = None
    """The server that failed or vanished just now."""


def declared(document: Workspace, known: Mapping[str, NodeRecord]) -> tuple[NodeRecord, ...]:
    """The record of every declared node; a new one where there was none."""
    return tuple(
        known.get(node.name, NodeRecord(node.name, node.role, node.position)) for node in names.nodes(document)
    )


def assess(
    document: Workspace, groups: Mapping[str, str], node: NodeRecord, seen: Observed, now: datetime
) -> NodeChange | None:
    """What a look at the cloud changes for the node; None when all is as recorded."""
    server = seen.server(node.name, node.server_id)
    if server is not None and not server.is_marked:
        server = None
    if server is None:
        change = _absent(node, now)
    elif server.status == "ERROR":
        change = _failed(node, server, now)
    else:
        ports = ports_of(document, node, seen)
        change = _alive(node, server, ports, _is_guarded(document, groups, node, ports), now)
    return None if change.node == node else change


def is_settled(server: SeenServer) -> bool:
    """Nova is through with what it was doing with the server."""
    return not server.is_busy and server.status not in ("BUILD", "REBUILD", "DELETED", "SOFT_DELETED")


def _failure(node: NodeRecord, server_id: str, fault: str, now: datetime) -> NodeChange:
    was_stable = node.active_since is not None and now - node.active_since >= STABLE_AFTER
    return NodeChange(
        replace(
            node,
            attempts=1 if was_stable else node.attempts + 1,
            fault=faults.plain(fault) or "no reason given",
            failed_server_id=server_id,
            active_since=None,
        ),
        failed_server_id=server_id,
    )


def _absent(node: NodeRecord, now: datetime) -> NodeChange:
    gone = replace(node, status=GONE, server_id=None, host="")
    if node.server_id is None or node.server_id == node.failed_server_id:
        return NodeChange(gone)
    return _failure(gone, node.server_id, "the server vanished from Nova", now)


def _failed(node: NodeRecord, server: SeenServer, now: datetime) -> NodeChange:
    seen = replace(node, server_id=server.id, status=server.status, host=server.host)
    if node.failed_server_id == server.id:
        return NodeChange(seen)
    return _failure(seen, server.id, server.fault or "Nova put it into ERROR", now)


def _alive(
    node: NodeRecord, server: SeenServer, ports: tuple[SeenPort, ...], is_guarded: bool, now: datetime
) -> NodeChange:
    current = replace(
        node,
        server_id=server.id,
        status=server.status,
        host=server.host,
        port_ids=tuple(port.id for port in ports),
        addresses=tuple(address for port in ports for address in port.addresses),
    )
    is_new = server.status == "ACTIVE" and not server.is_busy and node.told_server_id != server.id
    if not is_new or not is_guarded:
        return NodeChange(current)
    return NodeChange(replace(current, told_server_id=server.id, active_since=now, fault=""), became_active=True)


def _is_guarded(document: Workspace, groups: Mapping[str, str], node: NodeRecord, ports: tuple[SeenPort, ...]) -> bool:
    """All its declared ports are there, secured, and in its role's group and no other."""
    role = document.role(node.role)
    return (
        role is not None
        and len(ports) == len(role.all_networks)
        and all(port.is_secured and port.group_ids == {groups.get(node.role)} for port in ports)
    )


def ports_of(document: Workspace, node: NodeRecord, seen: Observed) -> tuple[SeenPort, ...]:
    """The node's declared ports, as far as there are any."""
    role = document.role(node.role)
    if role is None:
        return ()
    found = (seen.port(port.name) for port in names.ports_of(document, role, node.name))
    return tuple(port for port in found if port is not None)
