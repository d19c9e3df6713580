"""What was repaired at once, from its notification to the look that explains what it had opened."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from network_policy.domain.drift import Nodes
from network_policy.domain.rule import Rule
from network_policy.domain.world import AddressPair, Port
from network_policy.store.changes import ABOUT
from network_policy.store.known import rule_from_json, rule_to_json
from shared.db import Connection

# The rows' locks keep a look from telling the same difference meanwhile. Whom it is about is asked with it: each round
# trip of the transaction that hears is waited for by all that was heard.
_KEEPERS = f"""
SELECT workspace, generation, document::text, project_id, enforced_groups::text, network_ids,
       ARRAY(SELECT jsonb_object_keys(open_drift)) AS open_drift,
       ARRAY(SELECT ARRAY[role, group_id] FROM role_group AS mine WHERE mine.workspace = keeper.workspace) AS groups,
       ARRAY(SELECT ARRAY[port_id, role, server_id] FROM node_port AS own
             WHERE own.workspace = keeper.workspace AND (port_id = ANY($3) OR server_id = ANY($4))) AS nodes,
       EXISTS(SELECT 1 FROM workspace_quarantine AS q
              WHERE q.workspace = keeper.workspace AND q.state <> 'released') AS is_confined,
       ARRAY({ABOUT.format(projects="$1", ids="$5")}) AS about
FROM workspace AS keeper
WHERE (project_id = ANY($1) OR workspace IN (SELECT workspace FROM role_group WHERE group_id = ANY($2)))
  AND state IN ('declared', 'deleting') AND document IS NOT NULL AND project_id IS NOT NULL
  AND enforced_generation >= generation
FOR SHARE OF keeper
"""  # noqa: S608  # our own words
_BEGIN = """
INSERT INTO prompt_repair (repair_id, workspace, group_id, rule, port, drift, happened_at, detected_at, actor, request_id)
SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::jsonb[], $5::jsonb[], $6::text[], $7::timestamptz[],
                     $8::timestamptz[], $9::text[], $10::text[])
ON CONFLICT DO NOTHING RETURNING repair_id
"""


@dataclass(frozen=True)
class Keeper:
    """A workspace whose policy stands."""

    workspace: str
    generation: int
    document: str
    project_id: str
    group_ids: Mapping[str, str]
    """Of all its groups, by role; the project's default group under ''."""
    enforced_groups: frozenset[str]
    """Groups that were seen to be as declared."""
    open_drift: frozenset[str]
    """Digests of what was told or waits to be."""
    nodes: Nodes
    """Of the ports and devices that were asked for, as if none were in quarantine."""
    is_confined: bool
    """Whether some are: which, a look finds out."""
    network_ids: frozenset[str]
    """Of the networks that it was told to have."""

    def role_of_group(self, group_id: str) -> str | None:
        """The group's role, empty for the default group; None for a group that is not kept."""
        return next((role for role, each in self.group_ids.items() if each == group_id), None)


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


async def keepers(
    connection: Connection,
    *,
    project_ids: Iterable[str] = (),
    group_ids: Iterable[str] = (),
    port_ids: Iterable[str] = (),
    device_ids: Iterable[str] = (),
    touched_ids: Iterable[str] = (),
) -> tuple[tuple[Keeper, ...], frozenset[str]]:
    """The keepers of these projects and groups; where there are any, also the workspaces that the projects and what is
    touched belong to. Locks the keepers against a look's telling."""
    asked = [sorted(set(each)) for each in (project_ids, group_ids, port_ids, device_ids, touched_ids)]
    rows = await connection.fetch(_KEEPERS, *asked)
    found = tuple(
        Keeper(
            row["workspace"],
            row["generation"],
            row["document"],
            row["project_id"],
            dict(row["groups"]),
            frozenset(json.loads(row["enforced_groups"]).values()),
            frozenset(row["open_drift"]),
            Nodes({port_id: role for port_id, role, _ in row["nodes"]}, frozenset(each for *_, each in row["nodes"])),
            row["is_confined"],
            frozenset(row["network_ids"] or ()),
        )
        for row in rows
    )
    return found, frozenset(rows[0]["about"] if rows else ())


async def begin_prompt(connection: Connection, repairs: Iterable[PromptRepair]) -> frozenset[str]:
    """Remember that these are being put right. Returns the ids of those that were not already."""
    rows = [
        (
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
        for repair in repairs
    ]
    begun = await connection.fetch(_BEGIN, *(list(column) for column in zip(*rows, strict=True))) if rows else ()
    return frozenset(row["repair_id"] for row in begun)


async def end_prompt(connection: Connection, repair_ids: Iterable[str], now: datetime) -> None:
    """Remember that they are as declared."""
    await connection.execute(
        "UPDATE prompt_repair SET repaired_at = $2 WHERE repair_id = ANY($1)", sorted(repair_ids), now
    )


async def fail_prompt(connection: Connection, repair_ids: Iterable[str]) -> None:
    """Remember that the calls did not work: a look takes them over."""
    await connection.execute("UPDATE prompt_repair SET failed = true WHERE repair_id = ANY($1)", sorted(repair_ids))


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
