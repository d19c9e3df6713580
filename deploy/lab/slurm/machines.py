"""The cloud behind the lab's nodes: a machine is a slurmd process, which boots, stops and crashes as a test wants."""

import os
import signal
import subprocess
import threading
from dataclasses import dataclass
from pathlib import Path

from bootstrap.processes import Process, spawn, wait_gone
from lab.slurm.programs import Programs

_MARK = "LAB_MACHINE"
"""In the environment of a machine's processes: Slurm's step daemons leave their parent, and are known by it alone."""


@dataclass(frozen=True)
class Behaviour:
    """How one machine's next boots go."""

    boots: bool = True
    delay_seconds: float = 1.0


class Machines:
    """Every machine of one lab."""

    def __init__(self, folder: Path, programs: Programs, environment: dict[str, str]) -> None:
        self._folder, self._programs, self._environment = folder, programs, environment
        self._behaviour: dict[str, Behaviour] = {}
        self._booting: dict[str, threading.Timer] = {}
        self._lock = threading.Lock()

    def behave(self, node: str, behaviour: Behaviour) -> None:
        """From its next boot on."""
        self._behaviour[node] = behaviour

    def boot(self, node: str) -> None:
        """Have it come up after its delay; nothing for one that runs, is on its way, or whose cloud has no room."""
        behaviour = self._behaviour.get(node, Behaviour())
        with self._lock:
            if not behaviour.boots or node in self._booting or self.process(node) is not None:
                return
            timer = threading.Timer(behaviour.delay_seconds, self._come_up, (node,))
            timer.daemon = True
            self._booting[node] = timer
        timer.start()

    def start_static(self, node: str) -> None:
        """Start a node that is no cloud node."""
        self._start(node, ())

    def stop(self, node: str, number: int = signal.SIGTERM) -> None:
        """Power it off with all that runs on it; SIGKILL is a crash."""
        with self._lock:
            if timer := self._booting.pop(node, None):
                timer.cancel()
        for one in self._jobs(node):
            for each in (*one.children(), one):
                each.send(signal.SIGKILL)
        if process := self.process(node):
            process.send(number)
            if not wait_gone([process], 5.0):
                process.kill()

    def process(self, node: str) -> Process | None:
        """The machine's slurmd; None when it is off."""
        return Process.read(self._pid_file(node))

    def running(self) -> list[str]:
        """The machines that are on, by name."""
        return sorted(path.stem for path in (self._folder / "run").glob("*.machine") if Process.read(path))

    def stop_all(self) -> None:
        """Power everything off."""
        for node in {*self.running(), *self._booting}:
            self.stop(node)

    def _come_up(self, node: str) -> None:
        with self._lock:
            if self._booting.get(node) is not threading.current_thread():
                return
        # As a cloud's driver does it: Slurm is told the address before the node calls in.
        update = [str(self._programs.path("scontrol")), "update", f"nodename={node}", "nodeaddr=127.0.0.1"]
        subprocess.run(update, env=self._environment, capture_output=True, check=False)
        with self._lock:
            if self._booting.pop(node, None) is not None:
                self._start(node, ("-b",))

    def _start(self, node: str, options: tuple[str, ...]) -> None:
        (self._folder / "spool" / node).mkdir(parents=True, exist_ok=True)
        daemon: list[str | Path] = [
            self._programs.path("slurmd"),
            "-D",
            "-N",
            node,
            "-d",
            self._programs.path("slurmstepd"),
            *options,
        ]
        environment = {**self._environment, _MARK: f"{self._folder}/{node}"}
        spawn(daemon, environment, self._folder / "logs" / f"{node}.out").write(self._pid_file(node))

    def _pid_file(self, node: str) -> Path:
        return self._folder / "run" / f"{node}.machine"

    def _jobs(self, node: str) -> list[Process]:
        wanted = f"{_MARK}={self._folder}/{node}".encode()
        found = []
        for entry in os.listdir("/proc"):
            if not entry.isdigit():
                continue
            try:
                mine = wanted in Path("/proc", entry, "environ").read_bytes().split(b"\0")
                is_step = b"slurmstepd" in Path("/proc", entry, "cmdline").read_bytes()
            except OSError:
                continue
            if mine and is_step and (process := Process.of(int(entry))):
                found.append(process)
        return found
