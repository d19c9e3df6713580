"""What is known of workspaces, and their pools."""

from burst_scheduler.domain.pools import Known
from contracts.burst_scheduler import Pool
from contracts.workspace import Burst
from shared.db import Connection

_LOAD = """
SELECT workspace.*, pool.workspace IS NOT NULL AS has_pool, pool.generation AS pool_generation, role, provider,
       max_nodes, budget_per_month, idle_minutes
FROM workspace LEFT JOIN pool USING (workspace) WHERE workspace = $1
"""
_SAVE = """
INSERT INTO workspace (workspace, generation, burst, ready_generation, deleted_generation) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (workspace) DO UPDATE SET generation = excluded.generation, burst = excluded.burst,
    ready_generation = excluded.ready_generation, deleted_generation = excluded.deleted_generation
"""
_SAVE_POOL = """
INSERT INTO pool (workspace, generation, role, provider, max_nodes, budget_per_month, idle_minutes)
VALUES ($1, $2, $3, $4, $5, $6, $7)
ON CONFLICT (workspace) DO UPDATE SET generation = excluded.generation, role = excluded.role,
    provider = excluded.provider, max_nodes = excluded.max_nodes, budget_per_month = excluded.budget_per_month,
    idle_minutes = excluded.idle_minutes
"""

_POOLS = """
SELECT workspace, role, provider, max_nodes, budget_per_month, spent_this_month,
       (SELECT count(*) FROM node WHERE node.workspace = pool.workspace AND state = 'wanted') AS nodes
FROM pool ORDER BY workspace
"""


async def lock(connection: Connection, workspace: str) -> Known | None:
    """What is known of the workspace, kept for this transaction, also where there is no row yet."""
    await connection.execute("SELECT pg_advisory_xact_lock(hashtextextended($1, 0))", f"workspace {workspace}")
    row = await connection.fetchrow(_LOAD, workspace)
    if row is None:
        return None
    pool = None
    if row["has_pool"]:
        fields = ("role", "provider", "max_nodes", "budget_per_month", "idle_minutes")
        pool = Burst.model_validate({name: row[name] for name in fields})
    return Known(
        workspace=row["workspace"],
        generation=row["generation"],
        burst=None if row["burst"] is None else Burst.model_validate_json(row["burst"]),
        ready_generation=row["ready_generation"],
        deleted_generation=row["deleted_generation"],
        pool=pool,
        pool_generation=row["pool_generation"] or 0,
    )


async def save(connection: Connection, known: Known) -> None:
    """Write what is known; a changed pool keeps what it has spent."""
    burst = None if known.burst is None else known.burst.model_dump_json()
    await connection.execute(
        _SAVE, known.workspace, known.generation, burst, known.ready_generation, known.deleted_generation
    )
    if known.pool is None:
        await connection.execute("DELETE FROM pool WHERE workspace = $1", known.workspace)
        return
    pool = known.pool
    await connection.execute(
        _SAVE_POOL,
        known.workspace,
        known.pool_generation,
        pool.role,
        pool.provider,
        pool.max_nodes,
        pool.budget_per_month,
        pool.idle_minutes,
    )


async def pools(connection: Connection) -> tuple[Pool, ...]:
    """Every pool with what it has used, by workspace."""
    return tuple(Pool.model_validate(dict(row)) for row in await connection.fetch(_POOLS))
