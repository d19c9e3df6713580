"""What a notification is about: the names that stand in front of its payload, and the caller's context."""

import re
from datetime import datetime
from typing import Any, NamedTuple

from contracts.openstack.payload import parse_time
from shared.notifications.raw import BrokenNotification

MAX_NAME = 255
_NAME = re.compile(r"[!-~]+")
_CONTROL = re.compile(r"[\x00-\x1f\x7f\u2028\u2029\u202a-\u202e\u2066-\u2069]")


class Heading(NamedTuple):
    """See `contracts.openstack.Notification` for the meaning of each field."""

    event_type: str
    priority: str
    publisher_id: str
    message_id: str
    timestamp: datetime | None
    request_id: str | None
    global_request_id: str | None
    project_id: str | None
    user_id: str | None

    def is_about(self, *prefixes: str) -> bool:
        """Whether the type is one of `prefixes` or below it, by words; an empty prefix means any."""
        return any(
            not prefix or self.event_type == prefix or self.event_type.startswith(f"{prefix}.") for prefix in prefixes
        )


def heading_of(message: dict[str, Any]) -> Heading:
    """The heading of a notification's JSON object whose names were checked; Keystone names the caller in the payload."""
    who = initiator_of(message)
    return Heading(
        message["event_type"],
        message["priority"].upper(),
        message["publisher_id"],
        message["message_id"],
        parse_time(message.get("timestamp")),
        named(message, "_context_request_id") or named(who, "request_id"),
        named(message, "_context_global_request_id") or named(who, "global_request_id"),
        named(message, "_context_project_id", "_context_tenant") or named(who, "project_id"),
        named(message, "_context_user_id", "_context_user") or named(who, "user_id", "id"),
    )


def initiator_of(message: dict[str, Any]) -> dict[str, Any]:
    """Who caused a CADF event; empty for any other."""
    payload = message.get("payload")
    found = payload.get("initiator") if isinstance(payload, dict) else None
    return found if isinstance(found, dict) else {}


def named(found: dict[str, Any], *names: str) -> str | None:
    """The first of these that is a short printable text."""
    for name in names:
        value = found.get(name)
        if isinstance(value, str) and 0 < len(value) <= MAX_NAME and not _CONTROL.search(value):
            return value
    return None


def check_name(field: str, value: object) -> None:
    """Raise BrokenNotification unless it is a name of visible ASCII characters."""
    if not isinstance(value, str) or not 0 < len(value) <= MAX_NAME or not _NAME.fullmatch(value):
        raise BrokenNotification(f"{field} is not a name of 1 to {MAX_NAME} visible characters")


def check_text(field: str, value: object) -> None:
    """Raise BrokenNotification unless it is a short text that can be put into one line of a log."""
    if not isinstance(value, str) or len(value) > MAX_NAME or _CONTROL.search(value):
        raise BrokenNotification(f"{field} is not a text of at most {MAX_NAME} printable characters")
