"""What the detections read of the log, what they remember, and what they know of workspaces and servers."""

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta

from contracts.audit import Entry, Row
from contracts.site import Site
from security_monitor.domain.detections import Known, Node, Place, Remembered
from security_monitor.domain.detections.matching import Types
from security_monitor.store.audit import COLUMNS
from shared.db import Connection

# The database leaves out what no rule names, so that its body is never read.
_ROWS = f"""
SELECT {", ".join(COLUMNS)} FROM audit_record
WHERE stream = $1 AND position > $2 AND position <= $3 AND (type = ANY($4) OR type LIKE ANY($5))
ORDER BY position LIMIT $6
"""  # noqa: S608


async def rows(connection: Connection, stream: str, after: int, until: int, types: Types, limit: int) -> list[Row]:
    """At most `limit` rows between the two positions whose types may concern a rule."""
    found = await connection.fetch(_ROWS, stream, after, until, sorted(types.exact), sorted(types.likes), limit)
    return [Row(row[0], row[1], row[2], Entry(*row[3:14]), row[14]) for row in found]


async def recorded_at(connection: Connection, stream: str, position: int) -> datetime | None:
    """When that row was written; None where there is none."""
    found: datetime | None = await connection.fetchval(
        "SELECT recorded_at FROM audit_record WHERE stream = $1 AND position = $2", stream, position
    )
    return found


async def remembered(
    connection: Connection, places: Iterable[Place], digests: Mapping[str, str]
) -> dict[Place, Remembered]:
    """What the present rules remember at these places."""
    wanted = sorted(set(places))
    if not wanted:
        return {}
    found = await connection.fetch(
        """SELECT rule, key, digest, memory, until FROM detection_memory
           JOIN unnest($1::text[], $2::text[]) AS wanted (rule, key) USING (rule, key)""",
        [rule for rule, _ in wanted],
        [key for _, key in wanted],
    )
    return {
        (row["rule"], row["key"]): Remembered(json.loads(row["memory"]), row["until"])
        for row in found
        if digests.get(row["rule"]) == row["digest"]
    }


async def remember(
    connection: Connection, memories: Mapping[Place, Remembered | None], digests: Mapping[str, str]
) -> None:
    """Keep what has changed."""
    gone = [place for place, each in memories.items() if each is None]
    kept = [
        (*place, digests[place[0]], json.dumps(each.memory), each.until) for place, each in memories.items() if each
    ]
    if gone:
        await connection.executemany("DELETE FROM detection_memory WHERE rule = $1 AND key = $2", gone)
    if kept:
        await connection.executemany(
            """INSERT INTO detection_memory (rule, key, digest, memory, until) VALUES ($1, $2, $3, $4, $5)
               ON CONFLICT (rule, key) DO UPDATE
               SET digest = excluded.digest, memory = excluded.memory, until = excluded.until""",
            kept,
        )


async def take_due(
    connection: Connection, now: datetime, digests: Mapping[str, str], limit: int
) -> list[tuple[Place, Remembered]]:
    """What is of no more use, or certain to be missed, at that time; it is forgotten."""
    found = await connection.fetch(
        """DELETE FROM detection_memory WHERE (rule, key) IN (
               SELECT rule, key FROM detection_memory WHERE until <= $1 ORDER BY until LIMIT $2)
           RETURNING rule, key, digest, memory, until""",
        now,
        limit,
    )
    return [
        ((row["rule"], row["key"]), Remembered(json.loads(row["memory"]), row["until"]))
        for row in found
        if digests.get(row["rule"]) == row["digest"]
    ]


async def turn(connection: Connection, now: datetime, longest_pause: timedelta) -> None:
    """The log is judged again. After a longer pause what is waited for has as much more time to come."""
    before = await connection.fetchval("SELECT at FROM detection_turn")
    await connection.execute(
        "INSERT INTO detection_turn (at) VALUES ($1) ON CONFLICT (one) DO UPDATE SET at = excluded.at", now
    )
    if before is not None and now - before > longest_pause:
        await connection.execute("UPDATE detection_memory SET until = until + $1", now - before)


async def remember_document(
    connection: Connection, workspace: str, sensitivity: str, sensitive_roles: Sequence[str]
) -> None:
    """How sensitive the workspace says that it is, and which of its roles are (row L15)."""
    await connection.execute(
        """INSERT INTO workspace_told (workspace, sensitivity, sensitive_roles) VALUES ($1, $2, $3)
           ON CONFLICT (workspace) DO UPDATE
           SET sensitivity = excluded.sensitivity, sensitive_roles = excluded.sensitive_roles""",
        workspace,
        sensitivity,
        list(sensitive_roles),
    )


async def remember_node(connection: Connection, server_id: str, workspace: str, role: str) -> None:
    """That server is this role's node."""
    await connection.execute(
        """INSERT INTO node_told (server_id, workspace, role) VALUES ($1, $2, $3)
           ON CONFLICT (server_id) DO UPDATE SET workspace = excluded.workspace, role = excluded.role""",
        server_id,
        workspace,
        role,
    )


async def known(
    connection: Connection,
    site: Site,
    *,
    projects: Iterable[str] = (),
    servers: Iterable[str] = (),
    workspaces: Iterable[str] = (),
) -> Known:
    """What Tresor told of these projects, servers and workspaces."""
    nodes = {
        row["server_id"]: Node(row["workspace"], row["role"], row["role"] in (row["sensitive_roles"] or ()))
        for row in await connection.fetch(
            """SELECT server_id, workspace, role, sensitive_roles FROM node_told LEFT JOIN workspace_told USING (workspace)
               WHERE server_id = ANY($1)""",
            sorted(set(servers)),
        )
    }
    of_projects = {
        row["project_id"]: row["workspace"]
        for row in await connection.fetch("SELECT * FROM project WHERE project_id = ANY($1)", sorted(set(projects)))
    }
    named = {*workspaces, *of_projects.values(), *(node.workspace for node in nodes.values())}
    sensitivities = {
        row["workspace"]: row["sensitivity"]
        for row in await connection.fetch(
            "SELECT workspace, sensitivity FROM workspace_told WHERE workspace = ANY($1)", sorted(named)
        )
    }
    return Known(site, of_projects, sensitivities, nodes)
