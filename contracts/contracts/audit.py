"""The audit log's rows, their hash chain, and the export that anybody can verify with nothing but this file.

Each row's link is SHA-256 over the link before it and everything the row says, so that a changed, removed, inserted or
reordered row breaks every link behind it. A cut tail shows against a head (position and link) kept elsewhere.
"""

import base64
import binascii
import hashlib
import json
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

FORMAT = "tresor-audit-1"
OPENSTACK = "openstack"
TRESOR = "tresor"
STREAMS = (OPENSTACK, TRESOR)
"""OpenStack's notifications, and everything that Tresor's own services say."""
FIRST_LINK = bytes(32)
"""What stands before the first row's link."""

KINDS = frozenset({"notification", "command", "decision", "effect", "event", "finding"})

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_PREFIX = FORMAT.encode() + b"\n"
_LINES = 13
"""Fields in front of the body, one a line."""


class Entry(NamedTuple):
    """What a row says, without its place in the chain. Empty text: not known."""

    kind: str
    type: str
    message_id: str
    source: str
    """Who said it: OpenStack's publisher, or one of Tresor's services."""
    occurred_at: datetime | None
    request_id: str
    global_request_id: str
    project_id: str
    workspace: str
    redacted: bool
    """Whether a secret was taken out of the body before it was stored."""
    body: bytes


class Row(NamedTuple):
    """An entry in its place: one of a stream's rows, counted from 1."""

    stream: str
    position: int
    recorded_at: datetime
    entry: Entry
    link: bytes


class Head(NamedTuple):
    """Where a stream ends."""

    stream: str
    position: int
    link: bytes


class Break(NamedTuple):
    """The first place where a chain does not hold."""

    position: int
    reason: str


def microseconds(moment: datetime | None) -> int:
    """Since 1970, UTC; -1 for None."""
    return -1 if moment is None else (moment - _EPOCH) // _MICROSECOND


def link_of(previous: bytes, stream: str, position: int, recorded_at_us: int, entry: Entry) -> bytes:
    """The link of a row. Raises ValueError when a field holds a line feed, which would make the text ambiguous."""
    said = (
        f"{stream}\n{position}\n{recorded_at_us}\n{entry.kind}\n{entry.type}\n{entry.message_id}\n{entry.source}\n"
        f"{microseconds(entry.occurred_at)}\n{entry.request_id}\n{entry.global_request_id}\n{entry.project_id}\n"
        f"{entry.workspace}\n{entry.redacted:d}\n"
    )
    if said.count("\n") != _LINES:
        raise ValueError("a field of an audit row holds a line feed")
    return hashlib.sha256(b"".join((_PREFIX, previous, said.encode(), entry.body))).digest()


def verify(rows: Iterable[Row], head: Head | None = None, *, after: Head | None = None) -> Break | None:
    """The first place where the rows of one stream are not the chain they should be; None when they are.

    `after` is where the rows begin, when that is not the stream's beginning; `head` is where they must end.
    """
    position, link = (after.position, after.link) if after else (0, FIRST_LINK)
    stream = head.stream if head else after.stream if after else None
    for row in rows:
        stream = stream or row.stream
        if row.stream != stream:
            return Break(row.position, f"a row of stream {row.stream!r} in stream {stream!r}")
        if row.position != position + 1:
            return Break(position + 1, f"position {position + 1} is missing; {row.position} stands there")
        try:
            expected = link_of(link, row.stream, row.position, microseconds(row.recorded_at), row.entry)
        except ValueError as error:
            return Break(row.position, str(error))
        if expected != row.link:
            return Break(row.position, "its link does not fit what it says and what stands before it")
        position, link = row.position, row.link
    if head is not None and (head.position, head.link) != (position, link):
        if head.position > position:
            return Break(position + 1, f"the rows end at {position}, the head says {head.position}")
        return Break(min(position, head.position + 1), f"the head says {head.position}, the rows end at {position}")
    return None


