"""What stands behind the lab's hooks and its command line: boots, stops and crashes machines on request."""

import json
import signal
import socket
import socketserver
import sys
import threading
import time
from pathlib import Path
from typing import Any

from bootstrap.console import Lacking
from lab.slurm.cluster import Cluster
from lab.slurm.configuration import Hooks
from lab.slurm.machines import Behaviour

_HOOK = Path(__file__).with_name("hook.py")
_STOPS = {"suspend": signal.SIGTERM, "resume-fail": signal.SIGTERM, "crash": signal.SIGKILL}


def socket_path(folder: Path) -> Path:
    """Where the server listens."""
    return folder / "machines.socket"


def write_hooks(folder: Path) -> Hooks:
    """The lab's own hooks, which do at once what Slurm asks for."""
    folder.joinpath("etc").mkdir(parents=True, exist_ok=True)
    paths = []
    for name in ("resume", "suspend", "resume-fail"):
        path = folder / "etc" / name
        path.write_text(f'#!/bin/sh\nexec "{sys.executable}" -I "{_HOOK}" "{socket_path(folder)}" {name} "$1"\n')
        path.chmod(0o755)
        paths.append(path)
    return Hooks(*paths)


class Server(socketserver.ThreadingUnixStreamServer):
    """One lab's machines, on a socket; a request is a line of JSON, and so is its answer."""

    daemon_threads = True

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self._calls = cluster.folder / "calls.jsonl"
        self._lock = threading.Lock()
        path = socket_path(cluster.folder)
        path.unlink(missing_ok=True)
        super().__init__(str(path), _Request)

    def take(self, request: dict[str, Any]) -> dict[str, Any]:
        """Write it down and do it."""
        with self._lock, self._calls.open("a") as file:
            file.write(json.dumps(request) + "\n")
        machines, do = self.cluster.machines, request["do"]
        names = self.cluster.run("scontrol", "show", "hostnames", request["nodes"]).stdout.split()
        for name in names:
            if do in ("resume", "boot"):
                machines.boot(name)
            elif do in _STOPS:
                # A machine may take a while to stop, and Slurm waits for its hook.
                threading.Thread(target=machines.stop, args=(name, _STOPS[do]), daemon=True).start()
            elif do == "behave":
                machines.behave(name, Behaviour(request["boots"], request["delay_seconds"]))
        return {"running": machines.running()}

    def until_call(self, do: str, nodes: str, seconds: float = 60.0) -> dict[str, Any]:
        """Wait for the hook's call for exactly these nodes. Raises Lacking after that long."""
        limit = time.monotonic() + seconds
        while not (found := [call for call in self.calls(do) if call["nodes"] == nodes]):
            if time.monotonic() > limit:
                raise Lacking(f"{do} was not called for {nodes} within {seconds:.0f} s")
            time.sleep(0.1)
        return found[0]

    def calls(self, do: str) -> list[dict[str, Any]]:
        """What was asked for under that name, oldest first."""
        lines = self._calls.read_text().splitlines() if self._calls.exists() else []
        return [call for call in map(json.loads, lines) if call["do"] == do]


class _Request(socketserver.StreamRequestHandler):
    server: Server

    def handle(self) -> None:
        answer = self.server.take(json.loads(self.rfile.readline()))
        self.wfile.write(json.dumps(answer).encode() + b"\n")


def ask(folder: Path, request: dict[str, Any]) -> dict[str, Any]:
    """One request to the server of a lab that runs. Raises OSError when none does."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(30)
        connection.connect(str(socket_path(folder)))
        connection.sendall(json.dumps(request).encode() + b"\n")
        answer: dict[str, Any] = json.loads(connection.makefile().readline())
        return answer
