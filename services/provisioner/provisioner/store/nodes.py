"""The nodes of a workspace."""

from typing import Any

from provisioner.domain.nodes import NodeRecord
from provisioner.domain.record import Nodes
from shared.db import Connection

_SAVE = """
INSERT INTO node (workspace, name, role, position, server_id, status, attempts, fault, failed_server_id,
    told_server_id, active_since, port_ids, addresses, host)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)
ON CONFLICT (workspace, name) DO UPDATE SET
    server_id = excluded.server_id, status = excluded.status, attempts = excluded.attempts, fault = excluded.fault,
    failed_server_id = excluded.failed_server_id, told_server_id = excluded.told_server_id,
    active_since = excluded.active_since, port_ids = excluded.port_ids, addresses = excluded.addresses,
    host = excluded.host
"""


async def load_nodes(connection: Connection, workspace: str) -> Nodes:
    """The workspace's nodes, role by role as they were declared."""
    rows = await connection.fetch("SELECT * FROM node WHERE workspace = $1 ORDER BY role, position", workspace)
    return tuple(_node(row) for row in rows)


async def save_nodes(connection: Connection, workspace: str, before: Nodes, after: Nodes) -> None:
    """Store the nodes that changed and drop those that are not declared any more."""
    old = {node.name: node for node in before}
    changed = [node for node in after if old.get(node.name) != node]
    await connection.executemany(_SAVE, [_row(workspace, node) for node in changed])
    dropped = sorted(old.keys() - {node.name for node in after})
    if dropped:
        await connection.execute("DELETE FROM node WHERE workspace = $1 AND name = ANY($2)", workspace, dropped)


async def statuses_of(connection: Connection, workspace: str) -> tuple[int, int]:
    """How many nodes are declared, and how many of them are active."""
    row = await connection.fetchrow(
        "SELECT count(*) AS nodes, count(*) FILTER (WHERE told_server_id = server_id AND status = 'ACTIVE') AS active "
        "FROM node WHERE workspace = $1",
        workspace,
    )
    return (0, 0) if row is None else (row["nodes"], row["active"])


def _row(workspace: str, node: NodeRecord) -> tuple[Any, ...]:
    return (
        workspace,
        node.name,
        node.role,
        node.position,
        node.server_id,
        node.status,
        node.attempts,
        node.fault,
        node.failed_server_id,
        node.told_server_id,
        node.active_since,
        list(node.port_ids),
        list(node.addresses),
        node.host,
    )


def _node(row: Any) -> NodeRecord:
    return NodeRecord(
        name=row["name"],
        role=row["role"],
        position=row["position"],
        server_id=row["server_id"],
        status=row["status"],
        attempts=row["attempts"],
        fault=row["fault"],
        failed_server_id=row["failed_server_id"],
        told_server_id=row["told_server_id"],
        active_since=row["active_since"],
        port_ids=tuple(row["port_ids"]),
        addresses=tuple(row["addresses"]),
        host=row["host"],
    )
