"""What was repaired at once, from its notification to the look that explains what it had opened."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from network_policy.domain.rule import Rule
from network_policy.domain.world import AddressPair, Port
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
INSERT INTO prompt_repair (repair_id, workspace, group_id, rule, port, drift, happened_at, detected_at, actor, request_id)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) ON CONFLICT DO NOTHING RETURNING 1
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
    """An undeclared rule, or a port out of order, that its notification was enough to put right."""

    repair_id: str
    """The rule's id; of a port its id and the revision that was out of order."""
    workspace: str
    group_id: str | None
    rule: Rule | None
    port: Port | None
    """As it was."""
    drift: str
    """Digest of the drift as it was told."""
    happened_at: datetime | None
    detected_at: datetime
    repaired_at: datetime | None = None
    """None while the call is under way, or when it was not made."""
    failed: bool = False
    actor: str = ""
    request_id: str = ""
    explained: bool = False
    """Whether it was proven, and told, what it had made possible."""


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
    """Remember that it is being put right. False when it is already."""
    return bool(
        await connection.fetchval(
            _BEGIN,
            repair.repair_id,
            repair.workspace,
            repair.group_id,
            rule_to_json(repair.rule) if repair.rule else None,
            json.dumps(asdict(repair.port)) if repair.port else None,
            repair.drift,
            repair.happened_at,
            repair.detected_at,
            repair.actor,
            repair.request_id,
        )
    )


async def end_prompt(connection: Connection, repair_id: str, now: datetime) -> None:
    """Remember that it is as declared."""
    await connection.execute("UPDATE prompt_repair SET repaired_at = $2 WHERE repair_id = $1", repair_id, now)


async def fail_prompt(connection: Connection, repair_id: str) -> None:
    """Remember that the call did not work: a look takes it over."""
    await connection.execute("UPDATE prompt_repair SET failed = true WHERE repair_id = $1", repair_id)


async def forget_prompt(connection: Connection, repair_ids: Iterable[str]) -> None:
    """These are for a look to repair and to tell."""
    await connection.execute("DELETE FROM prompt_repair WHERE repair_id = ANY($1)", sorted(repair_ids))


async def explained(connection: Connection, repair_ids: Iterable[str]) -> None:
    """It was told what these had made possible."""
    await connection.execute("UPDATE prompt_repair SET explained = true WHERE repair_id = ANY($1)", sorted(repair_ids))


async def prompt_repairs(connection: Connection, workspace: str) -> tuple[PromptRepair, ...]:
    """Those of the workspace that are under way or not explained. Locks the workspace against new ones."""
    await connection.execute("SELECT 1 FROM workspace WHERE workspace = $1 FOR UPDATE", workspace)
    rows = await connection.fetch(
        "SELECT * FROM prompt_repair WHERE workspace = $1 AND NOT explained ORDER BY detected_at, repair_id", workspace
    )
    return tuple(_repair(row) for row in rows)


def _repair(row: Any) -> PromptRepair:
    rule = rule_from_json(row["rule"]) if row["rule"] else None
    return PromptRepair(**{**dict(row), "rule": rule, "port": port_from_json(row["port"]) if row["port"] else None})


def port_from_json(text: str) -> Port:
    """A port from the database."""
    fields: dict[str, Any] = json.loads(text)
    pairs = tuple(AddressPair(**pair) for pair in fields.pop("address_pairs"))
    lists = {name: tuple(value) for name, value in fields.items() if isinstance(value, list)}
    return Port(**{**fields, **lists, "address_pairs": pairs})
