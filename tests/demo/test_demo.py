"""`make demo` as its user runs it: to its end, interrupted, with a service that dies, and with a wrong document."""

import asyncio
import json
import os
import re
import signal
import sys
from pathlib import Path

import pytest

from bootstrap.backing import Backing
from bootstrap.places import CHECKOUT
from bootstrap.processes import Process

RUN = CHECKOUT / "deploy" / "demo" / "run.py"
PATIENCE_SECONDS = 300.0


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


@pytest.fixture(autouse=True)
def _servers(backing: Backing, monkeypatch: pytest.MonkeyPatch) -> None:
    """The run's own broker and database serve the demo too."""
    access = backing.broker
    word = access.passwords[access.administrator]
    monkeypatch.setenv("TRESOR_BROKER_URL", f"amqp://{access.administrator}:{word}@{access.host}:{access.port}/")
    monkeypatch.setenv("TRESOR_BROKER_MANAGEMENT_URL", access.management_url)
    monkeypatch.setenv("TRESOR_DATABASE_URL", backing.database.superuser_dsn)


def assert_nothing_is_left(demo: Demo, processes: list[Process]) -> None:
    """No process, no key, no password."""
    folder = demo.folder()
    assert len(processes) == 6, "the twin and five services"
    assert not [process for process in processes if process.is_alive()]
    assert not list(folder.glob("*.pid"))
    assert not (folder / "keys").exists()
    assert not (folder / "tresor.yaml").exists()


async def test_the_whole_chain_is_shown_and_the_break_in_mended() -> None:
    demo = await Demo.start()
    await demo.until("signs and publishes")
    processes = demo.processes()
    code = await demo.end()
    assert code == 0, demo.text
    order = [
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
    ]
    places = [demo.text.find(words) for words in order]
    assert all(place >= 0 for place in places), dict(zip(order, places, strict=True))
    for earlier, later in (
        ("policy enforced", "openhpc-login-0 is active"),
        ("storage ready", "openhpc-login-0 is active"),
    ):
        assert demo.text.find(earlier) < demo.text.find(later), "no server runs before the proof and the storage"
    assert "finding, critical" in demo.text
    events = [json.loads(line) for line in (demo.folder() / "siem" / "events.jsonl").read_text().splitlines()]
    assert {event["class_uid"] for event in events} >= {2004, 6003}
    assert_nothing_is_left(demo, processes)


async def test_ctrl_c_cleans_up() -> None:
    demo = await Demo.start()
    await demo.until("is accepted")
    processes = demo.processes()
    demo.process.send_signal(signal.SIGINT)
    assert await demo.end() == 130
    assert_nothing_is_left(demo, processes)


async def test_a_service_that_dies_ends_the_demo_with_its_log() -> None:
    demo = await Demo.start()
    await demo.until("signs and publishes")
    processes = demo.processes()
    runs = CHECKOUT / ".run" / "demo-runs"
    (folder,) = runs.glob(f"{demo.process.pid}-*")
    storage = Process.read(folder / "storage.pid")
    assert storage is not None
    storage.kill()
    assert await demo.end() == 1
    assert "storage ended by itself; the end of" in demo.text
    assert "service.started" in demo.text
    assert_nothing_is_left(demo, processes)


async def test_a_wrong_document_is_told_before_anything_starts(tmp_path: Path) -> None:
    path = tmp_path / "wrong.yaml"
    path.write_text((RUN.parent / "openhpc.yaml").read_text().replace("to: login", "to: logn"))
    demo = await Demo.start("--document", str(path))
    assert await demo.end() == 1
    assert "no role 'logn' in this document" in demo.text
    assert "RabbitMQ" not in demo.text
