"""`tresor policy test` offline: what it prints, what CI reads, and how it ends."""

import json
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import pytest
import yaml

from bootstrap.places import CHECKOUT
from contracts.network_policy import Counterexample, PolicyTestResult
from operator_cli.exits import Exit
from operator_cli.policy.results import to_junit
from shared.testing import Site
from tests.operator_cli.conftest import Tresor
from tests.operator_cli.provisioner_double import make_context, make_handlers

DOCUMENT = CHECKOUT / "deploy/demo/openhpc.yaml"
SITE = CHECKOUT / "deploy/demo/site.yaml"
GOOD = """\
kind: PolicyTests
workspace: openhpc
tests:
  - name: compute never reaches the internet
    from: role:compute
    to: internet
    expect: denied
  - name: only jumphosts reach login
    only: [site:jumphosts]
    reach: role:login
    protocol: tcp
    ports: [22]
  - name: people come in
    from: site:jumphosts
    to: role:login
    expect: permitted
    protocol: tcp
    ports: [22]
"""
BAD = """\
  - name: login never reaches compute
    from: role:login
    to: role:compute
    expect: denied
"""


@pytest.fixture
def tests_file(tmp_path: Path) -> Callable[[str], str]:
    def write(text: str) -> str:
        path = tmp_path / "policy-tests.yaml"
        path.write_text(text)
        return str(path)

    return write


async def test_a_document_that_holds_what_its_tests_say(tresor: Tresor, tests_file: Callable[[str], str]) -> None:
    offline = ("-d", str(DOCUMENT), "--site", str(SITE))
    ended = await tresor("policy", "test", "-f", tests_file(GOOD), *offline)
    assert ended.code == Exit.OK, ended.err
    assert ended.out.count("passed") == 3
    strict = await tresor("policy", "test", "-f", tests_file(GOOD), *offline, "--strict", "-o", "json")
    assert [each["result"] for each in json.loads(strict.out)["results"]] == ["passed"] * 3


async def test_a_failed_test_shows_its_packet_and_ends_with_one(
    tresor: Tresor, tests_file: Callable[[str], str], tmp_path: Path
) -> None:
    arguments = ("policy", "test", "-f", tests_file(GOOD + BAD), "-d", str(DOCUMENT), "--site", str(SITE))
    ended = await tresor(*arguments, "--junit", "results.xml")
    assert ended.code == Exit.NEGATIVE
    assert "tcp/22 may pass from openhpc-login-0 to openhpc-compute-0" in ended.out
    assert "10.42.0.3" in ended.out
    assert "1 of 4 policy tests failed: login never reaches compute" in ended.err
    root = ElementTree.parse(tmp_path / "results.xml").getroot()
    suite = root.find("testsuite")
    assert suite is not None
    assert (suite.get("name"), suite.get("tests"), suite.get("failures")) == ("openhpc", "4", "1")
    (failure,) = root.iter("failure")
    assert "tcp/22 may pass" in str(failure.get("message"))
    shown = yaml.safe_load((await tresor(*arguments, "-o", "yaml")).out)
    assert shown["results"][3]["packet"]["port"] == 22


async def test_tests_of_another_workspace_are_not_tried(tresor: Tresor, tests_file: Callable[[str], str]) -> None:
    file = tests_file(GOOD.replace("workspace: openhpc", "workspace: genome-42"))
    arguments = ("policy", "test", "-f", file, "-d", str(DOCUMENT), "--site", str(SITE))
    ended = await tresor(*arguments)
    assert ended.code == Exit.OK
    assert ended.out.count("skipped") == 3
    assert (await tresor(*arguments, "--strict")).code == Exit.NEGATIVE


@pytest.mark.parametrize(
    ("change", "line", "complaint", "remedy"),
    [
        (("role:compute", "compute"), 5, "tests.0.from", "role:compute"),
        (("expect: denied", "expect: deny"), 7, "tests.0.expect", "use one of: 'denied' or 'permitted'"),
        (("expect: denied", "expct: denied"), 7, "there is no field 'expct' here", "did you mean 'expect'?"),
        (("role:compute", "role:gpu"), 5, "'openhpc' has no role 'gpu'", "use one of: compute, login"),
        (("[site:jumphosts]", "[site:jumphosts, site:moon]"), 9, "names no endpoint 'moon'", "use one of:"),
        (("    reach: role:login\n", ""), 8, "only and reach", ""),
    ],
)
async def test_a_mistake_is_told_with_its_line(
    tresor: Tresor, tests_file: Callable[[str], str], change: tuple[str, str], line: int, complaint: str, remedy: str
) -> None:
    file = tests_file(GOOD.replace(*change, 1))
    ended = await tresor("policy", "test", "-f", file, "-d", str(DOCUMENT), "--site", str(SITE))
    assert ended.code == Exit.USAGE
    assert f"policy-tests.yaml:{line}:" in ended.err
    assert complaint in ended.err
    assert remedy in ended.err
    assert "nothing was tried" in ended.err


async def test_what_is_missing_is_told(tresor: Tresor, tests_file: Callable[[str], str]) -> None:
    nobodys = tests_file(GOOD.replace("workspace: openhpc\n", ""))
    ended = await tresor("policy", "test", "-f", nobodys)
    assert (ended.code, "isn't said" in ended.err) == (Exit.USAGE, True)
    ended = await tresor("policy", "test", "-f", tests_file(GOOD), "-d", str(DOCUMENT))
    assert (ended.code, "--site" in ended.err) == (Exit.USAGE, True)
    ended = await tresor("policy", "test", "-f", "nowhere.yaml", "-d", str(DOCUMENT), "--site", str(SITE))
    assert ended.code == Exit.USAGE
    ended = await tresor("policy", "test", "-f", tests_file(GOOD))
    assert ended.code != Exit.OK, "without a document it asks network-policy, and nobody is there"


def test_any_name_makes_xml_that_ci_can_read() -> None:
    name = "\x07 <b>&\"' \ufffe ]]>"
    packet = Counterexample.model_validate(
        {"source": "a", "source_address": "::1", "destination": "b", "destination_address": "::2", "protocol": "tcp",
         "rule_ids": [], "why": "<why>&"}
    )  # fmt: skip
    result = PolicyTestResult(name="it", workspace="openhpc", result="failed", reason="<r>", packet=packet)
    root = ElementTree.fromstring(to_junit([result.model_copy(update={"name": name})]))
    (case,) = root.iter("testcase")
    assert "<b>&\"' " in str(case.get("name"))


async def test_a_plan_shows_the_tests_on_what_the_document_would_make(
    site: Site, operator: Tresor, document_file: Callable[..., Path], tests_file: Callable[[str], str]
) -> None:
    await site.start(make_handlers(), make_context)
    document = str(document_file())
    arguments = ("plan", "-f", document, "--tests")
    good = await operator(*arguments, tests_file(GOOD), TRESOR_SITE_PATH=str(SITE))
    assert good.code == Exit.OK, good.err
    assert "compute never reaches the internet" in good.out
    bad = await operator(*arguments, tests_file(GOOD + BAD), "-o", "json", TRESOR_SITE_PATH=str(SITE))
    assert bad.code == Exit.NEGATIVE
    shown = json.loads(bad.out)
    assert shown["workspace"] == "openhpc"
    assert [each["result"] for each in shown["policy_tests"]["results"]] == ["passed", "passed", "passed", "failed"]
    wrong = await operator(*arguments, tests_file(GOOD.replace("role:compute", "role:gpu")), TRESOR_SITE_PATH=str(SITE))
    assert (wrong.code, "has no role 'gpu'" in wrong.err) == (Exit.USAGE, True)
