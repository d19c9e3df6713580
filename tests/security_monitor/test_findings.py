"""What of Tresor's own events is a finding, and what ends it: quarantine, duplicate ports, refused approvals."""

import pytest

from contracts.envelope import Event, Problem, Role
from contracts.network_policy import (
    CHASSIS,
    Duplicate,
    DuplicateFound,
    DuplicateResolved,
    PolicyWithdrawn,
    WithdrawalHeld,
    WorkspaceQuarantined,
    WorkspaceReleased,
)
from contracts.security_monitor import CHASSIS as MONITOR
from contracts.security_monitor import FindingList, FindingRaised, FindingResolved, ListFindings
from contracts.storage import CHASSIS as STORAGE
from security_monitor.handlers import handlers
from security_monitor.main import make_context
from security_monitor.settings import Settings
from shared.testing import Site

QUARANTINED = WorkspaceQuarantined.model_validate(WorkspaceQuarantined.example)
FOUND = DuplicateFound.model_validate(DuplicateFound.example)


@pytest.fixture(autouse=True)
async def monitor(site: Site) -> None:
    """The service, hearing."""
    await site.start(handlers, make_context, Settings)


async def resolved_by(site: Site, begun: Event, other: Event, end: Event, rule: str) -> None:
    """`end` ends the finding of `begun` alone, not that of `other`."""
    await site.tell(begun)
    raised = (await site.tap.until(FindingRaised)).finding
    for event in (other, end):
        await site.tell(event)
    over = await site.tap.until(FindingResolved)
    assert [each.finding.rule for each in await site.tap.first(2, FindingRaised)] == [rule, rule]
    assert over.finding.finding_id == raised.finding_id
    assert len(site.tap.of(FindingResolved)) == 1


async def test_a_quarantine_is_a_finding_until_its_release(site: Site) -> None:
    other = QUARANTINED.model_copy(update={"quarantine_id": "0198c0de-0000-7000-8000-00000000000a", "role": "compute"})
    released = WorkspaceReleased.model_validate(WorkspaceReleased.example)
    await resolved_by(site, QUARANTINED, other, released, "workspace-quarantined")
    (first, _) = (each.finding for each in site.tap.of(FindingRaised))
    assert (first.severity, first.workspace, first.actor) == ("high", QUARANTINED.workspace, QUARANTINED.holder)
    assert first.mend == f"tresor release {QUARANTINED.workspace}"
    assert "role login" in first.title


async def test_duplicate_ports_are_a_finding_until_one_is_left(site: Site) -> None:
    other = DuplicateFound(duplicate=FOUND.duplicate.model_copy(update={"mac_address": "fa:16:3e:00:00:01"}))
    over = DuplicateResolved.model_validate(DuplicateResolved.example)
    await resolved_by(site, FOUND, other, over, "duplicate-ports")
    first = site.tap.of(FindingRaised)[0].finding
    spurious = FOUND.duplicate.spurious[0]
    assert first.mend == f"tresor ports remove {spurious.port_id}"
    assert all(reason in first.cause for reason in spurious.reasons)
    assert first.workspace is None


async def test_a_mac_on_two_hosts_is_a_finding_of_its_own(site: Site) -> None:
    flapping = Duplicate.model_validate(
        {**FOUND.duplicate.model_dump(), "kind": "flapping", "hosts": ("ctl1", "ctl2"), "spurious": ()}
    )
    await site.tell(DuplicateFound(duplicate=flapping))
    told = (await site.tap.until(FindingRaised)).finding
    assert (told.rule, told.severity) == ("mac-flap", "high")
    assert "ctl1, ctl2" in told.title
    assert told.mend == "tresor ports duplicates"


