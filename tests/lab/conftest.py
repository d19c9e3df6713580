"""The cloud under test: the real control plane of `deploy/lab` (TRESOR_CLOUD=lab) or the twin (the default)."""

import asyncio
import os
import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest

from bootstrap.leases import BrokerLease
from tests.lab.cloud import Cloud, Sdk, Tidy, Workspace, open_exchanges
from tests.lab.recorder import Recorder
from twin.testing import running_twin


@pytest.fixture(scope="session")
def cloud(request: pytest.FixtureRequest) -> Iterator[Cloud]:
    """Where to reach the cloud under test."""
    which = os.environ.get("TRESOR_CLOUD", "twin")
    if which == "lab":
        missing = [name for name in ("OS_CLIENT_CONFIG_FILE", "TRESOR_LAB_BUS_URL") if name not in os.environ]
        if missing:
            pytest.fail(f"{missing} not set: run this suite by `make lab-test`, or source the lab's lab.env before")
        yield Cloud("lab", Path(os.environ["OS_CLIENT_CONFIG_FILE"]), os.environ["TRESOR_LAB_BUS_URL"])
    elif which == "twin":
        name = f"conf-{secrets.token_hex(4)}"
        # The run's broker is started only where the twin needs it.
        lease = BrokerLease(request.getfixturevalue("backing").broker, name, f"{name}-openstack")
        asyncio.run(lease.create())
        with running_twin(lease.openstack_url) as twin:
            yield Cloud("twin", twin.clouds_file, twin.bus_url)
        asyncio.run(lease.drop())
    else:
        pytest.fail(f"TRESOR_CLOUD is {which!r}; it may be lab or twin")


@pytest.fixture(scope="session")
def admin(cloud: Cloud) -> Sdk:
    """The cloud's administrator, in the project `admin`."""
    return cloud.connect("lab")


@pytest.fixture(scope="session")
def system(cloud: Cloud) -> Sdk:
    """The cloud's administrator with a system-scoped token, which Ironic asks for."""
    return cloud.connect("lab-system")


@pytest.fixture(scope="session")
def provisioner(cloud: Cloud) -> Sdk:
    """The account of Tresor's provisioner: the role admin in the project `service`."""
    return cloud.connect("tresor-provisioner")


@pytest.fixture(scope="session")
def notifications(cloud: Cloud, admin: Sdk, system: Sdk) -> Iterator[Recorder]:
    """Everything the cloud publishes from here on, on every exchange."""
    with Recorder(cloud.bus_url) as recorder:
        open_exchanges(admin, system)
        recorder.wait_until_bound()
        yield recorder


@pytest.fixture
def prefix() -> str:
    """A name nobody else has."""
    return f"conf-{secrets.token_hex(4)}"


@pytest.fixture
def tidy() -> Iterator[Tidy]:
    """Deletes at the end of the test what was given to it, last first."""
    yield (things := Tidy())
    things.run()


@pytest.fixture(scope="module")
def workspace(cloud: Cloud, admin: Sdk, provisioner: Sdk) -> Iterator[Workspace]:
    """A project of the module's own with the provisioner in it, emptied and deleted at the end."""
    name = f"conf-{secrets.token_hex(4)}"
    project = admin.identity.create_project(name=name, domain_id="default")
    account = admin.identity.find_user("tresor-provisioner", domain_id="default")
    admin.identity.assign_project_role_to_user(project, account, admin.identity.find_role("admin"))
    made = Workspace(name, project.id, provisioner.connect_as_project(name))
    yield made
    made.empty(admin)
    admin.identity.delete_project(project)
