"""Plans that were ordered to be applied."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from contracts.workspace import Workspace
from shared.db import Connection

State = Literal["ordered", "begun", "applied", "refused", "failed"]


@dataclass(frozen=True)
class Apply:
    """One order."""

    command_id: str
    workspace: str
    plan: str
    document: Workspace
    holder: str
    state: State


async def order_apply(connection: Connection, order: Apply, now: datetime) -> None:
    """Remember the order; the same command twice is one order."""
    await connection.execute(
        "INSERT INTO policy_apply (command_id, workspace, plan, document, holder, ordered_at)"
        " VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING",
        order.command_id,
        order.workspace,
        order.plan,
        order.document.model_dump_json(by_alias=True),
        order.holder,
        now,
    )


async def open_applies(connection: Connection, workspace: str) -> tuple[Apply, ...]:
    """The orders that have not ended, oldest first."""
    rows = await connection.fetch(
        "SELECT * FROM policy_apply WHERE workspace = $1 AND state IN ('ordered', 'begun') ORDER BY ordered_at, command_id",
        workspace,
    )
    return tuple(
        Apply(
            str(row["command_id"]),
            row["workspace"],
            row["plan"],
            Workspace.model_validate_json(row["document"]),
            row["holder"],
            row["state"],
        )
        for row in rows
    )


async def begin_apply(connection: Connection, order: Apply, generation: int) -> bool:
    """From here on the order's document is what is declared. False when the workspace stands at another generation."""
    changed = await connection.fetchval(
        "UPDATE workspace SET document = $3, enforced_generation = NULL"
        " WHERE workspace = $1 AND generation = $2 AND state = 'declared' RETURNING 1",
        order.workspace,
        generation,
        order.document.model_dump_json(by_alias=True),
    )
    if changed:
        await connection.execute("UPDATE policy_apply SET state = 'begun' WHERE command_id = $1", order.command_id)
    return bool(changed)


async def end_apply(connection: Connection, command_ids: Iterable[str], state: State, now: datetime) -> None:
    """The orders have come to their end."""
    await connection.execute(
        "UPDATE policy_apply SET state = $2, ended_at = $3 WHERE command_id = ANY($1)", list(command_ids), state, now
    )


async def told_refused(connection: Connection, workspace: str, digest: str) -> bool:
    """Remember what the policy is refused for, '' for nothing. Whether that is news."""
    row = await connection.fetchrow(
        "UPDATE workspace SET refused = $2 WHERE workspace = $1 AND refused <> $2 RETURNING 1", workspace, digest
    )
    return row is not None
