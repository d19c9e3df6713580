"""CloudEvents 1.0 in structured mode, and what a message of each kind must say of itself.

A message's `type` is also its routing key: `<owner>.<noun>.<verb>`, never an id in it. Commands and queries are
imperative and ask their owner; events are facts, in the past tense, told by their owner.
"""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from contracts.identifiers import Identifier, ResourceId, Text

EVENTS_EXCHANGE = "tresor.events"
COMMANDS_EXCHANGE = "tresor.commands"
QUERIES_EXCHANGE = "tresor.queries"
CONTENT_TYPE = "application/cloudevents+json"
SIGNATURE_HEADER = "tresor-jws"
"""AMQP header with a detached JWS (RFC 7515, appendix F) over the exact bytes of the body."""

QUERY_REFUSED_TYPE = "tresor.query.refused"
"""The answer's type when a query is refused: its data are problems."""

MAX_BODY_BYTES = 256 * 1024

MessageType = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z-]*(\.[a-z][a-z-]*){2}$", max_length=100)]
MessageId = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$")]
TraceParent = Annotated[str, StringConstraints(pattern=r"^00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$")]


class Role(StrEnum):
    """What a key's holder may ask for; a command names the roles that may give it."""

    OPERATOR = "operator"
    SECURITY_OFFICER = "security-officer"
    AUDITOR = "auditor"
    SERVICE = "service"


class Message(BaseModel):
    """What is said; the envelope says who, when and why."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    type: ClassVar[str]
    version: ClassVar[int] = 1
    example: ClassVar[dict[str, Any]]
    """A valid instance, as JSON; the generated reference and the tests show it."""

    @property
    def aggregate(self) -> str:
        """What the message is about and within which its order counts: the workspace, where there is one."""
        return str(getattr(self, "workspace", "site"))

    @classmethod
    def owner(cls) -> str:
        """The service that this type belongs to."""
        return cls.type.split(".", 1)[0]


class Event(Message):
    """A fact, told by its owner to everybody."""


class Command(Message):
    """Asks its owner to change something; signed, stored before it is answered, applied at most once."""

    roles: ClassVar[frozenset[Role]]
    approvals: ClassVar[int] = 0
    """How many other people have to approve it before it is begun."""
    approver_roles: ClassVar[frozenset[Role]] = frozenset({Role.OPERATOR, Role.SECURITY_OFFICER})
    """Who may approve it; another person than who gave it."""


class Answer(Message):
    """What a query's owner answers to the asker alone."""


class Query(Message):
    """Asks its owner to say something; signed, changes nothing, answered to the asker alone."""

    roles: ClassVar[frozenset[Role]] = frozenset(Role)
    answer: ClassVar[type[Answer]]


class Envelope(BaseModel):
    """CloudEvents attributes around a message's `data`; extension names are lower case as CloudEvents wants."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    specversion: Literal["1.0"] = "1.0"
    id: MessageId
    type: MessageType
    source: Annotated[str, StringConstraints(pattern=r"^tresor/[a-z0-9-]+(/[A-Za-z0-9_.@-]+)?$", max_length=120)]
    """`tresor/<service>` or `tresor/operator/<holder>`."""
    subject: ResourceId
    time: datetime
    datacontenttype: Literal["application/json"] = "application/json"
    dataschema: Annotated[str, StringConstraints(pattern=r"^tresor:[a-z.-]+:[0-9]+$", max_length=120)]
    traceparent: TraceParent | None = None
    correlationid: MessageId
    """The id of the command that everything began with."""
    causationid: MessageId | None = None
    """The id of the message that this one follows from."""
    data: dict[str, Any]


class EventEnvelope(Envelope):
    """An event's envelope: `sequence` counts a producer's events of one aggregate, without a gap, from 1."""

    sequence: Annotated[int, Field(ge=1, le=2**53)]


class CommandEnvelope(Envelope):
    """A command's or query's envelope: for whom, from when and until when it is good."""

    audience: Identifier
    expectedgeneration: Annotated[int, Field(ge=0, le=2**53)] | None = None
    """Refused unless the aggregate stands at this generation; None where the asker doesn't care."""
    notbefore: datetime
    expiresat: datetime
    """Not admitted after this; at most five minutes after `time`."""
    executeby: datetime
    """Not begun after this, even when it was admitted in time."""


class Problem(BaseModel):
    """One thing wrong in what was asked, and what to do about it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    field: Annotated[str, StringConstraints(max_length=200)] = ""
    """Where in the data, dotted (`document.roles.0.flavor`); empty when it is about the whole."""
    reason: Text
    remedy: Text = ""


PROBLEM_EXAMPLE = {
    "field": "document.roles.1.flavor",
    "reason": "no flavor 'tre.huge' in this cloud",
    "remedy": "choose one of: tre.small, tre.large",
}


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


class OutboxHead(Event):
    """How far a producer has come, so that a consumer finds out that the last events were lost.

    Sent outside the sequence, unsaved, every few seconds; `heads` maps an aggregate to its last sequence. Up to
    `thinned` only the last event of each type is kept: what is missing there was overtaken, and does not come again.
    """

    heads: dict[ResourceId, int]
    thinned: dict[ResourceId, int] = {}
    """Of the aggregates of which something was forgotten."""

    example = {"heads": {"genome-42": 17}, "thinned": {"genome-42": 9}}


class ResendEvents(Command):
    """Asks a producer to send again the events of one aggregate from `first` to `last`, both included."""

    roles = frozenset({Role.SERVICE})

    workspace: ResourceId
    first: Annotated[int, Field(ge=1)]
    last: Annotated[int, Field(ge=1)]

    example = {"workspace": "genome-42", "first": 12, "last": 14}


class AcknowledgeEvents(Command):
    """The audit log has a producer's events up to these; only what it has may ever be forgotten (invariant I6)."""

    roles = frozenset({Role.SERVICE})
    giver: ClassVar[str] = "security-monitor"
    """The service that keeps the audit log: nobody else's word counts."""

    heads: Annotated[dict[ResourceId, Annotated[int, Field(ge=1, le=2**53)]], Field(max_length=2000)]
    """By aggregate the last sequence of an unbroken row."""

    example = {"heads": {"genome-42": 15}}
