"""Storage on a real broker and database, against the twin (the default) or the real OpenStack of the lab."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from bootstrap.leases import BrokerLease, DatabaseLease
from shared.service import Service
from shared.testing import Site
from storage.handlers import handlers
from storage.main import make_context
from storage.settings import Settings
from tests.place import Place, chosen_place
from tests.storage.tenant import Tenant

SITE = {"name": "tests", "share_types": {"CEPHFS": "cephfs", "NFS": "nfs"}, "volume_type": "lab"}

StartStorage = Callable[..., Awaitable[Service[Any]]]


@pytest.fixture
def place(broker: BrokerLease) -> Iterator[Place]:
    """Where the cloud under test is."""
    yield from chosen_place(broker)


@pytest.fixture
async def site(place: Place, broker: BrokerLease, database: DatabaseLease, tmp_path: Path) -> AsyncIterator[Site]:
    """An open site without services; OpenStack's bus is the one of the cloud under test."""
    (tmp_path / "site.yaml").write_text(yaml.safe_dump(SITE))
    made = Site(tmp_path, broker.url_of, database.dsn, broker.url, openstack_url_of=place.bus_url_of)
    async with made.open() as opened:
        yield opened


def quick(place: Place) -> dict[str, Any]:
    """Settings with short periods."""
    return {
        "cloud_name": "tresor-storage",
        "clouds_path": place.clouds_file,
        "scan_seconds": 2.0,
        "look_seconds": 0.3,
        "retry_seconds": 0.1,
    }


@pytest.fixture
def start(site: Site, place: Place) -> StartStorage:
    """Starts storage with short periods; settings may be given."""

    async def begin(**more: Any) -> Service[Any]:
        return await site.start(handlers, make_context, Settings, **{**quick(place), **more})

    return begin


@pytest.fixture
def tenant(place: Place) -> Iterator[Tenant]:
    """A project that nobody else has; emptied and removed at the end, come what may."""
    made = Tenant.fresh(place)
    yield made
    made.clear()
