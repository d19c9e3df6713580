"""What every OCSF event has, and the classes that Tresor uses. Source: schema.ocsf.io, version 1.5.0."""

from collections.abc import Mapping
from datetime import datetime
from enum import IntEnum
from typing import Any

from contracts.audit import Row, microseconds

OcsfEvent = dict[str, Any]
VERSION = "1.5.0"


class Class(IntEnum):
    """`class_uid`; its first digit is the category."""

    COMPLIANCE_FINDING = 2003
    DETECTION_FINDING = 2004
    DATA_SECURITY_FINDING = 2006
    ACCOUNT_CHANGE = 3001
    AUTHENTICATION = 3002
    ENTITY_MANAGEMENT = 3004
    NETWORK_ACTIVITY = 4001
    API_ACTIVITY = 6003
    NETWORK_REMEDIATION = 7004


class Activity(IntEnum):
    """`activity_id` of API Activity and Entity Management."""

    UNKNOWN = 0
    CREATE = 1
    READ = 2
    UPDATE = 3
    DELETE = 4
    OTHER = 99


class Severity(IntEnum):
    """`severity_id`."""

    INFORMATIONAL = 1
    LOW = 2
    MEDIUM = 3
    HIGH = 4
    CRITICAL = 5


class Status(IntEnum):
    """`status_id`."""

    UNKNOWN = 0
    SUCCESS = 1
    FAILURE = 2


_CREATED = frozenset(
    {"create", "created", "add", "import", "upload", "attach", "boot", "raised", "declared", "accepted"}
)
_DELETED = frozenset(
    {"delete", "deleted", "remove", "removed", "detach", "soft_delete", "force_delete", "withdrawn", "released"}
)
_READ = frozenset({"exists", "usage", "send", "show", "select_destinations", "authenticate"})


def activity_of(words: list[str]) -> Activity:
    """What a type's words say was done: the last one that is known; anything else changed something."""
    for word in reversed(words):
        if word in _CREATED:
            return Activity.CREATE
        if word in _DELETED:
            return Activity.DELETE
        if word in _READ:
            return Activity.READ
    return Activity.UPDATE


def milliseconds(moment: datetime) -> int:
    """Since 1970, UTC, as OCSF wants it."""
    return microseconds(moment) // 1000


def made(
    row: Row,
    ocsf_class: Class,
    activity: int,
    *,
    severity: Severity = Severity.INFORMATIONAL,
    status: Status = Status.SUCCESS,
    fields: Mapping[str, Any],
    flat: Mapping[str, Any] | None = None,
) -> OcsfEvent:
    """An event with all that its class requires of every event.

    `flat` goes under `unmapped` as plain scalars: some SIEMs' decoders take no arrays of objects.
    """
    entry = row.entry
    metadata: dict[str, Any] = {
        "version": VERSION,
        "product": {"name": "Tresor", "vendor_name": "Tresor"},
        "uid": entry.message_id,
        "log_name": row.stream,
        "sequence": row.position,
        "logged_time": milliseconds(row.recorded_at),
        "profiles": ["cloud"],
    }
    if correlation := entry.global_request_id or entry.request_id:
        metadata["correlation_uid"] = correlation
    cloud: dict[str, Any] = {"provider": "OpenStack"}
    if entry.project_id:
        cloud["project_uid"] = entry.project_id
    plain = {
        "event_type": entry.type,
        "source": entry.source,
        "workspace": entry.workspace,
        "request_id": entry.request_id,
        "project_id": entry.project_id,
        **(flat or {}),
    }
    return {
        "activity_id": int(activity),
        "category_uid": ocsf_class // 1000,
        "class_uid": int(ocsf_class),
        "type_uid": ocsf_class * 100 + activity,
        "severity_id": int(severity),
        "status_id": int(status),
        "time": milliseconds(entry.occurred_at or row.recorded_at),
        "metadata": metadata,
        "cloud": cloud,
        **fields,
        "unmapped": {name: value for name, value in plain.items() if value not in (None, "")},
    }


def user(uid: str | None, name: str | None = None) -> dict[str, Any]:
    """OCSF's user object; something must name somebody."""
    found = {"uid": uid, "name": name}
    return {key: value for key, value in found.items() if value} or {"name": "unknown"}


def endpoint(address: str | None, name: str) -> dict[str, Any]:
    """OCSF's network endpoint."""
    return {"ip": address} if address else {"name": name or "unknown"}
