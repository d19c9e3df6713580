"""The calls that came in, as `/twin/requests` shows them: who asked for what, when, with what answer."""

import itertools
from collections import deque
from dataclasses import dataclass
from typing import Any

import orjson

KEPT = 50_000
"""Calls kept; the oldest go first."""
MAX_CONTENT_BYTES = 65_536
"""Of a body; a longer one is left out."""


@dataclass(slots=True)
class Call:
    """One call of a service's API. `arrived_at` is in seconds since the epoch, on the twin's clock."""

    number: int
    arrived_at: float
    service: str
    method: str
    path: str
    content: bytes = b""
    """Of a write."""
    user_name: str = ""
    global_request_id: str | None = None
    status: int = 0
    """0 while it is being answered, and where the answer was lost on purpose."""

    def as_document(self) -> dict[str, Any]:
        """For the control API."""
        return {
            "number": self.number,
            "arrived_at": self.arrived_at,
            "service": self.service,
            "method": self.method,
            "path": self.path,
            "body": _json(self.content),
            "user_name": self.user_name,
            "global_request_id": self.global_request_id,
            "status": self.status,
        }


class Journal:
    """The latest calls, numbered from 1."""

    def __init__(self) -> None:
        self._numbers = itertools.count(1)
        self._calls: deque[Call] = deque(maxlen=KEPT)

    def arrived(self, arrived_at: float, service: str, method: str, path: str, content: bytes) -> Call:
        """Takes a call in; what is known of it later is set on it."""
        # What goes to Keystone is left out: it may be a password.
        is_kept = method != "GET" and len(content) <= MAX_CONTENT_BYTES and service != "keystone"
        call = Call(next(self._numbers), arrived_at, service, method, path, content if is_kept else b"")
        self._calls.append(call)
        return call

    def after(self, number: int, *, writes_only: bool) -> list[dict[str, Any]]:
        """The calls after that number, oldest first."""
        return [
            call.as_document()
            for call in self._calls
            if call.number > number and not (writes_only and call.method in ("GET", "HEAD"))
        ]


def _json(content: bytes) -> Any:
    try:
        return orjson.loads(content) if content else None
    except orjson.JSONDecodeError:
        return None
