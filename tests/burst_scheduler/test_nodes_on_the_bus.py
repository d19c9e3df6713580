"""Slurm's calls as commands, on a real broker and database."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bootstrap.leases import BrokerLease, DatabaseLease
from burst_scheduler.handlers import handlers
from burst_scheduler.main import make_context
from burst_scheduler.settings import Settings
from contracts.burst_scheduler import (
    CHASSIS,
    GiveNodesUp,
    ListNodes,
    ListPools,
    NodeJob,
    NodeList,
    NodesRefused,
    NodesReleased,
    NodesWanted,
    PoolList,
    PoolReady,
    PoolRemoved,
    ResumeNodes,
    SuspendNodes,
)
from contracts.envelope import Role
from contracts.examples import WORKSPACE
from shared.testing import Site
from tests.burst_scheduler.test_domain import BURST, declared, deleting, ready


@pytest.fixture
async def site(broker: BrokerLease, database: DatabaseLease, tmp_path: Path) -> AsyncIterator[Site]:
    """A workspace with a pool of twenty, and a key of its Slurm's hooks."""
    async with Site(tmp_path, broker.url_of, database.dsn, broker.url).open() as opened:
        opened.keys.add("slurm", frozenset({Role.SCHEDULER}), workspaces=(WORKSPACE,))
        await opened.start(handlers, make_context, Settings)
        await opened.tell(declared(1, BURST))
        await opened.tell(ready(1))
        await opened.tap.until(PoolReady, workspace=WORKSPACE)
        yield opened


async def ledger(site: Site) -> dict[str, tuple[str, int]]:
    answer = await site.ask(ListNodes(workspace=WORKSPACE, every=True))
    assert isinstance(answer, NodeList)
    return {one.name: (one.state, one.generation) for one in answer.nodes}


async def test_nodes_are_wanted_suspended_and_given_up(site: Site) -> None:
    now = site.clock.now()
    await site.command(ResumeNodes(workspace=WORKSPACE, nodes="cloud[1-3]", asked_at=now), "slurm")
    told = await site.tap.until(NodesWanted, workspace=WORKSPACE)
    assert (told.provider, told.role, [node.name for node in told.nodes]) == (
        "local", "compute", ["cloud1", "cloud2", "cloud3"],
    )  # fmt: skip
    pools = await site.ask(ListPools())
    assert isinstance(pools, PoolList)
    assert pools.pools[0].nodes == 3
    await site.command(SuspendNodes(workspace=WORKSPACE, nodes="cloud1", asked_at=now), "slurm")
    await site.tap.until(NodesReleased, workspace=WORKSPACE, where=lambda event: event.reason == "suspended")
    await site.command(GiveNodesUp(workspace=WORKSPACE, nodes="cloud2", asked_at=now), "slurm")
    await site.tap.until(NodesReleased, workspace=WORKSPACE, where=lambda event: event.reason == "gave-up")
    assert await ledger(site) == {"cloud1": ("released", 1), "cloud2": ("given-up", 1), "cloud3": ("wanted", 1)}
    await site.tell(deleting(2))
    await site.tap.until(NodesReleased, workspace=WORKSPACE, where=lambda event: event.reason == "pool-removed")
    await site.tap.until(PoolRemoved, workspace=WORKSPACE)
    assert (await ledger(site))["cloud3"] == ("released", 1)


async def test_what_does_not_fit_is_refused_and_says_why(site: Site) -> None:
    asked = ResumeNodes(workspace=WORKSPACE, nodes="cloud[1-21]", asked_at=site.clock.now())
    await site.command(asked, "slurm")
    refused = await site.tap.until(NodesRefused, workspace=WORKSPACE)
    assert refused.nodes == ("cloud21",)
    whole = NodeJob(job_id=7, nodes="cloud[22-41]")
    job = ResumeNodes(workspace=WORKSPACE, nodes=whole.nodes, jobs=(whole,), asked_at=site.clock.now())
    command_id = await site.command(job, "slurm")
    rejected = await site.tap.until(CHASSIS.rejected, where=lambda event: event.command_id == command_id)
    assert "20 nodes" in rejected.problems[0].reason


async def test_a_hooks_key_is_good_for_nodes_of_its_own_workspace_alone(site: Site) -> None:
    """It may not ask for another workspace's nodes, and it asks no queries."""
    site.keys.add("other", frozenset({Role.SCHEDULER}), workspaces=("physics-*",))
    asked = ResumeNodes(workspace=WORKSPACE, nodes="cloud1", asked_at=site.clock.now())
    await site.command(asked, "other")
    await site.tap.until(CHASSIS.refused, where=lambda event: event.reason == "wrong-workspace")
    await site.command(asked, "ada")
    await site.tap.until(CHASSIS.refused, where=lambda event: event.reason == "wrong-role")
    with pytest.raises(AssertionError, match="refused"):
        await site.ask(ListNodes(workspace=WORKSPACE), "slurm")
    assert await ledger(site) == {}
