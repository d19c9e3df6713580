"""Ending what an earlier run has left running: with KEEP=1 on purpose, or because it was killed."""

import asyncio
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from bootstrap.backing import open_backing
from bootstrap.console import Console, Lacking
from bootstrap.containers import ContainerServers
from bootstrap.leases import BrokerLease, DatabaseLease
from bootstrap.processes import Process
from demo.estate import end_all
from demo.runs import RUNNER, RUNS, STATE
from demo.story import DELETE_SECONDS

_SERVER_PID_FILES = ("broker/broker.pid", "broker/epmd.pid", "database/database.pid")


def stop_all(console: Console, *, quiet: bool = False) -> None:
    """End every run of this checkout that was to be kept, and what killed runs have left."""
    found = sorted(RUNS.glob(f"*/{STATE}")) if RUNS.exists() else []
    found = [path for path in found if not path.parent.is_symlink() and not Process.read(path.with_name(RUNNER))]
    for path in found:
        state = json.loads(path.read_text())
        words = "stopping the demo kept" if state["kept"] else "ending what a killed demo left"
        console.step(f"{words} in {path.parent}")
        _stop(path, state, console)
    if not found and not quiet:
        console.step("no demo is kept running")


def _delete_workspace(name: str, folder: Path, console: Console) -> None:
    """Remove the workspace of a kept run from a cloud that stays, through the services that still run."""
    console.step(f"removing '{name}': this cloud stays")
    clean = {key: value for key, value in os.environ.items() if not key.startswith(("TRESOR_", "OS_"))}
    arguments = ["workspace", "delete", name, "--yes", "--timeout", f"{DELETE_SECONDS:.0f}"]
    ended = subprocess.run(
        [sys.executable, "-m", "operator_cli.main", *arguments],
        env={**clean, "TRESOR_CONFIG": str(folder / "tresor.yaml")},
        check=False,
    )
    if ended.returncode:
        console.step(f"'{name}' is still in the cloud; the next demo there takes it over and removes it")


def _stop(path: Path, state: dict[str, Any], console: Console) -> None:
    if state["kept"] and state["workspace"]:
        _delete_workspace(state["workspace"], path.parent, console)
    end_all([process for pid in path.parent.glob("*.pid") if (process := Process.read(pid))])
    if state["container_ports"]:
        ContainerServers(Path(state["servers"]), *state["container_ports"]).remove()
    elif state["servers"]:
        folder = Path(state["servers"])
        for name in _SERVER_PID_FILES:
            if process := Process.read(folder / name):
                process.kill()
        shutil.rmtree(folder, ignore_errors=True)
    else:
        try:
            asyncio.run(_drop(state, console))
        except Lacking as lacking:
            console.step(f"its vhosts and database stay, as their servers are not to be reached: {lacking}")
    for pid in path.parent.glob("*.pid"):
        pid.unlink()
    shutil.rmtree(path.parent / "keys", ignore_errors=True)
    for name in ("tresor.yaml", RUNNER, STATE):
        (path.parent / name).unlink(missing_ok=True)


async def _drop(state: dict[str, object], console: Console) -> None:
    backing = await asyncio.to_thread(open_backing, "demo", console)
    vhosts, database = state["vhosts"], state["database"]
    if not isinstance(vhosts, list):
        return
    await BrokerLease(backing.broker, *map(str, vhosts)).drop()
    await DatabaseLease(backing.database, str(database)).drop()
    await asyncio.to_thread(backing.close)
