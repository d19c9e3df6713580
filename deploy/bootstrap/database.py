"""A PostgreSQL of our own: private port and data, loopback only, never as root."""

import asyncio
import os
import pwd
import shutil
import signal
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import asyncpg

from bootstrap.console import Console, Lacking
from bootstrap.debian import unpack_packages
from bootstrap.places import TOOLS
from bootstrap.ports import LOOPBACK, free_ports
from bootstrap.private_files import write_private
from bootstrap.processes import Process, spawn, wait_gone

SUPERUSER = "tresor_admin"
"""Made by initdb; no service knows its password."""
BOOT_SECONDS = 120.0
_ATTEMPTS = 3


@dataclass(frozen=True)
class DatabaseBinaries:
    """Where a PostgreSQL's programs are."""

    folder: Path
    """Holds `postgres` and `initdb`."""
    origin: str


class PrivateDatabase:
    """One PostgreSQL server with its data in one folder. It keeps its port over restarts."""

    def __init__(self, folder: Path, binaries: DatabaseBinaries, superuser_password: str) -> None:
        self.folder = folder.resolve()
        self.binaries = binaries
        self._password = superuser_password
        self._port_path = self.folder / "port"
        self._data = self.folder / "data"

    @property
    def port(self) -> int:
        """Where it listens. Raises ValueError before the first start."""
        try:
            return int(self._port_path.read_text())
        except OSError:
            raise ValueError("this database was never started: it has no port yet") from None

    def dsn(self, user: str = SUPERUSER, password: str | None = None, database: str = "postgres") -> str:
        """The address for that user; the superuser's without one."""
        word = self._password if password is None else password
        return f"postgresql://{user}:{word}@{LOOPBACK}:{self.port}/{database}"

    @property
    def log_path(self) -> Path:
        """PostgreSQL's log."""
        return self.folder / "database.log"

    def process(self) -> Process | None:
        """The server's process; None when it does not run."""
        return Process.read(self.folder / "database.pid")

    def is_running(self) -> bool:
        """Whether the server's process lives."""
        return self.process() is not None

    def start(self, boot_seconds: float = BOOT_SECONDS) -> None:
        """Start it and wait until it serves. Raises Lacking when it does not come up."""
        if self.is_running():
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        fresh = not self._port_path.exists()
        if not (self._data / "PG_VERSION").exists():
            self._initialise()
        for attempt in range(1, _ATTEMPTS + 1):
            if fresh:
                self._port_path.write_text(str(free_ports(1)[0]))
            self._spawn()
            if self._wait_served(boot_seconds):
                return
            self.kill()
            if not (fresh and attempt < _ATTEMPTS and "Address already in use" in self._log_tail()):
                break
        raise Lacking(
            f"PostgreSQL ({self.binaries.origin}) did not start; the end of {self.log_path}:\n{self._log_tail()}"
        )

    def stop(self) -> None:
        """End it in order, its sessions with it (a fast shutdown)."""
        if server := self.process():
            server.end(signal.SIGINT, grace_seconds=15.0)

    def stop_immediately(self) -> None:
        """PostgreSQL's immediate shutdown: sessions dropped, no checkpoint, recovery at the next start."""
        if server := self.process():
            server.end(signal.SIGQUIT, grace_seconds=10.0)

    def kill(self) -> None:
        """kill -9: the server and every session process, at once."""
        if server := self.process():
            server.kill()

    def pause(self) -> None:
        """SIGSTOP to all of it: connections stay, nothing answers."""
        for process in self._family():
            process.send(signal.SIGSTOP)

    def resume(self) -> None:
        """SIGCONT, after a pause."""
        for process in self._family():
            process.send(signal.SIGCONT)

    def _family(self) -> list[Process]:
        server = self.process()
        return [server, *server.children()] if server else []

    def _initialise(self) -> None:
        shutil.rmtree(self._data, ignore_errors=True)
        self._data.mkdir(mode=0o700)
        word = self.folder / "superuser-password"
        write_private(word, self._password)
        if os.geteuid() == 0:
            uid, gid = _other_user()
            os.chown(self._data, uid, gid)
            os.chown(word, uid, gid)
        command: list[str | Path] = [
            self.binaries.folder / "initdb",
            f"--pgdata={self._data}",
            f"--username={SUPERUSER}",
            f"--pwfile={word}",
            "--auth=scram-sha-256",
            "--encoding=UTF8",
            "--locale=C",
            "--no-sync",
        ]
        done = subprocess.run(
            _unprivileged(command, self.folder, self.binaries.folder),
            capture_output=True,
            text=True,
            check=False,
            cwd="/",
            env=_environment() | _named_user(self.folder),
        )
        word.unlink()
        if done.returncode != 0:
            raise Lacking(f"PostgreSQL ({self.binaries.origin}) could not make its data folder:\n{done.stderr[-3000:]}")

    def _spawn(self) -> None:
        options = {
            "listen_addresses": LOOPBACK,
            "port": str(self.port),
            "unix_socket_directories": "",
            "max_connections": "400",
            "password_encryption": "scram-sha-256",
            "timezone": "UTC",
        }
        command: list[str | Path] = [self.binaries.folder / "postgres", "-D", self._data]
        for name, value in options.items():
            command += ["-c", f"{name}={value}"]
        server = spawn(
            _unprivileged(command, self.folder, self.binaries.folder), _environment(), self.log_path, Path("/")
        )
        server.write(self.folder / "database.pid")

    def _wait_served(self, seconds: float) -> bool:
        limit = time.monotonic() + seconds
        while time.monotonic() < limit:
            server = self.process()
            if server is None:
                return False
            if asyncio.run(_answers(self.dsn())):
                return True
            wait_gone([server], 0.1)
        return False

    def _log_tail(self) -> str:
        try:
            return self.log_path.read_text(errors="replace")[-3000:]
        except OSError:
            return "(there is none)"


