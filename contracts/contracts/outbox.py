"""How producers and consumers of events agree on how far they are: nothing is lost, nothing is kept for ever."""

from typing import Annotated, ClassVar

from pydantic import Field

from contracts.envelope import Command, Event, Role
from contracts.identifiers import ResourceId


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
