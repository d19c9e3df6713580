"""A real broker and a real database for every test that asks for one.

Parallel workers share the run's servers, which the process that hands out the tests opens for them. `broker` and `database` are fresh per test on servers shared by the run; `private_broker` and `private_database` are
servers a test may kill, pause and wipe.
"""

import asyncio
import os
import secrets
from collections.abc import AsyncIterator, Iterator
from dataclasses import asdict
from typing import Any

import pytest

from bootstrap.access import BrokerAccess, DatabaseAccess
from bootstrap.backing import Backing, OwnServers, open_backing, start_own
from bootstrap.console import Console, Lacking
from bootstrap.leases import BrokerLease, DatabaseLease, PrivateBrokerLease, PrivateDatabaseLease
from bootstrap.places import CHECKOUT

# Hundreds of processes are started: where bytecode may not be written beside the sources, each would compile all it
# imports, for longer than it takes to import it.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
os.environ["PYTHONPYCACHEPREFIX"] = str(CHECKOUT / ".run" / "bytecode")


SHARED = pytest.StashKey[Backing]()


def opened() -> Backing:
    """Servers for this run; ends it with what is missing where there are none."""
    try:
        return open_backing("tests", Console())
    except Lacking as lacking:
        pytest.exit(f"Tresor can't go on: {lacking}", returncode=69)


def pytest_sessionstart(session: pytest.Session) -> None:
    """Before any worker begins: a worker could not tell why it has to end."""
    if session.config.getoption("dist") != "no" and not session.config.getoption("collectonly"):
        session.config.stash[SHARED] = opened()


def pytest_configure_node(node: Any) -> None:
    """Tell a worker where the servers are. Not by the environment, which the programs under test would go by too."""
    found = node.config.stash[SHARED]
    node.workerinput["backing"] = asdict(found.broker), asdict(found.database)


def pytest_sessionfinish(session: pytest.Session) -> None:
    if found := session.config.stash.get(SHARED, None):
        found.close()


@pytest.fixture(scope="session")
def backing(request: pytest.FixtureRequest) -> Iterator[Backing]:
    """The run's broker and database servers."""
    if given := getattr(request.config, "workerinput", {}).get("backing"):
        yield Backing(BrokerAccess(**given[0]), DatabaseAccess(**given[1]))
        return
    found = opened()
    yield found
    found.close()


@pytest.fixture
async def broker(backing: Backing) -> AsyncIterator[BrokerLease]:
    """Two fresh vhosts on the run's broker (`.url_of(user)`, `.openstack_url_of(user)`), deleted after the test."""
    name = f"t-{secrets.token_hex(4)}"
    lease = BrokerLease(backing.broker, name, f"{name}-openstack")
    await lease.create()
    yield lease
    await lease.drop()


@pytest.fixture
async def database(backing: Backing) -> AsyncIterator[DatabaseLease]:
    """A fresh database on the run's server (`.dsn(role)`), dropped after the test."""
    lease = DatabaseLease(backing.database, f"t_{secrets.token_hex(4)}")
    await lease.create()
    yield lease
    await lease.drop()


@pytest.fixture(scope="session")
def private_servers() -> Iterator[OwnServers]:
    """A broker and a database no other test run uses; started when a test first asks."""
    try:
        own = start_own("tests", Console())
    except Lacking as lacking:
        pytest.fail(f"this needs servers that it may kill: {lacking}", pytrace=False)
    yield own
    own.remove()


@pytest.fixture
async def private_broker(private_servers: OwnServers) -> AsyncIterator[PrivateBrokerLease]:
    """A broker of one's own, clean and running at the start of each test: `kill`, `start`, `pause`, `wipe_data`."""
    node = private_servers.broker
    node.resume()
    await asyncio.to_thread(node.start)
    lease = PrivateBrokerLease(node)
    await lease.wipe()
    yield lease
    node.resume()


@pytest.fixture
async def private_database(private_servers: OwnServers) -> AsyncIterator[PrivateDatabaseLease]:
    """A database on a server of one's own: `kill`, `start`, `pause`, `stop_immediately`."""
    server = private_servers.database
    server.resume()
    await asyncio.to_thread(server.start)
    lease = PrivateDatabaseLease(server, f"t_{secrets.token_hex(4)}")
    await lease.create()
    yield lease
    server.resume()
    await asyncio.to_thread(server.start)
    await lease.drop()
