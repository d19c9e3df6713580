"""Quarantines as they are remembered: what they cover, how far they have come, and the evidence."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from contracts.network_policy import Quarantine
from network_policy.domain.confinement import Confinement, Scope
from shared.db import Connection
from shared.signing import EVERYTHING, Coverage

State = Literal["ordered", "evidenced", "cut", "held", "releasing", "released"]

IN_FORCE = ("ordered", "evidenced", "cut", "held")

_ORDER = """
INSERT INTO workspace_quarantine (quarantine_id, workspace, role, node, reason, holder, command_ids, ordered_at)
VALUES ($1::uuid, $2, $3, $4, $5, $6, ARRAY[$1::uuid], $7)
"""
_PORTS = """
INSERT INTO quarantined_port (quarantine_id, port_id, server_id, was_up, group_ids)
SELECT $1, port_id, server_id, was_up, string_to_array(group_ids, ',')
FROM unnest($2::text[], $3::text[], $4::boolean[], $5::text[]) AS found (port_id, server_id, was_up, group_ids)
ON CONFLICT DO NOTHING
"""
_FLOATING = """
INSERT INTO quarantined_floating_ip (quarantine_id, floating_ip_id, address, port_id, fixed_address)
SELECT $1, * FROM unnest($2::text[], $3::text[], $4::text[], $5::text[]) ON CONFLICT DO NOTHING
"""
_LIST = """
SELECT q.*, w.generation,
       (SELECT count(*) FROM quarantined_port AS p WHERE p.quarantine_id = q.quarantine_id) AS ports,
       (SELECT count(*) FROM quarantined_floating_ip AS f WHERE f.quarantine_id = q.quarantine_id) AS floating_ips
FROM workspace_quarantine AS q JOIN workspace AS w USING (workspace)
WHERE ($1::text IS NULL OR q.workspace = $1) AND ($2 OR q.state <> 'released') AND q.workspace LIKE ANY ($4::text[])
ORDER BY q.ordered_at DESC, q.quarantine_id LIMIT $3
"""


@dataclass(frozen=True)
class HeldPort:
    """A port of a quarantine, as it was found."""

    port_id: str
    server_id: str
    was_up: bool
    group_ids: tuple[str, ...] = ()


@dataclass(frozen=True)
class HeldFloatingIp:
    """A floating IP that a quarantine took off."""

    floating_ip_id: str
    address: str
    port_id: str
    fixed_address: str


@dataclass(frozen=True)
class Held:
    """One quarantine."""

    quarantine_id: str
    workspace: str
    role: str | None
    node: str | None
    server_ids: frozenset[str]
    reason: str
    holder: str
    state: State
    command_ids: tuple[str, ...]
    ordered_at: datetime
    down_since: datetime | None
    """Since when its ports are down."""
    cut_at: datetime | None
    """When nothing passed for the first time."""
    evidence_digest: str | None
    release_command_id: str | None
    release_holder: str | None
    release_reason: str | None
    ports: tuple[HeldPort, ...] = ()
    floating_ips: tuple[HeldFloatingIp, ...] = ()

    @property
    def scope(self) -> Scope:
        return Scope(self.quarantine_id, self.role, self.node, self.server_ids)


def confinement(held: Iterable[Held]) -> Confinement:
    """What the quarantines in force cover together."""
    in_force = [each for each in held if each.state in IN_FORCE]
    return Confinement(
        tuple(each.scope for each in in_force), frozenset(port.port_id for each in in_force for port in each.ports)
    )


async def order_quarantine(
    connection: Connection,
    quarantine_id: str,
    workspace: str,
    *,
    role: str | None,
    node: str | None,
    reason: str,
    holder: str,
    now: datetime,
) -> None:
    """Remember that it is to be; it is in force from here on."""
    await connection.execute(_ORDER, quarantine_id, workspace, role, node, reason, holder, now)


async def join_quarantine(connection: Connection, quarantine_id: str, command_id: str) -> None:
    """Have the command end with the quarantine that covers the same already."""
    await connection.execute(
        "UPDATE workspace_quarantine SET command_ids = command_ids || $2::uuid WHERE quarantine_id = $1",
        quarantine_id,
        command_id,
    )


async def open_quarantines(connection: Connection, workspace: str) -> tuple[Held, ...]:
    """Those that are not released, oldest first."""
    rows = await connection.fetch(
        "SELECT * FROM workspace_quarantine WHERE workspace = $1 AND state <> 'released'"
        " ORDER BY ordered_at, quarantine_id",
        workspace,
    )
    ids = [row["quarantine_id"] for row in rows]
    ports = await connection.fetch("SELECT * FROM quarantined_port WHERE quarantine_id = ANY($1) ORDER BY port_id", ids)
    floating = await connection.fetch(
        "SELECT * FROM quarantined_floating_ip WHERE quarantine_id = ANY($1) ORDER BY floating_ip_id", ids
    )
    return tuple(_held(row, ports, floating) for row in rows)


def _held(row: Any, ports: Iterable[Any], floating: Iterable[Any]) -> Held:
    mine = row["quarantine_id"]
    return Held(
        quarantine_id=str(mine),
        workspace=row["workspace"],
        role=row["role"],
        node=row["node"],
        server_ids=frozenset(row["server_ids"]),
        reason=row["reason"],
        holder=row["holder"],
        state=row["state"],
        command_ids=tuple(map(str, row["command_ids"])),
        ordered_at=row["ordered_at"],
        down_since=row["down_since"],
        cut_at=row["cut_at"],
        evidence_digest=row["evidence_digest"],
        release_command_id=str(row["release_command_id"]) if row["release_command_id"] else None,
        release_holder=row["release_holder"],
        release_reason=row["release_reason"],
        ports=tuple(
            HeldPort(each["port_id"], each["server_id"], each["was_up"], tuple(each["group_ids"]))
            for each in ports
            if each["quarantine_id"] == mine
        ),
        floating_ips=tuple(
            HeldFloatingIp(each["floating_ip_id"], each["address"], each["port_id"], each["fixed_address"])
            for each in floating
            if each["quarantine_id"] == mine
        ),
    )


async def keep_evidence(connection: Connection, quarantine_id: str, evidence: str, digest: str) -> None:
    """Remember what stood, before anything is changed."""
    await connection.execute(
        "UPDATE workspace_quarantine SET evidence = $2, evidence_digest = $3, state = 'evidenced'"
        " WHERE quarantine_id = $1 AND state = 'ordered'",
        quarantine_id,
        evidence,
        digest,
    )


async def keep_found(
    connection: Connection, quarantine_id: str, ports: Iterable[HeldPort], floating_ips: Iterable[HeldFloatingIp] = ()
) -> None:
    """Remember ports and floating IPs of the quarantine as they were first found; later findings change nothing."""
    found, floating = list(ports), list(floating_ips)
    await connection.execute(
        _PORTS,
        quarantine_id,
        [each.port_id for each in found],
        [each.server_id for each in found],
        [each.was_up for each in found],
        [",".join(each.group_ids) for each in found],
    )
    await connection.execute(
        _FLOATING,
        quarantine_id,
        [each.floating_ip_id for each in floating],
        [each.address for each in floating],
        [each.port_id for each in floating],
        [each.fixed_address for each in floating],
    )
    servers = sorted({each.server_id for each in found if each.server_id})
    await connection.execute(
        "UPDATE workspace_quarantine SET server_ids = ARRAY(SELECT DISTINCT unnest(server_ids || $2::text[]))"
        " WHERE quarantine_id = $1 AND node IS NOT NULL",
        quarantine_id,
        servers,
    )


async def last_changes(connection: Connection, workspace: str, limit: int) -> list[dict[str, Any]]:
    """What others did to the workspace's policy lately, newest first, as OpenStack told it."""
    rows = await connection.fetch(
        "SELECT resource_id, event_type, happened_at, seen_at, actor, request_id FROM seen_change"
        " WHERE workspace = $1 ORDER BY seen_change_id DESC LIMIT $2",
        workspace,
        limit,
    )
    return [dict(row) for row in rows]


