"""Which nodes are wanted. Whoever changes it holds the workspace (`pools.lock`)."""

import json
from collections.abc import Sequence

from burst_scheduler.domain.nodes import Demand
from shared.db import Connection

_SAVE = """
INSERT INTO node (workspace, name, state, generation, provider, job_ids, since)
SELECT $1, name, state, generation, provider, job_ids::jsonb, since
FROM unnest($2::text[], $3::text[], $4::bigint[], $5::text[], $6::text[], $7::timestamptz[])
     AS changed (name, state, generation, provider, job_ids, since)
ON CONFLICT (workspace, name) DO UPDATE SET state = excluded.state, generation = excluded.generation,
    provider = excluded.provider, job_ids = excluded.job_ids, since = excluded.since
"""
_LOAD = "SELECT name, state, generation, since, provider, job_ids FROM node WHERE workspace = $1 ORDER BY name"


async def load(connection: Connection, workspace: str) -> dict[str, Demand]:
    """Every node that was ever wanted for the workspace, by name."""
    rows = await connection.fetch(_LOAD, workspace)
    return {
        row["name"]: Demand(
            row["name"],
            row["state"],
            row["generation"],
            row["since"],
            row["provider"],
            tuple(json.loads(row["job_ids"])),
        )
        for row in rows
    }


async def save(connection: Connection, workspace: str, changed: Sequence[Demand]) -> None:
    """Write these nodes."""
    if not changed:
        return
    await connection.execute(
        _SAVE,
        workspace,
        [one.name for one in changed],
        [one.state for one in changed],
        [one.generation for one in changed],
        [one.provider for one in changed],
        [json.dumps(one.job_ids) for one in changed],
        [one.since for one in changed],
    )