async def _answers(dsn: str) -> bool:
    try:
        connection = await asyncpg.connect(dsn, timeout=5)
    except (OSError, asyncpg.PostgresError, TimeoutError):
        return False
    await connection.close()
    return True


def _environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith("PG")}


def _named_user(folder: Path) -> dict[str, str]:
    """What gives initdb a name for a user id that has none, as in a container started with a bare id: it insists."""
    try:
        pwd.getpwuid(os.geteuid())
    except KeyError:
        root = unpack_packages(("libnss-wrapper",), TOOLS / "nss-wrapper", Console(quiet=True))
        library = next(root.glob("usr/lib/*/libnss_wrapper.so"))
        users, groups = folder / "passwd", folder / "group"
        users.write_text(f"tresor:x:{os.geteuid()}:{os.getegid()}::/:/bin/sh\n")
        groups.write_text(f"tresor:x:{os.getegid()}:\n")
        return {"LD_PRELOAD": str(library), "NSS_WRAPPER_PASSWD": str(users), "NSS_WRAPPER_GROUP": str(groups)}
    return {}


def _other_user() -> tuple[int, int]:
    """Who PostgreSQL runs as when we are root, which it refuses to be."""
    for name in ("postgres", "nobody"):
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return entry.pw_uid, entry.pw_gid
    return 65534, 65534


def _unprivileged(command: Sequence[str | Path], *folders: Path) -> list[str]:
    """The command as a user that is not root. Where a folder above is closed to that user (a checkout in /root), it
    keeps the one capability to pass through: its own data folder is still owned by it alone."""
    words = [str(word) for word in command]
    if os.geteuid() != 0:
        return words
    uid, gid = _other_user()
    kept = (
        []
        if all(_is_passable(folder) for folder in folders)
        else ["--inh-caps=+dac_override", "--ambient-caps=+dac_override"]
    )
    setpriv = shutil.which("setpriv") or "/usr/bin/setpriv"
    return [setpriv, f"--reuid={uid}", f"--regid={gid}", "--clear-groups", *kept, "--", *words]


def _is_passable(folder: Path) -> bool:
    return all(part.stat().st_mode & 0o001 for part in (folder, *folder.parents))
