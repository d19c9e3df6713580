"""The past: what could pass between two ends at a time, or at any time between two, and what is not known of it."""

from datetime import datetime
from typing import Annotated, Literal, Self

from pydantic import AwareDatetime, Field, StringConstraints, model_validator

from contracts.envelope import Answer, Query
from contracts.examples import WORKSPACE
from contracts.identifiers import Digest, Generation, Identifier, ResourceId, Text
from contracts.network_policy.rules import EXAMPLE_PACKET, Counterexample, Part

MAX_SPANS = 200
PastEnd = Annotated[str, StringConstraints(min_length=1, max_length=60, pattern=r"^[A-Za-z0-9:./_-]+$")]
"""An end of a policy test (`role:compute`, `workspace:other`, `outside`, `prefix:192.0.2.0/24`, …), the name of a role, a
port's id, or an address."""


class RuleOrigin(Part):
    """Where a rule, or a port that nothing filters, came from."""

    resource_id: ResourceId
    since: datetime
    """When it began to stand so: as its notification says, else when it was first seen."""
    until: datetime | None = None
    """None: it still stands."""
    seen_by: Literal["notification", "look"]
    """`look`: it may have begun earlier, by up to the bound."""
    actor: Annotated[str, StringConstraints(max_length=255)] = ""
    """Keystone user id; empty: no notification names anybody (Tresor's own rules, and what OpenStack is silent about)."""
    request_id: Annotated[str, StringConstraints(max_length=64)] = ""


class OpenSpan(Part):
    """A time through which a packet could pass by the same rules."""

    open_from: datetime
    open_until: datetime | None = None
    """None: up to the end of what was asked for."""
    packet: Counterexample
    origins: tuple[RuleOrigin, ...] = ()


class PastVerdict(Part):
    """Whether a workspace was isolated at the time, by the policy that was declared then."""

    workspace: Identifier
    verdict: Literal["isolated", "violated", "unknown"]
    generation: Generation | None = None
    proof: Digest | None = None
    counterexamples: Annotated[tuple[Counterexample, ...], Field(max_length=20)] = ()


class Unknown(Part):
    """A part of the time of which little is known."""

    begin: datetime
    end: datetime
    why: Text


class HistoryShown(Answer):
    """What was possible. With two ends: `spans`; without: `verdicts`."""

    type = "network-policy.history.shown"

    begin: datetime
    end: datetime
    verdicts: tuple[PastVerdict, ...] = ()
    spans: Annotated[tuple[OpenSpan, ...], Field(max_length=MAX_SPANS)] = ()
    problem: Text = ""
    """Why nothing could be tried: an end that did not exist then."""
    unknown: tuple[Unknown, ...] = ()
    complete_until: datetime | None = None
    """Set when there were more changes than are gone through in one answer: nothing is said of what came after."""
    bound_seconds: Annotated[float, Field(ge=0)]
    """How much earlier than told a change may have been where OpenStack is silent: the scan's bound."""

    example = {
        "begin": "2026-11-21T10:00:00Z",
        "end": "2026-11-21T12:00:00Z",
        "spans": [
            {
                "open_from": "2026-11-21T11:02:03.120Z",
                "open_until": "2026-11-21T11:02:03.180Z",
                "packet": EXAMPLE_PACKET,
                "origins": [
                    {
                        "resource_id": "7d2e0c52-3d5e-4b6e-9a8a-0b1c2d3e4f05",
                        "since": "2026-11-21T11:02:03.120Z",
                        "until": "2026-11-21T11:02:03.180Z",
                        "seen_by": "notification",
                        "actor": "5f1c0a9e8d7b4c6f9e2a1b3c4d5e6f70",
                        "request_id": "req-0198c0de-0000-4000-8000-000000000002",
                    }
                ],
            }
        ],
        "bound_seconds": 54,
    }


class ShowHistory(Query):
    """The verdict at a time; or what could pass between two ends at a time, or at any time between two."""

    type = "network-policy.history.show"
    answer = HistoryShown

    of: Identifier | None = None
    """The workspace whose roles the ends name; without ends None means all."""
    begin: AwareDatetime
    end: AwareDatetime | None = None
    """None: the one instant `begin`."""
    source: PastEnd | None = None
    target: PastEnd | None = None

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        if (self.source is None) != (self.target is None):
            raise ValueError("give both ends, from and to, or neither")
        if self.end is not None and self.source is None:
            raise ValueError("a span of time is asked about two ends: give from and to")
        if self.end is not None and self.end < self.begin:
            raise ValueError("the end is before the beginning")
        if self.source is not None and self.of is None:
            raise ValueError("name the workspace whose ends are meant")
        return self

    @property
    def aggregate(self) -> str:
        return self.of or "site"

    example = {
        "of": WORKSPACE,
        "begin": "2026-11-21T10:00:00Z",
        "end": "2026-11-21T12:00:00Z",
        "source": "outside",
        "target": "role:login",
    }


MESSAGES = (ShowHistory, HistoryShown)
