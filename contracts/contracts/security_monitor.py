"""What security-monitor is asked and tells: findings and the audit log."""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from contracts.chassis import chassis_messages
from contracts.envelope import Answer, Event, Query
from contracts.examples import WORKSPACE
from contracts.identifiers import Digest, Identifier, ResourceId, Text

OWNER = "security-monitor"
CHASSIS = chassis_messages(OWNER)

Severity = Literal["informational", "low", "medium", "high", "critical"]


class Finding(BaseModel):
    """Something a security officer must know, with what caused it and what mends it (row L28)."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    finding_id: ResourceId
    rule: Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]*$", max_length=80)]
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

    @property
    def aggregate(self) -> str:
        return self.of or "site"

    example = {"of": WORKSPACE, "resolved": False}


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


MESSAGES = (FindingRaised, FindingResolved, ListFindings, FindingList, ShowAudit, AuditHead, *CHASSIS)
