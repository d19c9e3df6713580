"""Only processes that we started are ended."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from bootstrap.console import Lacking
from bootstrap.processes import Process, spawn, wait_gone

FAMILY = "import subprocess, sys, time; subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)']); time.sleep(60)"
STUBBORN = (
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('ready', flush=True); time.sleep(60)"
)


def start(code: str, tmp_path: Path) -> Process:
    return spawn([sys.executable, "-c", code], os.environ, tmp_path / "log")


def test_a_process_is_found_again_by_its_file(tmp_path: Path) -> None:
    process = start("import time; time.sleep(60)", tmp_path)
    process.write(tmp_path / "pid")
    assert Process.read(tmp_path / "pid") == process
    process.kill()
    assert not process.is_alive()
    assert Process.read(tmp_path / "pid") is None


def test_another_process_under_the_same_id_is_left_alone(tmp_path: Path) -> None:
    stranger = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    known = Process.of(stranger.pid)
    assert known is not None
    earlier = Process(stranger.pid, known.started_ticks - 1)
    (tmp_path / "pid").write_text(f"{earlier.pid} {earlier.started_ticks}\n")
    assert Process.read(tmp_path / "pid") is None
    earlier.send(signal.SIGKILL)
    earlier.end()
    earlier.kill()
    assert stranger.poll() is None
    stranger.kill()
    stranger.wait()


@pytest.mark.parametrize("text", ["", "x y", "12", "-1 -1", "99999999 1"])
def test_a_broken_file_names_nobody(tmp_path: Path, text: str) -> None:
    (tmp_path / "pid").write_text(text)
    assert Process.read(tmp_path / "pid") is None


def test_a_kill_reaches_the_children(tmp_path: Path) -> None:
    process = start(FAMILY, tmp_path)
    limit = time.monotonic() + 10
    while not (children := process.children()) and time.monotonic() < limit:
        time.sleep(0.02)
    assert len(children) == 1
    process.kill()
    assert wait_gone([process, *children], 5)


def test_a_killed_process_leaves_no_trace_of_its_id(tmp_path: Path) -> None:
    for _ in range(20):
        process = start("import time; time.sleep(60)", tmp_path)
        process.kill()
        with pytest.raises(ProcessLookupError):
            os.kill(process.pid, 0)


def test_one_that_will_not_end_is_killed(tmp_path: Path) -> None:
    process = start(STUBBORN, tmp_path)
    limit = time.monotonic() + 10
    while "ready" not in (tmp_path / "log").read_text() and time.monotonic() < limit:
        time.sleep(0.02)
    process.end(grace_seconds=0.3)
    assert not process.is_alive()


def test_a_missing_program_is_told(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="no-such-program"):
        spawn([tmp_path / "no-such-program"], os.environ, tmp_path / "log")


def test_nothing_is_started_that_could_not_be_found_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bootstrap.processes._PROC", tmp_path)
    began = tmp_path / "began"
    with pytest.raises(Lacking, match="not mounted"):
        spawn(["touch", began], os.environ, tmp_path / "log")
    assert not began.exists()
