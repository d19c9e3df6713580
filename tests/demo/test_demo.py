"""`make demo` as its user runs it: to its end, interrupted, killed, with a service that dies, and with a wrong document."""

import json
import signal
from pathlib import Path

import pytest

from bootstrap.backing import Backing
from bootstrap.places import CHECKOUT
from bootstrap.processes import Process
from tests.demo import running
from tests.demo.running import RUN, Demo, assert_all_is_shown

PROCESSES = 6
"""The twin and five services."""


@pytest.fixture(autouse=True)
def _servers(backing: Backing, monkeypatch: pytest.MonkeyPatch) -> None:
    """The run's own broker and database serve the demo too."""
    environment: dict[str, str] = {}
    running.use(backing, environment)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)


def assert_nothing_is_left(demo: Demo, processes: list[Process]) -> None:
    running.assert_nothing_is_left(demo, processes, PROCESSES)


async def test_the_whole_chain_is_shown_and_the_break_in_mended() -> None:
    demo = await Demo.start()
    await demo.until("signs and publishes")
    processes = demo.processes()
    code = await demo.end()
    assert code == 0, demo.text
    assert_all_is_shown(demo)
    events = [json.loads(line) for line in (demo.folder() / "siem" / "events.jsonl").read_text().splitlines()]
    assert {event["class_uid"] for event in events} >= {2004, 6003}
    assert_nothing_is_left(demo, processes)


async def test_ctrl_c_cleans_up() -> None:
    demo = await Demo.start()
    await demo.until("is accepted")
    processes = demo.processes()
    demo.process.send_signal(signal.SIGINT)
    assert await demo.end() == 130
    assert_nothing_is_left(demo, processes)


async def test_what_a_killed_run_left_is_ended_by_the_next() -> None:
    killed = await Demo.start()
    await killed.until("signs and publishes")
    processes = killed.processes()
    (folder,) = (CHECKOUT / ".run" / "demo-runs").glob(f"{killed.process.pid}-*")
    killed.process.kill()
    await killed.end()
    assert len([process for process in processes if process.is_alive()]) == PROCESSES
    following = await Demo.start("--stop")
    assert await following.end() == 0
    assert f"ending what a killed demo left in {folder}" in following.text
    assert not [process for process in processes if process.is_alive()]
    assert not list(folder.glob("*.pid"))
    assert not (folder / "keys").exists()
    assert not (folder / "tresor.yaml").exists()


async def test_a_lab_that_is_not_up_is_told_before_anything_starts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("OS_CLIENT_CONFIG_FILE", "TRESOR_LAB_BUS_URL"):
        monkeypatch.delenv(name, raising=False)
    unnamed = await Demo.start("--cloud", "lab")
    assert await unnamed.end() == 69
    assert "the lab is not named: `make lab-demo`" in unnamed.text
    clouds = tmp_path / "clouds.yaml"
    clouds.write_text('{"clouds": {"lab": {"auth": {"auth_url": "http://127.0.0.1:1/v3"}}}}')
    monkeypatch.setenv("OS_CLIENT_CONFIG_FILE", str(clouds))
    monkeypatch.setenv("TRESOR_LAB_BUS_URL", "amqp://tresor:x@127.0.0.1:1/openstack")
    down = await Demo.start("--cloud", "lab")
    assert await down.end() == 69
    assert "the lab is not up: its Keystone does not answer" in down.text
    assert "make lab-up" in down.text
    assert "looking for a RabbitMQ" not in down.text


async def test_a_service_that_dies_ends_the_demo_with_its_log() -> None:
    demo = await Demo.start()
    await demo.until("signs and publishes")
    processes = demo.processes()
    runs = CHECKOUT / ".run" / "demo-runs"
    (folder,) = runs.glob(f"{demo.process.pid}-*")
    storage = Process.read(folder / "storage.pid")
    assert storage is not None
    storage.kill()
    assert await demo.end() == 1
    assert "storage ended by itself; the end of" in demo.text
    assert "service.started" in demo.text
    assert_nothing_is_left(demo, processes)


async def test_a_wrong_document_is_told_before_anything_starts(tmp_path: Path) -> None:
    path = tmp_path / "wrong.yaml"
    path.write_text((RUN.parent / "openhpc.yaml").read_text().replace("to: login", "to: logn"))
    demo = await Demo.start("--document", str(path))
    assert await demo.end() == 1
    assert "no role 'logn' in this document" in demo.text
    assert "RabbitMQ" not in demo.text
