"""Every version of Neutron's resources that was observed, with the time it stood: a new row only where something changed.

A version begins when a notification says so, else when a look or a scan first saw it: where OpenStack is silent the
change may have been earlier, by as much as the scan's bound.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from datetime import datetime, timedelta
from typing import Any, get_args, get_type_hints

from pydantic import TypeAdapter

from network_policy.domain.world import Group, GroupRule, World
from network_policy.store.changes import Change, change_of
from network_policy.store.prompt import PromptRepair
from shared.db import Connection
from shared.errors import TresorError

WORKSPACES = "workspaces"
"""The kind of what was declared: document, groups and ports by role."""
_TYPES: dict[str, Any] = {
    name: get_args(kind)[0] for name, kind in get_type_hints(World).items() if get_args(kind)[1:] == (...,)
}
KINDS: dict[str, TypeAdapter[Any]] = {name: TypeAdapter(kind) for name, kind in _TYPES.items()}
"""The kinds of resources by their name in a world; the rules of groups have a kind of their own."""
KINDS["rules"] = TypeAdapter(GroupRule)
OF_PROJECTS = ("groups", "rules", "ports")
MAX_VERSIONS = 400_000
MAX_ROWS = 2_000
"""In one statement, so that the first scan of a large cloud keeps nobody waiting for long."""

_OPEN = """
SELECT kind, resource_id, digest, valid_from FROM history
WHERE valid_until IS NULL AND kind = ANY($1) AND ($2::text IS NULL OR project_id = $2)
"""
_CLOSE = """
UPDATE history SET valid_until = $3
WHERE kind = $1 AND resource_id = $2 AND valid_until IS NULL AND valid_from < $3
"""
# The OFFSET keeps it a look-up of each row by the index: joined, it would read the whole table.
_APPEND = """
INSERT INTO history (kind, resource_id, project_id, digest, body, valid_from, seen_by, actor, request_id)
SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::bytea[], $5::jsonb[], $6::timestamptz[], $7::text[],
                     $8::text[], $9::text[]) AS new (kind, resource_id, project_id, digest, body, at)
WHERE NOT EXISTS (SELECT 1 FROM history AS later WHERE later.kind = new.kind AND later.resource_id = new.resource_id
                  AND (later.valid_until IS NULL OR later.valid_until > new.at) OFFSET 0)
ON CONFLICT DO NOTHING
"""
_SINCE = """
UPDATE observed_span SET ended_at = $1 WHERE began_at = (SELECT max(began_at) FROM observed_span) AND ended_at >= $2
"""
# A look may see a change before its notification comes. Where nothing else is known of the resource from between the
# two, it began when the notification says. A notification that a version began with explains no later one.
_NAMED = """
UPDATE history AS seen SET
    seen_by = 'notification', actor = told.actor, request_id = told.request_id,
    valid_from = CASE WHEN EXISTS (
        SELECT 1 FROM history AS before WHERE before.kind = seen.kind AND before.resource_id = seen.resource_id
               AND before.valid_from < seen.valid_from AND before.valid_until > told.happened_at
    ) THEN seen.valid_from ELSE told.happened_at END
FROM (SELECT DISTINCT ON (resource_id) resource_id, happened_at, actor, request_id FROM seen_change
      WHERE seen_at > $1 AND happened_at IS NOT NULL ORDER BY resource_id, seen_change_id DESC) AS told
WHERE seen.kind = ANY($2) AND seen.resource_id = told.resource_id AND seen.seen_by = 'look'
      AND told.happened_at BETWEEN seen.valid_from - $3::interval AND seen.valid_from
      AND NOT EXISTS (
        SELECT 1 FROM history AS accounted WHERE accounted.kind = seen.kind AND accounted.resource_id = seen.resource_id
               AND accounted.valid_from >= told.happened_at AND accounted.valid_from < seen.valid_from)
"""
_STOOD = """
FROM history WHERE valid_from <= $2 AND (valid_until IS NULL OR valid_until > $1)
  AND ($3::text[] IS NULL OR kind <> ALL($4) OR project_id = ANY($3)
       OR (kind = 'ports' AND body ->> 'device_owner' LIKE 'network:%'))
"""
_COUNT = f"SELECT count(*) FROM (SELECT 1 {_STOOD} LIMIT $5) AS stood"  # noqa: S608  # our own words
_VERSIONS = f"""
SELECT kind, resource_id, project_id, body, valid_from, valid_until, seen_by, actor, request_id {_STOOD}
ORDER BY valid_from
"""
_ESCAPED = """
UPDATE history SET valid_until = since FROM unnest($1::text[], $2::timestamptz[]) AS escaped (port_id, since)
WHERE kind = 'ports' AND resource_id = port_id AND valid_until IS NULL AND valid_from < since
RETURNING resource_id, project_id, digest, body
"""
_PASSED = """
INSERT INTO history (kind, resource_id, project_id, digest, body, valid_from, valid_until, seen_by, actor, request_id)
SELECT kind, resource_id, coalesce(passed.project_id, keeper.project_id, ''), digest, body, since, until, 'notification',
       actor, request_id
FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::bytea[], $6::jsonb[], $7::timestamptz[],
            $8::timestamptz[], $9::text[], $10::text[])
     AS passed (kind, resource_id, workspace, project_id, digest, body, since, until, actor, request_id)
LEFT JOIN workspace AS keeper USING (workspace)
ON CONFLICT DO NOTHING
"""


class TooMuch(TresorError):
    """More was asked for than is gone through at once; what is left out would be taken for what did not stand."""


@dataclass(frozen=True, slots=True)
class Thing:
    """One resource as it was observed."""

    kind: str
    resource_id: str
    project_id: str
    digest: bytes
    value: Any

    def body(self) -> str:
        """As it is stored."""
        adapter = KINDS.get(self.kind)
        return adapter.dump_json(self.value).decode() if adapter else json.dumps(self.value)


@dataclass(frozen=True, slots=True)
class Version:
    """One resource as it stood for a time; `valid_until` is None while it still does."""

    kind: str
    resource_id: str
    project_id: str
    body: str
    valid_from: datetime
    valid_until: datetime | None
    seen_by: str
    actor: str
    request_id: str

    def stood_at(self, at: datetime) -> bool:
        """Whether it was so at that time."""
        return self.valid_from <= at and (self.valid_until is None or self.valid_until > at)


def things_of(world: World) -> list[Thing]:
    """Everything in the world, the rules apart from their groups."""
    found: list[Thing] = []
    for each in fields(world):
        if each.name not in _TYPES:
            continue
        for value in getattr(world, each.name):
            if isinstance(value, Group):
                # Rules never change, and have a row of their own.
                found += [Thing("rules", rule.id, value.project_id, b"", rule) for rule in value.rules]
                found.append(_thing(each.name, replace(value, rules=())))
            else:
                found.append(_thing(each.name, value))
    return found


def _thing(kind: str, value: Any) -> Thing:
    digest = hashlib.blake2b(repr(value).encode(), digest_size=16).digest()
    return Thing(kind, value.id, getattr(value, "project_id", ""), digest, value)


def declared(workspace: str, project_id: str, value: Mapping[str, Any]) -> Thing:
    """What was declared for a workspace."""
    digest = hashlib.blake2b(json.dumps(value, sort_keys=True).encode(), digest_size=16).digest()
    return Thing(WORKSPACES, workspace, project_id, digest, value)


async def observe(
    connection: Connection,
    things: Iterable[Thing],
    at: datetime,
    *,
    kinds: Sequence[str],
    project_id: str | None,
    workspace: str | None,
) -> int:
    """Append what differs from what stood; what stood and is not among the things is gone. Returns how many differed.

    `kinds` (of that project, or of all of them) were listed whole at `at`. A later observation is never overwritten (I9).
    """
    open_rows = {
        (row["kind"], row["resource_id"]): (row["digest"], row["valid_from"])
        for row in await connection.fetch(_OPEN, list(kinds), project_id)
    }
    new, gone = [], set(open_rows)
    for thing in things:
        key = (thing.kind, thing.resource_id)
        gone.discard(key)
        digest, stood_since = open_rows.get(key, (None, None))
        if digest != thing.digest and (stood_since is None or stood_since < at):
            new.append(thing)
    ids = {thing.resource_id for thing in new} | {resource_id for _, resource_id in gone}
    changes = await change_of(connection, workspace, ids) if workspace and ids else {}

    def since(kind: str, resource_id: str) -> datetime:
        """When it changed: as its notification says, if that is between what stood and this look."""
        told = changes[resource_id].happened_at if resource_id in changes else None
        stood = open_rows.get((kind, resource_id), (None, None))[1]
        return told if told is not None and told < at and (stood is None or told > stood) else at

    ended = [(kind, resource_id, since(kind, resource_id)) for kind, resource_id in sorted(gone)]
    ended += [(thing.kind, thing.resource_id, since(thing.kind, thing.resource_id)) for thing in new]
    for start in range(0, len(ended), MAX_ROWS):
        await connection.executemany(_CLOSE, ended[start : start + MAX_ROWS])
    for start in range(0, len(new), MAX_ROWS):
        part = new[start : start + MAX_ROWS]
        rows = [_row(thing, since(thing.kind, thing.resource_id), changes.get(thing.resource_id)) for thing in part]
        await connection.execute(_APPEND, *(list(column) for column in zip(*rows, strict=True)))
    return len(gone) + len(new)


def _row(thing: Thing, since: datetime, change: Change | None) -> tuple[Any, ...]:
    who = (change.actor, change.request_id) if change else ("", "")
    seen_by = "notification" if change else "look"
    return (thing.kind, thing.resource_id, thing.project_id, thing.digest, thing.body(), since, seen_by, *who)


async def record_repaired(connection: Connection, repairs: Sequence[PromptRepair], now: datetime) -> None:
    """What stood from its notification until it was put right, and, of ports, what they were before, which they are again."""
    rows: list[tuple[Any, ...]] = []
    escapes: dict[str, PromptRepair] = {}
    for repair in repairs:
        if repair.rule is not None and repair.group_id is not None:
            rule = Thing("rules", repair.repair_id, "", b"", GroupRule(repair.repair_id, repair.group_id, repair.rule))
            rows.append(_passed(rule, repair, None, now))
        if repair.port is not None:
            former = escapes.setdefault(repair.port.id, repair)
            escapes[repair.port.id] = min(former, repair, key=_began)
    since = [_began(repair) for repair in escapes.values()]
    for before in await connection.fetch(_ESCAPED, list(escapes), since) if escapes else ():
        repair = escapes[before["resource_id"]]
        project_id, port_id = before["project_id"], before["resource_id"]
        rows.append(_passed(_thing("ports", repair.port), repair, project_id, now))
        restored = before["digest"], before["body"], now, None, "", ""
        rows.append(("ports", port_id, repair.workspace, project_id, *restored))
    if rows:
        await connection.execute(_PASSED, *(list(column) for column in zip(*rows, strict=True)))


def _began(repair: PromptRepair) -> datetime:
    return repair.happened_at or repair.detected_at


def _passed(thing: Thing, repair: PromptRepair, project_id: str | None, now: datetime) -> tuple[Any, ...]:
    since = _began(repair)
    stood = since, max(since, now)
    who = repair.actor, repair.request_id
    return (thing.kind, thing.resource_id, repair.workspace, project_id, thing.digest, thing.body(), *stood, *who)


async def scanned(connection: Connection, at: datetime, bound_seconds: float) -> None:
    """A full scan ended that listed the cloud as it was then; the span that is known goes on, or another begins.

    What was seen by looks and is told of by now is put down to who did it.
    """
    latest = at - timedelta(seconds=2 * bound_seconds)
    await connection.execute(_NAMED, latest, list(KINDS), at - latest)
    if await connection.execute(_SINCE, at, latest) == "UPDATE 0":
        await connection.execute("INSERT INTO observed_span VALUES ($1, $1) ON CONFLICT DO NOTHING", at)


async def known_spans(connection: Connection) -> list[tuple[datetime, datetime]]:
    """The times through which the cloud was scanned without a gap, oldest first."""
    rows = await connection.fetch("SELECT began_at, ended_at FROM observed_span ORDER BY began_at")
    return [(row["began_at"], row["ended_at"]) for row in rows]


async def versions(
    connection: Connection, begin: datetime, end: datetime, project_ids: Sequence[str] | None
) -> tuple[Version, ...]:
    """What stood at some time between the two; of these projects with what belongs to nobody, or of all.

    Raises TooMuch.
    """
    asked = begin, end, list(project_ids) if project_ids is not None else None, list(OF_PROJECTS)
    if await connection.fetchval(_COUNT, *asked, MAX_VERSIONS + 1) > MAX_VERSIONS:
        raise TooMuch(f"more than {MAX_VERSIONS} versions of resources stood then")
    rows = await connection.fetch(_VERSIONS, *asked)
    return tuple(Version(**dict(row)) for row in rows)


async def forget_history(connection: Connection, before: datetime) -> None:
    """Forget versions that ended before then."""
    await connection.execute("DELETE FROM history WHERE valid_until < $1", before)
    await connection.execute("DELETE FROM observed_span WHERE ended_at < $1", before)


def world_at(found: Iterable[Version], at: datetime) -> World:
    """The world as it stood at that time, as far as it was observed."""
    values: dict[str, list[Any]] = {name: [] for name in KINDS}
    for version in found:
        if version.kind in values and version.stood_at(at):
            values[version.kind].append(KINDS[version.kind].validate_json(version.body))
    rules: dict[str, list[GroupRule]] = {}
    for rule in values.pop("rules"):
        rules.setdefault(rule.group_id, []).append(rule)
    values["groups"] = [
        replace(group, rules=tuple(sorted(rules.get(group.id, ()), key=lambda each: each.id)))
        for group in values["groups"]
    ]
    return World(**{name: tuple(sorted(each, key=lambda one: one.id)) for name, each in values.items()}, whole=True)
