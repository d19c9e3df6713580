"""Workspaces, their register and its history."""

import json
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from contracts.envelope import Problem
from contracts.provisioner import ReadyNetwork, WorkspaceState
from contracts.workspace import Workspace
from provisioner.domain.plan import Custody, Gates
from provisioner.domain.record import Record
from shared.db import Connection
from shared.signing import EVERYTHING, Coverage

_SAVE = """
INSERT INTO workspace (name, generation, state, document, holder, begun_at, project_id, prepared_generation,
    declared_generation, networked_generation, ready_generation, emptied_generation, are_quotas_forgotten, gates,
    networks, problems, step, done, total)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19)
ON CONFLICT (name) DO UPDATE SET
    generation = excluded.generation, state = excluded.state, document = excluded.document,
    holder = excluded.holder, begun_at = excluded.begun_at, project_id = excluded.project_id,
    prepared_generation = excluded.prepared_generation, declared_generation = excluded.declared_generation,
    networked_generation = excluded.networked_generation, ready_generation = excluded.ready_generation,
    emptied_generation = excluded.emptied_generation, are_quotas_forgotten = excluded.are_quotas_forgotten,
    gates = excluded.gates, networks = excluded.networks, problems = excluded.problems,
    step = excluded.step, done = excluded.done, total = excluded.total
WHERE workspace.generation <= excluded.generation
"""
_LISTED = """
SELECT workspace.*, count(node.name) AS nodes,
    count(node.name) FILTER (WHERE node.told_server_id = node.server_id AND node.status = 'ACTIVE') AS nodes_active
FROM workspace LEFT JOIN node ON node.workspace = workspace.name
WHERE ($1 OR state <> 'deleted') AND workspace.name LIKE ANY ($3::text[])
GROUP BY workspace.name ORDER BY begun_at DESC, workspace.name LIMIT $2
"""


@dataclass(frozen=True)
class HistoryRow:
    """One thing that became of a generation of a workspace."""

    generation: int
    state: WorkspaceState
    holder: str
    happened_at: datetime


async def load(connection: Connection, name: str, *, lock: bool = False) -> Record | None:
    """The workspace of that name. `lock` holds the name, whether or not there is a row, until the transaction ends."""
    if lock:
        await connection.execute("SELECT pg_advisory_xact_lock(hashtextextended($1, 1))", name)
    row = await connection.fetchrow("SELECT * FROM workspace WHERE name = $1", name)
    return None if row is None else _record(row)


async def save(connection: Connection, record: Record) -> None:
    """Store it; a record of an older generation than the stored one changes nothing."""
    await connection.execute(
        _SAVE,
        record.name,
        record.generation,
        record.state,
        record.document.model_dump_json(by_alias=True),
        record.holder,
        record.begun_at,
        record.project_id,
        record.prepared_generation,
        record.declared_generation,
        record.networked_generation,
        record.ready_generation,
        record.emptied_generation,
        record.are_quotas_forgotten,
        json.dumps(asdict(record.gates)),
        json.dumps([network.model_dump(mode="json") for network in record.networks]),
        json.dumps([problem.model_dump() for problem in record.problems]),
        record.step,
        record.done,
        record.total,
    )


async def remember(connection: Connection, record: Record, at: datetime) -> None:
    """Write the record's state into the register's history."""
    await connection.execute(
        "INSERT INTO history (workspace, generation, state, holder, happened_at) VALUES ($1, $2, $3, $4, $5)",
        record.name,
        record.generation,
        record.state,
        record.holder,
        at,
    )


async def history_of(connection: Connection, name: str, limit: int) -> list[HistoryRow]:
    """What became of the workspace, newest first."""
    rows = await connection.fetch(
        "SELECT generation, state, holder, happened_at FROM history WHERE workspace = $1 ORDER BY position DESC LIMIT $2",
        name,
        limit,
    )
    return [HistoryRow(row["generation"], row["state"], row["holder"], row["happened_at"]) for row in rows]


async def listed(
    connection: Connection, *, deleted: bool, limit: int, coverage: Coverage = EVERYTHING
) -> list[tuple[Record, int, int]]:
    """The register, newest first: each workspace with its declared nodes and how many of them are active."""
    rows = await connection.fetch(_LISTED, deleted, limit, coverage.like)
    return [(_record(row), row["nodes"], row["nodes_active"]) for row in rows]


async def names_present(connection: Connection) -> list[str]:
    """The workspaces that are not deleted, and those that are only proposed."""
    rows = await connection.fetch(
        "SELECT name FROM workspace WHERE state <> 'deleted' UNION SELECT workspace FROM proposal"
    )
    return [row["name"] for row in rows]


async def documents_present(connection: Connection) -> list[Workspace]:
    """The documents of the workspaces that are not deleted."""
    rows = await connection.fetch("SELECT document FROM workspace WHERE state <> 'deleted' ORDER BY name")
    return [Workspace.model_validate_json(row["document"]) for row in rows]


async def of_project(connection: Connection, project_id: str) -> str | None:
    """The workspace whose project that is."""
    name: str | None = await connection.fetchval("SELECT name FROM workspace WHERE project_id = $1", project_id)
    return name


async def of_server(connection: Connection, server_id: str) -> str | None:
    """The workspace that has that server."""
    name: str | None = await connection.fetchval("SELECT workspace FROM node WHERE server_id = $1", server_id)
    return name


def _record(row: Any) -> Record:
    gates = json.loads(row["gates"])
    gates["volumes"] = tuple((name, volume_id, node) for name, volume_id, node in gates["volumes"])
    gates["custody"] = tuple(Custody(**each) for each in gates.get("custody", ()))
    return Record(
        name=row["name"],
        generation=row["generation"],
        state=row["state"],
        document=Workspace.model_validate_json(row["document"]),
        holder=row["holder"],
        begun_at=row["begun_at"],
        project_id=row["project_id"],
        prepared_generation=row["prepared_generation"],
        declared_generation=row["declared_generation"],
        networked_generation=row["networked_generation"],
        ready_generation=row["ready_generation"],
        emptied_generation=row["emptied_generation"],
        are_quotas_forgotten=row["are_quotas_forgotten"],
        gates=Gates(**gates),
        networks=tuple(ReadyNetwork.model_validate(network) for network in json.loads(row["networks"])),
        problems=tuple(Problem.model_validate(problem) for problem in json.loads(row["problems"])),
        step=row["step"],
        done=row["done"],
        total=row["total"],
    )
