"""The next links of a stream's chain."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from hashlib import sha256

from contracts.audit import Entry, Head, Row, link_of, microseconds


def identity_of(entry: Entry) -> bytes:
    """What makes two deliveries the same message: its id and who published it, whatever the topic or the body."""
    return sha256(f"{entry.source}\n{entry.message_id}".encode()).digest()[:16]


def first_of_each(entries: Iterable[Entry]) -> dict[bytes, Entry]:
    """The entries by their identity, in their order; of doubles the first."""
    found: dict[bytes, Entry] = {}
    for entry in entries:
        found.setdefault(identity_of(entry), entry)
    return found


def extend(head: Head, entries: Sequence[Entry], recorded_at: datetime) -> list[Row]:
    """The rows that follow on `head`. Raises ValueError for an entry that can't be put into the chain."""
    stream, position, link = head
    recorded_at_us = microseconds(recorded_at)
    rows = []
    for entry in entries:
        position += 1
        link = link_of(link, stream, position, recorded_at_us, entry)
        rows.append(Row(stream, position, recorded_at, entry, link))
    return rows
