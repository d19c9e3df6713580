"""Two people for what loosens isolation (invariant I8): a command waits until others have approved its very bytes.

A command class says how many approvals it needs. The decide lane asks `must_wait` before it handles a command; what was
approved is counted anew then, over keys that are good then, so that nothing but the approvals themselves lets it pass.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from contracts.approvals import ApprovalsListed, ApproveCommand, Judgement, ListApprovals, WaitingCommand
from contracts.envelope import Command, Message, Problem, Role
from shared.errors import Rejected
from shared.signing import Keyring
from shared.telemetry import cleaned
from shared.work import C, Work

if TYPE_CHECKING:
    from shared.handlers import Handlers

WINDOW = timedelta(minutes=30)
"""From the command's admission to its last approval (design: at most 30 minutes apart)."""
EXPIRY_SECONDS = 5.0
MAX_LISTED = 20
"""With bodies of 256 KiB at most, a list stays below what an asker takes."""

_WAIT = """
UPDATE inbox SET state = 'waiting', next_attempt_at = $3 WHERE source = $1 AND message_id = $2 AND state = 'pending'
"""
_FOUND = """
SELECT source, type, aggregate, holder, digest, state, next_attempt_at FROM inbox
WHERE message_id = $1 AND kind = 'command' ORDER BY (digest = $2) DESC, position FOR UPDATE
"""
_APPROVE = """
INSERT INTO approval (digest, approver, command_id, approval_id, approved_at) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT DO NOTHING RETURNING 1
"""
_APPROVERS = "SELECT approver FROM approval WHERE digest = $1 AND approver <> $2 ORDER BY approved_at, approver"
_BEGIN = """
UPDATE inbox SET state = 'pending', next_attempt_at = $3 WHERE digest = $1 AND message_id = $2 AND state = 'waiting'
"""
_LATE = """
SELECT message_id::text, holder FROM inbox WHERE state = 'waiting' AND next_attempt_at <= $1
ORDER BY next_attempt_at LIMIT 100
"""
_LISTED = """
SELECT * FROM inbox WHERE state = 'waiting' AND ($1::uuid IS NULL OR message_id = $1)
  AND (aggregate = 'site' OR aggregate LIKE ANY ($3::text[])) ORDER BY position LIMIT $2
"""


def take_part(handlers: "Handlers[C]") -> None:
    """Have the service hear approvals and denials, list what waits, and end what waited too long. Once is enough."""
    chassis = handlers.chassis
    if chassis.approve.type in handlers.messages:
        return
    handlers.on(chassis.approve)(_approving(handlers))
    handlers.on(chassis.deny)(_deny)
    handlers.answer(chassis.list_approvals)(_listing(handlers))
    handlers.every(EXPIRY_SECONDS)(expire_waiting)


async def must_wait(row: Any, kind: type[Message], keyring: Keyring, executeby: datetime, work: Work[Any]) -> bool:
    """Whether the command is not to be begun yet; it is told then for whose approval it waits.

    Raises Rejected when whoever gave it may not give it any more.
    """
    if not issubclass(kind, Command) or not kind.approvals:
        return False
    keyring.refresh()
    if not is_good(keyring, row["holder"], kind.roles, row["aggregate"], work.now):
        raise Rejected(f"the key of {row['holder']} is no longer good for {kind.type}")
    approvers = await _approvers(row, kind, keyring, work)
    if len(approvers) >= kind.approvals:
        return False
    until = min(row["received_at"] + WINDOW, executeby)
    await work.connection.execute(_WAIT, row["source"], row["message_id"], until)
    work.emit(
        work.identity.messages.waiting(
            command_id=str(row["message_id"]),
            command_type=row["type"],
            holder=row["holder"],
            subject=row["aggregate"],
            digest=_named(row["digest"]),
            approvals=kind.approvals,
            approved_by=approvers,
            waits_until=until,
        )
    )
    return True


async def _approvers(row: Any, kind: type[Command], keyring: Keyring, work: Work[Any]) -> tuple[str, ...]:
    """The others who approved these bytes and may do so still."""
    found = await work.connection.fetch(_APPROVERS, row["digest"], row["holder"])
    return tuple(
        each["approver"]
        for each in found
        if is_good(keyring, each["approver"], kind.approver_roles, row["aggregate"], work.now)
    )


def is_good(keyring: Keyring, holder: str, roles: Iterable[Role], workspace: str, now: datetime) -> bool:
    """Whether the holder has a key that is good now, for that workspace and one of these roles."""
    return any(
        key.holder == holder
        and key.not_before <= now <= key.not_after
        and (key.revoked_at is None or key.revoked_at > now)
        and bool(key.roles & frozenset(roles))
        and key.covers(workspace)
        for key in keyring.keys.values()
    )