@pytest.mark.parametrize(
    ("command", "rule", "severity"),
    [
        ("network-policy.command.approve", "approval-refused", "high"),
        ("network-policy.workspace.release", "command-rejected", "low"),
    ],
)
async def test_a_refused_approval_is_one_security_finding(site: Site, command: str, rule: str, severity: str) -> None:
    await site.tell(
        CHASSIS.rejected(
            command_id="0198c0de-0000-7000-8000-000000000001",
            command_type=command,
            holder="ana",
            subject="genome-42",
            problems=(Problem(reason="ana asked for it: another person has to approve it"),),
        )
    )
    told = (await site.tap.until(FindingRaised)).finding
    assert (told.rule, told.severity, told.workspace) == (rule, severity, "genome-42")
    assert len(site.tap.of(FindingRaised)) == 1
    assert MONITOR.refused.type not in {each["type"] for each in site.tap.events}


async def test_a_key_for_some_workspaces_is_told_of_theirs_and_of_nobodys(site: Site) -> None:
    site.keys.add("ben", frozenset({Role.SECURITY_OFFICER}), workspaces=("physics-*",))
    other = QUARANTINED.model_copy(
        update={"quarantine_id": "0198c0de-0000-7000-8000-00000000000a", "workspace": "physics-1"}
    )
    for event in (QUARANTINED, other, FOUND):
        await site.tell(event)
    await site.tap.first(3, FindingRaised)
    for holder, expected in (("ben", {"physics-1", None}), ("ana", {"physics-1", QUARANTINED.workspace, None})):
        answer = await site.ask(ListFindings(), holder)
        assert isinstance(answer, FindingList)
        assert {one.workspace for one in answer.findings} == expected
    with pytest.raises(AssertionError, match="is not for"):
        await site.ask(ListFindings(of=QUARANTINED.workspace), "ben")


async def test_an_end_that_is_told_again_is_one_finding(site: Site) -> None:
    end = CHASSIS.rejected(
        command_id="0198c0de-0000-7000-8000-000000000001",
        command_type="network-policy.workspace.release",
        holder="ana",
        subject="genome-42",
        problems=(Problem(reason="no such quarantine"),),
    )
    other = end.model_copy(update={"command_id": "0198c0de-0000-7000-8000-000000000002"})
    for event in (end, end, other):
        await site.tell(event)
    await site.tap.until(FindingRaised, where=lambda told: other.command_id in told.finding.finding_id)
    assert [each.finding.finding_id for each in site.tap.of(FindingRaised)] == [
        f"command-rejected-{end.command_id}",
        f"command-rejected-{other.command_id}",
    ]


async def test_dropped_notifications_are_a_finding_until_nothing_is_dropped(site: Site) -> None:
    begun = CHASSIS.unheard.model_validate(CHASSIS.unheard.example)
    other = STORAGE.unheard.model_validate(STORAGE.unheard.example)
    await resolved_by(
        site, begun, other, CHASSIS.recovered.model_validate(CHASSIS.recovered.example), "notifications-dropped"
    )
    first = site.tap.of(FindingRaised)[0].finding
    assert (first.severity, first.workspace, first.mend) == ("medium", None, "tresor doctor")
    assert begun.queue in first.cause
    assert str(begun.messages) in first.cause


async def test_a_gap_in_the_audit_log_is_graver(site: Site) -> None:
    await site.tell(MONITOR.unheard.model_validate({**MONITOR.unheard.example, "scans": False}))
    finding = (await site.tap.until(FindingRaised)).finding
    assert finding.severity == "high"
    assert "the audit log has a gap" in finding.cause


async def test_whoever_holds_a_deletion_up_is_named_until_it_goes_on(site: Site) -> None:
    held = WithdrawalHeld.model_validate(WithdrawalHeld.example)
    await site.tell(held)
    finding = (await site.tap.until(FindingRaised)).finding
    (holder,) = held.holders
    assert all(each in finding.cause for each in (holder.port_id, holder.project_id, holder.device_id))
    assert finding.mend == f"openstack port unset --security-group {holder.group_id} {holder.port_id}"
    await site.tell(PolicyWithdrawn(workspace=held.workspace, generation=held.generation))
    assert (await site.tap.until(FindingResolved)).finding.finding_id == finding.finding_id
