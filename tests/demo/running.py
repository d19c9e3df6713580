"""The demo as a process: its lines as they come, its processes, and what it has to show."""

import asyncio
import os
import re
import sys
from pathlib import Path

from bootstrap.backing import Backing
from bootstrap.places import CHECKOUT
from bootstrap.processes import Process

RUN = CHECKOUT / "deploy" / "demo" / "run.py"
PATIENCE_SECONDS = 300.0
ORDER = (
    "signs and publishes provisioner.workspace.create",
    "provisioner.workspace.create of ana@example.org is accepted",
    "networks ready",
    "policy enforced and isolation proven",
    "storage ready",
    "openhpc-login-0 is active",
    "workspace ready: 6 nodes",
    "isolated",
    "opens tcp/22 from 0.0.0.0/0 in tresor-openhpc-login",
    "rule added in group login",
    "SSH to the world stood open for",
    "the hash chain verified from its first row",
    "the finding among them",
    "the SIEM's events",
)
"""What a whole run says, in this order."""


class Demo:
    """A demo as a process."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.lines: list[str] = []

    @classmethod
    async def start(cls, *arguments: str) -> "Demo":
        """Start it; its output is read as it comes."""
        clean = {name: value for name, value in os.environ.items() if name != "KEEP"}
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-u", str(RUN), *arguments,
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT, env=clean, cwd=CHECKOUT,
        )  # fmt: skip
        return cls(process)

    async def until(self, pattern: str) -> re.Match[str]:
        """Read until a line fits."""
        assert self.process.stdout is not None
        async with asyncio.timeout(PATIENCE_SECONDS):
            while line := (await self.process.stdout.readline()).decode():
                self.lines.append(line.rstrip())
                if found := re.search(pattern, line):
                    return found
        raise AssertionError(f"no line like {pattern}:\n{self.text}")

    async def end(self) -> int:
        """Read to the end; the exit code."""
        assert self.process.stdout is not None
        async with asyncio.timeout(PATIENCE_SECONDS):
            rest = await self.process.stdout.read()
            self.lines += rest.decode().splitlines()
            return await self.process.wait()

    @property
    def text(self) -> str:
        """All that it said so far."""
        return "\n".join(self.lines)

    def processes(self) -> list[Process]:
        """What runs for it now."""
        (folder,) = (CHECKOUT / ".run" / "demo-runs").glob(f"{self.process.pid}-*")
        return [process for path in folder.glob("*.pid") if (process := Process.read(path))]

    def folder(self) -> Path:
        """Its own folder, as it says at its end."""
        found = re.search(r"logs and traces: (.+)/logs$", self.text, re.MULTILINE)
        assert found, self.text
        return Path(found[1])


def use(backing: Backing, environment: dict[str, str]) -> None:
    """Have a demo started with that environment take the broker and the database of this run."""
    access = backing.broker
    word = access.passwords[access.administrator]
    environment["TRESOR_BROKER_URL"] = f"amqp://{access.administrator}:{word}@{access.host}:{access.port}/"
    environment["TRESOR_BROKER_MANAGEMENT_URL"] = access.management_url
    environment["TRESOR_DATABASE_URL"] = backing.database.superuser_dsn


def assert_all_is_shown(demo: Demo) -> None:
    """Every step, in order; no server before the proof and the storage."""
    places = [demo.text.find(words) for words in ORDER]
    assert all(place >= 0 for place in places), dict(zip(ORDER, places, strict=True))
    for earlier in ("policy enforced", "storage ready"):
        assert demo.text.find(earlier) < demo.text.find("openhpc-login-0 is active")
    assert "finding, critical" in demo.text


def assert_nothing_is_left(demo: Demo, processes: list[Process], count: int) -> None:
    """No process of so many, no key, no password."""
    folder = demo.folder()
    assert len(processes) == count
    assert not [process for process in processes if process.is_alive()]
    assert not list(folder.glob("*.pid"))
    assert not (folder / "keys").exists()
    assert not (folder / "tresor.yaml").exists()
