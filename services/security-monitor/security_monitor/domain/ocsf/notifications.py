"""OpenStack's notifications as OCSF: what was done through an API, and what Keystone saw."""

from contracts.audit import Row
from contracts.openstack import Notification
from contracts.openstack.keystone import Cadf
from security_monitor.domain.ocsf.event import (
    Activity,
    Class,
    OcsfEvent,
    Severity,
    Status,
    activity_of,
    endpoint,
    made,
    user,
)

_SERVICES = {
    "compute": "nova",
    "instance": "nova",
    "keypair": "nova",
    "scheduler": "nova",
    "aggregate": "nova",
    "server_group": "nova",
    "servergroup": "nova",
    "flavor": "nova",
    "service": "nova",
    "compute_task": "nova",
    "libvirt": "nova",
    "identity": "keystone",
    "image": "glance",
    "volume": "cinder",
    "snapshot": "cinder",
    "backup": "cinder",
    "group": "cinder",
    "share": "manila",
    "baremetal": "ironic",
}
_LOGON = 1
_ACCOUNT_ACTIVITY = {"created": 1, "updated": 99, "deleted": 6, "disabled": 5}
_LOW_PRIORITIES = frozenset({"", "INFO", "SAMPLE", "AUDIT", "DEBUG"})


def event_of_notification(row: Row, notification: Notification) -> OcsfEvent:
    """One notification in the class that fits it."""
    words = notification.event_type.split(".")
    failed = notification.phase in ("error", "fail", "failed")
    if isinstance(notification.payload, Cadf):
        failed = notification.payload.outcome in ("failure", "deny", "denied")
    status = Status.FAILURE if failed else Status.SUCCESS
    severity = Severity.LOW if failed or notification.priority not in _LOW_PRIORITIES else Severity.INFORMATIONAL
    if words[0] == "identity":
        return _identity(row, notification, words, status, severity)
    service = _SERVICES.get(words[0], "neutron")
    resource_id = notification.resource_id
    kind = notification.payload.kind or words[0]
    fields = {
        "actor": {"user": user(notification.user_id, notification.user_name)},
        "api": {
            "operation": notification.event_type,
            "service": {"name": service},
            "request": {"uid": notification.request_id or row.entry.message_id},
        },
        "src_endpoint": endpoint(notification.remote_address, notification.publisher_id),
        "resources": [{"uid": resource_id, "type": kind}] if resource_id else [],
    }
    flat = {
        "service": service,
        "resource_uid": resource_id,
        "resource_type": kind,
        "resource_project": notification.payload.owner_project_id,
        "actor_uid": notification.user_id,
        "phase": notification.phase,
    }
    return made(row, Class.API_ACTIVITY, activity_of(words), severity=severity, status=status, fields=fields, flat=flat)


def _identity(row: Row, seen: Notification, words: list[str], status: Status, severity: Severity) -> OcsfEvent:
    payload = seen.payload
    noun, verb = (words[1], words[-1]) if len(words) > 2 else ("", words[-1])
    who = user(seen.user_id, seen.user_name)
    flat = {
        "service": "keystone",
        "resource_uid": seen.resource_id,
        "resource_type": noun or "session",
        "actor_uid": seen.user_id,
        "actor_address": seen.remote_address,
        "role": payload.role if isinstance(payload, Cadf) else None,
        "target_user": payload.user if isinstance(payload, Cadf) else None,
        "target_project": payload.project if isinstance(payload, Cadf) else None,
    }
    if verb == "authenticate":
        fields = {
            "user": who,
            "service": {"name": "keystone"},
            "src_endpoint": endpoint(seen.remote_address, seen.publisher_id),
            "dst_endpoint": {"name": seen.publisher_id or "keystone"},
            "is_remote": True,
        }
        return made(row, Class.AUTHENTICATION, _LOGON, severity=severity, status=status, fields=fields, flat=flat)
    if noun == "user":
        fields = {"user": user(seen.resource_id), "actor": {"user": who}}
        activity = _ACCOUNT_ACTIVITY.get(verb, int(Activity.OTHER))
        return made(row, Class.ACCOUNT_CHANGE, activity, severity=severity, status=status, fields=fields, flat=flat)
    fields = {
        "entity": {"uid": seen.resource_id or "unknown", "type": noun or "identity"},
        "actor": {"user": who},
        "comment": seen.event_type,
    }
    return made(
        row, Class.ENTITY_MANAGEMENT, activity_of(words), severity=severity, status=status, fields=fields, flat=flat
    )
