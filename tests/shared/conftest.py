"""A site with a real broker and database, and a small service of the tests' own on the chassis."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bootstrap.leases import BrokerLease, DatabaseLease
from shared.testing import Site


@pytest.fixture
async def site(broker: BrokerLease, database: DatabaseLease, tmp_path: Path) -> AsyncIterator[Site]:
    """An open site without services."""
    async with Site(tmp_path, broker.url_of, database.dsn, broker.url).open() as opened:
        yield opened
