"""What security-monitor is asked and tells: findings and the audit log."""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from contracts.chassis import chassis_messages
from contracts.envelope import Answer, Command, Event, Query, Role
from contracts.examples import WORKSPACE
from contracts.identifiers import Digest, Identifier, ResourceId, Text

OWNER = "security-monitor"
CHASSIS = chassis_messages(OWNER)

Severity = Literal["informational", "low", "medium", "high", "critical"]
FindingState = Literal["open", "acknowledged", "accepted", "resolved"]
RuleName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]*$", max_length=80)]
Note = Annotated[
    str,
    StringConstraints(min_length=3, max_length=1000, pattern=r"^[^\x00-\x1f\x7f\u202a-\u202e\u2066-\u2069]*$"),
]


class Finding(BaseModel):
    """Something a security officer must know, with what caused it and what mends it (row L28)."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    finding_id: ResourceId
    rule: RuleName
    severity: Severity
    title: Text
    cause: Text
    workspace: Identifier | None = None
    actor: Annotated[str, StringConstraints(max_length=255)] = ""
    request_id: Annotated[str, StringConstraints(max_length=64)] = ""
    mend: Text = ""
    """The command that mends it."""
    runbook: Annotated[str, StringConstraints(max_length=200)] = ""
    raised_at: datetime
    resolved_at: datetime | None = None
    state: FindingState = "open"
    """`acknowledged`: somebody looks at it. `accepted`: known and left so, until `accepted_until`."""
    holder: Annotated[str, StringConstraints(max_length=120)] = ""
    """Who last changed its state; empty: nobody did, or it was over by itself."""
    note: Annotated[str, StringConstraints(max_length=1000)] = ""
    """What that person said."""
    accepted_until: datetime | None = None


_FINDING: dict[str, Any] = {
    "finding_id": "drift-openhpc-7d2e0c52",
    "rule": "policy-drift",
    "severity": "high",
    "title": "A security group of openhpc was changed behind Tresor's back",
    "cause": "rule 7d2e0c52 permits tcp/22 from 0.0.0.0/0",
    "workspace": WORKSPACE,
    "actor": "5f1c0a9e8d7b4c6f9e2a1b3c4d5e6f70",
    "mend": "tresor isolation openhpc",
    "runbook": "docs/runbooks/policy-drift.md",
    "raised_at": "2026-11-21T10:00:00Z",
}


class FindingRaised(Event):
    """A finding, once each time that it begins."""

    type = "security-monitor.finding.raised"

    finding: Finding

    @property
    def aggregate(self) -> str:
        return self.finding.workspace or "site"

    example = {"finding": _FINDING}


class FindingResolved(Event):
    """What the finding told of is no more."""

    type = "security-monitor.finding.resolved"

    finding: Finding

    @property
    def aggregate(self) -> str:
        return self.finding.workspace or "site"

    example = {"finding": {**_FINDING, "resolved_at": "2026-11-21T10:00:01Z"}}


class FindingChanged(Event):
    """Somebody acknowledged or accepted the finding, or the time that it was accepted for is over."""

    type = "security-monitor.finding.changed"

    finding: Finding

    @property
    def aggregate(self) -> str:
        return self.finding.workspace or "site"

    example = {"finding": {**_FINDING, "state": "acknowledged", "holder": "sam@example.org"}}


class AboutFinding(Command):
    """A command about one finding."""

    roles = frozenset({Role.SECURITY_OFFICER})

    finding_id: ResourceId
    workspace: ResourceId = "site"
    """Whose finding it is; `site`: no workspace's. A key for some workspaces changes theirs."""
    note: Note


_ABOUT: dict[str, Any] = {"finding_id": _FINDING["finding_id"], "workspace": WORKSPACE}


class AcknowledgeFinding(AboutFinding):
    """Somebody looks at it: it stays open."""

    type = "security-monitor.finding.acknowledge"

    example = {**_ABOUT, "note": "asking the project's lead"}


class AcceptFinding(AboutFinding):
    """It is known and left so for a time, after which it is open again."""

    type = "security-monitor.finding.accept"

    until: datetime
    """At most a year ahead."""

    example = {**_ABOUT, "note": "a course that ends in May", "until": "2027-05-31T00:00:00Z"}


class ResolveFinding(AboutFinding):
    """It is mended, or was none. When it comes again it is a new one."""

    type = "security-monitor.finding.resolve"

    example = {**_ABOUT, "note": "the rule is deleted"}


class FindingList(Answer):
    """The findings that fit, newest first."""

    type = "security-monitor.findings.listed"

    findings: tuple[Finding, ...]
    truncated: bool = False

    example = {"findings": [_FINDING]}


class ListFindings(Query):
    """Findings, newest first; open ones only unless asked."""

    type = "security-monitor.findings.list"
    answer = FindingList

    of: Identifier | None = None
    resolved: bool = False
    finding_id: ResourceId | None = None
    """Only this one, resolved or not."""

    @property
    def aggregate(self) -> str:
        return self.of or "site"

    example = {"of": WORKSPACE, "resolved": False}


class Detection(BaseModel):
    """A detection rule as the service has it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    rule: RuleName
    title: Text
    severity: Severity
    status: Annotated[str, StringConstraints(max_length=20)]
    origin: Annotated[str, StringConstraints(max_length=255)]
    """`shipped`, or the name of the site's file."""
    idle: Text = ""
    """Why it is not looked for; empty: it is."""
    tags: tuple[Annotated[str, StringConstraints(max_length=80)], ...] = ()
    text: Annotated[str, StringConstraints(max_length=210_000)] = ""
    """The rule's file; only where one rule is asked for."""


class DetectionList(Answer):
    """The rules in force, by their names."""

    type = "security-monitor.detections.listed"

    detections: tuple[Detection, ...]
    refused: Text = ""
    """Why the site's rules as they lie there are not in force; empty: they are."""

    example = {
        "detections": [
            {
                "rule": "keystone-guessing",
                "title": "Many logins of one user are refused",
                "severity": "high",
                "status": "stable",
                "origin": "shipped",
                "tags": ["attack.t1110"],
            }
        ]
    }


class ListDetections(Query):
    """The detection rules in force."""

    type = "security-monitor.detections.list"
    answer = DetectionList

    rule: RuleName | None = None
    """Only this one, with its text."""

    example = {}


class AuditHead(Answer):
    """Where the audit log stands."""

    type = "security-monitor.audit.shown"

    rows: Annotated[int, Field(ge=0)]
    head: Digest | None = None
    verified: bool

    example = {"rows": 1204, "head": "sha256:" + "c" * 64, "verified": True}


class ShowAudit(Query):
    """The audit log's head, verified from its first row when asked."""

    type = "security-monitor.audit.show"
    answer = AuditHead

    verify: bool = False

    example = {"verify": True}


MESSAGES = (
    FindingRaised,
    FindingChanged,
    FindingResolved,
    AcknowledgeFinding,
    AcceptFinding,
    ResolveFinding,
    ListFindings,
    FindingList,
    ListDetections,
    DetectionList,
    ShowAudit,
    AuditHead,
    *CHASSIS,
)
