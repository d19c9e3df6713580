"""What becomes of what came in: where a command stands, what a call did to the cloud, what was refused or set aside."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from contracts.envelope import PROBLEM_EXAMPLE, Event, MessageId, MessageType, Problem
from contracts.identifiers import ResourceId, Text


class CommandOutcome(Event):
    """Where a command stands; exactly one of applied, rejected and failed ends it."""

    command_id: MessageId
    command_type: MessageType
    holder: Annotated[str, StringConstraints(max_length=120)]
    subject: ResourceId

    @property
    def aggregate(self) -> str:
        return self.subject


OUTCOME_EXAMPLE = {
    "command_id": "0198c0de-0000-7000-8000-000000000001",
    "command_type": "provisioner.workspace.create",
    "holder": "ana@example.org",
    "subject": "genome-42",
}


class CommandAccepted(CommandOutcome):
    """The command is verified and stored: it will reach one terminal state even if everything restarts."""

    example = OUTCOME_EXAMPLE


class CommandApplied(CommandOutcome):
    """Terminal: all that was asked is so."""

    example = OUTCOME_EXAMPLE


class CommandRejected(CommandOutcome):
    """Terminal: nothing was done, for these reasons."""

    problems: tuple[Problem, ...]

    example = {**OUTCOME_EXAMPLE, "problems": [PROBLEM_EXAMPLE]}


class CommandFailed(CommandOutcome):
    """Terminal: begun and given up; what was made is kept for a later command to finish or remove."""

    problems: tuple[Problem, ...]

    example = {**OUTCOME_EXAMPLE, "problems": [PROBLEM_EXAMPLE]}


class EffectRecorded(Event):
    """One call that changed the cloud: what, for whom, and how it ended; `request_id` joins it to OpenStack's logs."""

    workspace: ResourceId
    step: Annotated[str, StringConstraints(max_length=100)]
    marker: Annotated[str, StringConstraints(max_length=255)]
    request_id: Annotated[str, StringConstraints(pattern=r"^req-[0-9a-f-]{36}$")]
    outcome: Literal["done", "failed", "unknown"]
    resource_id: ResourceId | None = None
    error: Text = ""
    duration_seconds: Annotated[float, Field(ge=0)]

    example = {
        "workspace": "genome-42",
        "step": "server.create",
        "marker": "genome-42-login-0",
        "request_id": "req-0198c0de-0000-4000-8000-000000000002",
        "outcome": "done",
        "resource_id": "f3a1c9d2-5b7e-4c1a-9f0e-1d2c3b4a5f60",
        "duration_seconds": 0.42,
    }


class InputRefused(Event):
    """Something came in that is no command of ours: unsigned, forged, expired, replayed, for another, malformed."""

    workspace: ResourceId = "site"
    reason: Literal[
        "too-large",
        "malformed",
        "unsigned",
        "unknown-key",
        "bad-signature",
        "revoked-key",
        "expired",
        "not-yet-valid",
        "replayed",
        "wrong-audience",
        "wrong-role",
        "wrong-workspace",
        "wrong-user",
        "unknown-type",
        "bad-notification",
    ]
    detail: Text
    message_id: Annotated[str, StringConstraints(max_length=255)] = ""
    kid: Annotated[str, StringConstraints(max_length=255)] = ""
    broker_user: Annotated[str, StringConstraints(max_length=255)] = ""
    digest: Annotated[str, StringConstraints(max_length=80)]
    """SHA-256 of the bytes that came, which lie in the service's quarantine."""

    example = {
        "reason": "bad-signature",
        "detail": "the signature does not fit the bytes of command 0198c0de-0000-7000-8000-000000000001",
        "message_id": "0198c0de-0000-7000-8000-000000000001",
        "kid": "ana-2026",
        "broker_user": "operator",
        "digest": "sha256:" + "0" * 64,
    }


class MessageParked(Event):
    """A message whose handler kept failing is set aside; its bytes lie in quarantine until replayed."""

    workspace: ResourceId
    message_id: MessageId
    message_type: MessageType
    attempts: int
    error: Text

    example = {
        "workspace": "genome-42",
        "message_id": "0198c0de-0000-7000-8000-000000000003",
        "message_type": "provisioner.network.ready",
        "attempts": 8,
        "error": "KeyError: 'internal'",
    }


class NotificationsDropped(Event):
    """OpenStack's notifications come faster than they are read, and the full queue lets the oldest go; once each time."""

    workspace: ResourceId = "site"
    queue: Annotated[str, StringConstraints(max_length=255)]
    messages: Annotated[int, Field(ge=1)]
    """Dropped by now; they may be more."""
    since: datetime
    scans: bool
    """Whether the service looks at everything at once instead; what only its notifications tell is lost otherwise."""

    example = {
        "queue": "tresor.network-policy.notifications",
        "messages": 1200,
        "since": "2026-11-21T10:00:00Z",
        "scans": True,
    }


class NotificationsRecovered(Event):
    """Nothing is dropped any more, and what was dropped has been scanned for."""

    workspace: ResourceId = "site"
    queue: Annotated[str, StringConstraints(max_length=255)]
    messages: Annotated[int, Field(ge=1)]
    since: datetime

    example = {"queue": "tresor.network-policy.notifications", "messages": 5400, "since": "2026-11-21T10:00:00Z"}
