"""The provisioner on a real broker and database, against the twin (the default) or the real OpenStack of the lab."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import yaml

from bootstrap.leases import BrokerLease, DatabaseLease
from shared.testing import Site
from tests.place import Place, chosen_place
from tests.provisioner.neighbours import Neighbours
from tests.provisioner.tenant import Tenant
from twin.testing import RunningTwin

SITE = {
    "name": "tests",
    "external_network": "public",
    "share_types": {"CEPHFS": "cephfs"},
    "endpoints": {
        "jumphosts": {"prefixes": ["192.0.2.0/28"]},
        "dns": {"prefixes": ["192.0.2.53/32"], "always": [{"protocol": "udp", "ports": [53]}]},
    },
}


@pytest.fixture
def place(broker: BrokerLease) -> Iterator[Place]:
    """Where the cloud under test is."""
    yield from chosen_place(broker)


@pytest.fixture
def twin(place: Place) -> RunningTwin:
    """The twin, for tests that need its faults; they are skipped where the cloud is real."""
    if place.twin is None:
        pytest.skip("the real OpenStack has no faults on demand")
    return place.twin


@pytest.fixture
async def site(place: Place, broker: BrokerLease, database: DatabaseLease, tmp_path: Path) -> AsyncIterator[Site]:
    """An open site without services; OpenStack's bus is the one of the cloud under test."""
    (tmp_path / "site.yaml").write_text(yaml.safe_dump(SITE))
    site = Site(tmp_path, broker.url_of, database.dsn, broker.url, openstack_url_of=place.bus_url_of)
    async with site.open() as opened:
        yield opened


@pytest.fixture
async def neighbours(site: Site, place: Place) -> AsyncIterator[Neighbours]:
    """The other services' part, played by the test."""
    async with Neighbours(site, place).playing() as playing:
        yield playing


@pytest.fixture
def tenant(place: Place) -> Iterator[Tenant]:
    """A workspace's name that nobody else has, and its project in the cloud; emptied at the end, come what may."""
    found = Tenant.fresh(place)
    yield found
    found.clear()
