"""The provisioner end to end: signed commands, a real broker and database, the twin or the real OpenStack."""

import asyncio
from typing import Any

import pytest

from contracts.envelope import Role
from contracts.provisioner import (
    CHASSIS,
    CreateWorkspace,
    DeleteWorkspace,
    ListWorkspaces,
    NetworkReady,
    NodeActive,
    NodeFailed,
    PlanWorkspace,
    Progressed,
    WorkspaceDeclared,
    WorkspaceDeleted,
    WorkspaceEmptied,
    WorkspaceList,
    WorkspacePlanned,
    WorkspaceReady,
)
from shared.testing import Site
from tests.place import Place
from tests.provisioner.neighbours import Neighbours
from tests.provisioner.running import PATIENCE_SECONDS, ended, problems_of, ready, shown, started
from tests.provisioner.tenant import Tenant, role


async def test_l1_l2_one_command_makes_a_workspace_and_one_removes_it(
    site: Site, place: Place, neighbours: Neighbours, tenant: Tenant
) -> None:
    await started(site, place)
    neighbours.enforce.clear()
    command_id = await site.command(CreateWorkspace(document=tenant.document()))
    networked = await site.tap.until(NetworkReady, workspace=tenant.name, seconds=PATIENCE_SECONDS)
    declared = site.tap.of(WorkspaceDeclared, tenant.name)[0]
    assert (declared.project_id, declared.generation) == (tenant.project_id, 1)
    assert networked.networks[0].prefixes == (f"10.{tenant.network}.0.0/24",)
    await asyncio.sleep(1.0)
    assert not tenant.ports(), "a port was born before the policy was enforced"
    assert not tenant.servers()
    neighbours.enforce.set()
    done = await site.tap.until(WorkspaceReady, workspace=tenant.name, seconds=PATIENCE_SECONDS)
    assert (done.nodes, done.generation) == (3, 1)
    assert await ended(site, command_id) == "applied"

    assert {server.name for server in tenant.servers()} == {
        f"{tenant.name}-login-0",
        f"{tenant.name}-compute-0",
        f"{tenant.name}-compute-1",
    }
    for server in tenant.servers():
        assert server.status == "ACTIVE"
        assert server.has_config_drive
        assert server.metadata["tresor_workspace"] == tenant.name
        assert server.metadata["tresor_generation"] == "1"
    for port in tenant.ports():
        assert port.is_port_security_enabled
        assert len(port.security_group_ids) == 1
        assert f"tresor:{tenant.name}" in port.tags
    quota = place.admin.compute.get_quota_set(tenant.project_id)
    assert (quota.instances, quota.cores, quota.ram) == (3, 3, 3 * 512)
    active = site.tap.of(NodeActive, tenant.name)
    assert {(event.node, event.role) for event in active} == {
        (f"{tenant.name}-login-0", "login"),
        (f"{tenant.name}-compute-0", "compute"),
        (f"{tenant.name}-compute-1", "compute"),
    }
    steps = site.tap.of(Progressed, tenant.name)
    assert steps[-1].done == steps[-1].total
    assert [event.done for event in steps] == sorted(event.done for event in steps)

    deletion = await site.command(DeleteWorkspace(workspace=tenant.name))
    again = await site.command(DeleteWorkspace(workspace=tenant.name))
    await site.tap.until(WorkspaceDeleted, workspace=tenant.name, seconds=PATIENCE_SECONDS)
    assert await ended(site, deletion) == "applied"
    assert await ended(site, again) == "applied"
    assert len(site.tap.of(WorkspaceEmptied, tenant.name)) == 1
    assert not tenant.servers()
    assert not tenant.ports()
    assert not tenant.networks()
    assert not tenant.routers()
    assert tenant.project_id is None

    listed = await site.ask(ListWorkspaces())
    assert isinstance(listed, WorkspaceList)
    assert not listed.workspaces
    register = await site.ask(ListWorkspaces(deleted=True))
    assert isinstance(register, WorkspaceList)
    assert [(row.workspace, row.state, row.affiliation) for row in register.workspaces] == [
        (tenant.name, "deleted", "internal")
    ]
    history = (await shown(site, tenant)).history
    assert [(row.generation, row.state, row.holder) for row in history] == [
        (2, "deleted", "ana"),
        (2, "deleting", "ana"),
        (1, "ready", "ana"),
        (1, "creating", "ana"),
    ]


