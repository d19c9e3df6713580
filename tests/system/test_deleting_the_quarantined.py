"""A quarantined workspace is evidence: deletions wait for its release, also when both are ordered at once (row L27)."""

import asyncio

from contracts import network_policy, provisioner
from contracts.examples import DOCUMENT
from contracts.network_policy import QuarantineWorkspace, ReleaseWorkspace, WorkspaceQuarantined, WorkspaceReleased
from contracts.provisioner import DeleteWorkspace, WorkspaceDeleted, WorkspaceDeleting
from tests.system.chain import Chain

NAME = "genome-42"
POLICY = network_policy.CHASSIS
STILL_SECONDS = 4.0


def servers(chain: Chain) -> int:
    return len([each for each in chain.cloud.compute.servers(all_projects=True) if each.status == "ACTIVE"])


async def released(chain: Chain, cut: WorkspaceQuarantined, generation: int) -> None:
    """Two people end the quarantine."""
    tap = chain.site.tap
    release = ReleaseWorkspace(workspace=NAME, quarantine_id=cut.quarantine_id, reason="looked over")
    command_id = await chain.site.command(release, "ana", expectedgeneration=generation)
    waiting = await tap.until(POLICY.waiting, where=lambda event: event.command_id == command_id)
    await chain.site.command(POLICY.approve(workspace=NAME, command_id=command_id, digest=waiting.digest), "sam")
    await tap.until(WorkspaceReleased, where=lambda event: event.quarantine_id == cut.quarantine_id)


async def test_a_deletion_and_a_smaller_document_are_refused_until_two_people_release_it(chain: Chain) -> None:
    await chain.create(chain.document(NAME))
    await chain.ready(NAME)
    tap = chain.site.tap
    await chain.site.command(QuarantineWorkspace(workspace=NAME, role="compute", reason="a break-in"), "sam")
    cut = await tap.until(WorkspaceQuarantined, workspace=NAME)
    deletion = await chain.site.command(DeleteWorkspace(workspace=NAME))
    refused = await tap.until(provisioner.CHASSIS.rejected, where=lambda event: event.command_id == deletion)
    assert "in quarantine" in refused.problems[0].reason
    assert "tresor release" in refused.problems[0].remedy
    login, compute = DOCUMENT["roles"]
    smaller = await chain.create(chain.document(NAME, roles=[login, {**compute, "count": 1}]))
    refused = await tap.until(provisioner.CHASSIS.rejected, where=lambda event: event.command_id == smaller)
    assert refused.problems[0].field == "document.roles"
    assert servers(chain) == 6
    assert not tap.of(WorkspaceDeleting)
    await released(chain, cut, generation=1)
    await chain.delete(NAME)


async def test_the_later_of_quarantine_and_deletion_finds_the_earlier(chain: Chain) -> None:
    """The quarantine is ordered and not yet cut, so the provisioner has not heard of it when the deletion comes."""
    await chain.create(chain.document(NAME))
    await chain.ready(NAME)
    tap = chain.site.tap
    chain.twin.faults({"kind": "503", "service": "neutron|network", "seconds": 0.2})
    await chain.site.command(QuarantineWorkspace(workspace=NAME, reason="a break-in"), "sam")
    await tap.until(POLICY.accepted)
    await chain.site.command(DeleteWorkspace(workspace=NAME))
    await tap.until(WorkspaceDeleting, workspace=NAME)
    chain.twin.clear_faults()
    cut = await tap.until(WorkspaceQuarantined, workspace=NAME, seconds=60)
    await asyncio.sleep(STILL_SECONDS)
    assert servers(chain) == 6, "what is in quarantine went"
    assert cut.evidence.startswith("sha256:")
    assert not tap.of(network_policy.DeletionCleared)
    await released(chain, cut, generation=2)
    await tap.until(network_policy.DeletionCleared, workspace=NAME)
    await tap.until(WorkspaceDeleted, workspace=NAME, seconds=90)
    assert servers(chain) == 0


async def test_a_quarantine_stops_a_deletion_that_is_under_way(chain: Chain) -> None:
    await chain.create(chain.document(NAME))
    await chain.ready(NAME)
    tap = chain.site.tap
    # Servers can't be deleted for a while, so that the deletion is caught with something left.
    chain.twin.faults({"kind": "503", "service": "nova|compute", "method": "DELETE", "seconds": 0.2})
    await chain.site.command(DeleteWorkspace(workspace=NAME))
    await tap.until(network_policy.DeletionCleared, workspace=NAME)
    await chain.site.command(QuarantineWorkspace(workspace=NAME, reason="a break-in"), "sam")
    cut = await tap.until(WorkspaceQuarantined, workspace=NAME, seconds=60)
    await tap.until(provisioner.Progressed, where=lambda event: "quarantine" in event.step, seconds=60)
    chain.twin.clear_faults()
    await asyncio.sleep(STILL_SECONDS)
    assert servers(chain) == 6, "the deletion went on"
    await released(chain, cut, generation=2)
    await tap.until(WorkspaceDeleted, workspace=NAME, seconds=90)
