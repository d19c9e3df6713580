"""The two ends of a body that oslo.messaging wrote: what stands before the payload and behind it.

oslo.messaging writes the fields in one order: the names, then the payload, then the time, the id of the sending and
the caller's context. A user may choose keys and texts inside the payload, but nothing before it or behind it: what
stands at the two ends is the notification's own.
"""

import re
from typing import NamedTuple

from contracts.openstack.payload import parse_time
from shared.notifications.heading import MAX_NAME, Heading
from shared.notifications.raw import MAX_BODY_BYTES, BrokenNotification, Raw
from shared.notifications.redaction import may_hold_secret

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


class Ends(NamedTuple):
    """A body in oslo's order, cut at the two ends of its payload."""

    names: tuple[bytes, bytes, bytes, bytes]
    payload: bytes
    timestamp: bytes
    context: bytes

    def may_hold_secret(self) -> bool:
        """Whether a secret may have to be taken out."""
        return may_hold_secret(self.payload, self.context)

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


def ends_of(raw: Raw) -> Ends | None:
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
    return Ends(
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
