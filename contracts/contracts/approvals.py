"""Commands that one person asks for and others approve (NIST SP 800-53, AC-3(2)): who waits, who approved, who denied.

An approval is a signed command of its own. It names the waiting command by its id and by the SHA-256 of its bytes, so
that nobody approves other words than those they read.
"""

from datetime import datetime
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from contracts.envelope import MAX_BODY_BYTES, Answer, Command, MessageId, MessageType, Query, Role
from contracts.identifiers import Digest, ResourceId, Text
from contracts.outcome import OUTCOME_EXAMPLE, CommandOutcome

Holder = Annotated[str, StringConstraints(max_length=120)]

_COMMAND_ID = "0198c0de-0000-7000-8000-000000000001"
_DIGEST = "sha256:" + "c" * 64
_WAITING = {
    **OUTCOME_EXAMPLE,
    "command_type": "network-policy.workspace.release",
    "digest": _DIGEST,
}


class CommandWaiting(CommandOutcome):
    """The command is verified and stored, and not begun before other people approve it; in time, or it is rejected."""

    digest: Digest
    """SHA-256 of the command's bytes: what an approval names."""
    approvals: Annotated[int, Field(ge=1, le=9)]
    """How many other people have to approve it."""
    approved_by: tuple[Holder, ...] = ()
    waits_until: datetime

    example = {**_WAITING, "approvals": 1, "waits_until": "2026-11-21T10:30:00Z"}


class CommandApproved(CommandOutcome):
    """Somebody other than who asked has approved the command; `left` more are needed."""

    digest: Digest
    approver: Holder
    left: Annotated[int, Field(ge=0, le=9)]

    example = {**_WAITING, "approver": "sam@example.org", "left": 0}


class Judgement(Command):
    """What one person says about another's waiting command."""

    roles = frozenset({Role.OPERATOR, Role.SECURITY_OFFICER})

    workspace: ResourceId
    """The waiting command's subject."""
    command_id: MessageId
    digest: Digest
    """SHA-256 of the waiting command's bytes, as whoever judges it has read them."""


class ApproveCommand(Judgement):
    """Approves a waiting command of somebody else, exactly as it was read."""

    example = {"workspace": "genome-42", "command_id": _COMMAND_ID, "digest": _DIGEST}


class DenyCommand(Judgement):
    """Ends a waiting command: its requester withdraws it, or somebody else denies it."""

    reason: Text = ""

    example = {
        "workspace": "genome-42",
        "command_id": _COMMAND_ID,
        "digest": _DIGEST,
        "reason": "the incident is not closed",
    }


class WaitingCommand(BaseModel):
    """A command that waits, with the very words to be approved."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    command_id: MessageId
    command_type: MessageType
    holder: Holder
    subject: ResourceId
    digest: Digest
    approvals: Annotated[int, Field(ge=1, le=9)]
    approved_by: tuple[Holder, ...] = ()
    waits_until: datetime
    body: Annotated[str, StringConstraints(max_length=MAX_BODY_BYTES)]
    """The command's bytes; their SHA-256 is the digest, which whoever approves should see for themselves."""


class ApprovalsListed(Answer):
    """The commands that wait for approval, oldest first; `truncated` when there are more."""

    commands: tuple[WaitingCommand, ...]
    truncated: bool = False

    example = {
        "commands": [
            {
                "command_id": _COMMAND_ID,
                "command_type": "network-policy.workspace.release",
                "holder": "ana@example.org",
                "subject": "genome-42",
                "digest": _DIGEST,
                "approvals": 1,
                "waits_until": "2026-11-21T10:30:00Z",
                "body": "{}",
            }
        ]
    }


class ListApprovals(Query):
    """The commands that wait for approval at this service."""

    answer = ApprovalsListed

    command_id: MessageId | None = None
    """Only this one."""

    example = {}
