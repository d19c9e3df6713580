"""RabbitMQ and PostgreSQL in containers, from compose.yaml: for a machine where a docker daemon answers and neither
installed programs nor Debian's packages are to be had."""

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bootstrap.access import BrokerAccess, DatabaseAccess
from bootstrap.console import Console, Lacking
from bootstrap.database import SUPERUSER
from bootstrap.deployment import write_deployment
from bootstrap.places import CHECKOUT
from bootstrap.ports import LOOPBACK, free_ports
from postgres.passwords import ROLES
from rabbitmq.definitions import ADMINISTRATOR
from rabbitmq.grants import USERS

_FILES: Final = (CHECKOUT / "compose.yaml", CHECKOUT / "deploy" / "backing.compose.yaml")
_ANSWER_SECONDS: Final = 10
_START_SECONDS: Final = 600
"""Images may have to come first."""


def docker_answers() -> bool:
    """Whether there is docker compose and a daemon behind it."""
    if not shutil.which("docker"):
        return False
    for command in (["docker", "compose", "version"], ["docker", "info"]):
        try:
            done = subprocess.run(command, capture_output=True, timeout=_ANSWER_SECONDS, check=False)
        except subprocess.TimeoutExpired:
            return False
        if done.returncode != 0:
            return False
    return True


@dataclass(frozen=True)
class ContainerServers:
    """The broker and the database of compose.yaml, as a project of their own on free ports."""

    folder: Path
    amqp_port: int
    management_port: int
    database_port: int

    @classmethod
    def start(cls, folder: Path, console: Console) -> "ContainerServers":
        """Start them and wait until they are healthy. Raises Lacking."""
        write_deployment(folder, Console(quiet=True))
        servers = cls(folder, *free_ports(3))
        console.step("starting RabbitMQ and PostgreSQL with docker compose; their images may have to come first")
        done = servers._compose("up", "--detach", "--wait", "broker", "database", seconds=_START_SECONDS)
        if done.returncode != 0:
            servers.remove()
            raise Lacking(f"docker compose could not start the broker and the database:\n{done.stderr[-3000:]}")
        console.step(f"RabbitMQ on port {servers.amqp_port}, PostgreSQL on port {servers.database_port}, in containers")
        return servers

    def access(self) -> tuple[BrokerAccess, DatabaseAccess]:
        """Their addresses and passwords."""
        passwords = {user: (self.folder / "broker" / user).read_text() for user in (ADMINISTRATOR, *USERS)}
        management = f"http://{ADMINISTRATOR}:{passwords[ADMINISTRATOR]}@{LOOPBACK}:{self.management_port}"
        superuser = (self.folder / "database" / "superuser").read_text()
        roles = {role: (self.folder / "database" / role).read_text() for role in ROLES}
        dsn = f"postgresql://{SUPERUSER}:{superuser}@{LOOPBACK}:{self.database_port}/postgres"
        return BrokerAccess(LOOPBACK, self.amqp_port, management, passwords), DatabaseAccess(dsn, roles)

    def remove(self) -> None:
        """End them and delete their data."""
        self._compose("down", "--volumes", seconds=_START_SECONDS)
        shutil.rmtree(self.folder, ignore_errors=True)

    def _compose(self, *words: str, seconds: float) -> subprocess.CompletedProcess[str]:
        files = [word for path in _FILES for word in ("--file", str(path))]
        ports = (
            f"TRESOR_AMQP_PORT={self.amqp_port}\nTRESOR_MANAGEMENT_PORT={self.management_port}\n"
            f"TRESOR_DATABASE_PORT={self.database_port}\n"
        )
        variables = self.folder / "compose.env"
        variables.write_text((self.folder / ".env").read_text() + ports)
        command = ["docker", "compose", "--project-name", f"tresor-{self.folder.name}".lower()]
        command += ["--env-file", str(variables), *files, *words]
        return subprocess.run(command, capture_output=True, text=True, timeout=seconds, check=False)
