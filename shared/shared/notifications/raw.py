"""A delivery from OpenStack's bus as it came, and what is said when it can't be read."""

from typing import Any, NamedTuple

from shared.errors import TresorError

MAX_BODY_BYTES = 4 * 1024 * 1024
"""Larger bodies are refused unread. Nova's largest recorded one has 42 kB; a bulk create of ports may reach some 100 kB."""
MAX_DEPTH = 64
"""Nesting of objects and arrays; a versioned Nova object nests two deep for each of its parts."""
MAX_NODES = 100_000
"""Values in one message."""


class Raw(NamedTuple):
    """One delivery. `body` is cut to nothing when it exceeds MAX_BODY_BYTES; `size_bytes` says how large it was."""

    body: bytes
    exchange: str
    routing_key: str
    redelivered: bool = False
    size_bytes: int = 0
    prepared: Any = None
    """What was made of the body ahead of its turn; see `Firehose`."""


class BrokenNotification(TresorError):
    """The bytes are no notification that can be trusted to mean one thing. Quarantine them; never try again."""
