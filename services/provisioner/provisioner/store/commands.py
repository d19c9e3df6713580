"""Proposals, and the commands that wait for a generation to be reached."""

from typing import Any

from contracts.workspace import Workspace
from provisioner.domain.record import Proposal
from shared.db import Connection


async def propose(connection: Connection, proposal: Proposal) -> None:
    """Put the proposal behind the others of its workspace."""
    await connection.execute(
        "INSERT INTO proposal (workspace, document, command_id, holder, proposed_at) VALUES ($1, $2, $3, $4, $5) "
        "ON CONFLICT (command_id) DO NOTHING",
        proposal.workspace,
        proposal.document.model_dump_json(by_alias=True),
        proposal.command_id,
        proposal.holder,
        proposal.proposed_at,
    )


async def first_proposal(connection: Connection, workspace: str) -> Proposal | None:
    """The workspace's oldest proposal."""
    row = await connection.fetchrow("SELECT * FROM proposal WHERE workspace = $1 ORDER BY position LIMIT 1", workspace)
    return None if row is None else _proposal(row)


async def proposals_of(connection: Connection, workspace: str) -> list[Proposal]:
    """The workspace's proposals, oldest first."""
    rows = await connection.fetch("SELECT * FROM proposal WHERE workspace = $1 ORDER BY position", workspace)
    return [_proposal(row) for row in rows]


async def drop_proposal(connection: Connection, command_id: str) -> bool:
    """Take the proposal away; False when it was gone already."""
    return await connection.execute("DELETE FROM proposal WHERE command_id = $1", command_id) == "DELETE 1"


async def lock_prefixes(connection: Connection) -> None:
    """Hold the choice of prefixes: two workspaces are never admitted to overlapping ones side by side."""
    await connection.execute("SELECT pg_advisory_xact_lock(hashtextextended('provisioner-prefixes', 2))")


async def await_generation(connection: Connection, command_id: str, workspace: str, generation: int) -> None:
    """Have the command end when that generation does."""
    await connection.execute(
        "INSERT INTO awaited (command_id, workspace, generation) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
        command_id,
        workspace,
        generation,
    )


async def awaited_by(connection: Connection, workspace: str, up_to_generation: int) -> list[tuple[str, int]]:
    """Take the commands that wait for that generation or an earlier one: each with its generation."""
    rows = await connection.fetch(
        "DELETE FROM awaited WHERE workspace = $1 AND generation <= $2 RETURNING command_id::text, generation",
        workspace,
        up_to_generation,
    )
    return sorted((row["command_id"], row["generation"]) for row in rows)


def _proposal(row: Any) -> Proposal:
    return Proposal(
        workspace=row["workspace"],
        document=Workspace.model_validate_json(row["document"]),
        command_id=str(row["command_id"]),
        holder=row["holder"],
        proposed_at=row["proposed_at"],
    )