def export_line(row: Row) -> str:
    """One row as a line of the export (JSON, no line feed)."""
    entry = row.entry
    try:
        body = {"body": entry.body.decode()}
    except UnicodeDecodeError:
        body = {"body_base64": base64.b64encode(entry.body).decode()}
    return json.dumps(
        {
            "format": FORMAT,
            "stream": row.stream,
            "position": row.position,
            "recorded_at": _written(row.recorded_at),
            **{name: getattr(entry, name) for name in Entry._fields if name != "body"},
            "occurred_at": _written(entry.occurred_at),
            **body,
            "link": row.link.hex(),
        },
        separators=(",", ":"),
        ensure_ascii=True,
    )


def head_line(head: Head) -> str:
    """The export's last line: where the stream stood when it was exported."""
    return json.dumps(
        {"format": FORMAT, "head": head.stream, "position": head.position, "link": head.link.hex()},
        separators=(",", ":"),
    )


def read_export(lines: Iterable[str]) -> Iterator[Row | Head]:
    """The rows and heads of an export. Raises ValueError, with the line's number, for what is none."""
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            said = json.loads(line)
            if said.pop("format") != FORMAT:
                raise ValueError("another format")
            yield _head(said) if "head" in said else _row(said)
        except KeyError as error:
            raise ValueError(f"line {number} is no line of an audit export: it has no field {error}") from None
        except (TypeError, AttributeError, ValueError, binascii.Error, OverflowError) as error:
            raise ValueError(f"line {number} is no line of an audit export: {error}") from None


def verify_export(lines: Iterable[str]) -> tuple[int, dict[str, Head], Break | None]:
    """Verify a whole export: how many rows it has, where each stream ends, and the first break."""
    heads: dict[str, Head] = {}
    ends: dict[str, Head] = {}
    count = 0
    for item in read_export(lines):
        if isinstance(item, Head):
            heads[item.stream] = item
            continue
        count += 1
        # One row is verified at a time, so that an export of any size needs no memory.
        if found := verify([item], after=ends.get(item.stream)):
            return count, ends, found
        ends[item.stream] = Head(item.stream, item.position, item.link)
    for stream in sorted({*STREAMS, *ends}):
        if stream not in heads:
            end = ends[stream].position if stream in ends else 0
            return count, ends, Break(end + 1, f"the export is cut: no line says where stream {stream!r} ends")
        if found := verify([], heads[stream], after=ends.get(stream)):
            return count, ends, found
    return count, ends, None


def _written(moment: datetime | None) -> str | None:
    return None if moment is None else moment.astimezone(UTC).isoformat(timespec="microseconds")


def _row(said: dict[str, object]) -> Row:
    body = said.pop("body", None)
    encoded = said.pop("body_base64", None)
    octets = base64.b64decode(str(encoded), validate=True) if encoded is not None else str(body).encode()
    stream, position, link = str(said.pop("stream")), said.pop("position"), bytes.fromhex(str(said.pop("link")))
    recorded_at = datetime.fromisoformat(str(said.pop("recorded_at")))
    occurred = said.pop("occurred_at")
    redacted = said.pop("redacted")
    if not isinstance(position, int) or not isinstance(redacted, bool) or set(said) != _TEXTS:
        raise ValueError("fields are missing or of the wrong type")
    texts = {name: value for name, value in said.items() if isinstance(value, str)}
    entry = Entry(
        occurred_at=None if occurred is None else datetime.fromisoformat(str(occurred)),
        redacted=redacted,
        body=octets,
        **texts,
    )
    return Row(stream, position, recorded_at, entry, link)


_TEXTS = set(Entry._fields) - {"occurred_at", "redacted", "body"}


def _head(said: dict[str, object]) -> Head:
    position = said["position"]
    if not isinstance(position, int):
        raise ValueError("the position is no number")
    return Head(str(said["head"]), position, bytes.fromhex(str(said["link"])))
