"""From bytes to a typed notification: both of oslo.messaging's formats, whatever the service and the event.

Format 1 is the notification itself; format 2 wraps it: `{"oslo.version": "2.0", "oslo.message": "<its JSON text>"}`.
"""

from typing import Any

import orjson

from contracts.openstack import Notification, read_payload
from shared.notifications.ends import ends_of
from shared.notifications.heading import check_name, check_text, heading_of, initiator_of, named
from shared.notifications.raw import MAX_BODY_BYTES, MAX_DEPTH, MAX_NODES, BrokenNotification, Raw
from shared.notifications.redaction import is_suspicious, redact
from shared.strict_json import MalformedJson, parse

_DIGITS_TO_NINE = bytes(ord("9") if chr(byte).isdigit() else byte for byte in range(256))
_LONG_NUMBER = b"9" * 19
_MANY_BRACKETS = MAX_DEPTH
_ENVELOPE = b'{"oslo.version": "'


def decode(raw: Raw) -> Notification:
    """The notification in `raw`, typed, without its secrets. Raises BrokenNotification, and nothing else.

    An event type that nobody has modelled decodes as well: its payload is `Unmodelled`.
    """
    ends = ends_of(raw)
    suspicious = ends.may_hold_secret() if ends else is_suspicious(raw.body)
    message = load(raw)
    redacted = suspicious and redact(message)
    payload, versioned = read_payload(message["event_type"], message.get("payload"))
    who = initiator_of(message)
    return Notification(
        *heading_of(message),
        user_name=named(message, "_context_user_name") or named(who, "username", "name"),
        remote_address=named(message, "_context_remote_address") or _address(who),
        payload=payload,
        versioned=versioned,
        redacted=redacted,
    )


def load(raw: Raw) -> dict[str, Any]:
    """The notification's own JSON object, secrets included, its names checked. Raises BrokenNotification."""
    size = raw.size_bytes or len(raw.body)
    if size > MAX_BODY_BYTES:
        raise BrokenNotification(f"{size} octets; at most {MAX_BODY_BYTES} are taken")
    outer = _parse_envelope(raw.body)
    if "oslo.message" in outer:
        text = outer["oslo.message"]
        if not isinstance(text, str):
            raise BrokenNotification("oslo.message is not a text")
        outer = _parse(_encoded(text), "oslo.message")
    check_name("event_type", outer.get("event_type"))
    identity = outer.get("message_id") or outer.get("_unique_id")
    check_name("message_id", identity)
    outer["message_id"] = identity
    for name in ("publisher_id", "priority"):
        if outer.get(name) is None:
            outer[name] = ""
        else:
            check_text(name, outer[name])
    return outer


def _address(initiator: dict[str, Any]) -> str | None:
    host = initiator.get("host")
    return named(host, "address") if isinstance(host, dict) else None


def _encoded(text: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError:
        raise BrokenNotification("oslo.message holds a lone surrogate") from None


def _parse_envelope(body: bytes) -> dict[str, Any]:
    """The body's JSON object. oslo's envelope has two keys and two texts: eight quotation marks that aren't escaped."""
    if body.startswith(_ENVELOPE) and body.count(b'"') - body.count(b'\\"') == 8:
        try:
            outer = orjson.loads(body)
        except orjson.JSONDecodeError as error:
            raise BrokenNotification(f"the body: not JSON: {error}") from None
        if isinstance(outer, dict) and len(outer) == 2:
            return outer
    return _parse(body, "the body")


def _parse(text: bytes, what: str) -> dict[str, Any]:
    """The JSON object in `text`; a fast parser where its answer is beyond doubt, the strict one otherwise."""
    value = _parse_fast(text)
    if value is None:
        try:
            value = parse(text, max_bytes=MAX_BODY_BYTES * 2, max_depth=MAX_DEPTH, max_nodes=MAX_NODES)
        except (MalformedJson, RecursionError) as error:
            raise BrokenNotification(f"{what}: {error}") from None
    if not isinstance(value, dict):
        raise BrokenNotification(f"{what} is no JSON object")
    return value


def _parse_fast(text: bytes) -> Any:
    """The value, when orjson reads it and nothing speaks for a repeated key, a long integer or deep nesting.

    A key that stood twice shows in the quotation marks: written out again, the value has fewer.
    """
    if text.count(b"{") + text.count(b"[") > _MANY_BRACKETS or _LONG_NUMBER in text.translate(_DIGITS_TO_NINE):
        return None
    try:
        value = orjson.loads(text)
        written = orjson.dumps(value)
    except (orjson.JSONDecodeError, orjson.JSONEncodeError, RecursionError):
        return None
    return value if written.count(b'"') == text.count(b'"') and b"\\u0022" not in text else None
