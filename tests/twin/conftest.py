"""A twin without a broker for most tests, and one on a real broker for what is about the wire."""

from collections.abc import Iterator
from typing import Any

import openstack
import openstack.connection
import pytest

from bootstrap.leases import BrokerLease
from tests.lab.cloud import Sdk, open_exchanges
from tests.lab.recorder import Recorder
from twin.testing import RunningTwin, running_twin

DELAY_SCALE = 0.1
"""Boots take 40 to 150 ms then."""


def connect(twin: RunningTwin, user: str = "twin", **changes: Any) -> Sdk:
    """A connection by an entry of the twin's clouds; the environment has no say."""
    entry = twin.clouds(user)
    auth = {**entry["auth"], **changes}
    return openstack.connect(load_envvars=False, load_yaml_config=False, region_name="RegionOne", auth=auth)


@pytest.fixture(scope="session")
def shared_twin() -> Iterator[RunningTwin]:
    """One process-wide twin without a broker."""
    with running_twin(amqp_url="", seed=7, delay_scale=DELAY_SCALE) as twin:
        yield twin


@pytest.fixture
def twin(shared_twin: RunningTwin) -> RunningTwin:
    """The twin in its seeded state."""
    shared_twin.reset()
    return shared_twin


@pytest.fixture
def admin(twin: RunningTwin) -> Sdk:
    """The administrator."""
    return connect(twin)


@pytest.fixture
def loud_twin(broker: BrokerLease) -> Iterator[RunningTwin]:
    """A twin that publishes to a real broker."""
    with running_twin(amqp_url=broker.openstack_url, seed=7, delay_scale=DELAY_SCALE) as twin:
        yield twin


@pytest.fixture
def heard(loud_twin: RunningTwin) -> Iterator[Recorder]:
    """What is published from here on, on every exchange."""
    with Recorder(loud_twin.bus_url) as recorder:
        open_exchanges(connect(loud_twin), connect(loud_twin, "twin-system"))
        recorder.wait_until_bound()
        yield recorder
