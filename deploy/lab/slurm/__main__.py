"""`python -m lab.slurm up|down|serve|boot|stop|crash|never|delay`: see README.md."""

import os
import shlex
import shutil
import sys
import tempfile
from pathlib import Path

from bootstrap.console import Console, Lacking
from bootstrap.places import CHECKOUT
from bootstrap.processes import Process, spawn
from lab.slurm.cluster import Cluster
from lab.slurm.serving import Server, ask, socket_path, write_hooks

FOLDER = Path(os.environ.get("TRESOR_SLURM_LAB") or Path(tempfile.gettempdir()) / "tresor-slurm-lab")
_DOINGS = {"boot": "boot", "stop": "suspend", "crash": "crash"}


def main(arguments: list[str]) -> int:
    """Do one of them; the exit code."""
    console = Console()
    match arguments:
        case ["up"]:
            _up(console)
        case ["serve"]:
            Server(Cluster.find(FOLDER, console)).serve_forever()
        case ["down"] | ["down", "--wipe"]:
            _down(console, arguments[1:] == ["--wipe"])
        case [do, nodes] if do in _DOINGS:
            print(*ask(FOLDER, {"do": _DOINGS[do], "nodes": nodes})["running"])
        case ["never", nodes]:
            ask(FOLDER, {"do": "behave", "nodes": nodes, "boots": False, "delay_seconds": 0.0})
        case ["delay", nodes, seconds]:
            ask(FOLDER, {"do": "behave", "nodes": nodes, "boots": True, "delay_seconds": float(seconds)})
        case _:
            print(__doc__, file=sys.stderr)
            return 2
    return 0


def _up(console: Console) -> None:
    cluster = Cluster.find(FOLDER, console)
    cluster.start(write_hooks(FOLDER))
    pid_file = FOLDER / "run" / "serve.pid"
    if Process.read(pid_file) is None:
        socket_path(FOLDER).unlink(missing_ok=True)
        environment = {**os.environ, "PYTHONPATH": str(CHECKOUT / "deploy"), "TRESOR_SLURM_LAB": str(FOLDER)}
        command = [sys.executable, "-m", "lab.slurm", "serve"]
        spawn(command, environment, FOLDER / "logs" / "serve.out", CHECKOUT).write(pid_file)
    lines = [f"export {name}={shlex.quote(cluster.environment[name])}" for name in ("SLURM_CONF",)]
    if cluster.programs.libraries:
        lines.append(f"export LD_LIBRARY_PATH={shlex.quote(cluster.programs.libraries)}")
    lines.append(f"export PATH={shlex.quote(str(cluster.programs.path('sinfo').parent))}:$PATH")
    (FOLDER / "etc" / "lab.env").write_text("\n".join(lines) + "\n")
    console.step(f"the lab is ready: . {FOLDER / 'etc' / 'lab.env'}")


def _down(console: Console, wipe: bool) -> None:
    if not (FOLDER / "run").exists():
        console.step("there is no lab")
        return
    if server := Process.read(FOLDER / "run" / "serve.pid"):
        server.end()
    Cluster.find(FOLDER, console).stop()
    if wipe:
        shutil.rmtree(FOLDER)
    console.step("the lab is stopped")


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except Lacking as lacking:
        print(f"Tresor can't go on: {lacking}", file=sys.stderr)
        sys.exit(69)
    except OSError as error:
        print(f"no lab runs in {FOLDER} ({error.strerror}): make lab-slurm-up", file=sys.stderr)
        sys.exit(5)
