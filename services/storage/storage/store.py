"""Storage's own rows. Every write of a workspace's row counts its version up, and fails when somebody was faster."""

import json
from collections.abc import Iterable
from datetime import datetime, timedelta

import asyncpg

from contracts.envelope import Problem
from contracts.workspace import Workspace
from shared.db import Connection
from storage.domain.late import Calls
from storage.domain.observed import Recorded, Records
from storage.domain.state import Known, ShareDrift, State

_LOAD = "SELECT * FROM workspace WHERE workspace = $1"
_INSERT = """
INSERT INTO workspace (state, generation, project_id, document, enforced_generation, deleting_generation, has_begun,
                       tries, problems, drift, since, workspace)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
ON CONFLICT (workspace) DO NOTHING
"""
_UPDATE = """
UPDATE workspace SET state = $1, generation = $2, project_id = $3, document = $4, enforced_generation = $5,
    deleting_generation = $6, has_begun = $7, tries = $8, problems = $9, drift = $10,
    since = CASE WHEN state = $1 THEN since ELSE $11 END, version = version + 1
WHERE workspace = $12 AND version = $13
"""
_RECORDS = "SELECT * FROM resource WHERE workspace = $1"
_RECORD = """
INSERT INTO resource (workspace, kind, cloud_name, name, resource_id, size_gib, node, protocol, export_locations,
                      access, is_told)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
ON CONFLICT (workspace, kind, cloud_name) DO UPDATE SET
    name = excluded.name, resource_id = excluded.resource_id, size_gib = excluded.size_gib, node = excluded.node,
    protocol = excluded.protocol, export_locations = excluded.export_locations, access = excluded.access,
    is_told = excluded.is_told
"""


async def lock(connection: Connection, workspace: str) -> Known | None:
    """What is known of the workspace, with its row kept for this transaction, also where there is none yet."""
    await connection.execute("SELECT pg_advisory_xact_lock(hashtextextended($1, 0))", f"workspace {workspace}")
    return await load(connection, workspace)


async def load(connection: Connection, workspace: str) -> Known | None:
    """What is known of the workspace; None when nothing is."""
    row = await connection.fetchrow(_LOAD, workspace)
    return None if row is None else _known(row)


async def save(connection: Connection, known: Known, now: datetime) -> bool:
    """Write what is known; False when somebody else wrote since it was read."""
    values = (
        known.state,
        known.generation,
        known.project_id,
        None if known.document is None else known.document.model_dump_json(by_alias=True),
        known.enforced_generation,
        known.deleting_generation,
        known.has_begun,
        known.tries,
        json.dumps([problem.model_dump() for problem in known.problems]),
        json.dumps({share: _drift_row(drift) for share, drift in known.drift.items()}),
        now,
        known.workspace,
    )
    if known.version == 0:
        return await connection.execute(_INSERT, *values) == "INSERT 0 1"
    return await connection.execute(_UPDATE, *values, known.version) == "UPDATE 1"


async def records(connection: Connection, workspace: str) -> Records:
    """The shares and volumes on record."""
    found = [_recorded(row) for row in await connection.fetch(_RECORDS, workspace)]
    return {(each.kind, each.cloud_name): each for each in found}


async def record(connection: Connection, workspace: str, things: Iterable[Recorded]) -> None:
    """Remember these by their ids."""
    await connection.executemany(
        _RECORD,
        [
            (
                workspace,
                each.kind,
                each.cloud_name,
                each.name,
                each.resource_id,
                each.size_gib,
                each.node,
                each.protocol,
                list(each.export_locations),
                list(each.access),
                each.is_told,
            )
            for each in things
        ],
    )


async def forget(connection: Connection, workspace: str, things: Iterable[tuple[str, str]] | None = None) -> None:
    """Drop these (kind, name in the cloud) from the record; all of the workspace's where none are named."""
    if things is None:
        await connection.execute("DELETE FROM resource WHERE workspace = $1", workspace)
        return
    await connection.executemany(
        "DELETE FROM resource WHERE workspace = $1 AND kind = $2 AND cloud_name = $3",
        [(workspace, kind, cloud_name) for kind, cloud_name in things],
    )


