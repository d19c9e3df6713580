"""The hooks on a real Slurm: from a job over the bus to a node, and back."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from bootstrap.leases import BrokerLease, DatabaseLease
from burst_scheduler.handlers import handlers
from burst_scheduler.main import make_context
from burst_scheduler.settings import Settings
from contracts.burst_scheduler import ListNodes, NodeList, NodesReleased, NodesWanted, PoolReady
from contracts.examples import WORKSPACE
from lab.slurm.cluster import Cluster
from lab.slurm.configuration import Hooks
from lab.slurm.machines import Behaviour
from shared.testing import Site
from tests.burst_scheduler.test_domain import BURST, declared, ready
from tests.operator_cli.hooked import Hooks as Installed
from tests.waiting import until

pytestmark = pytest.mark.slurm


async def provide(site: Site, cluster: Cluster) -> None:
    """A provider's driver: makes what is wanted, takes away what is released."""
    done = 0
    while True:
        await until(lambda: len(site.tap.events) > done, seconds=600)  # noqa: B023  read while it waits
        events, done = site.tap.events[done:], len(site.tap.events)
        for event in events:
            for node in event["data"].get("nodes", ()) if event["type"].startswith("burst-scheduler.nodes.") else ():
                if event["type"] == NodesWanted.type:
                    await asyncio.to_thread(cluster.machines.boot, node["name"])
                elif event["type"] == NodesReleased.type:
                    await asyncio.to_thread(cluster.machines.stop, node["name"])


@asynccontextmanager
async def bursting(cluster: Cluster, broker: BrokerLease, database: DatabaseLease, folder: Path) -> AsyncIterator[Site]:
    """The cluster with the hooks installed, a burst-scheduler with a pool, and a provider that makes machines."""
    async with Site(folder / "site", broker.url_of, database.dsn, broker.url).open() as site:
        await site.start(handlers, make_context, Settings)
        await site.tell(declared(1, BURST))
        await site.tell(ready(1))
        await site.tap.until(PoolReady, workspace=WORKSPACE)
        programs = Installed(folder / "hooks", site.keys, broker.url_of("scheduler")).programs
        hooks = Hooks(programs["ResumeProgram"], programs["SuspendProgram"], programs["ResumeFailProgram"])
        await asyncio.to_thread(cluster.start, hooks)
        driver = asyncio.create_task(provide(site, cluster))
        try:
            yield site
        finally:
            driver.cancel()


async def ledger(site: Site) -> dict[str, tuple[str, int]]:
    answer = await site.ask(ListNodes(workspace=WORKSPACE, every=True))
    assert isinstance(answer, NodeList)
    return {one.name: (one.state, one.generation) for one in answer.nodes}


async def test_a_job_runs_on_nodes_that_were_asked_for_over_the_bus(
    cluster: Cluster, broker: BrokerLease, database: DatabaseLease, tmp_path: Path
) -> None:
    """Row D11: Slurm's hook, a signed command, the ledger, a provider, the job; idle nodes go the same way."""
    async with bursting(cluster, broker, database, tmp_path) as site:
        done = await asyncio.to_thread(cluster.run, "srun", "-p", "cloud", "-N2", "printenv", "SLURMD_NODENAME")
        assert sorted(done.stdout.split()) == ["cloud1", "cloud2"]
        wanted = await site.tap.until(NodesWanted, workspace=WORKSPACE)
        assert {node.name: len(node.job_ids) for node in wanted.nodes} == {"cloud1": 1, "cloud2": 1}
        for node in ("cloud1", "cloud2"):
            await asyncio.to_thread(cluster.until_state, node, ["idle~"])

        async def both_are_released() -> bool:
            return await ledger(site) == {"cloud1": ("released", 1), "cloud2": ("released", 1)}

        await until(both_are_released, seconds=60)
        await until(lambda: cluster.machines.running() == ["static1"], seconds=60)


async def test_a_node_that_never_comes_is_given_up(
    cluster: Cluster, broker: BrokerLease, database: DatabaseLease, tmp_path: Path
) -> None:
    """Slurm calls ResumeFailProgram and no other: the ledger and the provider hear of it, Slurm says why."""
    async with bursting(cluster, broker, database, tmp_path) as site:
        cluster.machines.behave("cloud4", Behaviour(boots=False))
        await asyncio.to_thread(cluster.run, "sbatch", "-p", "hasty", "-o", "/dev/null", "--wrap", "true")
        await site.tap.until(
            NodesReleased, workspace=WORKSPACE, where=lambda event: event.reason == "gave-up", seconds=120
        )
        assert await ledger(site) == {"cloud4": ("given-up", 1)}
        await asyncio.to_thread(cluster.until_state, "cloud4", ["down~"])
        assert await asyncio.to_thread(cluster.reason_of, "cloud4") == "ResumeTimeout reached"
