"""Another project's port that an administrator plugs into a workspace's server, as the service sees it (rows I6, M1)."""

from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest

from contracts.network_policy import IsolationProven, IsolationViolated
from tests.network_policy.quarantines import ordered, port, released, until_port
from tests.network_policy.stage import Sdk, Stage

NEVER = 3600.0


@dataclass(frozen=True)
class Stranger:
    """Another project with two ports on a network of its own."""

    project_id: str
    one: str
    other: str


@pytest.fixture
async def stranger(stage: Stage) -> AsyncIterator[Stranger]:
    def make(c: Sdk) -> Stranger:
        project = c.identity.create_project(name=f"{stage.name}-other", domain_id="default")
        network = c.network.create_network(name=f"{stage.name}-other", project_id=project.id)
        c.network.create_subnet(network_id=network.id, project_id=project.id, cidr="10.253.9.0/24", ip_version=4)
        one, other = (c.network.create_port(network_id=network.id, project_id=project.id).id for _ in range(2))
        return Stranger(project.id, one, other)

    def remove(c: Sdk) -> None:
        for trunk in c.network.trunks(project_id=made.project_id):
            c.network.delete_trunk(trunk)
        for each in c.network.ports(project_id=made.project_id):
            c.network.delete_port(each)
        for network in c.network.networks(project_id=made.project_id):
            c.network.delete_network(network)
        for group in c.network.security_groups(project_id=made.project_id):
            c.network.delete_security_group(group)
        c.identity.delete_project(made.project_id)

    made = await stage.cloud(make)
    yield made
    await stage.cloud(remove)


async def server_of(stage: Stage, port_id: str) -> str:
    return str((await port(stage, port_id)).device_id)


async def test_what_a_plugged_port_reaches_is_told_of_its_servers_workspace_m1(
    stage: Stage, stranger: Stranger
) -> None:
    """Its own project permits it; the workspace's document does not speak of it."""
    await stage.service(scan_seconds=NEVER)
    _, ports = await stage.standing()
    server = await server_of(stage, ports["login-0"])
    await stage.cloud(lambda c: c.network.update_port(stranger.one, device_id=server, binding_host_id="host-1"))
    told = await stage.site.tap.until(IsolationViolated, workspace=stage.name)
    assert any(f"port {stranger.one} being plugged into server {server}" in each.why for each in told.counterexamples)
    await stage.cloud(lambda c: c.network.update_port(stranger.one, device_id=""))
    await stage.site.tap.until(IsolationProven, workspace=stage.name)


async def test_a_quarantine_cuts_what_others_plugged_into_the_server_l27(stage: Stage, stranger: Stranger) -> None:
    """A port of another project, and one on a trunk that another project made on the node's port."""
    await stage.service(scan_seconds=NEVER, quarantine_down_seconds=0.0)
    _, ports = await stage.standing()
    server = await server_of(stage, ports["login-0"])

    def plug(c: Sdk) -> None:
        c.network.update_port(ports["login-0"], device_id="")  # the parent of a trunk must be free when that is made
        c.network.create_trunk(
            port_id=ports["login-0"], project_id=stranger.project_id,
            sub_ports=[{"port_id": stranger.other, "segmentation_type": "vlan", "segmentation_id": 100}],
        )  # fmt: skip
        c.network.update_port(ports["login-0"], device_id=server)
        c.network.update_port(stranger.one, device_id=server, binding_host_id="host-1")

    await stage.cloud(plug)
    groups = {each: (await port(stage, each)).security_group_ids for each in (stranger.one, stranger.other)}
    told = await ordered(stage, role="login")
    assert told.ports == 3
    for each in groups:
        assert (await port(stage, each)).security_group_ids == []
    await released(stage, told.quarantine_id)
    for each, before in groups.items():
        await until_port(stage, each, security_group_ids=before, is_admin_state_up=True)
