"""A database with security-monitor's tables, and a whole service."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bootstrap.leases import BrokerLease, DatabaseLease
from shared.clock import SystemClock
from shared.db import Pool, close, open_pool
from shared.migrate import migrate
from shared.testing import Site

SERVICE = "security-monitor"


@pytest.fixture
async def pool(database: DatabaseLease) -> AsyncIterator[Pool]:
    """The service's own schema, migrated, as the service's own role."""
    opened = await open_pool(database.dsn(SERVICE), SERVICE, SystemClock())
    await migrate(opened, SERVICE)
    yield opened
    await close(opened)


@pytest.fixture
async def site(broker: BrokerLease, database: DatabaseLease, tmp_path: Path) -> AsyncIterator[Site]:
    """An open site without services; OpenStack's bus is the broker's second vhost."""
    made = Site(tmp_path, broker.url_of, database.dsn, broker.url, openstack_url_of=broker.openstack_url_of)
    async with made.open() as opened:
        yield opened
