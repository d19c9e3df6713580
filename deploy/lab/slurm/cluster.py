"""One Slurm of our own: MUNGE, a controller, a static node, and cloud nodes that its hooks have made."""

import os
import secrets
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from bootstrap.console import Console, Lacking
from bootstrap.ports import free_ports, is_free
from bootstrap.private_files import write_private
from bootstrap.processes import Process, spawn
from lab.slurm.configuration import STATIC_NODE, Hooks, Ports, Timing, cloud_nodes, slurm_conf
from lab.slurm.machines import Machines
from lab.slurm.programs import Programs, find_slurm

START_SECONDS = 30.0
_LONGEST_FOLDER = 70
"""Characters; a socket's address has room for 107."""


@dataclass
class Cluster:
    """A cluster in one folder, which holds everything that it writes."""

    folder: Path
    programs: Programs
    nodes: int = 4
    timing: Timing = field(default_factory=Timing)

    @classmethod
    def find(cls, folder: Path, console: Console, nodes: int = 4, timing: Timing | None = None) -> "Cluster":
        """A cluster with the Slurm that is installed or can be fetched. Raises Lacking."""
        if len(str(folder)) > _LONGEST_FOLDER:
            raise Lacking(f"{folder} is too long a path for a socket in it: at most {_LONGEST_FOLDER} characters")
        return cls(folder, find_slurm(console), nodes, timing or Timing())

    def __post_init__(self) -> None:
        self.machines = Machines(self.folder, self.programs, self.environment)

    @property
    def environment(self) -> dict[str, str]:
        """Of every program of this Slurm."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("SLURM", "SBATCH"))}
        own = {"SLURM_CONF": str(self.folder / "etc/slurm.conf"), "PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}
        return {**kept, **own, **({"LD_LIBRARY_PATH": libraries} if (libraries := self.programs.libraries) else {})}

    @property
    def cloud_nodes(self) -> tuple[str, ...]:
        return cloud_nodes(self.nodes)

    def start(self, hooks: Hooks) -> None:
        """Start what is not running and wait until the controller and the static node answer. Raises Lacking."""
        for name in ("etc", "run", "logs", "state", "spool", "munge"):
            (self.folder / name).mkdir(parents=True, exist_ok=True)
        (self.folder / "munge").chmod(0o755)
        if self._pid("slurmctld") is None:
            first, *rest = free_ports(self.nodes + 3)
            ports = Ports(first, rest[0], _run_of_free_ports(self.nodes + 1))
            text = slurm_conf(self.folder, self.programs.plugin_folder, ports, self.nodes, hooks, self.timing)
            (self.folder / "etc/slurm.conf").write_text(text)
            (self.folder / "etc/cgroup.conf").write_text("CgroupPlugin=cgroup/v1\n")
        self._start_munge()
        self._spawn("slurmctld", [self.programs.path("slurmctld"), "-D", "-i"])
        self._await("slurmctld", lambda: "is UP" in self.run("scontrol", "ping", check=False).stdout)
        if self.machines.process(STATIC_NODE) is None:
            self.machines.start_static(STATIC_NODE)
        self._await(STATIC_NODE, lambda: self.state_of(STATIC_NODE) in ("idle", "mix", "alloc"))

    def stop(self) -> None:
        """Stop the machines, the controller and MUNGE."""
        self.machines.stop_all()
        for name in ("slurmctld", "munged"):
            if process := self._pid(name):
                process.end()

    def run(self, program: str, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """One of Slurm's commands. Raises CalledProcessError when it fails and `check` is set."""
        command: Sequence[str | Path] = [self.programs.path(program), *arguments]
        done = subprocess.run(command, env=self.environment, capture_output=True, text=True, check=False, timeout=120)
        if check and done.returncode != 0:
            raise subprocess.CalledProcessError(done.returncode, list(map(str, command)), done.stdout, done.stderr)
        return done

    def state_of(self, node: str) -> str:
        """The node's state as `sinfo` writes it: `idle~`, `alloc#`, `down~`, …"""
        return self.run("sinfo", "-h", "-N", "-n", node, "-o", "%t", check=False).stdout.strip().splitlines()[-1:][0]

    def reason_of(self, node: str) -> str:
        """Why the node is down or drained, as Slurm has it."""
        return self.run("sinfo", "-h", "-N", "-n", node, "-o", "%E").stdout.strip().splitlines()[-1]

    def until_state(self, node: str, wanted: Sequence[str], seconds: float = 60.0) -> str:
        """Wait until the node is in one of these states. Raises Lacking after that long."""
        limit = time.monotonic() + seconds
        while (state := self.state_of(node)) not in wanted:
            if time.monotonic() > limit:
                raise Lacking(f"{node} is {state} and not {' or '.join(wanted)} after {seconds:.0f} s")
            time.sleep(0.2)
        return state

    def _start_munge(self) -> None:
        folder = self.folder / "munge"
        key = folder / "munge.key"
        if not key.exists():
            write_private(key, secrets.token_hex(32))
        options = (
            "key-file=munge.key",
            "socket=munge.socket",
            "log-file=munged.log",
            "pid-file=self",
            "seed-file=seed",
        )
        places = (f"--{name}={folder / file}" for name, file in (each.split("=") for each in options))
        # --force: the folders above it may be written to by others, as /tmp is.
        self._spawn("munged", [self.programs.path("munged"), "-F", "--force", *places])
        self._await("munged", (folder / "munge.socket").exists)

    def _spawn(self, name: str, command: Sequence[str | Path]) -> None:
        if self._pid(name) is None:
            log = self.folder / "logs" / f"{name}.out"
            spawn(command, self.environment, log).write(self.folder / "run" / f"{name}.pid")

    def _pid(self, name: str) -> Process | None:
        return Process.read(self.folder / "run" / f"{name}.pid")

    def _await(self, name: str, is_there: Callable[[], bool]) -> None:
        limit = time.monotonic() + START_SECONDS
        while not is_there():
            if time.monotonic() > limit:
                raise Lacking(f"{name} did not come up; see {self.folder / 'logs'}")
            time.sleep(0.1)


def _run_of_free_ports(count: int) -> int:
    """The first of so many free ports in a row."""
    for first in free_ports(100):
        if first + count < 16_000 and all(is_free(port) for port in range(first, first + count)):
            return first
    raise Lacking(f"no {count} free ports in a row")
