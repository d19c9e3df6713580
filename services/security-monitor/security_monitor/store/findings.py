"""Findings, and which project is whose workspace."""

import json
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from contracts.security_monitor import Finding, FindingState
from shared.db import Connection
from shared.signing import EVERYTHING, Coverage

_PAGE = 200
_COLUMNS = "body, resolved_at, state, holder, note, accepted_until"


async def add(connection: Connection, finding: Finding, about: str | None = None) -> bool:
    """Keep a finding; False when it is known already, or one of its rule about the same is open."""
    added = await connection.fetchval(
        """INSERT INTO finding (finding_id, rule, workspace, body, raised_at, resolved_at, about)
           VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING RETURNING true""",
        finding.finding_id,
        finding.rule,
        finding.workspace,
        finding.model_dump_json(),
        finding.raised_at,
        finding.resolved_at,
        about,
    )
    return bool(added)


async def resolve_about(connection: Connection, rule: str, about: str, at: datetime) -> list[Finding]:
    """End the open finding of that rule about that, if there is one; what ends it may be told late, or by another clock."""
    rows = await connection.fetch(
        f"""UPDATE finding SET resolved_at = greatest($3, raised_at)
            WHERE rule = $1 AND about = $2 AND resolved_at IS NULL RETURNING {_COLUMNS}""",  # noqa: S608
        rule,
        about,
        at,
    )
    return [_read(row) for row in rows]


async def resolve_others(connection: Connection, rule: str, about: str | None, at: datetime) -> list[Finding]:
    """End the open findings of that rule which are about something else."""
    rows = await connection.fetch(
        f"""UPDATE finding SET resolved_at = greatest($3, raised_at)
            WHERE rule = $1 AND about IS DISTINCT FROM $2 AND resolved_at IS NULL RETURNING {_COLUMNS}""",  # noqa: S608
        rule,
        about,
        at,
    )
    return [_read(row) for row in rows]


async def get(connection: Connection, finding_id: str) -> Finding | None:
    """That finding, locked until the transaction ends."""
    row = await connection.fetchrow(
        f"SELECT {_COLUMNS} FROM finding WHERE finding_id = $1 FOR UPDATE",  # noqa: S608
        finding_id,
    )
    return _read(row) if row else None


async def change(
    connection: Connection, finding_id: str, state: FindingState, holder: str, note: str, until: datetime | None
) -> Finding:
    """Put an open finding into that state, short of resolved."""
    row = await connection.fetchrow(
        f"""UPDATE finding SET state = $2, holder = $3, note = $4, accepted_until = $5
            WHERE finding_id = $1 RETURNING {_COLUMNS}""",  # noqa: S608
        finding_id,
        state,
        holder,
        note,
        until,
    )
    return _read(row)


async def close(connection: Connection, finding_id: str, holder: str, note: str, at: datetime) -> Finding:
    """Somebody says that it is over."""
    row = await connection.fetchrow(
        f"""UPDATE finding SET resolved_at = greatest($4, raised_at), holder = $2, note = $3, accepted_until = NULL
            WHERE finding_id = $1 RETURNING {_COLUMNS}""",  # noqa: S608
        finding_id,
        holder,
        note,
        at,
    )
    return _read(row)


async def expire_acceptances(connection: Connection, now: datetime) -> list[Finding]:
    """Open those again whose time of acceptance is over; returns them."""
    rows = await connection.fetch(
        f"""UPDATE finding SET state = 'open', accepted_until = NULL
            WHERE resolved_at IS NULL AND accepted_until <= $1 RETURNING {_COLUMNS}""",  # noqa: S608
        now,
    )
    return [_read(row) for row in rows]


async def resolve(
    connection: Connection, rules: Iterable[str], workspace: str | None, at: datetime, key: str = ""
) -> list[Finding]:
    """End the open findings of these rules in the workspace, or of none; returns them as they are then.

    `key`: only those whose ids say that they are about it.
    """
    rows = await connection.fetch(
        f"""UPDATE finding SET resolved_at = greatest($3, raised_at)
            WHERE workspace IS NOT DISTINCT FROM $1 AND rule = ANY($2) AND resolved_at IS NULL
              AND ($4 = '' OR starts_with(finding_id, rule || '-' || $4 || '-'))
            RETURNING {_COLUMNS}""",  # noqa: S608
        workspace,
        list(rules),
        at,
        key,
    )
    return [_read(row) for row in rows]


async def newest(
    connection: Connection,
    workspace: str | None,
    *,
    resolved: bool,
    coverage: Coverage = EVERYTHING,
    finding_id: str | None = None,
) -> tuple[list[Finding], bool]:
    """The newest findings, of one workspace or of all in the coverage and of none, and whether there are more."""
    rows = await connection.fetch(
        f"""SELECT {_COLUMNS} FROM finding
            WHERE ($1::text IS NULL OR workspace = $1) AND ($2 OR resolved_at IS NULL OR finding_id = $5)
              AND (workspace IS NULL OR workspace LIKE ANY ($4::text[])) AND ($5::text IS NULL OR finding_id = $5)
            ORDER BY raised_at DESC, finding_id LIMIT $3""",  # noqa: S608
        workspace,
        resolved,
        _PAGE + 1,
        coverage.like,
        finding_id,
    )
    return [_read(row) for row in rows[:_PAGE]], len(rows) > _PAGE


def _read(row: Any) -> Finding:
    told = {name: row[name] for name in ("holder", "note", "accepted_until", "resolved_at")}
    state = row["state"] if row["resolved_at"] is None else "resolved"
    return Finding.model_validate({**json.loads(row["body"]), **told, "state": state})


async def remember_project(connection: Connection, project_id: str, workspace: str) -> None:
    """That project is this workspace's."""
    await connection.execute(
        """INSERT INTO project (project_id, workspace) VALUES ($1, $2)
           ON CONFLICT (project_id) DO UPDATE SET workspace = excluded.workspace""",
        project_id,
        workspace,
    )
