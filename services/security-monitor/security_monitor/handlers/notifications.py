"""OpenStack's notifications: each one into the audit log, secrets taken out, and some of them findings."""

import hashlib
from collections.abc import Sequence

from contracts.audit import OPENSTACK, Entry
from contracts.security_monitor import CHASSIS, FindingRaised
from security_monitor.domain import findings
from security_monitor.handlers.register import Context, handlers
from security_monitor.store import audit
from security_monitor.store import findings as finding_store
from shared.metrics import NOTIFICATIONS_BROKEN
from shared.notifications import BrokenNotification, Notification, Raw, Sealed, decode, seal
from shared.notifications.redaction import redact_octets
from shared.quarantine import quarantine
from shared.telemetry import cleaned
from shared.work import Work


def entry_of(sealed: Sealed) -> Entry:
    """A notification as the audit log keeps it."""
    heading = sealed.heading
    return Entry(
        "notification",
        heading.event_type,
        heading.message_id,
        heading.publisher_id,
        heading.timestamp,
        heading.request_id or "",
        heading.global_request_id or "",
        heading.project_id or "",
        "",
        sealed.redacted,
        sealed.body,
    )


@handlers.on_notifications
async def record(batch: Sequence[Raw], tx: Work[Context]) -> None:
    """The batch into the log; what is broken goes into quarantine, once, and harms nothing else."""
    entries: list[Entry] = []
    watched: dict[tuple[str, str], Raw] = {}
    for raw in batch:
        try:
            sealed = seal(raw)
        except BrokenNotification as error:
            await _set_aside(raw, error, tx)
            continue
        entry = entry_of(sealed)
        entries.append(entry)
        if sealed.heading.is_about(*findings.WATCHED):
            watched[entry.source, entry.message_id] = raw
    rows = await audit.append(tx.connection, OPENSTACK, entries, tx.now)
    if watched:
        await _look_at(
            [watched[key] for row in rows if (key := (row.entry.source, row.entry.message_id)) in watched], tx
        )


async def _look_at(raws: list[Raw], tx: Work[Context]) -> None:
    """Raise what is a finding among notifications that are new in the log."""
    seen: list[Notification] = []
    for raw in raws:
        try:
            seen.append(decode(raw))
        except BrokenNotification as error:
            await _set_aside(raw, error, tx)
    projects = {notification.payload.owner_project_id or notification.project_id or "" for notification in seen}
    workspaces = await finding_store.workspaces_of(tx.connection, projects)
    for notification in seen:
        workspace = workspaces.get(notification.payload.owner_project_id or notification.project_id or "")
        for finding in findings.from_notification(notification, workspace, tx.now):
            if await finding_store.add(tx.connection, finding):
                tx.emit(FindingRaised(finding=finding))


async def _set_aside(raw: Raw, error: BrokenNotification, tx: Work[Context]) -> None:
    NOTIFICATIONS_BROKEN.inc()
    kept = redact_octets(raw.body)
    detail = cleaned(str(error))[:1000]
    await quarantine(tx, kept, f"openstack:{raw.exchange}", "bad-notification", detail)
    digest = hashlib.sha256(kept).hexdigest()
    tx.emit(CHASSIS.refused(reason="bad-notification", detail=detail, digest=f"sha256:{digest}"))
