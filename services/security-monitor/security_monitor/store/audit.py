"""The audit log in PostgreSQL: appended in batches, read in order, never changed."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from datetime import datetime, timedelta

import asyncpg

from contracts.audit import STREAMS, Entry, Head, Row, export_line, head_line
from security_monitor.domain.chain import extend, first_of_each
from shared.db import Connection

COLUMNS = (
    "stream",
    "position",
    "recorded_at",
    "kind",
    "type",
    "message_id",
    "source",
    "occurred_at",
    "request_id",
    "global_request_id",
    "project_id",
    "workspace",
    "redacted",
    "body",
    "link",
)

# What of the batch is new, and where the stream ends, which stays locked until the commit. The new ones are named only
# when there are fewer than were offered.
_HEAD_AND_ADDED = """
WITH head AS (SELECT position, link FROM audit_head WHERE stream = $1 FOR UPDATE),
added AS (INSERT INTO audit_identity SELECT unnest($2::bytea[]) FROM head ON CONFLICT DO NOTHING RETURNING identity)"""
_FOUND = """
SELECT position, link, CASE WHEN (SELECT count(*) FROM added) = cardinality($2::bytea[]) THEN NULL
                            ELSE ARRAY(SELECT identity FROM added) END AS added
FROM head"""
_OPEN = _HEAD_AND_ADDED + _FOUND
_CLOSE = "UPDATE audit_head SET position = $2, link = $3, recorded_at = $4 WHERE stream = $1"

# All of it in one round trip, for a few rows, which a COPY costs more than it saves: nothing is appended unless the
# stream ends where the rows were made to follow, and all of them are new.
_FEW_ROWS = 16
_WRITE_FEW = f"""{_HEAD_AND_ADDED},
fits AS (SELECT FROM head WHERE (position, link) = ($3, $4)
                            AND (SELECT count(*) FROM added) = cardinality($2::bytea[])),
closed AS (UPDATE audit_head SET position = $5, link = $6, recorded_at = $7 FROM fits WHERE stream = $1),
appended AS (
    INSERT INTO audit_record ({", ".join(("stream", "recorded_at", "position", "link", *COLUMNS[3:-1]))})
    SELECT $1, $7, new.* FROM fits, unnest($8::bigint[], $9::bytea[], $10::text[], $11::text[], $12::text[], $13::text[],
        $14::timestamptz[], $15::text[], $16::text[], $17::text[], $18::text[], $19::boolean[], $20::bytea[]) AS new)
{_FOUND}"""  # noqa: S608

_last_seen: dict[str, Head] = {}
"""Where each stream ended when this process last wrote to it: a guess, so that the rows are made before or while the
database opens the stream. What the database says decides."""

_READ = f"SELECT {', '.join(COLUMNS)} FROM audit_record WHERE stream = $1 AND position > $2 ORDER BY position LIMIT $3"  # noqa: S608
_PAGE_ROWS = 500


async def append(connection: Connection, stream: str, entries: Sequence[Entry], recorded_at: datetime) -> list[Row]:
    """Append what is new of `entries`, in their order, within the caller's transaction. Returns the new rows.

    An entry whose source and message id stand in the log already is left out. Raises ValueError for an entry that
    can't be chained (a line feed in one of its names).
    """
    offered = first_of_each(entries)
    if not offered:
        return []
    guess = _last_seen.get(stream)
    if guess is not None and len(offered) <= _FEW_ROWS:
        rows = extend(guess, list(offered.values()), recorded_at)
        opened, is_written = await _write_few(connection, guess, list(offered), rows), True
    else:
        opening = asyncio.ensure_future(connection.fetchrow(_OPEN, stream, list(offered)))
        await asyncio.sleep(0)  # the question is on its way before the rows are made
        try:
            rows = extend(guess, list(offered.values()), recorded_at) if guess else []
        finally:
            opened, is_written = await opening, False
    if opened is None:
        raise ValueError(f"no audit stream {stream!r}")
    end = Head(stream, opened["position"], opened["link"])
    added = opened["added"]
    if end != guess or added is not None:
        new = list(offered.values()) if added is None else _only(offered, added)
        rows, is_written = extend(end, new, recorded_at), False
    if not rows:
        return []
    _last_seen[stream] = Head(stream, rows[-1].position, rows[-1].link)
    if not is_written:
        await connection.copy_records_to_table(
            "audit_record",
            columns=COLUMNS,
            records=[(stream, row.position, recorded_at, *row.entry, row.link) for row in rows],
        )
        await connection.execute(_CLOSE, stream, rows[-1].position, rows[-1].link, recorded_at)
    return rows


async def _write_few(
    connection: Connection, guess: Head, identities: list[bytes], rows: list[Row]
) -> asyncpg.Record | None:
    """What `_OPEN` finds; the rows, which follow on `guess`, are written if that is where the stream ends."""
    last = rows[-1]
    columns = zip(*((row.position, row.link, *row.entry) for row in rows), strict=True)
    return await connection.fetchrow(
        _WRITE_FEW,
        guess.stream,
        identities,
        guess.position,
        guess.link,
        last.position,
        last.link,
        last.recorded_at,
        *columns,
    )


def _only(offered: dict[bytes, Entry], added: Sequence[bytes]) -> list[Entry]:
    kept = set(added)
    return [entry for identity, entry in offered.items() if identity in kept]


async def head(connection: Connection, stream: str) -> Head:
    """Where the stream ends."""
    found = await connection.fetchrow("SELECT position, link FROM audit_head WHERE stream = $1", stream)
    if found is None:
        raise ValueError(f"no audit stream {stream!r}")
    return Head(stream, found["position"], found["link"])


async def rows_after(connection: Connection, stream: str, position: int, limit: int = _PAGE_ROWS) -> list[Row]:
    """At most `limit` rows behind that position, in order."""
    found = await connection.fetch(_READ, stream, position, limit)
    return [Row(row[0], row[1], row[2], Entry(*row[3:14]), row[14]) for row in found]


async def read(connection: Connection, stream: str, *, after: int = 0, until: int | None = None) -> AsyncIterator[Row]:
    """The stream's rows in order, up to where it ends at the beginning of the reading."""
    last = (await head(connection, stream)).position if until is None else until
    position = after
    while position < last:
        page = await rows_after(connection, stream, position, min(_PAGE_ROWS, last - position))
        if not page:
            return
        for row in page:
            yield row
        position = page[-1].position


async def export(connection: Connection, streams: Sequence[str] = STREAMS) -> AsyncIterator[str]:
    """The log as JSON lines, each stream closed by its head; `contracts.audit.verify_export` checks them offline."""
    for stream in streams:
        end = await head(connection, stream)
        async for row in read(connection, stream, until=end.position):
            yield export_line(row)
        yield head_line(end)


async def ensure_partitions(connection: Connection, now: datetime, months_ahead: int = 2) -> list[str]:
    """Make the partitions of this month and the next ones; returns those that were made.

    Raises asyncpg.CheckViolationError when rows of such a month lie in the default partition already.
    """
    made = []
    begin = now.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    for _ in range(months_ahead + 1):
        end = (begin + timedelta(days=32)).replace(day=1)
        name = f"audit_record_{begin:%Y_%m}"
        if await connection.fetchval("SELECT to_regclass($1)", name) is None:
            await connection.execute(
                f"CREATE TABLE IF NOT EXISTS {name} PARTITION OF audit_record "
                f"FOR VALUES FROM ('{begin.isoformat()}') TO ('{end.isoformat()}')"
            )
            made.append(name)
        begin = end
    return made
