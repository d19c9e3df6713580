"""Policy tests: run on what is observed, kept with a workspace, and told when one does not hold."""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import Field

from contracts.envelope import Answer, Command, Event, Query, Role
from contracts.examples import WORKSPACE
from contracts.identifiers import Generation, Identifier, Text
from contracts.network_policy.rules import EXAMPLE_PACKET, Counterexample, Part
from contracts.policy_tests import MAX_TESTS, PolicyTest, TestName

_TEST: dict[str, Any] = {
    "name": "compute never reaches the internet",
    "from": "role:compute",
    "to": "internet",
    "expect": "denied",
}


class PolicyTestResult(Part):
    """How one test came out."""

    name: TestName
    workspace: Identifier
    result: Literal["passed", "failed", "skipped"]
    """`skipped`: there is nothing to try, as no port has that role yet; it says neither yes nor no."""
    reason: Text = ""
    """Why it failed or was skipped."""
    packet: Counterexample | None = None
    """For a failed test: one packet that passes and must not, or that must pass and does not."""


class PolicyTestsRun(Answer):
    """The results, in the order of the tests."""

    type = "network-policy.policy-tests.answered"

    results: Annotated[tuple[PolicyTestResult, ...], Field(max_length=MAX_TESTS)]
    observed_at: datetime | None = None
    """When what they were held against was observed; None while nothing was."""
    assumptions: tuple[Text, ...] = ()

    example = {
        "results": [
            {
                "name": _TEST["name"],
                "workspace": WORKSPACE,
                "result": "failed",
                "reason": "tcp/22 may pass from openhpc-compute-0 to outside",
                "packet": EXAMPLE_PACKET,
            }
        ],
        "observed_at": "2026-11-21T10:00:00Z",
    }


class RunPolicyTests(Query):
    """Run tests against the cloud as it is observed; without tests, those that are kept with the workspace."""

    type = "network-policy.policy-tests.run"
    answer = PolicyTestsRun

    of: Identifier
    """The workspace whose roles and nodes are meant where a test does not say."""
    tests: Annotated[tuple[PolicyTest, ...], Field(max_length=MAX_TESTS)] | None = None

    @property
    def aggregate(self) -> str:
        return self.of

    example = {"of": WORKSPACE, "tests": [_TEST]}


class KeptPolicyTest(Part):
    """A test that is kept, and how it stood at the last look."""

    test: PolicyTest
    result: Literal["passed", "failed", "skipped", "not-run"] = "not-run"
    reason: Text = ""
    packet: Counterexample | None = None


class PolicyTestsShown(Answer):
    """What is kept with the workspace."""

    type = "network-policy.policy-tests.shown"

    workspace: Identifier
    tests: Annotated[tuple[KeptPolicyTest, ...], Field(max_length=MAX_TESTS)] = ()
    observed_at: datetime | None = None
    """Of the look that the results are from."""

    example = {
        "workspace": WORKSPACE,
        "tests": [{"test": _TEST, "result": "passed"}],
        "observed_at": "2026-11-21T10:00:00Z",
    }


class ShowPolicyTests(Query):
    """The tests that are kept with a workspace, and how they stood at the last look."""

    type = "network-policy.policy-tests.show"
    answer = PolicyTestsShown

    of: Identifier

    @property
    def aggregate(self) -> str:
        return self.of

    example = {"of": WORKSPACE}


class PutPolicyTests(Command):
    """Keep these tests with the workspace, in place of those that were kept; every proof runs them. None: no more tests."""

    type = "network-policy.policy-tests.put"
    roles = frozenset({Role.OPERATOR, Role.SECURITY_OFFICER})

    workspace: Identifier
    tests: Annotated[tuple[PolicyTest, ...], Field(max_length=MAX_TESTS)]

    example = {"workspace": WORKSPACE, "tests": [_TEST]}


class PolicyTestFailed(Event):
    """A kept test does not hold in the cloud as it is; told once while it stays so for the same reason."""

    type = "network-policy.policy-test.failed"

    workspace: Identifier
    generation: Generation
    test: TestName
    reason: Text
    packet: Counterexample | None = None

    example = {
        "workspace": WORKSPACE,
        "generation": 1,
        "test": _TEST["name"],
        "reason": "tcp/22 may pass from openhpc-compute-0 to outside",
        "packet": EXAMPLE_PACKET,
    }


class PolicyTestPassed(Event):
    """A kept test that had failed holds again, or is not kept any more."""

    type = "network-policy.policy-test.passed"

    workspace: Identifier
    generation: Generation
    test: TestName

    example = {"workspace": WORKSPACE, "generation": 1, "test": _TEST["name"]}


MESSAGES = (
    RunPolicyTests,
    PolicyTestsRun,
    ShowPolicyTests,
    PolicyTestsShown,
    PutPolicyTests,
    PolicyTestFailed,
    PolicyTestPassed,
)
