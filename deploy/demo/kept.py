"""Ending what a run with KEEP=1 left running."""

import asyncio
import json
import shutil
from pathlib import Path

from bootstrap.backing import open_backing
from bootstrap.console import Console, Lacking
from bootstrap.containers import ContainerServers
from bootstrap.leases import BrokerLease, DatabaseLease
from bootstrap.processes import Process
from demo.estate import RUNS, end_all

_SERVER_PID_FILES = ("broker/broker.pid", "broker/epmd.pid", "database/database.pid")


def stop_all(console: Console, *, quiet: bool = False) -> None:
    """End every kept run of this checkout."""
    found = sorted(RUNS.glob("*/kept.json")) if RUNS.exists() else []
    found = [path for path in found if not path.parent.is_symlink()]
    for path in found:
        console.step(f"stopping the demo kept in {path.parent}")
        _stop(path, console)
    if not found and not quiet:
        console.step("no demo is kept running")


def _stop(path: Path, console: Console) -> None:
    state = json.loads(path.read_text())
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
    (path.parent / "tresor.yaml").unlink(missing_ok=True)
    path.unlink()


async def _drop(state: dict[str, object], console: Console) -> None:
    backing = await asyncio.to_thread(open_backing, "demo", console)
    vhosts, database = state["vhosts"], state["database"]
    if not isinstance(vhosts, list):
        return
    await BrokerLease(backing.broker, *map(str, vhosts)).drop()
    await DatabaseLease(backing.database, str(database)).drop()
    await asyncio.to_thread(backing.close)
