"""What a service could not use, and what people decide about it: look at it, handle it again, or never.

Only events are ever parked: a command that can't be handled has failed, and is given again as a new one. An event got
into the inbox by its signature and its number; it is handled again as it was stored, if it is unchanged and whoever
signed it is believed still. Input that was refused is shown, and there is no way from there into the inbox.
"""

import base64
import hashlib
from typing import TYPE_CHECKING, Any

from contracts.envelope import MAX_BODY_BYTES, Problem, Role
from contracts.parked import (
    MAX_REPLAYS,
    AboutParked,
    DropParked,
    ListParked,
    ListRefused,
    ParkedListed,
    ParkedMessage,
    RefusedInput,
    RefusedListed,
    ReplayParked,
    SetAside,
)
from shared.approvals import is_good
from shared.errors import Rejected
from shared.telemetry import cleaned
from shared.work import C, Work

if TYPE_CHECKING:
    from shared.handlers import Handlers

MAX_LISTED = 200

_FOUND = """
SELECT source, type, aggregate, holder, digest, body, state, replays FROM inbox
WHERE message_id = $1 AND digest = $2 AND kind = 'event' FOR UPDATE
"""
_REPLAY = """
UPDATE inbox SET state = 'pending', attempts = 0, replays = replays + 1, next_attempt_at = $3, finished_at = NULL
WHERE source = $1 AND message_id = $2 AND state = 'parked'
"""
_REPLAYED = "UPDATE quarantine SET replayed_at = $2 WHERE digest = $1 AND reason = 'parked'"
_DROP = (
    "UPDATE inbox SET state = 'dropped', finished_at = $3 WHERE source = $1 AND message_id = $2 AND state = 'parked'"
)
_PARKED = """
SELECT message_id::text, type, aggregate, holder, digest, attempts, replays, error, received_at, finished_at,
       octet_length(body) AS size, CASE WHEN $1::uuid IS NOT NULL THEN substr(body, 1, $3) END AS body
FROM inbox WHERE state = 'parked' AND ($1::uuid IS NULL OR message_id = $1)
  AND (aggregate = 'site' OR aggregate LIKE ANY ($4::text[])) ORDER BY position LIMIT $2
"""
_REFUSED = """
SELECT digest, source, reason, detail, received_at, times,
       octet_length(body) AS size, CASE WHEN $1::bytea IS NOT NULL THEN substr(body, 1, $3) END AS body
FROM quarantine WHERE reason <> 'parked' AND ($1::bytea IS NULL OR digest = $1) ORDER BY quarantine_id DESC LIMIT $2
"""


def take_part(handlers: "Handlers[C]") -> None:
    """Have the service say what it could not use, and do with parked events as people decide."""
    chassis = handlers.chassis
    handlers.on(chassis.replay)(_replay)
    handlers.on(chassis.drop)(_drop)
    handlers.answer(chassis.list_parked)(_list_parked)
    handlers.answer(chassis.list_refused)(_list_refused)


async def _replay(command: ReplayParked, tx: Work[Any]) -> None:
    """Have the parked events handled again; approved by another person before it comes here."""
    tx.identity.keyring.refresh()
    rows = await _parked(command, tx)
    problems = [problem for number, row in enumerate(rows) if (problem := _not_to_be_replayed(number, row, tx))]
    if problems:
        raise Rejected(problems)
    for one, row in zip(command.messages, rows, strict=True):
        await tx.connection.execute(_REPLAY, row["source"], one.message_id, tx.now)
        await tx.connection.execute(_REPLAYED, row["digest"], tx.now)
        tx.emit(
            tx.identity.messages.replayed(
                workspace=command.workspace,
                message_id=one.message_id,
                message_type=row["type"],
                digest=one.digest,
                holder=tx.holder,
                replays=row["replays"] + 1,
            )
        )


async def _drop(command: DropParked, tx: Work[Any]) -> None:
    """Have the parked events never handled."""
    for one, row in zip(command.messages, await _parked(command, tx), strict=True):
        await tx.connection.execute(_DROP, row["source"], one.message_id, tx.now)
        tx.emit(
            tx.identity.messages.dropped(
                workspace=command.workspace,
                message_id=one.message_id,
                message_type=row["type"],
                digest=one.digest,
                holder=tx.holder,
            )
        )