def _approving(handlers: "Handlers[C]") -> Any:
    async def approve(judgement: ApproveCommand, tx: Work[C]) -> None:
        """Count one person's approval; the command is decided once there are enough."""
        found = await _waiting(judgement, tx)
        if found["holder"] == tx.holder:
            raise Rejected(
                Problem(
                    field="command_id",
                    reason=f"{tx.holder} asked for it: another person has to approve it",
                    remedy="ask somebody else whose key is good for the workspace",
                )
            )
        kind = handlers.messages[found["type"]][0]
        assert issubclass(kind, Command)
        assert tx.cause is not None
        if not await tx.connection.fetchval(
            _APPROVE, found["digest"], tx.holder, judgement.command_id, tx.cause.id, tx.now
        ):
            raise Rejected(Problem(field="command_id", reason=f"{tx.holder} has approved it already"))
        approvers = await tx.connection.fetch(_APPROVERS, found["digest"], found["holder"])
        left = max(0, kind.approvals - len(approvers))
        tx.emit(
            tx.identity.messages.approved(
                command_id=judgement.command_id,
                command_type=found["type"],
                holder=found["holder"],
                subject=found["aggregate"],
                digest=judgement.digest,
                approver=tx.holder,
                left=left,
            )
        )
        if not left:
            await tx.connection.execute(_BEGIN, found["digest"], judgement.command_id, tx.now)

    return approve


async def _deny(judgement: Any, tx: Work[C]) -> None:
    """End the waiting command."""
    found = await _waiting(judgement, tx)
    verb = "withdrawn" if found["holder"] == tx.holder else "denied"
    why = f": {judgement.reason}" if judgement.reason else ""
    await tx.rejected(judgement.command_id, (Problem(reason=cleaned(f"{verb} by {tx.holder}{why}")[:1000]),))


async def _waiting(judgement: Judgement, tx: Work[C]) -> Any:
    """The waiting command's row, locked. Raises Rejected when there is none, or it is another than was read."""
    digest = bytes.fromhex(judgement.digest.removeprefix("sha256:"))
    found = await tx.connection.fetchrow(_FOUND, judgement.command_id, digest)
    if found is None or found["aggregate"] != judgement.workspace:
        raise Rejected(
            Problem(field="command_id", reason=f"no command {judgement.command_id} of {judgement.workspace} waits here")
        )
    if found["digest"] != digest:
        raise Rejected(
            Problem(
                field="digest",
                reason=f"command {judgement.command_id} is another than was approved: its digest is {_named(found['digest'])}",
                remedy="read it again with `tresor approvals`",
            )
        )
    if found["state"] != "waiting":
        raise Rejected(
            Problem(field="command_id", reason=f"command {judgement.command_id} does not wait: it is {found['state']}")
        )
    if found["next_attempt_at"] <= tx.now:
        raise Rejected(
            Problem(
                field="command_id",
                reason=f"too late: command {judgement.command_id} waited until {found['next_attempt_at'].isoformat()}",
                remedy="have the command given again",
            )
        )
    return found


async def expire_waiting(tx: Work[Any]) -> None:
    """End the commands that nobody approved in time."""
    for row in await tx.connection.fetch(_LATE, tx.now):
        tx.correlation_id = None
        await tx.rejected(
            row["message_id"],
            (Problem(reason="nobody else approved it in time", remedy="give the command again, and have it approved"),),
        )
    tx.correlation_id = None


def _listing(handlers: "Handlers[C]") -> Any:
    async def list_waiting(query: ListApprovals, tx: Work[C]) -> ApprovalsListed:
        """The commands that wait, with the words that an approval is about."""
        rows = await tx.connection.fetch(_LISTED, query.command_id, MAX_LISTED + 1, tx.coverage.like)
        listed: list[WaitingCommand] = []
        for row in rows[:MAX_LISTED]:
            kind = handlers.messages[row["type"]][0]
            assert issubclass(kind, Command)
            approvers = await tx.connection.fetch(_APPROVERS, row["digest"], row["holder"])
            listed.append(
                WaitingCommand(
                    command_id=str(row["message_id"]),
                    command_type=row["type"],
                    holder=row["holder"],
                    subject=row["aggregate"],
                    digest=_named(row["digest"]),
                    approvals=kind.approvals,
                    approved_by=tuple(each["approver"] for each in approvers),
                    waits_until=row["next_attempt_at"],
                    body=row["body"].decode(),
                )
            )
        return handlers.chassis.approvals_listed(commands=tuple(listed), truncated=len(rows) > MAX_LISTED)

    return list_waiting


def _named(digest: bytes) -> str:
    return f"sha256:{digest.hex()}"
