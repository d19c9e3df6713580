"""What was repaired at once, from its notification to the look that explains what it had opened."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from network_policy.domain.rule import Rule
from network_policy.store.known import rule_from_json, rule_to_json
from shared.db import Connection

# The row's lock keeps a look from telling the same difference meanwhile.
_KEEPERS = """
SELECT keeper.workspace, keeper.generation, keeper.document::text, mine.role, mine.group_id,
       ARRAY(SELECT jsonb_object_keys(keeper.open_drift)) AS open_drift,
       ARRAY(SELECT role FROM role_group WHERE workspace = keeper.workspace ORDER BY role) AS roles,
       ARRAY(SELECT group_id FROM role_group WHERE workspace = keeper.workspace ORDER BY role) AS group_ids
FROM role_group AS mine JOIN workspace AS keeper USING (workspace)
WHERE mine.group_id = ANY($1) AND keeper.state IN ('declared', 'deleting') AND keeper.document IS NOT NULL
  AND keeper.enforced_generation >= keeper.generation
FOR SHARE OF keeper
"""
_BEGIN = """
INSERT INTO prompt_repair (rule_id, workspace, group_id, rule, drift, happened_at, detected_at)
VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING RETURNING 1
"""


@dataclass(frozen=True)
class Keeper:
    """The workspace that a group is kept for, its policy standing."""

    workspace: str
    generation: int
    document: str
    role: str
    """Of the group; empty for the project's default group."""
    group_id: str
    group_ids: Mapping[str, str]
    """Of all its groups, by role."""
    open_drift: frozenset[str]
    """Digests of what was told or waits to be."""


@dataclass(frozen=True)
class PromptRepair:
    """An undeclared rule that its notification was enough to take out."""

    rule_id: str
    workspace: str
    group_id: str
    rule: Rule
    drift: str
    """Digest of the drift as it was told."""
    happened_at: datetime | None
    detected_at: datetime
    repaired_at: datetime | None = None
    """None while the call is under way, or when it was not made."""
    explained: bool = False
    """Whether it was proven, and told, what the rule had made possible."""


async def keepers(connection: Connection, group_ids: Iterable[str]) -> dict[str, Keeper]:
    """By the group's id; only groups of ours whose workspace is enforced as declared."""
    return {
        row["group_id"]: Keeper(
            row["workspace"],
            row["generation"],
            row["document"],
            row["role"],
            row["group_id"],
            dict(zip(row["roles"], row["group_ids"], strict=True)),
            frozenset(row["open_drift"]),
        )
        for row in await connection.fetch(_KEEPERS, sorted(group_ids))
    }


async def begin_prompt(connection: Connection, repair: PromptRepair) -> bool:
    """Remember that the rule is being taken out. False when it is already."""
    return bool(
        await connection.fetchval(
            _BEGIN,
            repair.rule_id,
            repair.workspace,
            repair.group_id,
            rule_to_json(repair.rule),
            repair.drift,
            repair.happened_at,
            repair.detected_at,
        )
    )


async def end_prompt(connection: Connection, rule_id: str, now: datetime) -> None:
    """Remember that the rule is gone."""
    await connection.execute("UPDATE prompt_repair SET repaired_at = $2 WHERE rule_id = $1", rule_id, now)


async def forget_prompt(connection: Connection, rule_ids: Iterable[str]) -> None:
    """These are for a look to repair and to tell."""
    await connection.execute("DELETE FROM prompt_repair WHERE rule_id = ANY($1)", sorted(rule_ids))


async def explained(connection: Connection, rule_ids: Iterable[str]) -> None:
    """It was told what these had made possible."""
    await connection.execute("UPDATE prompt_repair SET explained = true WHERE rule_id = ANY($1)", sorted(rule_ids))


async def prompt_repairs(connection: Connection, workspace: str) -> tuple[PromptRepair, ...]:
    """Those of the workspace that are under way or not explained. Locks the workspace against new ones."""
    await connection.execute("SELECT 1 FROM workspace WHERE workspace = $1 FOR UPDATE", workspace)
    rows = await connection.fetch(
        "SELECT * FROM prompt_repair WHERE workspace = $1 AND NOT explained ORDER BY detected_at, rule_id", workspace
    )
    return tuple(_repair(row) for row in rows)


def _repair(row: Any) -> PromptRepair:
    return PromptRepair(**{**dict(row), "rule": rule_from_json(row["rule"])})
