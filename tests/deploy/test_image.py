"""The image of each service, without docker: the Dockerfile's own instructions build it in a folder, its own command runs
there with the environment and the secrets of compose.yaml, on a broker and a database that got the deployment's definitions.
"""

import asyncio
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import urllib.request
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import asyncpg
import pytest
import yaml

from bootstrap.access import ROLES_SQL
from bootstrap.console import Console
from bootstrap.deployment import write_deployment
from bootstrap.leases import PrivateBrokerLease, PrivateDatabaseLease
from bootstrap.places import CHECKOUT, TOOLS
from bootstrap.ports import free_ports
from rabbitmq.definitions import definitions as broker_definitions
from rabbitmq.grants import SERVICES
from tests.deploy import dockerfile

DOCKERFILE = CHECKOUT / "deploy" / "Dockerfile"
READY_SECONDS = 20.0

CLOUDS = """\
clouds:
  tresor:
    auth: {auth_url: "http://127.0.0.1:9/v3", username: nobody, password: none, project_name: none,
           user_domain_name: Default, project_domain_name: Default}
    region_name: RegionOne
"""


class Image:
    """A folder that holds what an image would, below `/`."""

    def __init__(self, root: Path, service: str) -> None:
        self.root = root
        self.service = service
        self.build, self.final = dockerfile.read(DOCKERFILE)

    def make(self) -> None:
        """Run the build stage."""
        variables = self.build.variables({"SERVICE": self.service})
        (self.root / "src").mkdir(parents=True)
        for instruction, arguments in self.build.instructions:
            line = dockerfile.expand(arguments, variables)
            if instruction == "COPY":
                source, target = line.split()
                self._copy(CHECKOUT / source, self.root / target.lstrip("/"))
            elif instruction == "RUN" and "python3 -m pip" not in line:
                # The one instruction left out installs uv itself, which is here in the same version.
                self._run(line, variables)

    def _copy(self, source: Path, target: Path) -> None:
        if source.is_dir():
            shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, target / source.name if target.is_dir() else target)

    def _run(self, line: str, variables: dict[str, str]) -> None:
        environment = {**os.environ, **variables, "VIRTUAL_ENV": str(self.root / "opt/tresor")}
        environment["PATH"] = f"{TOOLS / 'uv' / 'bin'}:{environment['PATH']}"
        environment.pop("UV_NO_CACHE")
        command = line.replace("/opt/tresor", str(self.root / "opt/tresor"))
        done = subprocess.run(
            ["sh", "-c", command], cwd=self.root / "src", env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, f"{command}\n{done.stderr}"

    def command(self) -> list[str]:
        """The image's CMD."""
        return dockerfile.words(self.final.last("CMD"))

    def environment(self) -> dict[str, str]:
        """The image's ENV, with the folder for `/`."""
        variables = self.final.variables({"SERVICE": self.service})
        kept = {name: value for name, value in variables.items() if name not in self.final.arguments()}
        return kept | {"PATH": f"{self.root / 'opt/tresor/bin'}:/usr/local/bin:/usr/bin:/bin"}


def main_exists(service: str) -> bool:
    return (CHECKOUT / "services" / service / service.replace("-", "_") / "main.py").exists()


@pytest.fixture(scope="module")
def deployment(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("deployment")
    write_deployment(folder, Console(quiet=True))
    return folder


@pytest.fixture
async def deployed(
    deployment: Path, private_broker: PrivateBrokerLease, private_database: PrivateDatabaseLease
) -> AsyncIterator[dict[str, str]]:
    """Both servers with the users, grants and passwords of the deployment; the addresses that stand for its hosts."""
    definitions = json.loads((deployment / "broker" / "definitions.json").read_text())
    # The test's own administrator keeps its password: only it can undo this afterwards.
    definitions["users"] = [user for user in definitions["users"] if "administrator" not in user["tags"]]
    await asyncio.to_thread(private_broker.admin.load, definitions)
    connection = await asyncpg.connect(private_database.dsn())
    await connection.execute(ROLES_SQL.read_text())
    await connection.execute((deployment / "database" / "passwords.sql").read_text())
    await connection.close()
    host, port = private_broker.node.address
    yield {
        "broker:5672": f"{host}:{port}",
        "database:5432/tresor": f"127.0.0.1:{private_database.server.port}/{private_database.name}",
    }
    await asyncio.to_thread(private_broker.admin.load, {"users": definitions_of(private_broker)})


def definitions_of(broker: PrivateBrokerLease) -> list[dict[str, Any]]:
    users: list[dict[str, Any]] = broker_definitions(broker.node.passwords)["users"]
    return users


def container(service: str, deployment: Path, root: Path, hosts: dict[str, str], port: int) -> dict[str, str]:
    """The environment compose.yaml gives the service, its secrets and configs put below `root`."""
    composed = yaml.safe_load((CHECKOUT / "compose.yaml").read_text())
    entry = composed["services"][service]
    for kind, default in (("secrets", "/run/secrets/"), ("configs", "/")):
        for given in entry[kind]:
            source = re.sub(
                r"\$\{TRESOR_DEPLOYMENT:\?[^}]*\}", str(deployment), composed[kind][given["source"]]["file"]
            )
            target = given["target"] if given["target"].startswith("/") else default + given["target"]
            path = root / target.lstrip("/")
            path.parent.mkdir(parents=True, exist_ok=True)
            text = (CHECKOUT / source).read_text()
            for name, address in hosts.items():
                text = text.replace(f"@{name}", f"@{address}")
            path.write_text(text)
            path.chmod(0o600)
    environment: dict[str, Any] = entry["environment"]
    made = {name: re.sub(r"\$\{\w+:-(\w+)\}", r"\1", str(value)) for name, value in environment.items()}
    if clouds := made.get("TRESOR_CLOUDS_PATH"):
        (root / clouds.lstrip("/")).write_text(CLOUDS)
    made = {name: f"{root}{value}" if value.startswith("/") else value for name, value in made.items()}
    return made | {"TRESOR_HTTP_HOST": "127.0.0.1", "TRESOR_HTTP_PORT": str(port)}


@asynccontextmanager
async def running(
    command: list[str], environment: dict[str, str], folder: Path
) -> AsyncIterator[asyncio.subprocess.Process]:
    with (folder / "log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(*command, env=environment, cwd=folder, stdout=log, stderr=log)
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


def status(port: int, path: str) -> int:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=2) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code
    except OSError:
        return 0


@pytest.mark.parametrize("service", [service for service in SERVICES if main_exists(service)])
async def test_the_image_holds_its_service_and_runs_it(
    service: str, tmp_path: Path, deployment: Path, deployed: dict[str, str]
) -> None:
    image = Image(tmp_path / "image", service)
    await asyncio.to_thread(image.make)
    ours = {path.name for path in (tmp_path / "image/opt/tresor").rglob("tresor_*.dist-info")}
    wanted = {"contracts", "shared", service.replace("-", "_")}
    assert {re.sub(r"^tresor_(.*)-[\d.]+\.dist-info$", r"\1", name) for name in ours} == wanted
    root = tmp_path / "container"
    port = free_ports(1)[0]
    environment = image.environment() | container(service, deployment, root, deployed, port)
    async with running(image.command(), environment, root) as process:
        log = root / "log"
        ready = await reaches(port, "/readyz", process)
        assert ready == 200, f"/readyz says {ready}, the log: {log.read_text()[-3000:]}"
        assert status(port, "/healthz") == 200
        process.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(process.wait(), 30) == 0, log.read_text()[-3000:]
    assert not any(secret in log.read_text() for secret in secrets_of(deployment, service))


async def reaches(port: int, path: str, process: asyncio.subprocess.Process) -> int:
    """The status once it is 200, or the last one seen within the patience."""
    seen = 0
    for _ in range(int(READY_SECONDS / 0.25)):
        seen = await asyncio.to_thread(status, port, path)
        if seen == 200 or process.returncode is not None:
            break
        await asyncio.sleep(0.25)
    return seen


def secrets_of(deployment: Path, service: str) -> list[str]:
    role = service.replace("-", "_")
    return [(deployment / "broker" / service).read_text(), (deployment / "database" / role).read_text()]


def test_free_ports_are_free() -> None:
    taken = 0
    for _ in range(5):
        ports = free_ports(20)
        assert len(set(ports)) == 20
        for port in ports:
            with socket.socket() as probe:
                try:
                    probe.bind(("127.0.0.1", port))
                except OSError:
                    taken += 1  # another program may take one at any moment, but not many of them
    assert taken <= 2
