"""What people make of findings: acknowledged, accepted for a time, resolved, and found again."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from bootstrap.leases import BrokerLease
from contracts.network_policy import DriftDetected
from contracts.security_monitor import (
    CHASSIS,
    AcceptFinding,
    AcknowledgeFinding,
    Finding,
    FindingChanged,
    FindingList,
    FindingRaised,
    FindingResolved,
    ListFindings,
    ResolveFinding,
)
from security_monitor.handlers import handlers
from security_monitor.main import make_context
from security_monitor.settings import Settings
from shared.service import Service
from shared.testing import Site
from tests.security_monitor.test_service import publish
from tests.shared.recording import notification, wrapped
from tests.waiting import until

NOTE = "asking the project"


async def shared_network(site: Site, broker: BrokerLease, number: int) -> None:
    """Somebody shares one network with everybody, again."""
    payload = {"network": {"id": "n", "project_id": "p", "name": "lab", "shared": True}}
    message = notification("network.update.end", payload, message_id=f"shared-{number}")
    await publish(broker, [wrapped(message, "neutron")])


@pytest.fixture
async def monitor(site: Site) -> Service[Any]:
    service = await site.start(handlers, make_context, Settings, detection_seconds=0.1)
    await until(lambda: service.firehose is not None and service.firehose.connected)
    return service


async def raised(site: Site, count: int = 1) -> Finding:
    """The finding about the network, the latest of so many."""
    await until(lambda: len(site.tap.of(FindingRaised)) == count)
    return site.tap.of(FindingRaised)[-1].finding


async def stored(site: Site, finding: Finding) -> Finding:
    answer = await site.ask(ListFindings(finding_id=finding.finding_id), "sam")
    assert isinstance(answer, FindingList)
    (one,) = answer.findings
    return one


async def rejected(site: Site, command: Any, holder: str = "sam") -> str:
    """The reason that the command is rejected for."""
    command_id = await site.command(command, holder)
    told = await site.tap.until(CHASSIS.rejected, where=lambda one: one.command_id == command_id)
    return str(told.problems[0].reason)


async def judged_after(service: Service[Any], position: int) -> None:
    async def so_far() -> bool:
        row = await service.pool.fetchval(
            "SELECT position FROM audit_reader WHERE reader = 'detections' AND stream = 'openstack'"
        )
        return bool(row >= position)

    await until(so_far)


async def test_a_finding_is_acknowledged_and_resolved_and_comes_again(
    site: Site, broker: BrokerLease, monitor: Service[Any]
) -> None:
    await shared_network(site, broker, 1)
    finding = await raised(site)
    assert (finding.rule, finding.state) == ("shared-with-all", "open")
    await site.command(AcknowledgeFinding(finding_id=finding.finding_id, note=NOTE), "sam")
    changed = (await site.tap.until(FindingChanged)).finding
    assert (changed.state, changed.holder, changed.note) == ("acknowledged", "sam", NOTE)
    await shared_network(site, broker, 2)
    await judged_after(monitor, 2)
    assert len(site.tap.of(FindingRaised)) == 1
    await site.command(ResolveFinding(finding_id=finding.finding_id, note="taken back"), "sam")
    over = (await site.tap.until(FindingResolved)).finding
    assert (over.state, over.note, (await stored(site, finding)).state) == ("resolved", "taken back", "resolved")
    again = AcknowledgeFinding(finding_id=finding.finding_id, note=NOTE)
    assert "it is over since" in await rejected(site, again)
    await shared_network(site, broker, 3)
    assert (await raised(site, 2)).finding_id != finding.finding_id


async def test_an_acceptance_ends(site: Site, broker: BrokerLease, monitor: Service[Any]) -> None:
    await shared_network(site, broker, 1)
    finding = await raised(site)

    def acceptance(end: datetime) -> AcceptFinding:
        return AcceptFinding(finding_id=finding.finding_id, note="a course", until=end)

    now = site.clock.now()
    for end in (now - timedelta(days=1), now + timedelta(days=400)):
        assert "does not lie within the coming 366 days" in await rejected(site, acceptance(end))
    await site.command(acceptance(site.clock.now() + timedelta(seconds=4)), "sam")
    changed = (await site.tap.until(FindingChanged)).finding
    assert changed.state == "accepted"
    reopened = await site.tap.until(FindingChanged, where=lambda told: told.finding.state == "open")
    assert reopened.finding.accepted_until is None
    assert reopened.finding.note == "a course"


async def test_who_may_not_change_a_finding_does_not(site: Site, monitor: Service[Any]) -> None:
    drift = DriftDetected.model_validate(DriftDetected.example)
    await site.tell(drift)
    finding = await raised(site)
    of_nobody = AcknowledgeFinding(finding_id=finding.finding_id, note=NOTE)
    assert "the site has no finding" in await rejected(site, of_nobody)
    await site.command(AcknowledgeFinding(finding_id=finding.finding_id, workspace=drift.workspace, note=NOTE), "ana")
    told = await site.tap.until(CHASSIS.refused)
    assert told.reason == "wrong-role"
    assert (await stored(site, finding)).state == "open"
