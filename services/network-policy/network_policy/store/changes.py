"""Who did what to which workspace's policy, as notifications told it, and whether it was this service itself."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from shared.db import Connection

OWN_CALL_SECONDS = 600
"""How late the notification of an own call is believed to be one; then a request id is no excuse any more."""
KEPT = timedelta(days=1)

ABOUT = """
SELECT workspace FROM workspace WHERE project_id = ANY({projects}) AND state <> 'withdrawn'
UNION SELECT workspace FROM workspace WHERE network_ids && {ids} AND state <> 'withdrawn'
UNION SELECT workspace FROM role_group WHERE group_id = ANY({ids})
UNION SELECT workspace FROM known_rule WHERE rule_id = ANY({ids})
UNION SELECT workspace FROM node_port WHERE port_id = ANY({ids}) OR server_id = ANY({ids})
"""
"""The workspaces that projects or resources belong to; `projects` and `ids` name the parameters."""
_ABOUT = ABOUT.format(projects="$1", ids="$2")
_OWN = "SELECT request_id, step, marker, resource_id FROM intent WHERE request_id = ANY($1) AND sent_at > $2"
_WITHOUT_OUTCOME = "SELECT DISTINCT marker FROM intent WHERE step = $1 AND marker = ANY($2) AND resource_id IS NULL"
_NOTE = """
INSERT INTO seen_change (workspace, resource_id, event_type, happened_at, seen_at, actor, request_id)
SELECT $1, resource_id, $3, $4, $5, $6, $7 FROM unnest($2::text[]) AS resource_id
"""
_CHANGE = """
SELECT DISTINCT ON (resource_id) resource_id, happened_at, actor, request_id FROM seen_change
WHERE workspace = $1 AND resource_id = ANY($2) ORDER BY resource_id, seen_change_id DESC
"""


@dataclass(frozen=True, slots=True)
class Change:
    """One change by somebody else."""

    happened_at: datetime | None
    actor: str
    request_id: str


@dataclass(frozen=True, slots=True)
class OwnCall:
    """One call of this service: what it did and to what; `resource_id` once its answer was written down."""

    step: str
    marker: str
    resource_id: str | None


async def workspaces_about(connection: Connection, project_ids: Iterable[str], ids: Iterable[str]) -> list[str]:
    """The workspaces that these projects or resources belong to."""
    return [row["workspace"] for row in await connection.fetch(_ABOUT, list(project_ids), list(ids))]


async def own_calls(connection: Connection, request_ids: Iterable[str], now: datetime) -> dict[str, OwnCall]:
    """The calls that this service made lately, of these request ids."""
    since = now - timedelta(seconds=OWN_CALL_SECONDS)
    rows = await connection.fetch(_OWN, sorted(request_ids), since)
    return {row["request_id"]: OwnCall(row["step"], row["marker"], row["resource_id"]) for row in rows}


async def without_outcome(connection: Connection, step: str, markers: Iterable[str]) -> set[str]:
    """Those of the markers for which a call was begun that nothing is known to have come of."""
    rows = await connection.fetch(_WITHOUT_OUTCOME, step, sorted(set(markers)))
    return {row["marker"] for row in rows}


async def note_change(
    connection: Connection,
    workspace: str,
    resource_ids: Iterable[str],
    event_type: str,
    *,
    happened_at: datetime | None,
    seen_at: datetime,
    actor: str,
    request_id: str,
) -> None:
    """Remember who changed these, so that the drift can be put down to them."""
    await connection.execute(
        _NOTE, workspace, sorted(set(resource_ids)), event_type, happened_at, seen_at, actor, request_id
    )


async def change_of(connection: Connection, workspace: str, resource_ids: Iterable[str]) -> dict[str, Change]:
    """The latest change of each of these resources that somebody else made."""
    return {
        row["resource_id"]: Change(row["happened_at"], row["actor"], row["request_id"])
        for row in await connection.fetch(_CHANGE, workspace, sorted(set(resource_ids)))
    }


async def forget_changes(connection: Connection, now: datetime) -> None:
    """Forget what is too old to explain anything; the audit log keeps it."""
    await connection.execute("DELETE FROM seen_change WHERE seen_at < $1", now - KEPT)
    await connection.execute("DELETE FROM prompt_repair WHERE detected_at < $1", now - KEPT)
