"""The folders of the demo's runs."""

import os
import secrets
import shutil
from pathlib import Path

from bootstrap.places import RUN
from bootstrap.processes import Process

RUNS = RUN / "demo-runs"
KEPT_RUNS = 5
STATE = "state.json"
"""In a run's folder while something of it is there: what has to be ended, and whether it was to be kept."""
RUNNER = "runner"
"""Beside it: the process of the demo itself."""


def new_folder() -> Path:
    """A folder for this run; the oldest runs' folders go. `latest` names the newest."""
    RUNS.mkdir(parents=True, exist_ok=True)
    old = sorted(
        (path for path in RUNS.iterdir() if path.is_dir() and not path.is_symlink()),
        key=lambda path: path.stat().st_mtime,
    )
    for path in old[: -KEPT_RUNS + 1]:
        if not any(Process.read(pid) for pid in path.glob("*.pid")):
            shutil.rmtree(path, ignore_errors=True)
    folder = RUNS / f"{os.getpid()}-{secrets.token_hex(3)}"
    for part in ("logs", "keys", "siem"):
        (folder / part).mkdir(parents=True)
    if own := Process.of(os.getpid()):
        own.write(folder / RUNNER)
    latest = RUNS / "latest"
    latest.unlink(missing_ok=True)
    latest.symlink_to(folder.name)
    return folder
