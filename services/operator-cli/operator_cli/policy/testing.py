"""`tresor policy test`, `keep`, `kept`, `forget`: what must and must not reach what."""

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from operator_cli.exits import Exit, Stop
from operator_cli.options import LongTimeout, Name, Output, SomeName, Timeout
from operator_cli.printing import Form, emit

if TYPE_CHECKING:
    from contracts.network_policy import PolicyTestsRun, PutPolicyTests
    from contracts.policy_tests import PolicyTests
    from contracts.site import Site
    from contracts.workspace import Workspace
    from operator_cli.session import Session

TestsFile = Annotated[Path, typer.Option("--file", "-f", help="The policy tests, YAML.", exists=False, dir_okay=False)]
Documents = Annotated[
    list[Path] | None,
    typer.Option("--document", "-d", help="A workspace document to test, without a cloud; may be given again."),
]
SiteFile = Annotated[Path | None, typer.Option("--site", help="The site file (setting site_path).")]
Junit = Annotated[Path | None, typer.Option("--junit", help="Write the results as JUnit's XML to this file too.")]
Strict = Annotated[bool, typer.Option("--strict", help="A test that has nothing to try counts as failed.")]
LEAST_NODES = 2
"""A role that a document leaves empty is tested with as many nodes, as it may have them when it bursts."""
KEEP_SECONDS = 30.0


def run_tests(
    file: TestsFile,
    workspace: SomeName = None,
    document: Documents = None,
    site: SiteFile = None,
    output: Output = Form.TABLE,
    junit: Junit = None,
    strict: Strict = False,
    timeout: Timeout = None,
) -> None:
    """Run policy tests: on documents (--document), or on the cloud as network-policy observes it.

    Exit code 1 when a test failed; a skipped one has nobody to try it on.
    """
    from operator_cli.policy.results import tell
    from operator_cli.policy.source import check_names, read_tests

    tests, source = read_tests(file)
    if document:
        from operator_cli.workspaces import read_document

        where = read_site(site)
        documents = [read_document(each)[0] for each in document]
        for each in documents:
            check_names(tests, source, each, where)
        answer = run_on_documents(tests, documents, where, workspace)
    else:
        answer = _ask(tests, workspace, timeout)
    tell(answer, output, junit, strict=strict)


def run_on_documents(
    tests: "PolicyTests", documents: "list[Workspace]", site: "Site", workspace: str | None = None
) -> "PolicyTestsRun":
    """The results on the cloud as it would stand with these workspaces in it, and nothing else."""
    from contracts.documents import problems
    from contracts.network_policy import PolicyTestResult, PolicyTestsRun
    from network_policy.domain.certificate import ASSUMPTIONS
    from network_policy.domain.compile import Uncompilable
    from network_policy.domain.policy_tests import PolicyTester
    from network_policy.domain.prospect import prospect, together
    from operator_cli.policy.source import owner

    for each in documents:
        if found := problems(each, site):
            raise Stop(
                Exit.USAGE,
                f"the document of '{each.name}' has {len(found)} problem(s) at this site, first: {found[0].reason}",
                found[0].remedy,
            )
    try:
        made = [prospect(each, site, least_nodes=LEAST_NODES) for each in documents]
    except Uncompilable as error:
        raise Stop(Exit.USAGE, str(error)) from None
    tester = PolicyTester(together(*(world for world, _ in made)), [claim for _, claim in made], site)
    default = workspace or (documents[0].name if len(documents) == 1 else None)
    known = {each.name for each in documents}
    results: list[PolicyTestResult] = []
    for one in tests.tests:
        whose = owner(one, tests, default)
        if whose is None:
            raise _whose(one.name)
        if whose in known:
            results.append(tester.run(one, whose))
        else:
            reason = f"nothing to try: no document of workspace '{whose}' was given"
            results.append(PolicyTestResult(name=one.name, workspace=whose, result="skipped", reason=reason))
    return PolicyTestsRun(results=tuple(results), assumptions=ASSUMPTIONS)


def keep(file: TestsFile, workspace: SomeName = None, timeout: LongTimeout = KEEP_SECONDS) -> None:
    """Keep the tests with their workspaces: every proof runs them, and one that fails is told and found."""
    from contracts.network_policy import PutPolicyTests
    from operator_cli.policy.source import read_tests
    from operator_cli.session import opened, run

    tests, _ = read_tests(file)
    by_owner = _by_owner(tests, workspace)

    async def keeping() -> None:
        async with opened() as session:
            for whose, own in by_owner.items():
                await _put(session, PutPolicyTests(workspace=whose, tests=own.tests), timeout)

    run(keeping())


def forget(workspace: Name, timeout: LongTimeout = KEEP_SECONDS) -> None:
    """Keep no tests with the workspace any more."""
    from pydantic import ValidationError

    from contracts.network_policy import PutPolicyTests
    from operator_cli.session import opened, run

    try:
        command = PutPolicyTests(workspace=workspace, tests=())
    except ValidationError:
        raise Stop(Exit.USAGE, f"'{workspace}' is no workspace name") from None

    async def forgetting() -> None:
        async with opened() as session:
            await _put(session, command, timeout)

    run(forgetting())


