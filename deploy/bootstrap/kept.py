"""A broker and a database that stay while one works: later runs use them and start in a blink."""

import shutil

from bootstrap.backing import KEPT, OwnServers
from bootstrap.console import Console
from bootstrap.places import RUN
from bootstrap.processes import Process

_PID_FILES = ("broker.pid", "epmd.pid", "database.pid")


def up(console: Console) -> None:
    """Start them, or say that they run. Raises Lacking."""
    servers = OwnServers(KEPT, console)
    if servers.is_running():
        console.step("they run already")
    else:
        servers.start()


def down(console: Console) -> None:
    """Stop them; their data stays."""
    for path in sorted(KEPT.rglob("*.pid")):
        if path.name in _PID_FILES and (process := Process.read(path)):
            console.step(f"stopping {path.stem}")
            process.end()


def clean(console: Console) -> None:
    """End every server any run of this checkout left behind, and delete all data of runs."""
    for path in sorted(RUN.rglob("*.pid")):
        if path.name in _PID_FILES and (process := Process.read(path)):
            console.step(f"ending {path}")
            process.kill()
    shutil.rmtree(RUN, ignore_errors=True)
