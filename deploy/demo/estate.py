"""What the demo starts: a cloud, a part of a broker and a database, keys, and the five services as processes."""

import asyncio
import json
import os
import secrets
import shutil
import sys
import urllib.error
import urllib.request
from collections.abc import Mapping
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

from bootstrap.backing import Backing, open_backing
from bootstrap.console import Console, Lacking
from bootstrap.containers import ContainerServers
from bootstrap.leases import BrokerLease, DatabaseLease
from bootstrap.places import CHECKOUT
from bootstrap.ports import LOOPBACK, free_ports
from bootstrap.processes import Process, spawn, wait_gone
from contracts.envelope import Role
from contracts.services import SERVICES
from demo.clouds import CloudAccess, Lab, Twin
from demo.runs import RUNNER, STATE
from operator_cli.settings import Settings
from shared.clock import SystemClock
from shared.signing import PublicKey, generate, write_keyring, write_private

OPERATOR = "ana@example.org"
READY_SECONDS = 45.0
STOP_SECONDS = 12.0
LOG_TAIL_LINES = 25


class ServiceEnded(Exception):
    """A process of the demo ended by itself; the message has the end of its log."""


class Estate:
    """Everything of one run. `close` ends what was started, and nothing else."""

    def __init__(self, folder: Path, console: Console, site_path: Path, workspace: str) -> None:
        self.folder = folder
        self._workspace = workspace
        self._console = console
        self._site_path = site_path
        self._opening: asyncio.Future[Backing] | None = None
        self._backing: Backing | None = None
        self._broker: BrokerLease | None = None
        self._database: DatabaseLease | None = None
        self._processes: dict[str, Process] = {}
        self._ports: dict[str, int] = {}
        self.cloud: CloudAccess | None = None

    @property
    def keyring_path(self) -> Path:
        """The public keys."""
        return self.folder / "keys" / "keyring.json"

    @property
    def siem_path(self) -> Path:
        """Where security-monitor writes its OCSF events."""
        return self.folder / "siem"

    def log_path(self, name: str) -> Path:
        """A process' log."""
        return self.folder / "logs" / f"{name}.log"

    def ready_urls(self) -> tuple[str, ...]:
        """Every service's /readyz."""
        return tuple(f"http://{LOOPBACK}:{port}/readyz" for port in self._ports.values())

    def operator_settings(self) -> Settings:
        """The settings of the operator's command line here."""
        assert self._broker is not None
        assert self.cloud is not None
        return Settings(
            amqp_url=self._broker.url_of("operator"),
            signing_key_path=self.folder / "keys" / "operator.jwk",
            keyring_path=self.keyring_path,
            site_path=self._site_path,
            timeout_seconds=15.0,
            openstack_amqp_url=self._openstack_url("security-monitor"),
            management_url=self._broker.management_url,
            clouds_path=self.cloud.clouds_path,
            cloud_names=tuple(f"tresor-{service}" for service in SERVICES),
            ready_urls=self.ready_urls(),
        )

    def write_operator_config(self) -> Path:
        """The same as a configuration file, for `tresor` in another terminal. Only its owner reads it."""
        path = self.folder / "tresor.yaml"
        settings = self.operator_settings()
        values = {
            name: list(value) if isinstance(value, tuple) else value for name, value in vars(settings).items() if value
        }
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            for name, value in values.items():
                file.write(f"{name}: {json.dumps(value if isinstance(value, (float, list)) else str(value))}\n")
        return path

    async def open(self, cloud_name: str) -> None:
        """Broker, database, keys and cloud. Raises Lacking."""
        lab = await asyncio.to_thread(Lab) if cloud_name == "lab" else None
        self._console.step("looking for a RabbitMQ and a PostgreSQL")
        # Kept apart, so that an interrupted run ends what the thread had begun to start.
        self._opening = asyncio.ensure_future(asyncio.to_thread(open_backing, "demo", self._console))
        self._backing = await asyncio.shield(self._opening)
        name = f"demo-{secrets.token_hex(3)}"
        self._broker = BrokerLease(self._backing.broker, name, f"{name}-openstack")
        await self._broker.create()
        self._database = DatabaseLease(self._backing.database, name.replace("-", "_"))
        await self._database.create()
        (self.folder / STATE).write_text(json.dumps(self._state()))
        self._console.step("users, grants, a database with a role and a schema for each service")
        self._make_keys()
        self._console.step("Ed25519 keys of the services and the operator, and their keyring")
        if lab is None:
            log_path = self.log_path("twin")
            twin = Twin(self.folder, log_path, self._broker.openstack_url)
            self._keep("twin", await asyncio.to_thread(twin.start))
            self.cloud = twin
        else:
            self.cloud = lab
        self._console.step(f"the cloud: {self.cloud.words}")

    def _make_keys(self) -> None:
        now = SystemClock().now()
        keys = []
        holders = {service: (service, Role.SERVICE) for service in SERVICES} | {"operator": (OPERATOR, Role.OPERATOR)}
        for kid, (holder, role) in holders.items():
            jwk, public = generate(kid)
            write_private(self.folder / "keys" / f"{kid}.jwk", jwk)
            keys.append(
                PublicKey(
                    kid=kid, holder=holder, roles=frozenset({role}), public=public,
                    not_before=now - timedelta(minutes=1), not_after=now + timedelta(days=2),
                )
            )  # fmt: skip
        write_keyring(self.keyring_path, tuple(keys))

    def _openstack_url(self, service: str) -> str:
        assert self._broker is not None
        assert self.cloud is not None
        return self.cloud.bus_url or self._broker.openstack_url_of(service)

    def _environment(self, service: str, port: int) -> Mapping[str, str]:
        assert self._broker is not None
        assert self._database is not None
        assert self.cloud is not None
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("TRESOR_", "OS_"))}
        return kept | {
            "TRESOR_AMQP_URL": self._broker.url_of(service),
            "TRESOR_OPENSTACK_AMQP_URL": self._openstack_url(service),
            "TRESOR_DATABASE_DSN": self._database.dsn(service),
            "TRESOR_KEYRING_PATH": str(self.keyring_path),
            "TRESOR_SIGNING_KEY_PATH": str(self.folder / "keys" / f"{service}.jwk"),
            "TRESOR_SITE_PATH": str(self._site_path),
            "TRESOR_CLOUDS_PATH": str(self.cloud.clouds_path),
            "TRESOR_CLOUD_NAME": f"tresor-{service}",
            "TRESOR_MODE": "enforce",
            "TRESOR_HTTP_PORT": str(port),
            "TRESOR_TRACES_PATH": str(self.folder / "logs" / f"{service}.traces.jsonl"),
            "TRESOR_SIEM_PATH": str(self.siem_path / "events.jsonl"),
            "PYTHONUNBUFFERED": "1",
        }

    async def start_services(self) -> None:
        """All five, until each is ready. Raises Lacking with the end of the log of one that is not."""
        ports = free_ports(len(SERVICES))
        for service, port in zip(SERVICES, ports, strict=True):
            module = service.replace("-", "_")
            try:
                process = spawn(
                    [sys.executable, "-m", f"{module}.main"],
                    self._environment(service, port),
                    self.log_path(service),
                    CHECKOUT,
                )
            except OSError as error:
                raise Lacking(f"{service} did not start: {error}") from None
            self._keep(service, process)
            self._ports[service] = port
        waiting = dict(self._ports)
        loop = asyncio.get_running_loop()
        deadline = loop.time() + READY_SECONDS
        lacking: dict[str, str] = {}
        while waiting:
            for service, port in list(waiting.items()):
                self.check_alive()
                lacking[service] = await asyncio.to_thread(_not_ready, port)
                if not lacking[service]:
                    del waiting[service]
                    self._console.step(f"{service} is ready")
            if waiting and loop.time() > deadline:
                service = next(iter(waiting))
                raise Lacking(
                    f"{service} is not ready after {READY_SECONDS:.0f} s ({lacking[service]}); {self.log_tail(service)}"
                )
            await asyncio.sleep(0.2)

    def _keep(self, name: str, process: Process) -> None:
        self._processes[name] = process
        process.write(self.folder / f"{name}.pid")

    def check_alive(self) -> None:
        """Raises ServiceEnded when one of the processes has ended."""
        for name, process in self._processes.items():
            wait_gone([], 0)  # collects the exit codes of our children
            if not process.is_alive():
                raise ServiceEnded(f"{name} ended by itself; {self.log_tail(name)}")

    def log_tail(self, name: str) -> str:
        """The end of a log, as a sentence with lines."""
        path = self.log_path(name)
        try:
            lines = path.read_text(errors="replace").splitlines()[-LOG_TAIL_LINES:]
        except OSError:
            lines = []
        return f"the end of {path}:\n" + "\n".join(f"    {line[:300]}" for line in lines)

    async def close(self, *, keep_running: bool = False) -> None:
        """End the services, the twin, and what was started for the broker and the database; logs and SIEM's file stay."""
        if keep_running:
            (self.folder / STATE).write_text(json.dumps({**self._state(), "kept": True}))
            return
        if self._backing is None and self._opening is not None:
            with suppress(Lacking):
                self._backing = await self._opening
        await asyncio.to_thread(end_all, list(reversed(self._processes.values())))
        for pid in self.folder.glob("*.pid"):
            pid.unlink()
        if self._backing is not None and self._backing.own is None:
            if self._database is not None:
                await self._database.drop()
            if self._broker is not None:
                await self._broker.drop()
        if self._backing is not None:
            await asyncio.to_thread(self._backing.close)
        for name in (STATE, RUNNER, "tresor.yaml"):
            (self.folder / name).unlink(missing_ok=True)
        shutil.rmtree(self.folder / "keys", ignore_errors=True)

    def _state(self) -> dict[str, Any]:
        own = self._backing.own if self._backing else None
        assert self._broker is not None
        assert self._database is not None
        return {
            "servers": str(own.folder) if own else None,
            "container_ports": (
                [own.amqp_port, own.management_port, own.database_port] if isinstance(own, ContainerServers) else None
            ),
            "vhosts": [self._broker.vhost, self._broker.openstack_vhost],
            "database": self._database.name,
            "workspace": self._workspace if self.cloud is not None and not self.cloud.is_ours else "",
            "kept": False,
        }


def end_all(processes: list[Process]) -> None:
    """Ask each to end, all at once; kill what has not within the grace."""
    import signal

    families = [(process, [process, *process.children()]) for process in processes]
    for process in processes:
        process.send(signal.SIGTERM)
    for process, family in families:
        if not wait_gone(family, STOP_SECONDS):
            process.kill()


def _not_ready(port: int) -> str:
    """What a service lacks; empty when it is ready."""
    try:
        with urllib.request.urlopen(f"http://{LOOPBACK}:{port}/readyz", timeout=3):
            return ""
    except urllib.error.HTTPError as error:
        try:
            parts = json.loads(error.read(65_536))
            return "lacking: " + ", ".join(name for name, good in parts.items() if not good)
        except ValueError:
            return f"it answers {error.code}"
    except OSError:
        return "its port is not open yet"