async def test_the_same_document_again_changes_nothing(
    site: Site, place: Place, neighbours: Neighbours, tenant: Tenant
) -> None:
    await started(site, place)
    first = await site.command(CreateWorkspace(document=tenant.document()))
    second = await site.command(CreateWorkspace(document=tenant.document()))
    await site.tap.until(WorkspaceReady, workspace=tenant.name, seconds=PATIENCE_SECONDS)
    third = await site.command(CreateWorkspace(document=tenant.document()))
    assert [await ended(site, each) for each in (first, second, third)] == ["applied"] * 3
    assert (await shown(site, tenant)).summary.generation == 1  # type: ignore[union-attr]
    assert len(site.tap.of(WorkspaceReady, tenant.name)) == 1
    assert len(tenant.servers()) == 3


async def test_of_two_documents_the_later_stands_and_whoever_gave_the_other_is_told_what_to_do(
    site: Site, place: Place, neighbours: Neighbours, tenant: Tenant
) -> None:
    await started(site, place)
    first = await site.command(CreateWorkspace(document=tenant.document()))
    await site.tap.until(WorkspaceDeclared, workspace=tenant.name, seconds=PATIENCE_SECONDS)
    site.keys.add("eve", frozenset({Role.OPERATOR}))
    later = tenant.document(roles=[role(name="login"), role(name="compute", count=1)])
    second = await site.command(CreateWorkspace(document=later), "eve")
    assert [await ended(site, each) for each in (first, second)] == ["failed", "applied"]
    (told,) = site.tap.of(CHASSIS.failed)
    assert "another document" in told.problems[0].reason
    assert f"tresor workspace show {tenant.name}" in told.problems[0].remedy
    assert {server.name for server in tenant.servers()} == {f"{tenant.name}-login-0", f"{tenant.name}-compute-0"}


async def test_a_change_of_counts_adds_and_removes_nodes_and_keeps_the_others(
    site: Site, place: Place, neighbours: Neighbours, tenant: Tenant
) -> None:
    await started(site, place)
    await ready(site, tenant)
    before = {server.name: server.id for server in tenant.servers()}
    await ready(site, tenant, 2, roles=[role(name="login"), role(name="compute", count=1), role(name="viz")])
    after = {server.name: server.id for server in tenant.servers()}
    assert set(after) == {f"{tenant.name}-login-0", f"{tenant.name}-compute-0", f"{tenant.name}-viz-0"}
    assert after[f"{tenant.name}-login-0"] == before[f"{tenant.name}-login-0"]
    assert after[f"{tenant.name}-compute-0"] == before[f"{tenant.name}-compute-0"]
    assert {port.name for port in tenant.ports()} == set(after)


async def test_what_can_not_be_had_is_refused_with_its_field_before_anything_is_made(
    site: Site, place: Place, neighbours: Neighbours, tenant: Tenant
) -> None:
    await started(site, place)
    wrong = tenant.document(roles=[role(name="login", flavor="tre.huge", image="none")])
    problems = await problems_of(site, await site.command(CreateWorkspace(document=wrong)))
    assert {problem.field for problem in problems} == {"document.roles.0.flavor", "document.roles.0.image"}
    assert all("tre.small" in problem.remedy for problem in problems if problem.field.endswith("flavor"))
    assert tenant.project_id is None
    assert (await shown(site, tenant)).summary is None
    unknown = await site.command(DeleteWorkspace(workspace=tenant.name))
    assert (await problems_of(site, unknown))[0].field == "workspace"


