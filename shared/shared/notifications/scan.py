"""What a notification is about, read off its bytes without decoding the JSON text inside: a tenth of the work.

oslo.messaging writes the fields in one order: the names, then the payload, then the time, the id of the sending and
the caller's context. A user may choose keys and texts inside the payload, but nothing before it or behind it: what
stands at the two ends is the notification's own. Whatever is written otherwise is decoded in full.
"""

import re
from datetime import datetime
from typing import Any, NamedTuple

import orjson
from contracts.openstack.payload import parse_time

from shared.notifications.decode import load, notification_of
from shared.notifications.raw import MAX_BODY_BYTES, BrokenNotification, Raw
from shared.notifications.redaction import may_hold_secret, redact

_HEAD = re.compile(
    rb'\{"oslo\.version": "2\.0", "oslo\.message": "\{'
    rb'\\"message_id\\": \\"([!#-\[\]-~]{1,255})\\", '
    rb'\\"publisher_id\\": \\"([ !#-\[\]-~]{1,255})\\", '
    rb'\\"event_type\\": \\"([!#-\[\]-~]{1,255})\\", '
    rb'\\"priority\\": \\"([A-Za-z]{1,16})\\", '
    rb'\\"payload\\": '
)
_TIME = b', \\"timestamp\\": \\"'
_SENDING = b'\\", \\"_unique_id\\": \\"'
_QUOTE = b'\\"'
_REQUEST = b'\\"_context_request_id\\": \\"'
_GLOBAL_REQUEST = b'\\"_context_global_request_id\\": \\"'
_PROJECT = b'\\"_context_project_id\\": \\"'
_USER = b'\\"_context_user_id\\": \\"'
_OLD_PROJECT = b'\\"_context_tenant\\": \\"'
_OLD_USER = b'\\"_context_user\\": \\"'
_END = b'}"}'
_MAX_NAME = 255


class Heading(NamedTuple):
    """What a notification is about; see `Notification` for the meaning of each."""

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


class Sealed(NamedTuple):
    """A notification as it may be stored: its heading, and its bytes without secrets."""

    heading: Heading
    body: bytes
    redacted: bool


def scan(raw: Raw) -> Heading:
    """What `raw` is about. Raises BrokenNotification."""
    found = _scan_ends(raw)
    return found[0] if found else _heading_of(load(raw))


def seal(raw: Raw) -> Sealed:
    """The heading of `raw` and its bytes, rewritten where they held a secret. Raises BrokenNotification."""
    found = _scan_ends(raw)
    if found:
        heading, payload, context = found
        if not may_hold_secret(payload, context):
            return Sealed(heading, raw.body, False)
    message = load(raw)
    clean: dict[str, Any] = redact(message)
    if clean is message:
        return Sealed(found[0] if found else _heading_of(message), raw.body, False)
    text = orjson.dumps(clean).decode()
    return Sealed(_heading_of(clean), orjson.dumps({"oslo.version": "2.0", "oslo.message": text}), True)


def _heading_of(message: dict[str, Any]) -> Heading:
    whole = notification_of(message)
    return Heading(
        whole.event_type,
        whole.priority,
        whole.publisher_id,
        whole.message_id,
        whole.timestamp,
        whole.request_id,
        whole.global_request_id,
        whole.project_id,
        whole.user_id,
    )


def _scan_ends(raw: Raw) -> tuple[Heading, bytes, bytes] | None:
    """The heading, the payload's bytes and the context's; None when the fields don't stand in oslo's order."""
    body = raw.body
    if max(raw.size_bytes, len(body)) > MAX_BODY_BYTES:
        raise BrokenNotification(f"{max(raw.size_bytes, len(body))} octets; at most {MAX_BODY_BYTES} are taken")
    head = _HEAD.match(body)
    if head is None or not body.endswith(_END):
        return None
    sending = body.rfind(_SENDING)
    time = body.rfind(_TIME, head.end(), sending)
    if time < 0 or sending - time > len(_TIME) + 40:
        return None
    request_id = _quoted(body, _REQUEST, sending)
    if request_id is None:
        return None
    message_id, publisher_id, event_type, priority = head.groups()
    heading = Heading(
        event_type.decode("ascii"),
        priority.decode("ascii").upper(),
        publisher_id.decode("ascii"),
        message_id.decode("ascii"),
        parse_time(body[time + len(_TIME) : sending].decode("ascii", "replace")),
        request_id,
        _quoted(body, _GLOBAL_REQUEST, sending),
        _quoted(body, _PROJECT, sending) or _quoted(body, _OLD_PROJECT, sending),
        _quoted(body, _USER, sending) or _quoted(body, _OLD_USER, sending),
    )
    return heading, body[head.end() : time], body[sending:]


def _quoted(body: bytes, name: bytes, start: int) -> str | None:
    """The text behind `name`; None when there is none, or none that can go into a log as it is."""
    begin = body.find(name, start)
    if begin < 0:
        return None
    begin += len(name)
    end = body.find(_QUOTE, begin, begin + _MAX_NAME + 1)
    text = body[begin:end].decode("ascii", "replace") if end > begin else ""
    return text if text and text.isascii() and text.isprintable() and "\\" not in text else None
