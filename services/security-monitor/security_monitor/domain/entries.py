"""A message of Tresor's own bus as the audit log keeps it."""

from contracts.audit import Entry
from contracts.envelope import Envelope

_KINDS = (
    (".effect.recorded", "effect"),
    (".command.accepted", "command"),
    (".command.applied", "decision"),
    (".command.rejected", "decision"),
    (".command.failed", "decision"),
)


def entry_of_message(envelope: Envelope) -> Entry:
    """What is kept of an event; its body is the envelope as JSON."""
    kind = next((kind for suffix, kind in _KINDS if envelope.type.endswith(suffix)), "event")
    if envelope.type.startswith("security-monitor.finding."):
        kind = "finding"
    workspace = envelope.data.get("workspace")
    request_id = envelope.data.get("request_id")
    project_id = envelope.data.get("project_id")
    return Entry(
        kind=kind,
        type=envelope.type,
        message_id=envelope.id,
        source=envelope.source,
        occurred_at=envelope.time,
        request_id=request_id if isinstance(request_id, str) else "",
        global_request_id="",
        project_id=project_id if isinstance(project_id, str) else "",
        workspace=workspace if isinstance(workspace, str) else envelope.subject,
        redacted=False,
        body=envelope.model_dump_json(exclude_none=True).encode(),
    )
