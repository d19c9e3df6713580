"""What is still to be sent: one file a call, in order, on disk before anything else is done.

A hook waits for this room, so it imports next to nothing.
"""

import fcntl
import os

MAX_CALLS = 10_000


class Full(Exception):
    """Nothing more is taken until something was sent."""


class Spool:
    """A folder that only its owner reads."""

    def __init__(self, path: str) -> None:
        """Raises OSError when it can't be made, or others may read it."""
        self._path = path
        os.makedirs(path, mode=0o700, exist_ok=True)
        if os.stat(path).st_mode & 0o077:
            raise PermissionError(1, "others may read it: chmod 700", path)

    def append(self, content: bytes) -> None:
        """Keep it behind all that is there, on disk. Raises Full, and OSError when it can't be written."""
        lock = self._open("append.lock", os.O_RDWR | os.O_CREAT)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            names = self.names()
            if len(names) >= MAX_CALLS:
                raise Full(f"{self._path} has {len(names)} calls that are not sent")
            self._write(".new", content)
            name = f"{int(names[-1]) + 1 if names else 1:020d}"
            os.rename(os.path.join(self._path, ".new"), os.path.join(self._path, name))
            # Without this the name may be lost with the power, though the content is there.
            folder = os.open(self._path, os.O_RDONLY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)
        finally:
            os.close(lock)

    def names(self) -> list[str]:
        """The calls that wait, oldest first."""
        return sorted(name for name in os.listdir(self._path) if name.isdigit())

    def read(self, name: str) -> bytes:
        """What was kept under that name."""
        with open(os.path.join(self._path, name), "rb") as file:
            return file.read()

    def remove(self, name: str) -> None:
        """It was sent."""
        os.unlink(os.path.join(self._path, name))

    def set_aside(self, name: str) -> None:
        """It can't be read: out of the way of the others, for a person to look at."""
        os.rename(os.path.join(self._path, name), os.path.join(self._path, f"broken-{name}"))

    def take_turn(self) -> int | None:
        """Become the one that sends: there is one at a time, or the order would be lost. None: another one is."""
        descriptor = self._open("send.lock", os.O_RDWR | os.O_CREAT)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return None
        return descriptor

    def end_turn(self, turn: int) -> None:
        """Let another one send."""
        os.close(turn)

    def _write(self, name: str, content: bytes) -> None:
        descriptor = self._open(name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        try:
            view = memoryview(content)
            while view:
                view = view[os.write(descriptor, view) :]
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def _open(self, name: str, flags: int) -> int:
        return os.open(os.path.join(self._path, name), flags, 0o600)
