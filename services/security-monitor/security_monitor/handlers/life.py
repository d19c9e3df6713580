"""What people make of a finding: looked at, left so for a time, over."""

from datetime import timedelta

from contracts.envelope import Problem
from contracts.security_monitor import (
    AboutFinding,
    AcceptFinding,
    AcknowledgeFinding,
    Finding,
    FindingChanged,
    FindingResolved,
    ResolveFinding,
)
from security_monitor.handlers.register import Context, handlers
from security_monitor.store import findings as finding_store
from shared.errors import Rejected
from shared.work import Work

LONGEST_ACCEPTANCE = timedelta(days=366)


@handlers.on(AcknowledgeFinding)
async def acknowledge(command: AcknowledgeFinding, tx: Work[Context]) -> None:
    """Somebody looks at it."""
    await _open_one(command, tx)
    changed = await finding_store.change(
        tx.connection, command.finding_id, "acknowledged", tx.holder, command.note, None
    )
    tx.emit(FindingChanged(finding=changed))


@handlers.on(AcceptFinding)
async def accept(command: AcceptFinding, tx: Work[Context]) -> None:
    """It is left so until then."""
    if not tx.now < command.until <= tx.now + LONGEST_ACCEPTANCE:
        reason = f"{command.until:%Y-%m-%d %H:%M} does not lie within the coming {LONGEST_ACCEPTANCE.days} days"
        raise Rejected(Problem(field="until", reason=reason, remedy="accept it for a shorter time"))
    await _open_one(command, tx)
    changed = await finding_store.change(
        tx.connection, command.finding_id, "accepted", tx.holder, command.note, command.until
    )
    tx.emit(FindingChanged(finding=changed))


@handlers.on(ResolveFinding)
async def resolve(command: ResolveFinding, tx: Work[Context]) -> None:
    """It is over."""
    await _open_one(command, tx)
    over = await finding_store.close(tx.connection, command.finding_id, tx.holder, command.note, tx.now)
    tx.emit(FindingResolved(finding=over))


async def _open_one(command: AboutFinding, tx: Work[Context]) -> Finding:
    finding = await finding_store.get(tx.connection, command.finding_id)
    if finding is None or (finding.workspace or "site") != command.workspace:
        whose = "the site" if command.workspace == "site" else command.workspace
        reason = f"{whose} has no finding '{command.finding_id}'"
        raise Rejected(Problem(field="finding_id", reason=reason, remedy="`tresor findings --resolved` lists them"))
    if finding.resolved_at is not None:
        reason = f"it is over since {finding.resolved_at:%Y-%m-%d %H:%M:%S} UTC"
        raise Rejected(Problem(field="finding_id", reason=reason))
    return finding
