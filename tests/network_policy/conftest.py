"""network-policy on a real broker and database, against the twin (the default) or the real OpenStack of the lab."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import yaml

from bootstrap.leases import BrokerLease, DatabaseLease
from shared.testing import Site
from tests.network_policy.enclaves import SITE
from tests.network_policy.stage import Stage
from tests.place import Place, chosen_place
from twin.testing import RunningTwin


@pytest.fixture
def place(broker: BrokerLease) -> Iterator[Place]:
    """Where the cloud under test is."""
    yield from chosen_place(broker)


@pytest.fixture
async def site(place: Place, broker: BrokerLease, database: DatabaseLease, tmp_path: Path) -> AsyncIterator[Site]:
    """An open site without services; OpenStack's bus is the one of the cloud under test."""
    (tmp_path / "site.yaml").write_text(yaml.safe_dump(SITE.model_dump(mode="json", by_alias=True)))
    site = Site(tmp_path, broker.url_of, database.dsn, broker.url, openstack_url_of=place.bus_url_of)
    async with site.open() as opened:
        yield opened


@pytest.fixture
async def stage(site: Site, place: Place) -> AsyncIterator[Stage]:
    """A fresh workspace's place in the cloud, with the test as its provisioner; cleared at the end."""
    made = Stage(site, place.clouds_file)
    yield made
    await made.clear()


@pytest.fixture
def twin(place: Place) -> RunningTwin:
    """The twin, for tests that need its faults or its count of calls; skipped where the cloud is real."""
    if place.twin is None:
        pytest.skip("the real OpenStack has no faults on demand")
    return place.twin
