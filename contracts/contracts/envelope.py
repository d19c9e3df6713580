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
    SCHEDULER = "scheduler"
    """A batch system's hooks: they ask burst-scheduler for nodes, and for nothing else."""


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

    roles: ClassVar[frozenset[Role]] = frozenset(Role) - {Role.SCHEDULER}
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
