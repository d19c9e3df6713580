"""A login that Keystone refuses: told as such, tried again slowly, over without a restart once it is mended."""

import asyncio
import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import openstack
import pytest

from contracts import storage
from shared.clock import Clock, SystemClock
from shared.cloud import LOGIN_AGAIN_SECONDS, Cloud
from shared.errors import CredentialsRefused, Forbidden
from shared.handlers import Handlers, Turn
from shared.testing import Site
from tests.shared.clouds import written
from twin.testing import RunningTwin, running_twin

CLOUD = "tresor-storage"


class Ahead(SystemClock):
    """A clock that a test sets forward."""

    def __init__(self) -> None:
        super().__init__()
        self.ahead_seconds = 0.0

    def monotonic_seconds(self) -> float:
        return super().monotonic_seconds() + self.ahead_seconds


@pytest.fixture(scope="module")
def twin() -> Iterator[RunningTwin]:
    with running_twin(amqp_url="") as running:
        yield running


@pytest.fixture
def clouds(twin: RunningTwin, tmp_path: Path) -> Path:
    """A clouds.yaml with a wrong password."""
    return written(tmp_path, twin, CLOUD, "wrong")


def opened(path: Path, clock: Clock) -> Cloud:
    return Cloud(CLOUD, path, clock, threads=2, timeout_seconds=20)


async def projects(cloud: Cloud, project_id: str | None = None) -> int:
    return await cloud.call(lambda c: len(list(c.network.networks())), project_id=project_id)


def logins(twin: RunningTwin) -> int:
    return sum(one["path"].endswith("/auth/tokens") for one in twin.requests())


async def test_it_is_told_as_such_and_not_tried_at_once_again(twin: RunningTwin, clouds: Path) -> None:
    clock = Ahead()
    cloud = opened(clouds, clock)
    assert not cloud.is_refused
    before = logins(twin)
    with pytest.raises(CredentialsRefused, match=f"refuses the credentials of cloud '{CLOUD}'") as refused:
        await projects(cloud)
    assert refused.value.retry_after_seconds == LOGIN_AGAIN_SECONDS
    assert "wrong" not in str(refused.value), "no password in it"
    assert str(clouds) in str(refused.value)
    tried = logins(twin) - before
    for _ in range(3):
        with pytest.raises(CredentialsRefused) as again:
            await projects(cloud)
        assert 0 < again.value.retry_after_seconds <= LOGIN_AGAIN_SECONDS
    assert logins(twin) - before == tried
    written(clouds.parent, twin, CLOUD)
    with pytest.raises(CredentialsRefused):
        await projects(cloud)
    clock.ahead_seconds = LOGIN_AGAIN_SECONDS
    assert await projects(cloud) >= 0
    assert not cloud.is_refused
    cloud.close()


async def test_credentials_that_end_while_it_runs(twin: RunningTwin, clouds: Path) -> None:
    written(clouds.parent, twin, CLOUD)
    cloud = opened(clouds, Ahead())
    await projects(cloud)
    administrator = openstack.connect(load_envvars=False, load_yaml_config=False, **twin.clouds("lab"))
    user = administrator.identity.find_user(CLOUD)
    assert user is not None
    administrator.identity.update_user(user.id, is_enabled=False)
    await cloud.call(lambda c: c.session.invalidate())  # its time is over
    with pytest.raises(CredentialsRefused):
        await projects(cloud)
    assert cloud.is_refused
    administrator.identity.update_user(user.id, is_enabled=True)
    cloud.close()


async def test_a_role_that_is_missing_in_a_project_is_no_matter_of_the_login(twin: RunningTwin, clouds: Path) -> None:
    written(clouds.parent, twin, CLOUD)
    cloud = opened(clouds, Ahead())
    with pytest.raises(Forbidden):
        await projects(cloud, "0" * 32)
    assert not cloud.is_refused
    assert await projects(cloud) >= 0
    cloud.close()


async def test_a_service_says_so_on_readyz_and_puts_its_work_off(site: Site, twin: RunningTwin, clouds: Path) -> None:
    handlers: Handlers[Cloud] = Handlers(storage)
    tried: list[str] = []

    @handlers.reconcile
    async def look(turn: Turn[Cloud]) -> None:
        tried.append(turn.key)
        await projects(turn.context)

    async def make_context(_: object, cloud: Cloud | None) -> Cloud:
        assert cloud is not None
        return cloud

    service = await site.start(handlers, make_context, cloud_name=CLOUD, clouds_path=clouds)
    async with service.runtime.work() as work:
        work.reconcile("genome-42")
    async with asyncio.timeout(20):
        while not (row := await service.runtime.pool.fetchrow("SELECT * FROM dirty WHERE attempts = 1")):
            await asyncio.sleep(0.05)
    assert row["error"].startswith("CredentialsRefused: Keystone refuses the credentials")
    assert (row["due_at"] - site.clock.now()).total_seconds() > LOGIN_AGAIN_SECONDS / 2
    assert tried == ["genome-42"]
    port = await service.health.port()

    def ready() -> dict[str, bool]:
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=5)
        except urllib.error.HTTPError as error:
            found: dict[str, bool] = json.loads(error.read())
            return found
        raise AssertionError("it says that it is ready")

    assert (await asyncio.to_thread(ready))["cloud-credentials"] is False
