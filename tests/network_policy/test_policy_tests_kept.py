"""Policy tests on a real broker and database, against the twin or the lab (M17)."""

import pytest

from contracts.network_policy import (
    CHASSIS,
    PolicyTestFailed,
    PolicyTestPassed,
    PolicyTestsRun,
    PolicyTestsShown,
    PutPolicyTests,
    RunPolicyTests,
    ShowPolicyTests,
)
from contracts.policy_tests import PolicyTest
from tests.network_policy.stage import Stage

NEVER = 3600.0
JUMPHOSTS = PolicyTest.model_validate(
    {
        "name": "only jumphosts reach login",
        "only": ["site:jumphosts"],
        "reach": "role:login",
        "protocol": "tcp",
        "ports": [22],
    }
)
INTERNET = PolicyTest.model_validate(
    {"name": "compute never reaches the internet", "from": "role:compute", "to": "internet", "expect": "denied"}
)
CONTRARY = PolicyTest.model_validate(
    {"name": "login never reaches compute", "from": "role:login", "to": "role:compute", "expect": "denied"}
)
OTHERS = PolicyTest.model_validate(
    {"name": "nobody else comes in", "from": "others", "to": "workspace", "expect": "denied"}
)


async def kept(stage: Stage) -> PolicyTestsShown:
    answer = await stage.site.ask(ShowPolicyTests(of=stage.name))
    assert isinstance(answer, PolicyTestsShown)
    return answer


async def ran(stage: Stage, *tests: PolicyTest) -> PolicyTestsRun:
    answer = await stage.site.ask(RunPolicyTests(of=stage.name, tests=tests or None))
    assert isinstance(answer, PolicyTestsRun)
    return answer


async def test_tests_run_on_the_cloud_as_it_is_m17(stage: Stage) -> None:
    service = await stage.service(mode="enforce", scan_seconds=NEVER)
    groups, _ = await stage.standing()
    results = (await ran(stage, JUMPHOSTS, INTERNET, CONTRARY)).results
    assert [each.result for each in results] == ["passed", "passed", "failed"]
    assert results[2].packet is not None
    assert results[2].packet.source == f"{stage.name}-login-0"
    assert set(results[2].packet.rule_ids) <= {
        rule.id for group_id in groups.values() for rule in await stage.rules(group_id)
    }
    await stage.site.stop(service)
    await stage.service(mode="observe", scan_seconds=NEVER)
    rogue = await stage.open_ssh(groups["login"])
    (result,) = (await ran(stage, JUMPHOSTS)).results
    assert result.packet is not None
    assert result.packet.rule_ids == (rogue,)
    assert result.packet.source == "outside"


async def test_a_kept_test_that_fails_is_told_once_and_again_when_it_holds_m17(stage: Stage) -> None:
    tap = stage.site.tap
    enforcing = await stage.service(scan_seconds=NEVER)
    groups, _ = await stage.standing()
    await stage.site.stop(enforcing)
    await stage.service(mode="observe", scan_seconds=1.0)
    await stage.site.command(PutPolicyTests(workspace=stage.name, tests=(JUMPHOSTS, INTERNET, OTHERS)))
    await tap.until(CHASSIS.applied, workspace=stage.name)
    rogue = await stage.open_ssh(groups["login"])
    failed = await tap.until(PolicyTestFailed, workspace=stage.name)
    assert failed.test == JUMPHOSTS.name
    assert failed.packet is not None
    assert failed.packet.rule_ids == (rogue,)
    shown = await kept(stage)
    assert {each.test.name: each.result for each in shown.tests}[JUMPHOSTS.name] == "failed"
    await stage.cloud(lambda c: c.network.delete_security_group_rule(rogue))
    passed = await tap.until(PolicyTestPassed, workspace=stage.name)
    assert passed.test == JUMPHOSTS.name
    assert len(tap.of(PolicyTestFailed)) == 1
    assert {each.test.name: each.result for each in (await kept(stage)).tests}[INTERNET.name] == "passed"


async def test_a_document_against_its_tests_is_told_until_the_test_is_taken_back(stage: Stage) -> None:
    tap = stage.site.tap
    await stage.service(scan_seconds=1.0)
    await stage.standing()
    await stage.site.command(PutPolicyTests(workspace=stage.name, tests=(CONTRARY,)))
    failed = await tap.until(PolicyTestFailed, workspace=stage.name)
    assert "tcp/22 may pass" in failed.reason
    results = (await ran(stage)).results
    assert [(each.name, each.result) for each in results] == [(CONTRARY.name, "failed")]
    await stage.site.command(PutPolicyTests(workspace=stage.name, tests=()))
    await tap.until(PolicyTestPassed, workspace=stage.name)
    assert (await kept(stage)).tests == ()


@pytest.mark.parametrize(
    ("test", "field"),
    [
        ({"name": "x", "from": "role:gpu", "to": "internet", "expect": "denied"}, "tests.0.from"),
        ({"name": "x", "from": "role:login", "to": "site:moon", "expect": "denied"}, "tests.0.to"),
        ({"name": "x", "workspace": "other", "from": "role:a", "to": "internet", "expect": "denied"}, "tests.0.workspace"),
    ],
)  # fmt: skip
async def test_tests_of_what_is_not_declared_are_rejected(stage: Stage, test: dict[str, str], field: str) -> None:
    await stage.service(scan_seconds=NEVER)
    await stage.build()
    await stage.declare()
    await stage.enforced()
    await stage.site.command(PutPolicyTests(workspace=stage.name, tests=(PolicyTest.model_validate(test),)))
    rejected = await stage.site.tap.until(CHASSIS.rejected, workspace=stage.name)
    assert [each.field for each in rejected.problems] == [field]
    assert (await kept(stage)).tests == ()
