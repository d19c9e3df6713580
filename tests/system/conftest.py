"""A running chain for a test."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bootstrap.leases import BrokerLease, DatabaseLease
from tests.system.chain import Chain, running_chain


@pytest.fixture
async def chain(broker: BrokerLease, database: DatabaseLease, tmp_path: Path) -> AsyncIterator[Chain]:
    """Twin and services, ready."""
    async with running_chain(broker, database, tmp_path) as running:
        yield running
