"""`make lab-demo` as its user runs it, on the real control plane: the same story as on the twin, and a clean cloud after it."""

import asyncio
import json
import os

import openstack
import pytest

from bootstrap.backing import Backing
from tests.demo import running
from tests.demo.running import Demo, assert_all_is_shown, assert_nothing_is_left

pytestmark = pytest.mark.lab

SERVICES = 5


async def test_the_real_openstack_shows_the_same(backing: Backing, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "TRESOR_LAB_BUS_URL" in os.environ, "run this by `make lab-test`"
    environment: dict[str, str] = {}
    running.use(backing, environment)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    demo = await Demo.start("--cloud", "lab")
    await demo.until("signs and publishes")
    processes = demo.processes()
    code = await demo.end()
    assert code == 0, demo.text
    assert_all_is_shown(demo)
    assert "workspace deleted: nothing of it is left" in demo.text
    events = [json.loads(line) for line in (demo.folder() / "siem" / "events.jsonl").read_text().splitlines()]
    assert {event["class_uid"] for event in events} >= {2004, 6003}
    assert_nothing_is_left(demo, processes, SERVICES)
    assert "tre-openhpc" not in await asyncio.to_thread(_projects)


def _projects() -> set[str]:
    cloud = openstack.connect(cloud="lab")
    return {project.name for project in cloud.list_projects()}
