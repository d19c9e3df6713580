"""A cloud that stumbles: the workspace ends ready or failed with a reason, and nothing is there twice."""

from typing import Any

import pytest

from contracts.provisioner import (
    CHASSIS,
    CreateWorkspace,
    DeleteWorkspace,
    NodeFailed,
    WorkspaceDeleted,
    WorkspaceFailed,
    WorkspaceReady,
)
from shared.testing import Site
from tests.place import Place
from tests.provisioner.neighbours import Neighbours
from tests.provisioner.running import PATIENCE_SECONDS, ended, ready, started
from tests.provisioner.tenant import Tenant, role
from twin.testing import RunningTwin

WRITES = "POST|PUT|DELETE"
STUMBLES: dict[str, list[dict[str, Any]]] = {
    "errors": [
        {"kind": "500", "method": WRITES, "service": "nova|neutron|compute|network", "count": 4},
        {"kind": "503", "probability": 0.1, "count": 6, "seconds": 0.2},
    ],
    "busy": [
        {"kind": "429", "method": WRITES, "count": 4, "seconds": 0.5},
        {"kind": "409", "method": "POST", "count": 3},
    ],
    "answers lost": [{"kind": "lost_response", "method": "POST", "probability": 0.25, "count": 5}],
    "silence": [{"kind": "lost"}],
    "reads that lag behind": [{"kind": "unseen", "method": "GET", "seconds": 2}],
    "echo": [{"kind": "doubled"}, {"kind": "reordered", "probability": 0.3}],
}


@pytest.mark.parametrize("stumble", STUMBLES)
async def test_a_stumbling_cloud_ends_in_the_same_workspace(
    site: Site, place: Place, twin: RunningTwin, neighbours: Neighbours, tenant: Tenant, stumble: str
) -> None:
    await started(site, place)
    twin.faults(*STUMBLES[stumble])
    await ready(site, tenant)
    twin.clear_faults()
    assert sorted(server.name for server in tenant.servers()) == [
        f"{tenant.name}-compute-0",
        f"{tenant.name}-compute-1",
        f"{tenant.name}-login-0",
    ]
    assert (len(tenant.networks()), len(tenant.routers()), len(tenant.ports())) == (1, 1, 3)
    twin.faults(*STUMBLES[stumble])
    await site.command(DeleteWorkspace(workspace=tenant.name))
    await site.tap.until(WorkspaceDeleted, workspace=tenant.name, seconds=PATIENCE_SECONDS)
    twin.clear_faults()
    assert tenant.project_id is None
    assert not tenant.servers()
    assert not tenant.networks()


async def test_a_quota_that_is_too_small_fails_the_command_with_a_remedy_and_a_new_create_finishes(
    site: Site, place: Place, twin: RunningTwin, neighbours: Neighbours, tenant: Tenant
) -> None:
    await started(site, place)
    twin.faults({"kind": "quota", "method": "POST", "path": ".*/servers"})
    command_id = await site.command(CreateWorkspace(document=tenant.document()))
    failed = await site.tap.until(WorkspaceFailed, workspace=tenant.name, seconds=PATIENCE_SECONDS)
    assert "quota" in failed.problems[0].reason.lower()
    assert "raise" in failed.problems[0].remedy
    assert await ended(site, command_id) == "failed"
    twin.clear_faults()
    done = await ready(site, tenant, 2)
    assert done.nodes == 3
    assert (len(tenant.servers()), len(tenant.networks()), len(tenant.ports())) == (3, 1, 3)


async def test_i23_no_valid_host_is_tried_three_times_and_told_in_novas_words(
    site: Site, place: Place, neighbours: Neighbours, tenant: Tenant
) -> None:
    flavor = place.admin.compute.create_flavor(name=f"{tenant.name}-vast", vcpus=9000, ram=512, disk=1)
    try:
        await started(site, place)
        vast = tenant.document(roles=[role(name="login"), role(name="vast", flavor=flavor.name)])
        command_id = await site.command(CreateWorkspace(document=vast))
        failed = await site.tap.until(WorkspaceFailed, workspace=tenant.name, seconds=PATIENCE_SECONDS)
        assert len({event.server_id for event in site.tap.of(NodeFailed, tenant.name)}) == 3
        assert "No valid host" in failed.problems[0].reason
        assert failed.problems[0].field == "roles.1"
        outcome = await site.tap.until(CHASSIS.failed, where=lambda event: event.command_id == command_id)
        assert outcome.problems[0].field == "document.roles.1"
        deletion = await site.command(DeleteWorkspace(workspace=tenant.name))
        assert await ended(site, deletion) == "applied"
        assert not tenant.servers()
    finally:
        place.admin.compute.delete_flavor(flavor.id)


async def test_twenty_at_once_are_all_ready_and_none_has_anothers_things(
    site: Site, place: Place, twin: RunningTwin, neighbours: Neighbours
) -> None:
    await started(site, place)
    tenants = [Tenant(f"many-{number}", place, number) for number in range(20)]
    for tenant in tenants:
        await site.command(CreateWorkspace(document=tenant.document()))
    for tenant in tenants:
        await site.tap.until(WorkspaceReady, workspace=tenant.name, seconds=2 * PATIENCE_SECONDS)
        assert {server.name.rsplit("-", 2)[0] for server in tenant.servers()} == {tenant.name}
        assert len(tenant.servers()) == 3


async def test_two_documents_with_one_prefix_are_never_both_admitted(
    site: Site, place: Place, neighbours: Neighbours, tenant: Tenant
) -> None:
    await started(site, place)
    rival = Tenant(f"{tenant.name}-b", place, tenant.network)
    commands = [await site.command(CreateWorkspace(document=each.document())) for each in (tenant, rival)]
    outcomes = [await ended(site, command_id) for command_id in commands]
    assert sorted(outcomes) == ["applied", "rejected"]
    rejected = site.tap.of(CHASSIS.rejected)[0]
    assert [problem.field for problem in rejected.problems] == ["document.networks.0.cidr"]
    rival.clear()
