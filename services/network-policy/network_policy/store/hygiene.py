"""What the last full scan had to say of groups."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from network_policy.domain.hygiene.inspection import GroupHygiene
from shared.db import Connection
from shared.signing import EVERYTHING, Coverage

_SCAN = """
INSERT INTO hygiene_scan (digest, observed_at, projects_known, group_count, rule_count, least_rule_count)
VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (only_one) DO UPDATE SET digest = excluded.digest, observed_at = excluded.observed_at,
    projects_known = excluded.projects_known, group_count = excluded.group_count, rule_count = excluded.rule_count, least_rule_count = excluded.least_rule_count
WHERE hygiene_scan.observed_at < excluded.observed_at
RETURNING digest
"""
_GROUPS = """
INSERT INTO group_hygiene (group_id, name, project_id, rule_count, least_rule_count, is_fewest, port_count, remarks)
SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::int[], $5::int[], $6::bool[], $7::int[], $8::jsonb[])
"""
_SHOWN = """
SELECT g.*, w.workspace, count(*) OVER () AS matching FROM group_hygiene g
LEFT JOIN workspace w ON w.project_id = g.project_id AND w.state <> 'withdrawn'
WHERE ($1::text IS NULL OR w.workspace = $1) AND (w.workspace IS NULL OR w.workspace LIKE ANY ($3::text[]))
ORDER BY g.rule_count - g.least_rule_count DESC, jsonb_array_length(g.remarks) DESC, g.group_id LIMIT $2
"""


@dataclass(frozen=True)
class KeptRemark:
    kind: str
    rule_ids: tuple[str, ...]
    words: str


@dataclass(frozen=True)
class KeptHygiene:
    """A group with something to say of it, as kept."""

    group_id: str
    name: str
    project_id: str
    workspace: str | None
    rules: int
    least_rules: int
    is_fewest: bool
    ports: int
    remarks: tuple[KeptRemark, ...]


@dataclass(frozen=True)
class KeptScan:
    """When, on what, and how much there was in all."""

    digest: str
    observed_at: datetime
    projects_known: bool
    """Whether groups of missing projects could be told."""
    groups: int
    rules: int
    least_rules: int


async def load_scan(connection: Connection) -> KeptScan | None:
    """The last scan; None before the first."""
    row = await connection.fetchrow("SELECT * FROM hygiene_scan")
    if row is None:
        return None
    counts = (row["group_count"], row["rule_count"], row["least_rule_count"])
    return KeptScan(row["digest"], row["observed_at"], row["projects_known"], *counts)


async def seen_again(connection: Connection, observed_at: datetime) -> None:
    """Nothing has changed since: only the age has."""
    await connection.execute("UPDATE hygiene_scan SET observed_at = $1 WHERE observed_at < $1", observed_at)


async def save_hygiene(
    connection: Connection, digest: str, observed_at: datetime, looked: Iterable[GroupHygiene], *, projects_known: bool
) -> None:
    """Keep what a scan found; an older one changes nothing."""
    groups = list(looked)
    totals = (
        sum(len(each.group.rules) for each in groups),
        sum(each.least_rules for each in groups),
    )
    if await connection.fetchval(_SCAN, digest, observed_at, projects_known, len(groups), *totals) is None:
        return
    await connection.execute("DELETE FROM group_hygiene")
    kept = [each for each in groups if each.remarks]
    remarks = [
        json.dumps([{"kind": one.kind, "rule_ids": one.rule_ids, "words": one.words} for one in each.remarks])
        for each in kept
    ]
    await connection.execute(
        _GROUPS,
        [each.group.id for each in kept],
        [each.group.name for each in kept],
        [each.group.project_id for each in kept],
        [len(each.group.rules) for each in kept],
        [each.least_rules for each in kept],
        [each.is_least_exact for each in kept],
        [each.port_count for each in kept],
        remarks,
    )


async def load_hygiene(
    connection: Connection, workspace: str | None, *, limit: int, coverage: Coverage = EVERYTHING
) -> tuple[tuple[KeptHygiene, ...], int]:
    """The groups, those with most rules to spare first, and how many there are in all."""
    rows = await connection.fetch(_SHOWN, workspace, limit, coverage.like)
    found = tuple(
        KeptHygiene(
            group_id=row["group_id"],
            name=row["name"],
            project_id=row["project_id"],
            workspace=row["workspace"],
            rules=row["rule_count"],
            least_rules=row["least_rule_count"],
            is_fewest=row["is_fewest"],
            ports=row["port_count"],
            remarks=tuple(
                KeptRemark(one["kind"], tuple(one["rule_ids"]), one["words"]) for one in json.loads(row["remarks"])
            ),
        )
        for row in rows
    )
    return found, rows[0]["matching"] if rows else 0
