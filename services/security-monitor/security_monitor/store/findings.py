"""Findings, and which project is whose workspace."""

import json
from collections.abc import Iterable
from datetime import datetime

from contracts.security_monitor import Finding
from shared.db import Connection
from shared.signing import EVERYTHING, Coverage

_PAGE = 200


async def add(connection: Connection, finding: Finding) -> bool:
    """Keep a finding; False when it is known already."""
    added = await connection.fetchval(
        """INSERT INTO finding (finding_id, rule, workspace, body, raised_at, resolved_at)
           VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING RETURNING true""",
        finding.finding_id,
        finding.rule,
        finding.workspace,
        finding.model_dump_json(),
        finding.raised_at,
        finding.resolved_at,
    )
    return bool(added)


async def resolve(
    connection: Connection, rules: Iterable[str], workspace: str | None, at: datetime, key: str = ""
) -> list[Finding]:
    """End the open findings of these rules in the workspace, or of none; returns them as they are then.

    `key`: only those whose ids say that they are about it.
    """
    rows = await connection.fetch(
        """UPDATE finding SET resolved_at = greatest($3, raised_at)
           WHERE workspace IS NOT DISTINCT FROM $1 AND rule = ANY($2) AND resolved_at IS NULL
             AND ($4 = '' OR starts_with(finding_id, rule || '-' || $4 || '-'))
           RETURNING body, resolved_at""",
        workspace,
        list(rules),
        at,
        key,
    )
    return [_read(row["body"], row["resolved_at"]) for row in rows]


async def newest(
    connection: Connection, workspace: str | None, *, resolved: bool, coverage: Coverage = EVERYTHING
) -> tuple[list[Finding], bool]:
    """The newest findings, of one workspace or of all in the coverage and of none, and whether there are more."""
    rows = await connection.fetch(
        """SELECT body, resolved_at FROM finding
           WHERE ($1::text IS NULL OR workspace = $1) AND ($2 OR resolved_at IS NULL)
             AND (workspace IS NULL OR workspace LIKE ANY ($4::text[]))
           ORDER BY raised_at DESC, finding_id LIMIT $3""",
        workspace,
        resolved,
        _PAGE + 1,
        coverage.like,
    )
    return [_read(row["body"], row["resolved_at"]) for row in rows[:_PAGE]], len(rows) > _PAGE


def _read(body: str, resolved_at: datetime | None) -> Finding:
    return Finding.model_validate({**json.loads(body), "resolved_at": resolved_at})


async def remember_project(connection: Connection, project_id: str, workspace: str) -> None:
    """That project is this workspace's."""
    await connection.execute(
        """INSERT INTO project (project_id, workspace) VALUES ($1, $2)
           ON CONFLICT (project_id) DO UPDATE SET workspace = excluded.workspace""",
        project_id,
        workspace,
    )


async def workspaces_of(connection: Connection, project_ids: Iterable[str]) -> dict[str, str]:
    """The workspaces of those projects that have one."""
    rows = await connection.fetch("SELECT * FROM project WHERE project_id = ANY($1)", sorted(set(project_ids)))
    return {row["project_id"]: row["workspace"] for row in rows}
