"""Quarantine: nothing in, nothing out, at once, with the evidence kept; and the release from it, which needs two people."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field, StringConstraints, model_validator

from contracts.envelope import Answer, Command, Event, MessageId, Query, Role
from contracts.examples import WORKSPACE
from contracts.identifiers import Digest, Generation, Identifier, ResourceId, Text
from contracts.network_policy.rules import Part

Reason = Annotated[
    str,
    StringConstraints(min_length=3, max_length=1000, pattern=r"^[^\x00-\x1f\x7f\u202a-\u202e\u2066-\u2069]*$"),
]

MAX_EVIDENCE_PART_CHARACTERS = 100_000
MAX_EVIDENCE_PARTS = 20

_QUARANTINE_ID = "0198c0de-0000-7000-8000-000000000009"


class QuarantineWorkspace(Command):
    """Cut off a whole workspace, one of its roles, or one node: it only tightens, so one person is enough."""

    type = "network-policy.workspace.quarantine"
    roles = frozenset({Role.OPERATOR, Role.SECURITY_OFFICER})

    workspace: Identifier
    role: Identifier | None = None
    node: ResourceId | None = None
    """A node's name, or its server's id."""
    reason: Reason

    @model_validator(mode="after")
    def _one_scope(self) -> "QuarantineWorkspace":
        if self.role and self.node:
            raise ValueError("a role or a node, not both")
        return self

    example = {"workspace": WORKSPACE, "role": "login", "reason": "beacons to a known command server"}


class ReleaseWorkspace(Command):
    """End a quarantine; it opens, so another person has to approve it, at the generation that it names."""

    type = "network-policy.workspace.release"
    roles = frozenset({Role.OPERATOR, Role.SECURITY_OFFICER})
    approvals = 1

    workspace: Identifier
    quarantine_id: MessageId
    reason: Reason

    example = {"workspace": WORKSPACE, "quarantine_id": _QUARANTINE_ID, "reason": "reinstalled and looked over"}


class EvidenceKept(Event):
    """What stood before a quarantine changed anything: rules, ports, floating IPs, trunks, the last changes.

    A snapshot that is larger than an event is told in parts; their contents one after the other are the snapshot.
    """

    type = "network-policy.evidence.kept"

    workspace: Identifier
    generation: Generation
    quarantine_id: MessageId
    part: Annotated[int, Field(ge=1, le=MAX_EVIDENCE_PARTS)]
    parts: Annotated[int, Field(ge=1, le=MAX_EVIDENCE_PARTS)]
    digest: Digest
    """SHA-256 over the whole snapshot, UTF-8."""
    content: Annotated[str, StringConstraints(max_length=MAX_EVIDENCE_PART_CHARACTERS)]
    """A piece of the snapshot, which is JSON."""

    example = {
        "workspace": WORKSPACE,
        "generation": 1,
        "quarantine_id": _QUARANTINE_ID,
        "part": 1,
        "parts": 1,
        "digest": "sha256:" + "e" * 64,
        "content": '{"ports":[],"groups":[],"floating_ips":[],"trunks":[],"changes":[]}',
    }


class WorkspaceQuarantined(Event):
    """Nothing passes any more to or from the ports of the quarantine, as Neutron says; new ones are born in it."""

    type = "network-policy.workspace.quarantined"

    workspace: Identifier
    generation: Generation
    quarantine_id: MessageId
    role: Identifier | None = None
    node: ResourceId | None = None
    reason: Text
    holder: Annotated[str, StringConstraints(max_length=120)]
    """Who ordered it."""
    group_id: ResourceId
    ports: Annotated[int, Field(ge=0)]
    servers: Annotated[int, Field(ge=0)]
    floating_ips: Annotated[int, Field(ge=0)]
    evidence: Digest
    seconds: Annotated[float, Field(ge=0)]
    """From the order to this."""

    example = {
        "workspace": WORKSPACE,
        "generation": 1,
        "quarantine_id": _QUARANTINE_ID,
        "role": "login",
        "reason": "beacons to a known command server",
        "holder": "sam@example.org",
        "group_id": "3a5b7c9d-1e2f-4a3b-8c4d-5e6f7a8b9c0f",
        "ports": 1,
        "servers": 1,
        "floating_ips": 1,
        "evidence": "sha256:" + "e" * 64,
        "seconds": 0.4,
    }


class WorkspaceReleased(Event):
    """A quarantine has ended: its ports are as declared again, and as they were where nothing is declared."""

    type = "network-policy.workspace.released"

    workspace: Identifier
    generation: Generation
    quarantine_id: MessageId
    holder: Annotated[str, StringConstraints(max_length=120)]
    """Who asked for the release; who approved it is told by `command.approved`."""
    reason: Text
    ports: Annotated[int, Field(ge=0)]
    not_restored: tuple[Text, ...] = ()
    """What could not be given back, as it is gone or used elsewhere."""

    example = {
        "workspace": WORKSPACE,
        "generation": 1,
        "quarantine_id": _QUARANTINE_ID,
        "holder": "ana@example.org",
        "reason": "reinstalled and looked over",
        "ports": 1,
    }


class Quarantine(Part):
    """One quarantine as it stands."""

    quarantine_id: MessageId
    workspace: Identifier
    generation: Generation
    """Where the workspace stands: a release names it."""
    role: Identifier | None = None
    node: ResourceId | None = None
    reason: Text
    holder: Annotated[str, StringConstraints(max_length=120)]
    state: Literal["ordered", "evidenced", "cut", "held", "releasing", "released"]
    """`cut`: nothing passes, ports are still down so that flows die; `held`: nothing passes."""
    ports: Annotated[int, Field(ge=0)]
    floating_ips: Annotated[int, Field(ge=0)]
    evidence: Digest | None = None
    ordered_at: datetime
    cut_at: datetime | None = None
    released_at: datetime | None = None


class QuarantinesListed(Answer):
    """Quarantines, newest first."""

    type = "network-policy.quarantines.listed"

    quarantines: tuple[Quarantine, ...]
    truncated: bool = False

    example = {
        "quarantines": [
            {
                "quarantine_id": _QUARANTINE_ID,
                "workspace": WORKSPACE,
                "generation": 1,
                "role": "login",
                "reason": "beacons to a known command server",
                "holder": "sam@example.org",
                "state": "held",
                "ports": 1,
                "floating_ips": 1,
                "evidence": "sha256:" + "e" * 64,
                "ordered_at": "2026-11-21T10:00:00Z",
                "cut_at": "2026-11-21T10:00:01Z",
            }
        ]
    }


class ListQuarantines(Query):
    """The quarantines in force, of one workspace or all; ended ones too when asked."""

    type = "network-policy.quarantines.list"
    answer = QuarantinesListed

    of: Identifier | None = None
    ended: bool = False

    @property
    def aggregate(self) -> str:
        return self.of or "site"

    example = {"of": WORKSPACE}


class EvidenceShown(Answer):
    """What stood before a quarantine changed anything, or a part of it; no part where nothing was kept yet."""

    type = "network-policy.evidence.shown"

    quarantine: Quarantine
    part: Annotated[int, Field(ge=0, le=MAX_EVIDENCE_PARTS)]
    parts: Annotated[int, Field(ge=0, le=MAX_EVIDENCE_PARTS)]
    content: Annotated[str, StringConstraints(max_length=MAX_EVIDENCE_PART_CHARACTERS)]
    """A piece of the snapshot; all of them one after the other have the SHA-256 that `quarantine.evidence` says."""

    example = {
        "quarantine": QuarantinesListed.example["quarantines"][0],
        "part": 1,
        "parts": 1,
        "content": EvidenceKept.example["content"],
    }


class ShowEvidence(Query):
    """The evidence that a quarantine keeps, a part at a time."""

    type = "network-policy.evidence.show"
    answer = EvidenceShown

    of: Identifier
    """The workspace."""
    quarantine_id: MessageId
    part: Annotated[int, Field(ge=1, le=MAX_EVIDENCE_PARTS)] = 1

    @property
    def aggregate(self) -> str:
        return self.of

    example = {"of": WORKSPACE, "quarantine_id": _QUARANTINE_ID}


MESSAGES = (
    QuarantineWorkspace,
    ReleaseWorkspace,
    EvidenceKept,
    WorkspaceQuarantined,
    WorkspaceReleased,
    ListQuarantines,
    QuarantinesListed,
    ShowEvidence,
    EvidenceShown,
)
