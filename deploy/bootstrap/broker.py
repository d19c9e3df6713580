"""A RabbitMQ of our own: private ports, data, cookie and port mapper; loopback only."""

import json
import os
import secrets
import shutil
import signal
import subprocess
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from bootstrap.broker_admin import BrokerAdmin
from bootstrap.console import Lacking
from bootstrap.places import CHECKOUT
from bootstrap.ports import LOOPBACK, free_ports, is_open
from bootstrap.private_files import write_private
from bootstrap.processes import Process, spawn, wait_gone
from rabbitmq.definitions import ADMINISTRATOR, definitions

SETTINGS = CHECKOUT / "deploy" / "rabbitmq" / "rabbitmq.conf"
BOOT_SECONDS = 120.0
_ATTEMPTS = 3


@dataclass(frozen=True)
class BrokerBinaries:
    """Where a RabbitMQ's programs are."""

    server: Path
    """`rabbitmq-server` itself, not the distribution's wrapper, which insists on its own user and folders."""
    erlang_folder: Path
    """Holds `erl` and `epmd`."""
    origin: str
    """Whence it is, for whoever reads the log."""
    library_folders: tuple[Path, ...] = ()
    """Shared libraries that came with it."""


@dataclass(frozen=True)
class _Ports:
    amqp: int
    management: int
    distribution: int
    mapper: int