async def _put(session: "Session", message: "PutPolicyTests", timeout: float) -> None:
    from operator_cli.commands import command
    from operator_cli.printing import say

    outcome = await command(session, message, wait=True, timeout_seconds=timeout, show=False)
    if outcome.exit is not Exit.OK:
        reasons = "; ".join(problem.reason for problem in outcome.problems)
        raise Stop(outcome.exit, f"the tests of '{message.workspace}' are not kept: {reasons or outcome.state}")
    say(f"{len(message.tests)} policy test(s) are kept with '{message.workspace}'")


def kept(workspace: Name, output: Output = Form.TABLE, timeout: Timeout = None) -> None:
    """The tests that are kept with a workspace, and how they stood at the last look. Exit code 1 when one failed."""
    from pydantic import ValidationError

    from contracts.network_policy import PolicyTestsShown, ShowPolicyTests
    from operator_cli.policy.results import say_packet
    from operator_cli.printing import coloured, table
    from operator_cli.session import opened, run

    try:
        query = ShowPolicyTests(of=workspace)
    except ValidationError:
        raise Stop(Exit.USAGE, f"'{workspace}' is no workspace name") from None

    async def asking() -> PolicyTestsShown:
        async with opened() as session:
            return await session.ask(query, PolicyTestsShown, timeout)

    answer = run(asking())
    if output is not Form.TABLE:
        emit(output, answer.model_dump(mode="json", by_alias=True))
    else:
        good = {"passed": True, "failed": False}
        rows = [
            (
                coloured(one.result, good.get(one.result)),
                one.test.name,
                say_packet(one.packet) if one.packet else one.reason,
            )
            for one in answer.tests
        ]
        looked = f", last look {answer.observed_at:%Y-%m-%d %H:%M:%S} UTC" if answer.observed_at else ""
        table(
            ("result", "test", "why"), rows, title=f"{workspace}{looked}", empty=f"'{workspace}' has no policy tests."
        )
    if failed := [one.test.name for one in answer.tests if one.result == "failed"]:
        raise Stop(Exit.NEGATIVE, f"{len(failed)} policy test(s) failed: {'; '.join(failed)}")


def read_site(path: Path | None) -> "Site":
    """The site file given, or that of the settings. Raises Stop without one."""
    from operator_cli.settings import load
    from shared.errors import Configuration
    from shared.settings import load_site

    found = path or load().site_path
    if found is None:
        raise Stop(Exit.USAGE, "tests of documents need the site file", "give --site FILE, or set TRESOR_SITE_PATH")
    try:
        return load_site(found)
    except Configuration as error:
        raise Stop(Exit.USAGE, str(error)) from None


def _by_owner(tests: "PolicyTests", workspace: str | None) -> "dict[str, PolicyTests]":
    from operator_cli.policy.source import owner

    if workspace is not None and not re.fullmatch("[a-z][a-z0-9-]{0,39}", workspace):
        raise Stop(Exit.USAGE, f"'{workspace}' is no workspace name")
    found: dict[str, list[int]] = {}
    for position, one in enumerate(tests.tests):
        whose = owner(one, tests, workspace)
        if whose is None:
            raise _whose(one.name)
        found.setdefault(whose, []).append(position)
    return {
        whose: tests.model_copy(update={"tests": tuple(tests.tests[position] for position in positions)})
        for whose, positions in found.items()
    }


def _whose(name: str) -> Stop:
    return Stop(
        Exit.USAGE,
        f"whose test '{name}' is isn't said",
        "write `workspace:` into the file or the test, or give the workspace's name",
    )


def _ask(tests: "PolicyTests", workspace: str | None, timeout: float | None) -> "PolicyTestsRun":
    """network-policy's results on the cloud as it is, in the order of the file."""
    from contracts.network_policy import PolicyTestResult, PolicyTestsRun, RunPolicyTests
    from operator_cli.session import opened, run

    by_owner = _by_owner(tests, workspace)

    async def asking() -> list[PolicyTestsRun]:
        async with opened() as session:
            return [
                await session.ask(RunPolicyTests(of=whose, tests=own.tests), PolicyTestsRun, timeout)
                for whose, own in by_owner.items()
            ]

    answers = run(asking())
    results: dict[tuple[str, str], PolicyTestResult] = {
        (one.workspace, one.name): one for answer in answers for one in answer.results
    }
    order = [(whose, one.name) for whose, own in by_owner.items() for one in own.tests]
    ages = [answer.observed_at for answer in answers if answer.observed_at is not None]
    return PolicyTestsRun(
        results=tuple(results[key] for key in order if key in results),
        observed_at=min(ages, default=None),
        assumptions=tuple(dict.fromkeys(said for answer in answers for said in answer.assumptions)),
    )
