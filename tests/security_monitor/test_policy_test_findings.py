"""A policy test that fails is a finding until that test holds again, whatever it is called."""

import pytest

from contracts.network_policy import PolicyTestFailed, PolicyTestPassed
from contracts.security_monitor import FindingRaised, FindingResolved
from security_monitor.handlers import handlers
from security_monitor.main import make_context
from security_monitor.settings import Settings
from shared.testing import Site

FAILED = PolicyTestFailed.model_validate(PolicyTestFailed.example)


@pytest.mark.parametrize("name", ["compute never reaches the internet", "Größe: 'x' % -- ; \\", "a" * 120])
async def test_a_failed_policy_test_is_a_finding_until_it_holds_m17(site: Site, name: str) -> None:
    await site.start(handlers, make_context, Settings)
    await site.tell(FAILED.model_copy(update={"test": name}))
    await site.tell(FAILED.model_copy(update={"test": "another"}))
    await site.tell(PolicyTestPassed(workspace=FAILED.workspace, generation=1, test=name))
    over = (await site.tap.until(FindingResolved)).finding
    raised = [each.finding for each in site.tap.of(FindingRaised)]
    assert [each.rule for each in raised] == ["policy-test-failed"] * 2
    assert over.finding_id == raised[0].finding_id
    assert len(site.tap.of(FindingResolved)) == 1
    assert raised[0].severity == "high"
    assert name in raised[0].title
    assert raised[0].cause == FAILED.reason
    assert raised[0].runbook == "docs/runbooks/policy-test-failed.md"
