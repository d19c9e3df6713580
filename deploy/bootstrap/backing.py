"""The broker and the database of one run, found in the documented order and ended with it."""

import os
import secrets
import shutil
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

from bootstrap.access import BrokerAccess, DatabaseAccess, derived_password
from bootstrap.broker import PrivateBroker
from bootstrap.console import Console, Lacking
from bootstrap.containers import ContainerServers, docker_answers
from bootstrap.database import PrivateDatabase
from bootstrap.finding import find_broker_binaries, find_database_binaries
from bootstrap.places import RUN
from bootstrap.private_files import write_private
from bootstrap.processes import Process
from rabbitmq.definitions import ADMINISTRATOR
from rabbitmq.grants import USERS

AMQP_VARIABLE: Final = "TRESOR_BROKER_URL"
"""An AMQP address with an administrator's credentials: `amqp://user:password@host:5672/`."""
MANAGEMENT_VARIABLE: Final = "TRESOR_BROKER_MANAGEMENT_URL"
"""That broker's management API, when it isn't port 15672 of the same host with the same credentials."""
DATABASE_VARIABLE: Final = "TRESOR_DATABASE_URL"
"""A PostgreSQL address with a superuser's credentials: `postgresql://user:password@host:5432/postgres`."""
KEPT: Final = RUN / "backing"
"""What `make up` started: later runs use it instead of starting their own."""

_REMEDY: Final = (
    "Any one of these helps: RabbitMQ and PostgreSQL 15 or later installed; Debian's package sources in reach (apt-get);"
    f" a running docker daemon with compose; or {AMQP_VARIABLE} and {DATABASE_VARIABLE} set to servers that are there."
)


class Backing:
    """A broker and a database that serve; `close` ends what was started for it, and nothing else."""

    def __init__(
        self, broker: BrokerAccess, database: DatabaseAccess, own: "OwnServers | ContainerServers | None" = None
    ) -> None:
        self.broker = broker
        self.database = database
        self.own = own

    def close(self) -> None:
        """End and delete what was started for this run."""
        if self.own:
            self.own.remove()


class OwnServers:
    """A broker and a database server of our own in one folder."""

    def __init__(self, folder: Path, console: Console, environment: Mapping[str, str] = os.environ) -> None:
        self.folder = folder
        self._console = console
        self._environment = environment
        secret = self._secret()
        # The users' follow from the administrator's, as on somebody else's broker: whoever reaches this one by its
        # address finds the same passwords, and changes nothing for those who use it already.
        word = derived_password(secret, ADMINISTRATOR)
        passwords = {ADMINISTRATOR: word, **{name: derived_password(word, name) for name in USERS}}
        self.broker = PrivateBroker(folder / "broker", find_broker_binaries(console), passwords)
        self.database = PrivateDatabase(
            folder / "database", find_database_binaries(console), derived_password(secret, "superuser")
        )

    def start(self) -> None:
        """Start both at once; about five seconds. Raises Lacking."""
        with ThreadPoolExecutor(2) as threads:
            for started in [threads.submit(self.broker.start), threads.submit(self.database.start)]:
                started.result()
        self._console.step(
            f"RabbitMQ ({self.broker.binaries.origin}) on port {self.broker.address[1]},"
            f" PostgreSQL ({self.database.binaries.origin}) on port {self.database.port}"
        )

    def access(self) -> Backing:
        """What its users need, once it runs."""
        host, port = self.broker.address
        broker = BrokerAccess(host, port, self.broker.management_url, self.broker.passwords)
        return Backing(broker, DatabaseAccess.at(self.database.dsn()), self)

    def is_running(self) -> bool:
        """Whether both processes live."""
        return self.broker.is_running() and self.database.is_running()

    def stop(self) -> None:
        """End both in order, data kept."""
        self.broker.stop()
        self.database.stop()

    def remove(self) -> None:
        """End both at once and delete their data."""
        self.broker.kill()
        self.database.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _secret(self) -> str:
        path = self.folder / "secret"
        try:
            return path.read_text()
        except OSError:
            self.folder.mkdir(parents=True, exist_ok=True)
            secret = secrets.token_hex(24)
            write_private(path, secret)
            return secret


def open_backing(purpose: str, console: Console, environment: Mapping[str, str] = os.environ) -> Backing:
    """A broker and a database for one run: those the environment names, those `make up` keeps running, or own ones.

    `purpose` names the folder own ones live in. Raises Lacking.
    """
    amqp, database = environment.get(AMQP_VARIABLE, ""), environment.get(DATABASE_VARIABLE, "")
    if amqp and database:
        console.step(f"using the broker of {AMQP_VARIABLE} and the database of {DATABASE_VARIABLE}")
        return Backing(BrokerAccess.at(amqp, environment.get(MANAGEMENT_VARIABLE, "")), DatabaseAccess.at(database))
    if (KEPT / "secret").exists():
        kept = OwnServers(KEPT, console)
        if kept.is_running():
            console.step("using the broker and the database that `make up` started")
            found = kept.access()
            return Backing(found.broker, found.database)
    try:
        found = start_own(purpose, console).access()
    except Lacking as lacking:
        if not docker_answers():
            raise Lacking(f"{lacking}\n{_REMEDY}") from None
        console.step(f"{lacking}; but a docker daemon answers")
        containers = ContainerServers.start(_new_folder(RUN / purpose), console)
        found = Backing(*containers.access(), containers)
    broker = BrokerAccess.at(amqp, environment.get(MANAGEMENT_VARIABLE, "")) if amqp else found.broker
    return Backing(broker, DatabaseAccess.at(database) if database else found.database, found.own)


def start_own(purpose: str, console: Console) -> OwnServers:
    """A broker and a database of this run alone. Clears away what killed runs of the same purpose left behind."""
    parent = RUN / purpose
    _clear_orphans(parent, console)
    folder = _new_folder(parent)
    try:
        own = OwnServers(folder, console)
    except BaseException:
        shutil.rmtree(folder)
        raise
    try:
        own.start()
    except BaseException:
        own.remove()
        raise
    return own


def _new_folder(parent: Path) -> Path:
    folder = parent / f"{os.getpid()}-{secrets.token_hex(3)}"
    folder.mkdir(parents=True)
    if owner := Process.of(os.getpid()):
        owner.write(folder / "owner.pid")
    return folder


def _clear_orphans(parent: Path, console: Console) -> None:
    for folder in parent.iterdir() if parent.exists() else ():
        if not (folder / "owner.pid").exists() or Process.read(folder / "owner.pid"):
            continue
        console.step(f"clearing away what a killed run left in {folder}")
        if (folder / "compose.env").exists():
            ContainerServers(folder, 0, 0, 0).remove()
        for name in ("broker/broker.pid", "broker/epmd.pid", "database/database.pid"):
            if process := Process.read(folder / name):
                process.kill()
        shutil.rmtree(folder, ignore_errors=True)
