"""The two ends of a body that oslo.messaging wrote: what stands before the payload and behind it.

oslo.messaging writes the fields in one order: the names, then the payload, then the time, the id of the sending and
the caller's context. A user may choose keys and texts inside the payload, but nothing before it or behind it: what
stands at the two ends is the notification's own.
"""

import re
from functools import lru_cache
from typing import NamedTuple

from contracts.openstack.payload import parse_time
from shared.notifications.heading import MAX_NAME, Heading
from shared.notifications.raw import MAX_BODY_BYTES, BrokenNotification, Raw
from shared.notifications.redaction import may_hold_secret

_BEGIN = '{"oslo.version": "2.0", "oslo.message": "{\\"message_id\\": \\"'
_PUBLISHER = '\\", \\"publisher_id\\": \\"'
_PAYLOAD = '\\", \\"payload\\": '
_LONGEST_NAMES = 3 * MAX_NAME
_NAMES = re.compile(
    r'([ !#-\[\]-~]{1,255})\\", '
    r'\\"event_type\\": \\"([!#-\[\]-~]{1,255})\\", '
    r'\\"priority\\": \\"([A-Za-z]{1,16})'
)
_TIME = ', \\"timestamp\\": \\"'
_SENDING = '\\", \\"_unique_id\\": \\"'
_QUOTE = '\\"'
_REQUEST = '\\"_context_request_id\\": \\"'
_NO_GLOBAL_REQUEST = '\\", \\"_context_global_request_id\\": null'
_GLOBAL_REQUEST = '\\"_context_global_request_id\\": \\"'
_PROJECT = '\\"_context_project_id\\": \\"'
_USER = '\\"_context_user_id\\": \\"'
_OLD_PROJECT = '\\"_context_tenant\\": \\"'
_OLD_USER = '\\"_context_user\\": \\"'
_END = '}"}'
_LONGEST_TIME = 40


class Ends(NamedTuple):
    """A body in oslo's order, cut at the two ends of its payload; all of it ASCII, as oslo writes it."""

    message_id: str
    names: tuple[str, str, str]
    """Publisher, event type and priority."""
    payload: str
    timestamp: str
    context: str

    def may_hold_secret(self) -> bool:
        """Whether a secret may have to be taken out."""
        return may_hold_secret(self.payload, self.context)

    def heading(self) -> Heading | None:
        """What the ends say; None when they don't name the request, as in Keystone's and Glance's."""
        context = self.context
        begin = context.find(_REQUEST)
        if begin < 0:
            return None
        begin += len(_REQUEST)
        end = context.find(_QUOTE, begin)
        request_id = _printable(context[begin:end])
        if request_id is None:
            return None
        publisher_id, event_type, priority = self.names
        return Heading(
            event_type,
            priority,
            publisher_id,
            self.message_id,
            parse_time(self.timestamp),
            request_id,
            None if context.startswith(_NO_GLOBAL_REQUEST, end) else _quoted(context, _GLOBAL_REQUEST),
            _quoted(context, _PROJECT) or _quoted(context, _OLD_PROJECT),
            _quoted(context, _USER) or _quoted(context, _OLD_USER),
        )


def ends_of(raw: Raw) -> Ends | None:
    """None when the fields don't stand in oslo's order. Raises BrokenNotification for a body that is too large."""
    size = max(raw.size_bytes, len(raw.body))
    if size > MAX_BODY_BYTES:
        raise BrokenNotification(f"{size} octets; at most {MAX_BODY_BYTES} are taken")
    try:
        text = raw.body.decode("ascii")
    except UnicodeDecodeError:
        return None
    if not (text.startswith(_BEGIN) and text.endswith(_END)):
        return None
    publisher = text.find(_PUBLISHER, len(_BEGIN), len(_BEGIN) + MAX_NAME + len(_PUBLISHER))
    payload = text.find(_PAYLOAD, publisher, publisher + _LONGEST_NAMES)
    if publisher < 0 or payload < 0:
        return None
    message_id = text[len(_BEGIN) : publisher]
    names = _names_of(text[publisher + len(_PUBLISHER) : payload])
    if names is None or not _is_name(message_id):
        return None
    payload += len(_PAYLOAD)
    sending = text.rfind(_SENDING, payload)
    time = text.rfind(_TIME, max(payload, sending - _LONGEST_TIME - len(_TIME)), sending)
    if time < 0:
        return None
    return Ends(message_id, names, text[payload:time], text[time + len(_TIME) : sending], text[sending:])


@lru_cache(maxsize=4096)
def _names_of(text: str) -> tuple[str, str, str] | None:
    """Publisher, event type and priority, of which a cloud has few; None when they don't stand so."""
    found = _NAMES.fullmatch(text)
    return (found[1], found[2], found[3].upper()) if found else None


def _is_name(text: str) -> bool:
    """Whether it is visible ASCII that no JSON escapes."""
    return bool(text) and text.isprintable() and not (" " in text or '"' in text or "\\" in text)


def _quoted(context: str, name: str) -> str | None:
    """The text behind `name`; None when there is none, or none that can go into a log as it is."""
    begin = context.find(name)
    if begin < 0:
        return None
    begin += len(name)
    return _printable(context[begin : context.find(_QUOTE, begin)])


def _printable(text: str) -> str | None:
    return text if 0 < len(text) <= MAX_NAME and text.isprintable() and "\\" not in text else None
