"""Twenty workspaces at once on the twin (row L1): all become ready, none gets anything of another."""

import asyncio
from typing import Any

from contracts import network_policy
from contracts.examples import DOCUMENT
from contracts.workspace import Workspace
from tests.system.chain import Chain

COUNT = 20


def document(number: int) -> Workspace:
    """A login and a compute node, in a prefix of its own."""
    fields: dict[str, Any] = {
        **DOCUMENT,
        "name": f"many-{number}",
        "networks": [{"name": "cluster", "class": "private", "cidr": f"10.60.{number}.0/24"}],
        "roles": [{**role, "count": 1} for role in DOCUMENT["roles"]],
    }
    return Workspace.model_validate(fields)


async def test_twenty_workspaces_at_once(chain: Chain) -> None:
    await asyncio.gather(*(chain.create(document(number)) for number in range(COUNT)))
    await asyncio.gather(*(chain.ready(f"many-{number}", 240) for number in range(COUNT)))
    cloud = chain.cloud
    projects = {
        project.id: project.name for project in cloud.identity.projects() if project.name.startswith("tre-many-")
    }
    assert len(projects) == COUNT
    servers = [(projects[one.project_id], one.name) for one in cloud.compute.servers(all_projects=True)]
    assert sorted(servers) == sorted(
        (f"tre-many-{number}", f"many-{number}-{role}-0") for number in range(COUNT) for role in ("login", "compute")
    )
    groups = {group.id: group.project_id for group in cloud.network.security_groups()}
    for port in cloud.network.ports():
        if port.device_owner.startswith("compute"):
            assert {groups[group_id] for group_id in port.security_group_ids} == {port.project_id}
    answer = await chain.site.ask(network_policy.ShowIsolation())
    assert isinstance(answer, network_policy.IsolationShown)
    assert {one.workspace: one.verdict for one in answer.workspaces} == {
        f"many-{number}": "isolated" for number in range(COUNT)
    }
