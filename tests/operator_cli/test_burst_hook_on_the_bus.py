"""Slurm's hooks as programs, on a real broker that is there, away, and back."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from bootstrap.leases import BrokerLease, DatabaseLease, PrivateBrokerLease
from burst_scheduler.handlers import handlers
from burst_scheduler.main import make_context
from burst_scheduler.settings import Settings
from contracts.burst_scheduler import NodesReleased, NodesWanted, PoolReady
from contracts.examples import WORKSPACE
from shared.testing import Site
from tests.burst_scheduler.test_domain import BURST, declared, ready
from tests.operator_cli.hooked import Hooks
from tests.operator_cli.test_burst_hook import NEW, OLD
from tests.operator_cli.tls import make_certificate, tls_before
from tests.waiting import until


@asynccontextmanager
async def served(site: Site) -> AsyncIterator[Site]:
    """A burst-scheduler with a pool of twenty."""
    async with site.open():
        await site.start(handlers, make_context, Settings)
        await site.tell(declared(1, BURST))
        await site.tell(ready(1))
        await site.tap.until(PoolReady, workspace=WORKSPACE)
        yield site


def wants(*names: str) -> Callable[[NodesWanted], bool]:
    return lambda event: tuple(node.name for node in event.nodes) == names


def spooled(site: Site, nodes: str) -> bytes:
    """A call as a hook leaves it that was killed before it sent anything."""
    return f"resume\n{site.clock.now():%Y-%m-%dT%H:%M:%SZ}\n{nodes}\n\n".encode()


@pytest.fixture
async def site(broker: BrokerLease, database: DatabaseLease, tmp_path: Path) -> AsyncIterator[Site]:
    async with served(Site(tmp_path / "site", broker.url_of, database.dsn, broker.url)) as opened:
        yield opened


@pytest.fixture
def hooks(site: Site, broker: BrokerLease, tmp_path: Path) -> Hooks:
    return Hooks(tmp_path / "hooks", site.keys, broker.url_of("scheduler"))


@pytest.mark.parametrize("content", [OLD, NEW])
async def test_what_slurm_asks_is_wanted_and_let_go(site: Site, hooks: Hooks, tmp_path: Path, content: bytes) -> None:
    """Rows D1, D2: both forms of the resume file, no PATH, no open files."""
    file = tmp_path / "resume.json"
    file.write_bytes(content)
    assert await hooks.call("ResumeProgram", "cloud[1-2]", resume_file=file) == 0
    wanted = await site.tap.until(NodesWanted, workspace=WORKSPACE, where=wants("cloud1", "cloud2"))
    assert {node.job_ids for node in wanted.nodes} == {(42,)}
    assert await hooks.call("SuspendProgram", "cloud1") == 0
    await site.tap.until(NodesReleased, workspace=WORKSPACE, where=lambda event: event.reason == "suspended")
    assert await hooks.call("ResumeFailProgram", "cloud2") == 0
    await site.tap.until(NodesReleased, workspace=WORKSPACE, where=lambda event: event.reason == "gave-up")
    await until(lambda: hooks.spool.names() == [])


async def test_many_hooks_at_once_are_all_heard_in_their_order(site: Site, hooks: Hooks) -> None:
    for number in range(1, 11):
        assert await hooks.call("ResumeProgram", f"cloud{number}") == 0
    told = await site.tap.first(10, NodesWanted, workspace=WORKSPACE)
    assert [event.nodes[0].name for event in told] == [f"cloud{number}" for number in range(1, 11)]
    await asyncio.gather(*(hooks.call("SuspendProgram", f"cloud{number}") for number in range(1, 11)))
    gone = await site.tap.first(10, NodesReleased, workspace=WORKSPACE)
    assert len({event.nodes[0].name for event in gone}) == 10
    await until(lambda: hooks.spool.names() == [])


async def test_a_call_that_is_broken_is_set_aside_and_the_rest_is_sent(site: Site, hooks: Hooks) -> None:
    hooks.spool.append(b"no call")
    assert await hooks.call("ResumeProgram", "cloud1") == 0
    await site.tap.until(NodesWanted, workspace=WORKSPACE)
    await until(lambda: hooks.spool.names() == [])


async def test_what_slurm_says_while_the_broker_is_away_comes_in_order(
    private_broker: PrivateBrokerLease, database: DatabaseLease, tmp_path: Path
) -> None:
    """A hook returns whether the broker is dead or only silent; nothing is lost, and nothing overtakes."""
    broker = private_broker
    site = Site(tmp_path / "site", broker.url_of, database.dsn, broker.url)
    async with served(site):
        hooks = Hooks(tmp_path / "hooks", site.keys, broker.url_of("scheduler"), send_seconds=180)
        await broker.kill()
        for program, nodes in (
            ("ResumeProgram", "cloud[1-3]"),
            ("SuspendProgram", "cloud2"),
            ("ResumeProgram", "cloud2"),
        ):
            assert await hooks.call(program, nodes) == 0
        assert len(hooks.spool.names()) == 3
        await broker.start()
        # A queue that elects no leader after such an end is only found after a minute (decision 0003).
        again = await site.tap.until(NodesWanted, workspace=WORKSPACE, where=wants("cloud2"), seconds=150)
        assert again.nodes[0].generation == 2
        assert [node.generation for node in site.tap.of(NodesWanted)[0].nodes] == [1, 1, 1]
        await until(lambda: hooks.spool.names() == [])
        broker.pause()
        began = time.monotonic()
        assert await hooks.call("SuspendProgram", "cloud[1-3]") == 0
        assert time.monotonic() - began < 10  # the broker answers nothing for as long as it is paused
        assert len(hooks.spool.names()) == 1
        broker.resume()
        await site.tap.until(NodesReleased, workspace=WORKSPACE, where=lambda event: len(event.nodes) == 3)


async def test_what_was_left_over_is_sent_by_drain(
    broker: BrokerLease, database: DatabaseLease, tmp_path: Path
) -> None:
    """No service has ever run, so there is no queue: what is in the spool stays."""
    site = Site(tmp_path / "site", broker.url_of, database.dsn, broker.url)
    hooks = Hooks(tmp_path / "hooks", site.keys, broker.url_of("scheduler"), send_seconds=0)
    hooks.spool.append(spooled(site, "cloud7"))
    assert await hooks.call("drain") == 1
    assert len(hooks.spool.names()) == 1
    async with served(site):
        assert await hooks.call("drain") == 0
        await site.tap.until(NodesWanted, workspace=WORKSPACE, where=wants("cloud7"))
        assert hooks.spool.names() == []


async def test_over_tls_the_broker_has_to_be_who_it_says(site: Site, broker: BrokerLease, tmp_path: Path) -> None:
    """A password is sent to nobody whose certificate is not of the named authority."""
    inside = urlsplit(broker.url_of("scheduler"))
    certificate, key = make_certificate(tmp_path, "broker")
    stranger, _ = make_certificate(tmp_path, "stranger")
    async with tls_before(inside.hostname or "", inside.port or 0, certificate, key) as port:
        url = inside._replace(netloc=inside.netloc.rpartition(":")[0] + f":{port}").geturl()
        wary = Hooks(tmp_path / "wary", site.keys, url, send_seconds=0, ca_path=str(stranger))
        wary.spool.append(spooled(site, "cloud1"))
        assert await wary.call("drain") == 1
        assert len(wary.spool.names()) == 1
        trusting = Hooks(tmp_path / "trusting", site.keys, url, ca_path=str(certificate))
        assert await trusting.call("ResumeProgram", "cloud2") == 0
        await site.tap.until(NodesWanted, workspace=WORKSPACE, where=wants("cloud2"))
    assert [event.nodes[0].name for event in site.tap.of(NodesWanted)] == ["cloud2"]


def test_a_hook_that_can_not_keep_its_call_fails(hooks: Hooks) -> None:
    """Slurm's log is then the only place that knows."""
    assert hooks.run("ResumeProgram", "x" * 70_000).returncode == 2
    (hooks.settings.parent / "spool").chmod(0o755)
    assert hooks.run("ResumeProgram", "cloud1").returncode == 1
