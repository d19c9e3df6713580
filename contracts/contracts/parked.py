"""Messages that a service could not use: events it set aside after too many failures, and input that it refused.

An event that was set aside had been verified before it was stored, so it can be handled again once the cause is mended;
two people decide that. Refused input was never believed: it can be looked at, and nothing in the system handles it.
"""

from datetime import datetime
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from contracts.envelope import MAX_BODY_BYTES, Answer, Command, Event, MessageId, MessageType, Query, Role
from contracts.identifiers import Digest, ResourceId, Text

MAX_AT_ONCE = 100
"""How many messages one command names."""
MAX_REPLAYS = 5
"""How often one message is handled anew, each time with all its attempts; what still fails then wants another cure."""

Holder = Annotated[str, StringConstraints(max_length=120)]
Body = Annotated[str, StringConstraints(max_length=(MAX_BODY_BYTES + 2) // 3 * 4)]
"""The first 256 KiB of the bytes, in base64."""

_MESSAGE_ID = "0198c0de-0000-7000-8000-000000000003"
_DIGEST = "sha256:" + "d" * 64


class SetAside(BaseModel):
    """One parked message, exactly as it was read."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    message_id: MessageId
    digest: Digest
    """SHA-256 of the message's bytes."""


class AboutParked(Command):
    """What is to become of messages that were set aside; all of them, or none when one of them can't be."""

    roles = frozenset({Role.OPERATOR, Role.SECURITY_OFFICER})

    workspace: ResourceId
    """What the messages are about: their subject."""
    messages: Annotated[tuple[SetAside, ...], Field(min_length=1, max_length=MAX_AT_ONCE)]

    example = {"workspace": "genome-42", "messages": [{"message_id": _MESSAGE_ID, "digest": _DIGEST}]}


class ReplayParked(AboutParked):
    """Handle parked messages again, in the order they came in; another person has to approve it."""

    approvals = 1


class DropParked(AboutParked):
    """Never handle parked messages; their bytes stay as long as the service keeps what is done."""


class ParkedReplayed(Event):
    """A parked message is handled again."""

    workspace: ResourceId
    message_id: MessageId
    message_type: MessageType
    digest: Digest
    holder: Holder
    """Who asked for it; who approved it is told by `command.approved`."""
    replays: Annotated[int, Field(ge=1, le=MAX_REPLAYS)]
    """How often it has been, this one included."""

    example = {
        "workspace": "genome-42",
        "message_id": _MESSAGE_ID,
        "message_type": "provisioner.network.ready",
        "digest": _DIGEST,
        "holder": "ana@example.org",
        "replays": 1,
    }


class ParkedDropped(Event):
    """A parked message will never be handled."""

    workspace: ResourceId
    message_id: MessageId
    message_type: MessageType
    digest: Digest
    holder: Holder

    example = {key: value for key, value in ParkedReplayed.example.items() if key != "replays"}


class ParkedMessage(BaseModel):
    """A message that was set aside."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    message_id: MessageId
    message_type: MessageType
    subject: ResourceId
    producer: Holder
    """The service that told it."""
    digest: Digest
    attempts: Annotated[int, Field(ge=0)]
    replays: Annotated[int, Field(ge=0)]
    error: Text
    """How the last attempt ended."""
    received_at: datetime
    parked_at: datetime
    size_bytes: Annotated[int, Field(ge=0)]
    body_base64: Body | None = None
    """Only where one message is asked for."""


class ParkedListed(Answer):
    """The messages that are set aside, oldest first; `truncated` when there are more."""

    messages: tuple[ParkedMessage, ...]
    truncated: bool = False

    example = {
        "messages": [
            {
                "message_id": _MESSAGE_ID,
                "message_type": "provisioner.network.ready",
                "subject": "genome-42",
                "producer": "provisioner",
                "digest": _DIGEST,
                "attempts": 8,
                "replays": 0,
                "error": "KeyError: 'internal'",
                "received_at": "2026-11-21T10:00:00Z",
                "parked_at": "2026-11-21T10:01:02Z",
                "size_bytes": 912,
            }
        ]
    }


class ListParked(Query):
    """The messages that this service has set aside."""

    answer = ParkedListed

    message_id: MessageId | None = None
    """Only this one, with its bytes."""

    example = {}


class RefusedInput(BaseModel):
    """Bytes that came and were not believed, or could not be read."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    digest: Digest
    came_from: Annotated[str, StringConstraints(max_length=255)]
    """`bus:command`, `bus:event`, `bus:query`, or `openstack:` and the exchange."""
    reason: Annotated[str, StringConstraints(max_length=100)]
    detail: Text
    first_at: datetime
    times: Annotated[int, Field(ge=1)]
    size_bytes: Annotated[int, Field(ge=0)]
    body_base64: Body | None = None
    """Only where one is asked for."""


class RefusedListed(Answer):
    """Refused input, newest first; `truncated` when there is more."""

    inputs: tuple[RefusedInput, ...]
    truncated: bool = False

    example = {
        "inputs": [
            {
                "digest": _DIGEST,
                "came_from": "bus:command",
                "reason": "bad-signature",
                "detail": "the signature does not fit the bytes",
                "first_at": "2026-11-21T10:00:00Z",
                "times": 3,
                "size_bytes": 640,
            }
        ]
    }


class ListRefused(Query):
    """The input that this service has refused."""

    answer = RefusedListed

    digest: Digest | None = None
    """Only this, with its bytes."""

    example = {}
