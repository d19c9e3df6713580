"""The SIEM's file: JSON lines, rotated by size, on the disk before the position in the log moves."""

import errno
import os
import stat
import threading
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path

from shared.db import Connection

MAX_FILE_BYTES = 64 * 1024 * 1024
KEPT_FILES = 10
"""Beside the current one: what the SIEM has not read of the oldest is lost with it, though not from the audit log."""


class SiemFile:
    """Appends lines to `path`; older files are `<path>.1` (the newest) to `<path>.<kept>`."""

    def __init__(self, path: Path, max_bytes: int = MAX_FILE_BYTES, kept: int = KEPT_FILES) -> None:
        self.path = path
        self._max_bytes = max_bytes
        self._kept = kept
        self._writing = threading.Lock()

    def append(self, lines: Iterable[str]) -> None:
        """Write the lines and have them on the disk. Blocks; raises OSError, after which a part may be written.

        A line that an interrupted writing left unfinished is closed first, so that the next one stands alone. While
        another thread is at it, OSError says so at once.
        """
        if not self._writing.acquire(blocking=False):
            raise OSError(errno.EBUSY, "the disk has not taken yet what it was given before")
        try:
            self._append(lines)
        finally:
            self._writing.release()

    def _append(self, lines: Iterable[str]) -> None:
        text = "".join(f"{line}\n" for line in lines).encode()
        if not text:
            return
        self.path.parent.mkdir(parents=True, exist_ok=True)
        if self.path.exists() and self.path.stat().st_size >= self._max_bytes:
            self._rotate()
        # Without waiting: a pipe that nobody reads would hold the writer for ever, and keeps nothing anyway.
        flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_NONBLOCK
        with os.fdopen(os.open(self.path, flags, 0o640), "ab") as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise OSError(errno.EINVAL, "this is no regular file", str(self.path))
            if not self._ends_well(file.fileno()):
                text = b"\n" + text
            file.write(text)
            file.flush()
            os.fsync(file.fileno())

    @staticmethod
    def _ends_well(descriptor: int) -> bool:
        size = os.fstat(descriptor).st_size
        return size == 0 or os.pread(descriptor, 1, size - 1) == b"\n"

    def _rotate(self) -> None:
        for number in range(self._kept, 0, -1):
            older = self.path.with_name(f"{self.path.name}.{number}")
            newer = self.path if number == 1 else self.path.with_name(f"{self.path.name}.{number - 1}")
            if newer.exists():
                newer.replace(older)
        folder = os.open(self.path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


async def position_of(connection: Connection, reader: str, stream: str) -> int:
    """How far the reader has come; locked until the transaction ends."""
    await connection.execute(
        "INSERT INTO audit_reader (reader, stream, position) VALUES ($1, $2, 0) ON CONFLICT DO NOTHING", reader, stream
    )
    found: int = await connection.fetchval(
        "SELECT position FROM audit_reader WHERE reader = $1 AND stream = $2 FOR UPDATE", reader, stream
    )
    return found


async def move_position(connection: Connection, reader: str, stream: str, position: int) -> None:
    """Everything up to there has been written."""
    await connection.execute(
        "UPDATE audit_reader SET position = $3 WHERE reader = $1 AND stream = $2", reader, stream, position
    )


async def stands_since(connection: Connection, reader: str, now: datetime) -> datetime:
    """Since when the reader's file takes nothing: from here on, unless that was said before."""
    found: datetime = await connection.fetchval(
        """INSERT INTO audit_standstill AS known (reader, begun_at) VALUES ($1, $2)
           ON CONFLICT (reader) DO UPDATE SET begun_at = known.begun_at RETURNING begun_at""",
        reader,
        now,
    )
    return found


async def goes_on(connection: Connection, reader: str) -> bool:
    """The file takes what it is given; whether it did not before."""
    ended = await connection.fetchval("DELETE FROM audit_standstill WHERE reader = $1 RETURNING true", reader)
    return bool(ended)
