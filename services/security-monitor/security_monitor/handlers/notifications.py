"""OpenStack's notifications: each one into the audit log, secrets taken out."""

import hashlib
from collections.abc import Sequence

from contracts.audit import OPENSTACK, Entry
from contracts.security_monitor import CHASSIS
from security_monitor.handlers.register import Context, handlers
from security_monitor.store import audit
from shared.metrics import NOTIFICATIONS_BROKEN
from shared.notifications import BrokenNotification, Raw, Sealed, seal
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
    for raw in batch:
        try:
            entries.append(entry_of(seal(raw)))
        except BrokenNotification as error:
            await _set_aside(raw, error, tx)
    await audit.append(tx.connection, OPENSTACK, entries, tx.now)


async def _set_aside(raw: Raw, error: BrokenNotification, tx: Work[Context]) -> None:
    NOTIFICATIONS_BROKEN.inc()
    kept = redact_octets(raw.body)
    detail = cleaned(str(error))[:1000]
    await quarantine(tx, kept, f"openstack:{raw.exchange}", "bad-notification", detail)
    digest = hashlib.sha256(kept).hexdigest()
    tx.emit(CHASSIS.refused(reason="bad-notification", detail=detail, digest=f"sha256:{digest}"))
