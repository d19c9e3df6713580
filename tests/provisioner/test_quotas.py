"""Each limit of a project has one owner: nodes and wires are the provisioner's, volumes and shares are storage's."""

from contracts.provisioner import DeleteWorkspace, WorkspaceDeleted
from shared.testing import Site
from tests.place import Place
from tests.provisioner.neighbours import Neighbours
from tests.provisioner.running import PATIENCE_SECONDS, ready, started
from tests.provisioner.tenant import Tenant
from twin.testing import RunningTwin

STORAGE = {
    "shares": [{"name": "home", "size_gib": 20, "access": {"login": "rw"}}],
    "volumes": [{"name": "data", "size_gib": 5, "role": "login"}],
}


async def test_the_provisioner_bounds_nodes_and_wires_alone(
    site: Site, place: Place, twin: RunningTwin, neighbours: Neighbours, tenant: Tenant
) -> None:
    await started(site, place)
    await ready(site, tenant, storage=STORAGE)
    await site.command(DeleteWorkspace(workspace=tenant.name))
    await site.tap.until(WorkspaceDeleted, workspace=tenant.name, seconds=PATIENCE_SECONDS)
    writes = {
        (call["service"], call["method"])
        for call in twin.requests()
        if call["user_name"] == "tresor-provisioner" and "quota" in call["path"]
    }
    assert {method for _, method in writes} == {"PUT", "DELETE"}
    assert len({service for service, _ in writes}) == 2, writes
    assert not {service for service, _ in writes} & {"volume", "volumev3", "cinder", "share", "sharev2", "manila"}
