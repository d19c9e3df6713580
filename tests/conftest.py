"""A real broker and a real database for every test that asks for one.

`broker` and `database` are fresh per test on servers shared by the run; `private_broker` and `private_database` are
servers a test may kill, pause and wipe.
"""

import asyncio
import os
import secrets
from collections.abc import AsyncIterator, Iterator

import pytest

from bootstrap.backing import Backing, OwnServers, open_backing, start_own
from bootstrap.console import Console, Lacking
from bootstrap.leases import BrokerLease, DatabaseLease, PrivateBrokerLease, PrivateDatabaseLease
from bootstrap.places import CHECKOUT

# Hundreds of processes are started: where bytecode may not be written beside the sources, each would compile all it
# imports, for longer than it takes to import it.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
os.environ["PYTHONPYCACHEPREFIX"] = str(CHECKOUT / ".run" / "bytecode")


@pytest.fixture(scope="session")
def backing() -> Iterator[Backing]:
    """The run's broker and database servers."""
    try:
        found = open_backing("tests", Console())
    except Lacking as lacking:
        pytest.exit(f"Tresor can't go on: {lacking}", returncode=69)
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