async def move_quarantine(
    connection: Connection, quarantine_id: str, state: State, now: datetime, *, is_down: bool = False
) -> None:
    """Remember how far it has come; one that was ordered to end meanwhile is not taken back into force.

    `is_down`: its ports were put down just now.
    """
    await connection.execute(
        "UPDATE workspace_quarantine SET state = $2,"
        " down_since = CASE WHEN $4 THEN $3 ELSE down_since END,"
        " cut_at = CASE WHEN $2 = 'cut' THEN coalesce(cut_at, $3) ELSE cut_at END,"
        " released_at = CASE WHEN $2 = 'released' THEN $3 ELSE released_at END"
        " WHERE quarantine_id = $1 AND state = ANY($5)",
        quarantine_id,
        state,
        now,
        is_down,
        ["releasing"] if state == "released" else ["evidenced", "cut", "held"],
    )


async def order_release(
    connection: Connection, quarantine_id: str, command_id: str | None, *, holder: str, reason: str
) -> None:
    """Remember that it is to end: it is in force no more."""
    await connection.execute(
        "UPDATE workspace_quarantine SET state = 'releasing', release_command_id = $2, release_holder = $3,"
        " release_reason = $4 WHERE quarantine_id = $1 AND state <> 'released'",
        quarantine_id,
        command_id,
        holder,
        reason,
    )


async def list_quarantines(
    connection: Connection, of: str | None, *, ended: bool, limit: int | None, coverage: Coverage = EVERYTHING
) -> list[Quarantine]:
    """Of one workspace or all in the coverage, newest first."""
    return [
        Quarantine(
            quarantine_id=str(row["quarantine_id"]),
            workspace=row["workspace"],
            generation=row["generation"],
            role=row["role"],
            node=row["node"],
            reason=row["reason"],
            holder=row["holder"],
            state=row["state"],
            ports=row["ports"],
            floating_ips=row["floating_ips"],
            evidence=row["evidence_digest"],
            ordered_at=row["ordered_at"],
            cut_at=row["cut_at"],
            released_at=row["released_at"],
        )
        for row in await connection.fetch(_LIST, of, ended, limit, coverage.like)
    ]


async def evidence_of(connection: Connection, workspace: str, quarantine_id: str) -> tuple[Quarantine, str] | None:
    """A quarantine of that workspace with what it keeps, which is empty before anything was kept; None without one."""
    found = await list_quarantines(connection, workspace, ended=True, limit=None)
    held = next((one for one in found if one.quarantine_id == quarantine_id), None)
    if held is None:
        return None
    kept = await connection.fetchval(
        "SELECT evidence FROM workspace_quarantine WHERE quarantine_id = $1", quarantine_id
    )
    return held, kept or ""
