"""Policy tests on a real broker and database, against the twin or the lab (M17)."""

from pathlib import Path
from xml.etree import ElementTree

import pytest
import yaml

from bootstrap.leases import BrokerLease
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
from tests.operator_cli.conftest import Ended, run_tresor

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


async def test_an_operator_keeps_runs_and_draws_m17(stage: Stage, broker: BrokerLease, tmp_path: Path) -> None:
    settings = {
        "TRESOR_AMQP_URL": broker.url_of("operator"),
        "TRESOR_SIGNING_KEY_PATH": str(stage.site.keys.path("ana")),
        "TRESOR_KEYRING_PATH": str(stage.site.keys.keyring_path),
        "TRESOR_SITE_PATH": str(stage.site.site_path),
    }

    async def tresor(*arguments: str) -> Ended:
        return await run_tresor(*arguments, folder=tmp_path, environment=settings)

    await stage.service(scan_seconds=1.0)
    await stage.standing()
    tests = [each.model_dump(mode="json", by_alias=True, exclude_unset=True) for each in (JUMPHOSTS, INTERNET)]
    (tmp_path / "tests.yaml").write_text(yaml.safe_dump({"workspace": stage.name, "tests": tests}))
    ran_once = await tresor("policy", "test", "-f", "tests.yaml")
    assert (ran_once.code, ran_once.out.count("passed")) == (0, 2), ran_once.err
    put = await tresor("policy", "keep", "-f", "tests.yaml")
    assert put.code == 0, put.err
    await stage.site.tap.until(CHASSIS.applied, workspace=stage.name)
    listed = await tresor("policy", "kept", stage.name, "-o", "json")
    assert [each["test"]["name"] for each in yaml.safe_load(listed.out)["tests"]] == [JUMPHOSTS.name, INTERNET.name]
    drawn = await tresor("isolation", stage.name, "--svg", "one.svg", "--html", "one.html")
    assert drawn.code == 0, drawn.err
    words = {each.text for each in ElementTree.parse(tmp_path / "one.svg").iter() if each.tag.endswith("}text")}
    assert {"login", "compute", "jumphosts", "tcp 22", "tcp 22,6817-6819", "\u2713 isolated"} <= words
    everybody = await tresor("isolation", "--svg", "all.svg")
    assert everybody.code == 0, everybody.err
    titles = {each.text for each in ElementTree.parse(tmp_path / "all.svg").iter() if each.tag.endswith("}title")}
    assert f"{stage.name}: isolated" in titles
    assert f"outside to {stage.name}: tcp 22, as declared" in titles
    assert "<!DOCTYPE html>" in (tmp_path / "one.html").read_text()
    gone = await tresor("policy", "forget", stage.name)
    assert gone.code == 0, gone.err
    assert (await kept(stage)).tests == ()
