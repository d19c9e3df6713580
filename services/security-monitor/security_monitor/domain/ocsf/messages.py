"""Tresor's own events, decisions, effects and findings as OCSF."""

from collections.abc import Mapping
from typing import Any

from contracts.audit import Row
from security_monitor.domain.ocsf.event import (
    Class,
    OcsfEvent,
    Severity,
    Status,
    activity_of,
    endpoint,
    made,
    user,
)

_OPENED, _UPDATED, _CLOSED = 1, 2, 3
_FINDING = {"raised": _OPENED, "resolved": _CLOSED}
_REMEDIATION = {
    "network-policy.policy.enforced": 4,
    "network-policy.drift.repaired": 3,
    "network-policy.policy.withdrawn": 4,
}
"""Network Remediation Activity: 3 restores, 4 hardens."""
_ISOLATION = {
    "network-policy.isolation.violated": ("Fail", 3, Severity.CRITICAL, _OPENED),
    "network-policy.isolation.proven": ("Pass", 1, Severity.INFORMATIONAL, _CLOSED),
}
_STATUS = {"rejected": Status.FAILURE, "failed": Status.FAILURE, "refused": Status.FAILURE, "parked": Status.FAILURE}


def event_of_message(row: Row, envelope: Mapping[str, Any]) -> OcsfEvent:
    """One event of Tresor's own, from its envelope's JSON, in the class that fits it."""
    kind = row.entry.type
    data = envelope.get("data")
    said: Mapping[str, Any] = data if isinstance(data, Mapping) else {}
    finding = said.get("finding")
    if kind.startswith("security-monitor.finding.") and isinstance(finding, Mapping):
        return _finding(row, finding, _FINDING.get(kind.rsplit(".", 1)[-1], _UPDATED))
    if kind in _ISOLATION:
        return _isolation(row, said)
    if kind in _REMEDIATION:
        return _remediation(row, envelope, said)
    return _activity(row, envelope, said)


def _finding(row: Row, finding: Mapping[str, Any], activity: int) -> OcsfEvent:
    severity = Severity[str(finding.get("severity", "informational")).upper()]
    information = {
        "uid": finding.get("finding_id"),
        "title": finding.get("title"),
        "desc": finding.get("cause"),
        "analytic": {"name": finding.get("rule"), "type_id": 1},
    }
    flat = {
        "rule": finding.get("rule"),
        "title": finding.get("title"),
        "cause": finding.get("cause"),
        "actor_uid": finding.get("actor"),
        "mend": finding.get("mend"),
        "runbook": finding.get("runbook"),
        "workspace": finding.get("workspace"),
        "state": finding.get("state"),
        "holder": finding.get("holder"),
        "note": finding.get("note"),
    }
    fields = {
        "finding_info": {name: value for name, value in information.items() if value},
        "remediation": {"desc": finding.get("mend") or "see the runbook"},
        "is_alert": activity == _OPENED,
    }
    return made(row, Class.DETECTION_FINDING, activity, severity=severity, fields=fields, flat=flat)


def _isolation(row: Row, said: Mapping[str, Any]) -> OcsfEvent:
    verdict, verdict_id, severity, activity = _ISOLATION[row.entry.type]
    examples = said.get("counterexamples") or [{}]
    why = examples[0].get("why") if isinstance(examples[0], Mapping) else None
    fields = {
        "finding_info": {
            "uid": f"isolation-{row.entry.workspace}",
            "title": f"Isolation of workspace {row.entry.workspace}",
            "desc": why or "no undeclared packet is possible",
        },
        "compliance": {
            "control": "isolation",
            "standards": ["Tresor workspace document"],
            "status": verdict,
            "status_id": verdict_id,
        },
    }
    flat = {"verdict": verdict, "why": why, "proof": said.get("proof")}
    return made(row, Class.COMPLIANCE_FINDING, activity, severity=severity, fields=fields, flat=flat)


def _remediation(row: Row, envelope: Mapping[str, Any], said: Mapping[str, Any]) -> OcsfEvent:
    fields = {
        "command_uid": str(envelope.get("correlationid") or row.entry.message_id),
        "connection_info": {"direction_id": 0, "direction": "Unknown"},
        "remediation": {"desc": row.entry.type},
    }
    flat = {"generation": said.get("generation"), "proof": said.get("proof"), "steps": said.get("steps")}
    return made(row, Class.NETWORK_REMEDIATION, _REMEDIATION[row.entry.type], fields=fields, flat=flat)


def _activity(row: Row, envelope: Mapping[str, Any], said: Mapping[str, Any]) -> OcsfEvent:
    words = row.entry.type.split(".")
    holder = said.get("holder")
    status = _STATUS.get(words[-1], Status.SUCCESS)
    if said.get("outcome") in ("failed", "unknown"):
        status = Status.FAILURE if said["outcome"] == "failed" else Status.UNKNOWN
    operation = said.get("command_type") or said.get("step") or row.entry.type
    resource = said.get("resource_id") or row.entry.workspace
    fields = {
        "actor": {"user": user(None, holder)}
        if holder
        else {"app_name": row.entry.source, "user": user(None, row.entry.source)},
        "api": {
            "operation": str(operation),
            "service": {"name": words[0]},
            "request": {"uid": row.entry.request_id or row.entry.message_id},
        },
        "src_endpoint": endpoint(None, row.entry.source),
        "resources": [{"uid": str(resource), "type": words[1]}] if resource else [],
    }
    scalars = {
        name: value for name, value in said.items() if isinstance(value, str | int | float | bool) and name != "type"
    }
    flat = {**scalars, "correlation_id": envelope.get("correlationid"), "causation_id": envelope.get("causationid")}
    severity = Severity.LOW if status is Status.FAILURE else Severity.INFORMATIONAL
    return made(
        row, Class.API_ACTIVITY, activity_of(words[1:]), severity=severity, status=status, fields=fields, flat=flat
    )
