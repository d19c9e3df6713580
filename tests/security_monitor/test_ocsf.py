"""Every row of the log as OCSF 1.5.0: what the schema requires of its class, and the fields that a SIEM's rules need."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from contracts.audit import Entry, Row
from contracts.catalog import MESSAGES
from contracts.envelope import Event, EventEnvelope
from security_monitor.domain.entries import entry_of_message
from security_monitor.domain.ocsf.event import Class
from security_monitor.handlers.notifications import entry_of
from security_monitor.handlers.siem import line_of
from shared.notifications import seal
from tests.shared.recording import notification, recorded, wrapped

AT = datetime(2026, 11, 21, 10, 0, 0, tzinfo=UTC)
EVERYWHERE = {"activity_id", "category_uid", "class_uid", "metadata", "severity_id", "time", "type_uid"}
REQUIRED: dict[int, set[str]] = {
    Class.API_ACTIVITY: {"actor", "api", "src_endpoint"},
    Class.AUTHENTICATION: {"user", "service", "dst_endpoint"},
    Class.ACCOUNT_CHANGE: {"user"},
    Class.ENTITY_MANAGEMENT: {"entity"},
    Class.DETECTION_FINDING: {"finding_info"},
    Class.COMPLIANCE_FINDING: {"finding_info", "compliance"},
    Class.NETWORK_REMEDIATION: {"command_uid", "connection_info"},
}
"""What schema version 1.5.0 marks as required, beyond the base event."""
ONE_OF = {
    "actor": {"process", "user", "session", "app_name", "app_uid", "invoked_by", "iam_role"},
    "user": {"account", "name", "uid"},
    "src_endpoint": {"ip", "uid", "name", "hostname", "svc_name"},
    "dst_endpoint": {"ip", "uid", "name", "hostname", "svc_name"},
    "entity": {"name", "uid", "device", "group", "org", "policy", "user"},
}


def check(event: dict[str, Any]) -> None:
    """Raise AssertionError where the schema does not hold."""
    kind = event["class_uid"]
    assert (EVERYWHERE | REQUIRED[kind]) <= set(event)
    assert event["type_uid"] == kind * 100 + event["activity_id"]
    assert event["category_uid"] == kind // 1000
    assert event["severity_id"] in range(7)
    assert isinstance(event["time"], int)
    assert 10**12 < event["time"] < 10**13, "milliseconds"
    assert event["metadata"]["version"] == "1.5.0"
    assert event["metadata"]["product"]["vendor_name"]
    assert event["cloud"]["provider"] == "OpenStack"
    for name, choices in ONE_OF.items():
        if name in event:
            assert any(event[name].get(choice) for choice in choices), name
    if "api" in event:
        assert event["api"]["operation"]
        assert event["api"]["request"]["uid"]
    if "finding_info" in event:
        assert event["finding_info"]["uid"]
        assert event["finding_info"]["title"]
    for name, value in event["unmapped"].items():
        assert isinstance(value, str | int | float | bool), f"{name} is no flat scalar"


def row_of(entry: Entry, stream: str = "openstack") -> Row:
    return Row(stream, 7, AT, entry, bytes(32))


def event_of(entry: Entry, stream: str = "openstack") -> dict[str, Any]:
    line = line_of(row_of(entry, stream))
    assert line is not None
    assert "\n" not in line
    found: dict[str, Any] = json.loads(line)
    return found


def of(event_type: str, payload: dict[str, Any], **more: Any) -> dict[str, Any]:
    return event_of(entry_of(seal(wrapped(notification(event_type, payload, **more)))))


def test_every_recorded_notification_is_a_valid_event() -> None:
    kinds = set()
    for raw in recorded():
        event = event_of(entry_of(seal(raw)))
        check(event)
        kinds.add(event["class_uid"])
        assert event["metadata"]["sequence"] == 7
    assert kinds == {Class.API_ACTIVITY, Class.AUTHENTICATION, Class.ACCOUNT_CHANGE, Class.ENTITY_MANAGEMENT}


@pytest.mark.parametrize(
    "kind", [kind for kind in MESSAGES.values() if issubclass(kind, Event)], ids=lambda kind: kind.type
)
def test_every_event_of_our_own_is_a_valid_event(kind: type[Event]) -> None:
    said = kind.model_validate(kind.example)
    envelope = EventEnvelope(
        id="0198c0de-0000-7000-8000-000000000001",
        type=kind.type,
        source=f"tresor/{kind.owner()}",
        subject=said.aggregate,
        time=AT,
        dataschema=f"tresor:{kind.type}:{kind.version}",
        correlationid="0198c0de-0000-7000-8000-000000000002",
        sequence=3,
        data=said.model_dump(mode="json", by_alias=True),
    )
    event = event_of(entry_of_message(envelope), "tresor")
    check(event)
    assert event["unmapped"]["event_type"] == kind.type


def test_what_is_done_is_told_by_the_activity() -> None:
    assert of("compute.instance.create.end", {"instance_id": "i"})["activity_id"] == 1
    assert of("port.update.end", {"port": {"id": "p"}})["activity_id"] == 3
    assert of("security_group.delete.end", {"security_group_id": "g"})["activity_id"] == 4
    assert of("scheduler.select_destinations.end", {})["activity_id"] == 2


def test_a_failure_is_a_failure() -> None:
    failed = of("instance.create.error", {"nova_object.data": {"uuid": "i"}}, priority="ERROR")
    assert (failed["status_id"], failed["severity_id"]) == (2, 2)
    assert of("compute.instance.create.end", {"instance_id": "i"})["status_id"] == 1


def test_a_refused_login_names_who_and_from_where() -> None:
    payload = {
        "typeURI": "http://schemas.dmtf.org/cloud/audit/1.0/event",
        "outcome": "failure",
        "initiator": {"id": "u", "name": "eve", "host": {"address": "192.0.2.7"}, "request_id": "req-9"},
        "reason": {"reasonCode": "401", "reasonType": "wrong password"},
    }
    event = of("identity.authenticate", payload, _context_request_id=None, _context_user_id=None)
    assert event["class_uid"] == Class.AUTHENTICATION
    assert event["status_id"] == 2
    assert event["user"] == {"uid": "u", "name": "eve"}
    assert event["src_endpoint"] == {"ip": "192.0.2.7"}


def test_requests_are_joined_by_their_id() -> None:
    ours = of("port.update.end", {"port": {"id": "p"}}, _context_global_request_id="req-ours")
    assert ours["metadata"]["correlation_uid"] == "req-ours"
    assert ours["api"]["request"]["uid"].startswith("req-fa6ffc33")


def test_what_can_not_be_read_is_left_out_of_the_file_alone() -> None:
    entry = entry_of(seal(wrapped(notification("a.b", {}))))._replace(body=b"{")
    assert line_of(row_of(entry)) is None
