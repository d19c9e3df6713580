"""What a notification is about, read off its bytes without decoding the JSON text inside: a tenth of the work.

oslo.messaging writes the fields in one order: the names, then the payload, then the time, the id of the sending and
the caller's context. A user may choose keys and texts inside the payload, but nothing before it or behind it: what
stands at the two ends is the notification's own. Whatever is written otherwise is decoded in full.
"""

import re
from typing import Any, NamedTuple

import orjson
from contracts.openstack.payload import parse_time

from shared.notifications.decode import load
from shared.notifications.heading import MAX_NAME, Heading, heading_of
from shared.notifications.raw import MAX_BODY_BYTES, BrokenNotification, Raw
from shared.notifications.redaction import is_suspicious, may_hold_secret, redact

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
_QUOTE = '\\"'
_REQUEST = '\\"_context_request_id\\": \\"'
_GLOBAL_REQUEST = '\\"_context_global_request_id\\": \\"'
_PROJECT = '\\"_context_project_id\\": \\"'
_USER = '\\"_context_user_id\\": \\"'
_OLD_PROJECT = '\\"_context_tenant\\": \\"'
_OLD_USER = '\\"_context_user\\": \\"'
_END = b'}"}'
_LONGEST_TIME = 40


class Sealed(NamedTuple):
    """A notification as it may be stored: its heading, and its bytes without secrets."""

    heading: Heading
    body: bytes
    redacted: bool


def scan(raw: Raw) -> Heading:
    """What `raw` is about. Raises BrokenNotification."""
    ends = _ends(raw)
    return (ends and ends.heading()) or heading_of(load(raw))


def seal(raw: Raw) -> Sealed:
    """The heading of `raw` and its bytes, rewritten where they held a secret. Raises BrokenNotification."""
    ends = _ends(raw)
    suspicious = may_hold_secret(ends.payload, ends.context) if ends else is_suspicious(raw.body)
    heading = ends.heading() if ends else None
    if heading is not None and not suspicious:
        return Sealed(heading, raw.body, False)
    message = load(raw)
    clean: dict[str, Any] = redact(message) if suspicious else message
    if clean is message:
        return Sealed(heading or heading_of(message), raw.body, False)
    text = orjson.dumps(clean).decode()
    return Sealed(heading_of(clean), orjson.dumps({"oslo.version": "2.0", "oslo.message": text}), True)


class _Ends(NamedTuple):
    """A body in oslo's order, cut at the two ends of its payload."""

    names: tuple[bytes, bytes, bytes, bytes]
    payload: bytes
    timestamp: bytes
    context: bytes

    def heading(self) -> Heading | None:
        """What the ends say; None when they don't name the request, as in Keystone's and Glance's."""
        message_id, publisher_id, event_type, priority = self.names
        context = self.context.decode("latin-1")
        request_id = _quoted(context, _REQUEST)
        if request_id is None:
            return None
        return Heading(
            event_type.decode(),
            priority.decode().upper(),
            publisher_id.decode(),
            message_id.decode(),
            parse_time(self.timestamp.decode("latin-1")),
            request_id,
            _quoted(context, _GLOBAL_REQUEST),
            _quoted(context, _PROJECT) or _quoted(context, _OLD_PROJECT),
            _quoted(context, _USER) or _quoted(context, _OLD_USER),
        )


def _ends(raw: Raw) -> _Ends | None:
    """None when the fields don't stand in oslo's order. Raises BrokenNotification for a body that is too large."""
    body = raw.body
    size = max(raw.size_bytes, len(body))
    if size > MAX_BODY_BYTES:
        raise BrokenNotification(f"{size} octets; at most {MAX_BODY_BYTES} are taken")
    head = _HEAD.match(body)
    if head is None or not body.endswith(_END):
        return None
    sending = body.rfind(_SENDING)
    time = body.rfind(_TIME, head.end(), sending)
    if time < 0 or sending - time > len(_TIME) + _LONGEST_TIME:
        return None
    return _Ends(
        (head[1], head[2], head[3], head[4]), body[head.end() : time], body[time + len(_TIME) : sending], body[sending:]
    )


def _quoted(context: str, name: str) -> str | None:
    """The text behind `name`; None when there is none, or none that can go into a log as it is."""
    begin = context.find(name)
    if begin < 0:
        return None
    begin += len(name)
    text = context[begin : context.find(_QUOTE, begin)]
    return text if 0 < len(text) <= MAX_NAME and text.isascii() and text.isprintable() and "\\" not in text else None