async def _parked(command: AboutParked, tx: Work[Any]) -> list[Any]:
    """The rows of all messages that the command names, locked. Raises Rejected when one is not parked."""
    rows: list[Any] = []
    problems: list[Problem] = []
    for number, one in enumerate(command.messages):
        row = await tx.connection.fetchrow(_FOUND, one.message_id, _bytes(one))
        if row is None or row["aggregate"] != command.workspace:
            reason = f"no message {one.message_id} of {command.workspace} with these bytes is here"
        elif one in command.messages[:number]:
            reason = f"message {one.message_id} is named twice"
        elif row["state"] != "parked":
            reason = f"message {one.message_id} is not parked: it is {row['state']}"
        else:
            rows.append(row)
            continue
        problems.append(Problem(field=f"messages.{number}", reason=reason, remedy="`tresor parked` lists them"))
    if problems:
        raise Rejected(problems[:20])
    return rows


def _not_to_be_replayed(number: int, row: Any, tx: Work[Any]) -> Problem | None:
    field = f"messages.{number}"
    if hashlib.sha256(row["body"]).digest() != row["digest"]:
        return Problem(
            field=field,
            reason="its bytes in the database are not those that were verified",
            remedy="do not replay it; find out who changed the database",
        )
    if not is_good(tx.identity.keyring, row["holder"], {Role.SERVICE}, row["aggregate"], tx.now):
        return Problem(field=field, reason=f"no key of {row['holder']} is good any more", remedy="drop it")
    if row["replays"] >= MAX_REPLAYS:
        return Problem(
            field=field,
            reason=f"it was handled anew {MAX_REPLAYS} times and failed each time",
            remedy="mend the cause and have its producer tell it anew, or drop it",
        )
    return None


async def _list_parked(query: ListParked, tx: Work[Any]) -> ParkedListed:
    """The events that are set aside."""
    rows = await tx.connection.fetch(_PARKED, query.message_id, MAX_LISTED + 1, MAX_BODY_BYTES, tx.coverage.like)
    listed = tuple(
        ParkedMessage(
            message_id=row["message_id"],
            message_type=row["type"],
            subject=row["aggregate"],
            producer=row["holder"],
            digest=f"sha256:{row['digest'].hex()}",
            attempts=row["attempts"],
            replays=row["replays"],
            error=row["error"] or "",
            received_at=row["received_at"],
            parked_at=row["finished_at"],
            size_bytes=row["size"],
            body_base64=_base64(row["body"]),
        )
        for row in rows[:MAX_LISTED]
    )
    return tx.identity.messages.parked_listed(messages=listed, truncated=len(rows) > MAX_LISTED)


async def _list_refused(query: ListRefused, tx: Work[Any]) -> RefusedListed:
    """The input that was refused: nobody's until it is verified, so that a key for some workspaces is told none of it."""
    if not tx.coverage.is_everything:
        raise Rejected("what was refused belongs to no workspace", "ask somebody whose key is for all workspaces")
    digest = bytes.fromhex(query.digest.removeprefix("sha256:")) if query.digest else None
    rows = await tx.connection.fetch(_REFUSED, digest, MAX_LISTED + 1, MAX_BODY_BYTES)
    listed = tuple(
        RefusedInput(
            digest=f"sha256:{row['digest'].hex()}",
            came_from=row["source"][:255],
            reason=row["reason"],
            detail=cleaned(row["detail"])[:2000],
            first_at=row["received_at"],
            times=row["times"],
            size_bytes=row["size"],
            body_base64=_base64(row["body"]),
        )
        for row in rows[:MAX_LISTED]
    )
    return tx.identity.messages.refused_listed(inputs=listed, truncated=len(rows) > MAX_LISTED)


def _bytes(one: SetAside) -> bytes:
    return bytes.fromhex(one.digest.removeprefix("sha256:"))


def _base64(body: bytes | None) -> str | None:
    return None if body is None else base64.b64encode(body).decode()
