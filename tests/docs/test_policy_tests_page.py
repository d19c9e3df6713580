"""The policy tests of the documentation hold for the demo's document."""

import re

import yaml

from bootstrap.places import CHECKOUT
from contracts.policy_tests import PolicyTests
from contracts.site import Site
from contracts.workspace import Workspace
from operator_cli.policy.testing import run_on_documents

DEMO = CHECKOUT / "deploy/demo"


def test_the_tests_of_the_page_hold_for_the_demos_document() -> None:
    found = re.search(r"```yaml\n(.*?)```", (CHECKOUT / "docs/policy-tests.md").read_text(), re.DOTALL)
    assert found
    tests = PolicyTests.model_validate(yaml.safe_load(found[1]))
    document = Workspace.model_validate(yaml.safe_load((DEMO / "openhpc.yaml").read_text()))
    site = Site.model_validate(yaml.safe_load((DEMO / "site.yaml").read_text()))
    results = run_on_documents(tests, [document], site).results
    assert len(results) == 4
    assert {each.name: each.reason for each in results if each.result != "passed"} == {}
