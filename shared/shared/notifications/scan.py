"""What a notification is about, read off its bytes without decoding the JSON text inside: a tenth of the work.

Whatever is not written in oslo.messaging's order is decoded in full.
"""

from typing import NamedTuple

import orjson

from shared.notifications.decode import load
from shared.notifications.ends import ends_of
from shared.notifications.heading import Heading, heading_of
from shared.notifications.raw import Raw
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


def seal(raw: Raw) -> Sealed:
    """The heading of `raw` and its bytes, rewritten where they held a secret. Raises BrokenNotification."""
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