async def kept(connection: Connection) -> list[str]:
    """The workspaces that have, or are about to have, something in the cloud."""
    rows = await connection.fetch("SELECT workspace FROM workspace WHERE state <> 'released' ORDER BY workspace")
    return [row["workspace"] for row in rows]


async def of_project(connection: Connection, project_id: str) -> str | None:
    """The workspace that the project belongs to."""
    found: str | None = await connection.fetchval(
        "SELECT workspace FROM workspace WHERE project_id = $1 AND state <> 'released'", project_id
    )
    return found


async def unanswered(connection: Connection, workspace: str, now: datetime, within_seconds: float) -> bool:
    """Whether a call for the workspace had no answer and is so young that it may still take effect."""
    found: bool = await connection.fetchval(
        "SELECT EXISTS (SELECT FROM intent WHERE key = $1 AND state IN ('sent', 'unknown') AND sent_at > $2)",
        workspace,
        now - timedelta(seconds=within_seconds),
    )
    return found


async def without_outcome(connection: Connection, calls: Iterable[tuple[str, str]]) -> Calls:
    """When those calls, by verb and marker, were sent of which nothing is known to have come."""
    asked = sorted(calls)
    rows = await connection.fetch(
        "SELECT step, marker, sent_at FROM intent JOIN unnest($1::text[], $2::text[]) AS asked (step, marker)"
        " USING (step, marker) WHERE resource_id IS NULL",
        [step for step, _ in asked],
        [marker for _, marker in asked],
    )
    found: dict[tuple[str, str], list[datetime]] = {}
    for row in rows:
        found.setdefault((row["step"], row["marker"]), []).append(row["sent_at"])
    return found


async def born(connection: Connection, volume_id: str, ready_at: datetime) -> None:
    """Remember when Cinder said that the volume was made."""
    await connection.execute(
        "INSERT INTO volume_birth (volume_id, ready_at) VALUES ($1, $2) ON CONFLICT DO NOTHING", volume_id, ready_at
    )


async def births(connection: Connection, volume_ids: Iterable[str]) -> dict[str, datetime]:
    """When those of the volumes were made whose making was heard of."""
    rows = await connection.fetch("SELECT * FROM volume_birth WHERE volume_id = ANY($1)", sorted(volume_ids))
    return {row["volume_id"]: row["ready_at"] for row in rows}


async def tell_left(connection: Connection, workspace: str, resource_id: str) -> bool:
    """Remember that it is told of as left alone; False when it was told before."""
    told = await connection.fetchval(
        "INSERT INTO surplus_left (resource_id, workspace) VALUES ($1, $2) ON CONFLICT DO NOTHING RETURNING true",
        resource_id,
        workspace,
    )
    return bool(told)


def _known(row: asyncpg.Record) -> Known:
    document = row["document"]
    return Known(
        workspace=row["workspace"],
        state=State(row["state"]),
        generation=row["generation"],
        project_id=row["project_id"],
        document=None if document is None else Workspace.model_validate_json(document),
        enforced_generation=row["enforced_generation"],
        deleting_generation=row["deleting_generation"],
        has_begun=row["has_begun"],
        tries=row["tries"],
        problems=tuple(Problem.model_validate(problem) for problem in json.loads(row["problems"])),
        drift={
            share: ShareDrift(tuple(each["added"]), tuple(each["removed"]), datetime.fromisoformat(each["since"]))
            for share, each in json.loads(row["drift"]).items()
        },
        since=row["since"],
        version=row["version"],
    )


def _drift_row(drift: ShareDrift) -> dict[str, object]:
    return {"added": drift.added, "removed": drift.removed, "since": drift.since.isoformat()}


def _recorded(row: asyncpg.Record) -> Recorded:
    return Recorded(
        kind=row["kind"],
        cloud_name=row["cloud_name"],
        name=row["name"],
        resource_id=row["resource_id"],
        size_gib=row["size_gib"],
        node=row["node"],
        protocol=row["protocol"],
        export_locations=tuple(row["export_locations"]),
        access=tuple(row["access"]),
        is_told=row["is_told"],
    )