class PrivateBroker:
    """One RabbitMQ node with its data in one folder. It keeps its ports and passwords over restarts."""

    def __init__(self, folder: Path, binaries: BrokerBinaries, passwords: Mapping[str, str]) -> None:
        """`passwords` has one for the administrator and for each user of rabbitmq.grants."""
        self.folder = folder.resolve()
        self.binaries = binaries
        self.passwords = dict(passwords)
        self._ports_path = self.folder / "ports.json"
        self._ports = self._load_ports()

    @property
    def management_url(self) -> str:
        """The management API, with the administrator's credentials."""
        return f"http://{ADMINISTRATOR}:{self.passwords[ADMINISTRATOR]}@{LOOPBACK}:{self._known_ports().management}"

    @property
    def address(self) -> tuple[str, int]:
        """Host and port of AMQP."""
        return LOOPBACK, self._known_ports().amqp

    @property
    def admin(self) -> BrokerAdmin:
        """The management API."""
        return BrokerAdmin(self.management_url)

    @property
    def log_path(self) -> Path:
        """RabbitMQ's log."""
        return self.folder / "broker.log"

    def process(self) -> Process | None:
        """The node's process; None when it does not run."""
        return Process.read(self.folder / "broker.pid")

    def is_running(self) -> bool:
        """Whether the node's process lives."""
        return self.process() is not None

    def start(self, boot_seconds: float = BOOT_SECONDS) -> None:
        """Start it and wait until it serves. Raises Lacking when it does not come up."""
        if self.is_running():
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        fresh = self._ports is None
        for attempt in range(1, _ATTEMPTS + 1):
            if fresh:
                self._take_ports()
            self._configure()
            self._spawn()
            if self._wait_served(boot_seconds):
                return
            self.kill()
            if not (fresh and attempt < _ATTEMPTS and self._lost_a_port()):
                break
        raise Lacking(
            f"RabbitMQ ({self.binaries.origin}) did not start; the end of {self.log_path}:\n{self._log_tail()}"
        )

    def stop(self) -> None:
        """End it in order."""
        if node := self.process():
            node.end(signal.SIGTERM, grace_seconds=15.0)
        if mapper := Process.read(self.folder / "epmd.pid"):
            mapper.end()

    def kill(self) -> None:
        """kill -9: the node and its port mapper, at once."""
        for name in ("broker.pid", "epmd.pid"):
            if process := Process.read(self.folder / name):
                process.kill()

    def pause(self) -> None:
        """SIGSTOP: it holds its connections and answers nothing."""
        if node := self.process():
            node.send(signal.SIGSTOP)

    def resume(self) -> None:
        """SIGCONT, after a pause."""
        if node := self.process():
            node.send(signal.SIGCONT)

    def control(self, *arguments: str) -> str:
        """One command of rabbitmqctl, for what the management API can't do; what it prints. Raises CalledProcessError."""
        program = self.binaries.server.with_name("rabbitmqctl")
        done = subprocess.run(
            [program, "--quiet", *arguments], env=self._environment(), capture_output=True, text=True, check=True
        )
        return done.stdout

    def wipe(self) -> None:
        """kill -9, lose all data, and start again with users, vhosts and grants only."""
        self.kill()
        shutil.rmtree(self.folder / "data", ignore_errors=True)
        self.start()

    def _configure(self) -> None:
        ports = self._known_ports()
        (self.folder / "data").mkdir(exist_ok=True)
        definitions_path = self.folder / "definitions.json"
        write_private(definitions_path, json.dumps(definitions(self.passwords), indent=1))
        (self.folder / "rabbitmq.conf").write_text(
            f"listeners.tcp.1 = {LOOPBACK}:{ports.amqp}\n"
            f"management.tcp.ip = {LOOPBACK}\n"
            f"management.tcp.port = {ports.management}\n"
            f"load_definitions = {definitions_path}\n" + SETTINGS.read_text()
        )
        (self.folder / "enabled_plugins").write_text("[rabbitmq_management].\n")
        cookie = self.folder / ".erlang.cookie"
        if not cookie.exists():
            write_private(cookie, secrets.token_hex(20))
            cookie.chmod(0o400)

    def _environment(self) -> dict[str, str]:
        ports = self._known_ports()
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("RABBITMQ_", "ERL_"))}
        if self.binaries.library_folders:
            kept["LD_LIBRARY_PATH"] = ":".join(str(folder) for folder in self.binaries.library_folders)
        return kept | {
            "PATH": f"{self.binaries.erlang_folder}:{kept.get('PATH', '')}:/usr/sbin:/usr/bin:/sbin:/bin",
            "HOME": str(self.folder),
            "ERL_EPMD_PORT": str(ports.mapper),
            "ERL_EPMD_ADDRESS": LOOPBACK,
            "RABBITMQ_NODENAME": f"tresor-{ports.amqp}@localhost",
            "RABBITMQ_DIST_PORT": str(ports.distribution),
            "RABBITMQ_CONFIG_FILE": str(self.folder / "rabbitmq.conf"),
            "RABBITMQ_CONF_ENV_FILE": str(self.folder / "no-environment-file"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(self.folder / "enabled_plugins"),
            "RABBITMQ_MNESIA_BASE": str(self.folder / "data"),
            "RABBITMQ_LOG_BASE": str(self.folder),
            "RABBITMQ_PID_FILE": str(self.folder / "node.pid"),
            # Unbound schedulers: several brokers on one machine would all bind their first one to the first core.
            "RABBITMQ_SCHEDULER_BIND_TYPE": "u",
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1}",
            # With it the start script becomes the node instead of staying above it: our pid file names the node.
            "RUNNING_UNDER_SYSTEMD": "true",
        }

    def _spawn(self) -> None:
        environment = self._environment()
        ports = self._known_ports()
        if Process.read(self.folder / "epmd.pid") is None:
            # Started by us and not by the node, as the node would leave it behind, detached.
            epmd = self.binaries.erlang_folder / "epmd"
            mapper = spawn(
                [epmd, "-port", str(ports.mapper), "-address", LOOPBACK],
                environment,
                self.folder / "epmd.log",
                self.folder,
            )
            mapper.write(self.folder / "epmd.pid")
            limit = time.monotonic() + 5
            while not is_open(ports.mapper) and time.monotonic() < limit:
                time.sleep(0.02)
        node = spawn([self.binaries.server], environment, self.log_path, self.folder)
        node.write(self.folder / "broker.pid")

    def _wait_served(self, seconds: float) -> bool:
        limit = time.monotonic() + seconds
        admin = self.admin
        while time.monotonic() < limit:
            node = self.process()
            if node is None or not node.is_alive():
                return False
            if is_open(self._known_ports().amqp) and admin.answers():
                return True
            wait_gone([node], 0.1)
        return False

    def _take_ports(self) -> None:
        self._ports = _Ports(*free_ports(4))
        self._ports_path.write_text(json.dumps(asdict(self._ports)))

    def _load_ports(self) -> _Ports | None:
        try:
            return _Ports(**json.loads(self._ports_path.read_text()))
        except (OSError, ValueError, TypeError):
            return None

    def _known_ports(self) -> _Ports:
        if self._ports is None:
            raise ValueError("this broker was never started: it has no ports yet")
        return self._ports

    def _lost_a_port(self) -> bool:
        tail = self._log_tail()
        return "eaddrinuse" in tail or "already in use" in tail

    def _log_tail(self) -> str:
        try:
            return self.log_path.read_text(errors="replace")[-3000:]
        except OSError:
            return "(there is none)"
