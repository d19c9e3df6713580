"""The door to OpenStack: what is asked again, and what never is."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from openstack.connection import Connection

from shared.clock import SystemClock
from shared.cloud import Cloud
from shared.errors import Conflict, Transient, Unknown
from tests.shared.clouds import written
from twin.testing import RunningTwin, running_twin

CLOUD = "tresor-provisioner"
GROUPS = {"service": "neutron", "path": r"/v2\.0/security-groups$"}


@pytest.fixture(scope="module")
def twin() -> Iterator[RunningTwin]:
    with running_twin(amqp_url="") as running:
        yield running


@pytest.fixture
def cloud(twin: RunningTwin, tmp_path: Path) -> Iterator[Cloud]:
    twin.clear_faults()
    opened = Cloud(CLOUD, written(tmp_path, twin, CLOUD), SystemClock(), threads=2, timeout_seconds=20)
    yield opened
    opened.close()


def groups(connection: Connection) -> list[Any]:
    return list(connection.network.security_groups())


def asked(twin: RunningTwin, method: str) -> int:
    found = twin.requests(writes_only=False)
    return sum(one["method"] == method and one["path"].endswith("/security-groups") for one in found)


@pytest.mark.parametrize("kind", ["500", "lost_response"])
async def test_a_read_that_a_service_stumbles_over_is_asked_again(twin: RunningTwin, cloud: Cloud, kind: str) -> None:
    await cloud.call(groups)
    before = asked(twin, "GET")
    twin.faults({"kind": kind, "count": 2, "method": "GET", **GROUPS})
    await cloud.call(groups)
    assert asked(twin, "GET") - before == 3


async def test_one_that_fails_every_time_is_given_up_soon(twin: RunningTwin, cloud: Cloud) -> None:
    await cloud.call(groups)
    before = asked(twin, "GET")
    twin.faults({"kind": "500", "method": "GET", **GROUPS})
    with pytest.raises(Transient):
        await asyncio.wait_for(cloud.call(groups), 10)
    assert asked(twin, "GET") - before == 3


async def test_one_that_is_told_when_to_come_back_is_not_asked_before(twin: RunningTwin, cloud: Cloud) -> None:
    await cloud.call(groups)
    before = asked(twin, "GET")
    twin.faults({"kind": "503", "seconds": 7, "method": "GET", **GROUPS})
    with pytest.raises(Transient) as refused:
        await cloud.call(groups)
    assert refused.value.retry_after_seconds == 7
    assert asked(twin, "GET") - before == 1


@pytest.mark.parametrize("kind", ["500", "lost_response"])
async def test_a_write_is_never_asked_again(twin: RunningTwin, cloud: Cloud, kind: str) -> None:
    before = asked(twin, "POST")
    twin.faults({"kind": kind, "count": 1, "method": "POST", **GROUPS})
    with pytest.raises((Transient, Unknown)):
        await cloud.call(lambda c: c.network.create_security_group(name="g"), request_id="req-1")
    assert asked(twin, "POST") - before == 1


async def test_a_conflict_at_an_address_that_speaks_of_quotas_is_no_exhausted_quota(
    twin: RunningTwin, cloud: Cloud
) -> None:
    project = await cloud.call(lambda c: c.current_project_id)
    for kind, is_quota in (("409", False), ("quota", True)):
        twin.faults({"kind": kind, "count": 1, "service": "neutron", "method": "PUT", "path": "/quotas/"})
        with pytest.raises(Conflict) as refused:
            await cloud.call(lambda c: c.network.update_quota(str(project), ports=7), request_id="req-2")
        assert refused.value.is_quota is is_quota


def logins(twin: RunningTwin) -> int:
    found = twin.requests()
    return sum(one["service"] == "keystone" and one["path"].endswith("/auth/tokens") for one in found)


async def test_a_token_that_ends_amid_the_work_is_renewed_once(twin: RunningTwin, cloud: Cloud) -> None:
    """Reads and writes, unscoped and in a project; what was asked with the old token is asked once more, not failed."""
    project = await cloud.call(lambda c: c.current_project_id)
    await cloud.call(groups, project_id=project)
    before = logins(twin)
    twin.advance(2 * 86_400)
    for each in (None, project):
        await cloud.call(groups, project_id=each)
        await cloud.call(lambda c: c.network.create_security_group(name="late"), request_id="req-3", project_id=each)
    assert logins(twin) - before == 2
    assert len(await cloud.call(lambda c: list(c.network.security_groups(name="late")))) == 2


async def test_a_service_that_takes_no_token_is_not_asked_in_a_loop(twin: RunningTwin, cloud: Cloud) -> None:
    """It is at fault, not the request: what was to be done is tried later."""
    await cloud.call(groups)
    asked_before, before = asked(twin, "GET"), logins(twin)
    twin.faults({"kind": "401", **GROUPS})
    with pytest.raises(Transient):
        await cloud.call(groups)
    assert (asked(twin, "GET") - asked_before, logins(twin) - before) == (2, 1)
