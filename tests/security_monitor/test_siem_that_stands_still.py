"""A SIEM's file that takes nothing: the log goes on, it is told, and the file goes on from where it was (I16, I19)."""

import asyncio
import json
import os
import resource
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from contracts.network_policy import PolicyEnforced
from contracts.security_monitor import FindingRaised, FindingResolved
from security_monitor.handlers import siem as handling
from security_monitor.store import audit
from security_monitor.store.siem_file import SiemFile
from shared import metrics
from shared.db import transaction
from shared.service import Service
from shared.testing import Site
from tests.security_monitor.test_service import siem_lines, start
from tests.waiting import until

FULL_BYTES = 8 * 2**20
ROOM_BYTES = 300
POLICY: dict[str, Any] = dict(PolicyEnforced.example)


@contextmanager
def full_disk(path: Path) -> Iterator[None]:
    """The file may grow by less than one event; the kernel refuses the rest in the middle of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        file.truncate(FULL_BYTES - 1)
        file.seek(FULL_BYTES - 1)
        file.write(b"\n")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (FULL_BYTES + ROOM_BYTES, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


async def logged(service: Service[Any]) -> int:
    async with transaction(service.pool) as connection:
        return (await audit.head(connection, "tresor")).position


async def tell(site: Site, count: int) -> None:
    for number in range(1, count + 1):
        await site.tell(PolicyEnforced(**{**POLICY, "workspace": f"w-{number}"}))


def unwritten() -> float:
    return float(metrics.SIEM_UNWRITTEN.labels("tresor")._value.get())


def enforced(path: Path) -> list[str]:
    """The workspaces of the whole events behind what the file began with."""
    text = path.read_bytes().split(b"\x00\n", 1)[-1].decode()
    found = []
    for line in text.splitlines():
        try:
            found.append(json.loads(line)["unmapped"]["workspace"])
        except ValueError:
            continue  # where the kernel cut it
    return [each for each in found if each.startswith("w-")]


async def test_a_full_disk_stops_the_file_and_nothing_else(site: Site, tmp_path: Path) -> None:
    path = tmp_path / "siem" / "ocsf.jsonl"
    with full_disk(path), capture_logs() as said:
        service = await start(site, path)
        await tell(site, 20)
        await until(lambda: any(each["event"] == "siem.file_failed" for each in said))
        async with asyncio.timeout(30):
            while await logged(service) < 20:
                await asyncio.sleep(0.1)
        await until(lambda: unwritten() >= 20)
        assert path.stat().st_size <= FULL_BYTES + ROOM_BYTES
    await until(lambda: sorted(set(enforced(path))) == sorted(f"w-{number}" for number in range(1, 21)))
    await until(lambda: unwritten() == 0)


async def test_a_standstill_is_one_finding_with_its_end_and_both_reach_the_siem(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("security_monitor.domain.standstill.PATIENCE", timedelta(seconds=1))
    path = tmp_path / "siem" / "ocsf.jsonl"
    with full_disk(path):
        service = await start(site, path)
        await tell(site, 3)
        raised = (await site.tap.until(FindingRaised)).finding
        assert (raised.rule, raised.severity, raised.workspace) == ("siem-standstill", "high", None)
        assert str(path) in raised.cause
        assert "File too large" in raised.cause
        await site.stop(service)  # whoever goes on knows of it
        await start(site, path)
        await site.tell(PolicyEnforced(**{**POLICY, "workspace": "w-4"}))
        await asyncio.sleep(2)
        assert not site.tap.of(FindingResolved)
    resolved = (await site.tap.until(FindingResolved)).finding
    assert len(site.tap.of(FindingRaised)) == 1
    assert (resolved.finding_id, resolved.raised_at) == (raised.finding_id, raised.raised_at)
    assert resolved.resolved_at is not None
    assert resolved.resolved_at - resolved.raised_at > timedelta(seconds=2)
    await until(lambda: path.read_bytes().count(raised.finding_id.encode()) >= 2)
    with full_disk(path):
        await tell(site, 1)
        await until(lambda: len(site.tap.of(FindingRaised)) == 2)
    assert site.tap.of(FindingRaised)[1].finding.finding_id != raised.finding_id


async def test_a_short_hesitation_is_no_finding(site: Site, tmp_path: Path) -> None:
    path = tmp_path / "siem" / "ocsf.jsonl"
    with full_disk(path), capture_logs() as said:
        await start(site, path)
        await tell(site, 3)
        await until(lambda: any(each["event"] == "siem.file_failed" for each in said))
    await until(lambda: len(set(enforced(path))) == 3)
    assert not site.tap.of(FindingRaised)


async def test_a_disk_that_does_not_answer_holds_up_nothing_else(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, go_on, begun = tmp_path / "ocsf.jsonl", threading.Event(), list[int]()
    append = SiemFile._append

    def stands_still(self: SiemFile, lines: Iterable[str]) -> None:
        begun.append(1)
        go_on.wait(60)
        append(self, lines)

    monkeypatch.setattr(handling, "WRITE_SECONDS", 0.5)
    monkeypatch.setattr(SiemFile, "_append", stands_still)
    try:
        service = await start(site, path)
        await tell(site, 5)
        async with asyncio.timeout(30):
            while await logged(service) < 5:
                await asyncio.sleep(0.1)
        await asyncio.sleep(2.0)
        assert len(begun) == 1, "a second thread waits for the disk"
        assert not path.exists()
    finally:
        go_on.set()
    await until(
        lambda: {f"w-{n}" for n in range(1, 6)} <= {one["unmapped"].get("workspace") for one in siem_lines(path)}
    )


def test_a_pipe_is_refused_and_holds_nobody(tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    siem = SiemFile(path)
    for _ in range(2):
        with pytest.raises(OSError, match="no regular file"):
            siem.append(["x" * 200_000])
