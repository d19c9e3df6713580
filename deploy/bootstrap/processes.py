"""Processes we started, and only those: each is known by its id and the moment it began, never by its name."""

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bootstrap.console import Lacking

_PROC = Path("/proc")


@dataclass(frozen=True)
class Process:
    """A process, told apart from a later one that got the same id by the kernel tick it began at."""

    pid: int
    started_ticks: int

    @classmethod
    def of(cls, pid: int) -> "Process | None":
        """The process with that id; None when there is none, or it is only waiting to be reaped."""
        try:
            text = (_PROC / str(pid) / "stat").read_text()
        except OSError:
            return None
        fields = text.rpartition(")")[2].split()
        if fields[0] in "ZX":
            return None
        return cls(pid, int(fields[19]))

    @classmethod
    def read(cls, path: Path) -> "Process | None":
        """The process a pid file names; None when the file is missing, broken or of a process that ended."""
        try:
            pid, ticks = path.read_text().split()
            known = cls(int(pid), int(ticks))
        except (OSError, ValueError):
            return None
        return known if known.is_alive() else None

    def write(self, path: Path) -> None:
        """Keep it in a pid file."""
        path.write_text(f"{self.pid} {self.started_ticks}\n")

    def is_alive(self) -> bool:
        """Whether this very process still runs."""
        return Process.of(self.pid) == self

    def children(self) -> list["Process"]:
        """Every process below this one, all generations."""
        parents: dict[int, list[int]] = {}
        for entry in _PROC.iterdir():
            if not entry.name.isdigit():
                continue
            try:
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            parents.setdefault(int(fields[1]), []).append(int(entry.name))
        found: list[Process] = []
        pending = list(parents.get(self.pid, []))
        while pending:
            pid = pending.pop()
            pending.extend(parents.get(pid, []))
            if child := Process.of(pid):
                found.append(child)
        return found

    def send(self, number: int) -> None:
        """Send a signal, if it still runs."""
        if self.is_alive():
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def end(self, number: int = signal.SIGTERM, grace_seconds: float = 10.0) -> None:
        """Ask it to end; kill it and everything below it when it has not within the grace."""
        family = [self, *self.children()]
        self.send(number)
        if not wait_gone(family, grace_seconds):
            self.kill()

    def kill(self) -> None:
        """End it and everything below it at once, without asking (SIGKILL)."""
        family = [self, *self.children()]
        for process in family:
            process.send(signal.SIGKILL)
        wait_gone(family, 10.0)


def wait_gone(processes: Sequence[Process], seconds: float) -> bool:
    """Wait until all have ended; whether they did within that time."""
    limit = time.monotonic() + seconds
    while any(process.is_alive() for process in processes):
        _reap()
        if time.monotonic() > limit:
            return False
        time.sleep(0.02)
    _reap()  # one that ended is in the others' way until it is: PostgreSQL takes its id for a server that runs
    return True


def spawn(
    command: Sequence[str | Path], environment: Mapping[str, str], log_path: Path, folder: Path | None = None
) -> Process:
    """Start a process of its own session, with its output appended to a log.

    Raises OSError when it can't start, and Lacking where the kernel's list of processes is not to be seen: nothing is
    started that could not be found again.
    """
    if not (_PROC / "self" / "stat").exists():
        raise Lacking(f"{_PROC} is not mounted here; mount it: mount -t proc proc /proc")
    with log_path.open("ab") as log:
        child = subprocess.Popen(
            [str(word) for word in command],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env=dict(environment),
            cwd=folder,
            start_new_session=True,
        )
    _spawned[child.pid] = child
    process = Process.of(child.pid)
    if process is None:
        tail = log_path.read_text(errors="replace")[-2000:]
        raise OSError(f"{command[0]} ended at once (code {child.poll()}): {tail}")
    return process


_spawned: dict[int, subprocess.Popen[bytes]] = {}


def _reap() -> None:
    """Collect the exit codes of our children, so that an ended one does not count as running."""
    for pid, child in list(_spawned.items()):
        if child.poll() is not None:
            del _spawned[pid]
