"""What a notification is about, read off its bytes without decoding the JSON text inside: a tenth of the work.

Whatever is not written in oslo.messaging's order is decoded in full.
"""

from typing import NamedTuple

import orjson

from shared.notifications.decode import load
from shared.notifications.ends import ends_of
from shared.notifications.heading import Heading, heading_of
from shared.notifications.raw import BrokenNotification, Raw
from shared.notifications.redaction import is_suspicious, redact


class Sealed(NamedTuple):
    """A notification as it may be stored: its heading, and its bytes without secrets."""

    heading: Heading
    body: bytes
    redacted: bool


def scan(raw: Raw) -> Heading:
    """What `raw` is about. Raises BrokenNotification."""
    ends = ends_of(raw)
    return (ends and ends.heading()) or heading_of(load(raw))


def sealed_ahead(raw: Raw) -> Raw:
    """`raw` with what `seal` will say of it, so that it costs nothing at its turn. Never raises."""
    try:
        prepared: Sealed | BrokenNotification = seal(raw)
    except BrokenNotification as error:
        prepared = error
    return Raw(raw.body, raw.exchange, raw.routing_key, raw.redelivered, raw.size_bytes, prepared)


def seal(raw: Raw) -> Sealed:
    """The heading of `raw` and its bytes, rewritten where they held a secret. Raises BrokenNotification."""
    if isinstance(raw.prepared, Sealed):
        return raw.prepared
    if isinstance(raw.prepared, BrokenNotification):
        raise raw.prepared
    ends = ends_of(raw)
    suspicious = ends.may_hold_secret() if ends else is_suspicious(raw.body)
    heading = ends.heading() if ends else None
    if heading is not None and not suspicious:
        return Sealed(heading, raw.body, False)
    message = load(raw)
    if not (suspicious and redact(message)):
        return Sealed(heading or heading_of(message), raw.body, False)
    text = orjson.dumps(message).decode()
    return Sealed(heading_of(message), orjson.dumps({"oslo.version": "2.0", "oslo.message": text}), True)