async def test_a_plan_tells_what_would_be_made_and_a_moved_generation_is_refused(
    site: Site, place: Place, neighbours: Neighbours, tenant: Tenant
) -> None:
    await started(site, place)
    async with asyncio.timeout(PATIENCE_SECONDS):
        while True:  # the catalog is read at the start
            plan = await site.ask(PlanWorkspace(document=tenant.document()))
            assert isinstance(plan, WorkspacePlanned)
            if not plan.problems:
                break
            await asyncio.sleep(0.2)
    assert plan.generation == 0
    assert [change.name for change in plan.changes if change.kind == "server"] == [
        f"{tenant.name}-login-0",
        f"{tenant.name}-compute-0",
        f"{tenant.name}-compute-1",
    ]
    stale = await site.command(CreateWorkspace(document=tenant.document()), expectedgeneration=4)
    assert "generation 0" in (await problems_of(site, stale))[0].reason
    await ready(site, tenant)
    smaller = tenant.document(roles=[role(name="login", image="other"), role(name="compute", count=1)])
    plan = await site.ask(PlanWorkspace(document=smaller))
    assert isinstance(plan, WorkspacePlanned)
    assert plan.generation == 1
    assert [(change.action, change.name) for change in plan.changes] == [
        ("keep", f"{tenant.name}-login-0"),
        ("keep", f"{tenant.name}-compute-0"),
        ("delete", f"{tenant.name}-compute-1"),
    ]
    assert {problem.field for problem in plan.problems} == {"document.roles.0.image"}


async def test_i23_a_node_that_vanishes_is_replaced_by_itself(
    site: Site, place: Place, neighbours: Neighbours, tenant: Tenant
) -> None:
    await started(site, place)
    await ready(site, tenant)
    lost = next(server for server in tenant.servers() if server.name.endswith("compute-1"))
    place.admin.compute.delete_server(lost.id)
    failed = await site.tap.until(NodeFailed, workspace=tenant.name, seconds=PATIENCE_SECONDS)
    assert (failed.node, failed.server_id) == (lost.name, lost.id)
    new = await site.tap.until(
        NodeActive,
        workspace=tenant.name,
        where=lambda event: event.node == lost.name and event.server_id != lost.id,
        seconds=PATIENCE_SECONDS,
    )
    assert [server.id for server in tenant.servers() if server.name == lost.name] == [new.server_id]


async def test_a_restart_at_each_step_makes_nothing_twice(
    site: Site, place: Place, neighbours: Neighbours, tenant: Tenant
) -> None:
    service = await started(site, place)
    command_id = await site.command(CreateWorkspace(document=tenant.document()))
    for _ in range(6):
        await asyncio.sleep(0.7)
        await site.stop(service)
        service = await started(site, place)
    assert await ended(site, command_id) == "applied"
    assert sorted(server.name for server in tenant.servers()) == sorted(
        [f"{tenant.name}-login-0", f"{tenant.name}-compute-0", f"{tenant.name}-compute-1"]
    )
    assert len(tenant.networks()) == 1
    assert len(tenant.routers()) == 1
    assert len(tenant.ports()) == 3


@pytest.mark.parametrize("at", [WorkspaceDeclared, NetworkReady, Progressed])
async def test_a_delete_wins_over_a_creation_under_way(
    site: Site, place: Place, neighbours: Neighbours, tenant: Tenant, at: Any
) -> None:
    await started(site, place)
    creation = await site.command(CreateWorkspace(document=tenant.document()))
    await site.tap.until(at, workspace=tenant.name, seconds=PATIENCE_SECONDS)
    _ = tenant.project_id
    deletion = await site.command(DeleteWorkspace(workspace=tenant.name))
    await site.tap.until(WorkspaceDeleted, workspace=tenant.name, seconds=PATIENCE_SECONDS)
    assert await ended(site, creation) == "failed"
    assert await ended(site, deletion) == "applied"
    assert tenant.project_id is None
    assert not tenant.servers()
    assert not tenant.networks()


async def test_observing_refuses_commands_and_still_plans(site: Site, place: Place, tenant: Tenant) -> None:
    await started(site, place, mode="observe")
    refused = await site.command(CreateWorkspace(document=tenant.document()))
    problem = (await problems_of(site, refused))[0]
    assert "observes" in problem.reason
    assert "TRESOR_MODE=enforce" in problem.remedy
    plan = await site.ask(PlanWorkspace(document=tenant.document()))
    assert isinstance(plan, WorkspacePlanned)
    assert plan.changes
    assert tenant.project_id is None
