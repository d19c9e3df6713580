"""What security-monitor hears and writes down: everything."""

from contracts.audit import Entry
from shared.notifications import Sealed


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
