"""The whole chain for one test: a twin, the five services as processes, an operator and a tap, all real but the cloud."""

import asyncio
import json
import os
import signal
import sys
import urllib.request
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from openstack.config import OpenStackConfig
from openstack.connection import Connection

from bootstrap.leases import BrokerLease, DatabaseLease
from bootstrap.ports import free_ports
from contracts import provisioner
from contracts.examples import DOCUMENT
from contracts.services import SERVICES
from contracts.workspace import Workspace
from shared.testing import Site
from twin.testing import RunningTwin

DEMO = Path(__file__).parents[2] / "deploy" / "demo"
READY_SECONDS = 120.0


class ServiceProcess:
    """One service as its operator starts it."""

    def __init__(self, service: str, environment: dict[str, str], log: Path) -> None:
        self.service = service
        self._environment = {**os.environ, **environment}
        self._log = log
        self._process: asyncio.subprocess.Process | None = None
        self._port = 0

    async def start(self) -> None:
        """Start it; returns at once."""
        with self._log.open("a") as log:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                f"{self.service.replace('-', '_')}.main",
                env=self._environment,
                stderr=log,
                stdout=log,
            )

    @property
    def pid(self) -> int:
        """Of the process that runs."""
        assert self._process
        return self._process.pid

    async def kill(self) -> None:
        """kill -9."""
        if self._process and self._process.returncode is None:
            self._process.send_signal(signal.SIGKILL)
            await self._process.wait()

    async def stop(self) -> int:
        """SIGTERM; its exit code."""
        assert self._process
        if self._process.returncode is None:
            self._process.terminate()
        try:
            return await asyncio.wait_for(self._process.wait(), 15)
        except TimeoutError:
            await self.kill()
            return -9

    def another(self) -> "ServiceProcess":
        """One more replica of it, with a port and a log of its own; not started."""
        log = self._log.with_suffix(".another.log")
        return ServiceProcess(self.service, {**self._environment, "TRESOR_HTTP_PORT": str(free_port())}, log)

    def signal(self, number: signal.Signals) -> None:
        """Any other signal."""
        assert self._process
        self._process.send_signal(number)

    async def ready(self, seconds: float = READY_SECONDS) -> None:
        """Until /readyz says so. Raises AssertionError with the end of its log."""
        port = self._environment["TRESOR_HTTP_PORT"]
        for _ in range(int(seconds / 0.2)):
            try:
                await asyncio.to_thread(urllib.request.urlopen, f"http://127.0.0.1:{port}/readyz", None, 2)
                return
            except OSError:
                if self._process is None or self._process.returncode is not None:
                    break
                await asyncio.sleep(0.2)
        raise AssertionError(f"{self.service} is not ready: {self.log_tail()}")

    def log_tail(self, lines: int = 30) -> str:
        """The end of what it logged."""
        return "\n".join(self._log.read_text().splitlines()[-lines:])

    def log(self) -> list[dict[str, Any]]:
        """What it logged."""
        return [json.loads(line) for line in self._log.read_text().splitlines() if line.startswith("{")]


class Chain:
    """Handles of a running chain."""

    def __init__(self, site: Site, twin: RunningTwin, services: dict[str, ServiceProcess]) -> None:
        self.site = site
        self.twin = twin
        self.services = services

    @property
    def cloud(self) -> Any:
        """OpenStack as its administrator; openstacksdk's types do not know which identity API it is."""
        files = OpenStackConfig(config_files=[str(self.twin.clouds_file)], load_envvars=False)
        return Connection(config=files.get_one(cloud="twin"))

    def document(self, name: str, **fields: Any) -> Workspace:
        """A workspace document like the demo's, with fields of the caller's own."""
        return Workspace.model_validate({**DOCUMENT, "name": name, **fields})

    async def create(self, document: Workspace, holder: str = "ana") -> str:
        """Give the command; its id."""
        return await self.site.command(provisioner.CreateWorkspace(document=document), holder)

    async def ready(self, name: str, seconds: float = 90.0) -> provisioner.WorkspaceReady:
        """Until the workspace is ready. Raises AssertionError with the services' last words."""
        try:
            return await self.site.tap.until(provisioner.WorkspaceReady, workspace=name, seconds=seconds)
        except TimeoutError as error:
            said = "\n".join(f"--- {one.service}\n{one.log_tail(8)}" for one in self.services.values())
            raise AssertionError(f"{error}\n{said}") from None

    async def delete(self, name: str, seconds: float = 90.0) -> None:
        """Delete it and wait until nothing is left."""
        await self.site.command(provisioner.DeleteWorkspace(workspace=name))
        await self.site.tap.until(provisioner.WorkspaceDeleted, workspace=name, seconds=seconds)


def free_port() -> int:
    """A port that nobody listens on, and that no outgoing connection gets before a service does."""
    return free_ports(1)[0]


@asynccontextmanager
async def running_chain(
    broker: BrokerLease,
    database: DatabaseLease,
    folder: Path,
    *,
    services: Sequence[str] = SERVICES,
    seed: int = 1,
    url_of: Callable[[str], str] | None = None,
    dsn_of: Callable[[str], str] | None = None,
    **settings: Any,
) -> AsyncIterator[Chain]:
    """Start twin and services, wait until they are ready; end them all. `url_of` and `dsn_of`: other ways to get there."""
    folder.joinpath("site.yaml").write_text((DEMO / "site.yaml").read_text())
    with RunningTwin(broker.openstack_url, seed=seed) as twin:
        site = Site(
            folder,
            url_of or broker.url_of,
            dsn_of or database.dsn,
            broker.url,
            openstack_url_of=broker.openstack_url_of,
        )
        processes: dict[str, ServiceProcess] = {}
        async with site.open():
            for service in services:
                environment = site.environment(
                    service,
                    cloud_name=f"tresor-{service}",
                    clouds_path=twin.clouds_file,
                    http_port=free_port(),
                    siem_path=folder / "siem" / "ocsf.jsonl",
                    lane_lease_seconds=4,
                    **settings,
                )
                processes[service] = ServiceProcess(service, environment, folder / f"{service}.log")
            try:
                for process in processes.values():
                    await process.start()
                for process in processes.values():
                    await process.ready()
                yield Chain(site, twin, processes)
            finally:
                await asyncio.gather(*(process.kill() for process in processes.values()))
