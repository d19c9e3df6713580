"""Policy tests: run on request, kept on command, run again with every proof and told when one does not hold."""

import asyncio
from collections.abc import Sequence
from datetime import datetime
from functools import cached_property

from contracts.envelope import CommandEnvelope, Problem
from contracts.network_policy import (
    KeptPolicyTest,
    PolicyTestFailed,
    PolicyTestPassed,
    PolicyTestResult,
    PolicyTestsRun,
    PolicyTestsShown,
    PutPolicyTests,
    RunPolicyTests,
    ShowPolicyTests,
)
from contracts.policy_tests import PolicyTest
from network_policy import store
from network_policy.domain.certificate import ASSUMPTIONS
from network_policy.domain.compile import compile_policy
from network_policy.domain.filters import Claim
from network_policy.domain.policy_tests import PolicyTester, problems
from network_policy.domain.sight import see
from network_policy.domain.world import World
from network_policy.handlers.context import Context, handlers
from network_policy.store import Known
from network_policy.store.policy_tests import Standing, load_tests, save_standings, save_tests
from shared.errors import Rejected
from shared.work import Work


@handlers.on(PutPolicyTests)
async def put_policy_tests(command: PutPolicyTests, tx: Work[Context]) -> None:
    """Keep the tests; the next look at the workspace runs them."""
    known = await store.load(tx.connection, command.workspace)
    kept = await load_tests(tx.connection, command.workspace, locked=True)
    if known is None or known.document is None or kept is None:
        raise Rejected(Problem(field="workspace", reason=f"network-policy knows no workspace '{command.workspace}'"))
    expected = tx.cause.expectedgeneration if isinstance(tx.cause, CommandEnvelope) else None
    if expected not in (None, kept.generation):
        raise Rejected(Problem(reason=f"'{known.workspace}' stands at generation {kept.generation}, not {expected}"))
    roles = [role.name for role in known.document.roles]
    found = [*_names(command), *problems(command.tests, tx.context.site, workspace=known.workspace, roles=roles)]
    if found:
        raise Rejected(found)
    before = {test.name: test for test in kept.tests}
    unchanged = {test.name for test in command.tests if before.get(test.name) == test}
    for name, standing in kept.standings.items():
        if standing.told and name not in unchanged:
            tx.emit(PolicyTestPassed(workspace=known.workspace, generation=kept.generation, test=name))
    standings = {name: standing for name, standing in kept.standings.items() if name in unchanged}
    await save_tests(tx.connection, known.workspace, command.tests, standings)
    tx.reconcile(known.workspace)


def _names(command: PutPolicyTests) -> list[Problem]:
    found = []
    seen: set[str] = set()
    for position, test in enumerate(command.tests):
        if test.workspace not in (None, command.workspace):
            reason = f"this test is about '{test.workspace}', and cannot be kept with '{command.workspace}'"
            found.append(Problem(field=f"tests.{position}.workspace", reason=reason))
        if test.name in seen:
            found.append(Problem(field=f"tests.{position}.name", reason=f"two tests are called '{test.name}'"))
        seen.add(test.name)
    return found


@handlers.answer(ShowPolicyTests)
async def show_policy_tests(query: ShowPolicyTests, tx: Work[Context]) -> PolicyTestsShown:
    """What is kept, and how it stood at the last look."""
    kept = await load_tests(tx.connection, query.of)
    if kept is None:
        return PolicyTestsShown(workspace=query.of)
    shown = []
    for test in kept.tests:
        standing = kept.standings.get(test.name)
        if standing is None:
            shown.append(KeptPolicyTest(test=test))
        else:
            told = (standing.result, standing.reason, standing.packet)
            shown.append(KeptPolicyTest(test=test, result=told[0], reason=told[1], packet=told[2]))
    return PolicyTestsShown(workspace=query.of, tests=tuple(shown), observed_at=kept.observed_at)


@handlers.answer(RunPolicyTests)
async def run_policy_tests(query: RunPolicyTests, tx: Work[Context]) -> PolicyTestsRun:
    """The tests on the whole cloud as it is: it is listed for this, so the answer is as old as the question."""
    everybody = await store.load_all(tx.connection)
    known = next((each for each in everybody if each.workspace == query.of), None)
    if known is None:
        raise Rejected(Problem(field="of", reason=f"network-policy knows no workspace '{query.of}'"))
    tests = query.tests if query.tests is not None else known.tests
    observed_at = tx.now
    world = await tx.context.cloud.whole_world()
    results = await asyncio.to_thread(_run, tx.context, everybody, world, tests, query.of)
    return PolicyTestsRun(results=results, observed_at=observed_at, assumptions=ASSUMPTIONS)


def _run(
    context: Context, everybody: Sequence[Known], world: World, tests: Sequence[PolicyTest], workspace: str
) -> tuple[PolicyTestResult, ...]:
    claims = [
        see(
            compile_policy(each.document, context.site),
            each.project_id,
            world.groups,
            world.ports,
            recorded_groups=each.group_ids,
            known_rules=each.rules,
            nodes=each.nodes,
        ).claim
        for each in everybody
        if each.document is not None and each.project_id is not None
    ]
    tester = PolicyTester(world, claims, context.site)
    return tuple(tester.run(test, workspace) for test in tests)


class Judge:
    """Runs kept tests over what was observed at one time; its indices are made when the first test wants them."""

    def __init__(self, context: Context, world: World, claims: Sequence[Claim]) -> None:
        self._context = context
        self._world = world
        self._claims = claims

    @cached_property
    def _tester(self) -> PolicyTester:
        return PolicyTester(self._world, self._claims, self._context.site)

    async def results(self, known: Known) -> tuple[PolicyTestResult, ...]:
        """How the workspace's tests come out; those about others only where all projects were observed."""
        if self._context.is_enforcing and not known.was_enforced:
            return ()  # what must pass can't yet
        tests = [test for test in known.tests if self._world.whole or not _is_about_others(test)]
        if not tests:
            return ()
        return await asyncio.to_thread(lambda: tuple(self._tester.run(test, known.workspace) for test in tests))


def _is_about_others(test: PolicyTest) -> bool:
    return any(end == "others" or end.startswith("workspace:") for end in test.ends)


async def tell_tests(
    tx: Work[Context], known: Known, results: Sequence[PolicyTestResult], observed_at: datetime
) -> bool:
    """Remember the results and tell what changed. True where a failure was seen once, and wants a second look.

    A look at a cloud in motion may see a port before its group, so that the first failure is not told.
    """
    kept = await load_tests(tx.connection, known.workspace, locked=True) if results else None
    if kept is None or (kept.observed_at is not None and kept.observed_at > observed_at):
        return False
    names = {test.name for test in kept.tests}
    standings = {name: standing for name, standing in kept.standings.items() if name in names}
    is_unsure = False
    for one in results:
        before = standings.get(one.name)
        if one.name not in names:
            continue  # it was taken back while this look was under way
        told = before is not None and before.told
        if one.result == "failed" and not told:
            told = before is not None and before.result == "failed"
            is_unsure = is_unsure or not told
            if told:
                tx.emit(
                    PolicyTestFailed(
                        workspace=known.workspace,
                        generation=kept.generation,
                        test=one.name,
                        reason=one.reason,
                        packet=one.packet,
                    )
                )
        elif one.result != "failed" and told:
            tx.emit(PolicyTestPassed(workspace=known.workspace, generation=kept.generation, test=one.name))
            told = False
        standings[one.name] = Standing(result=one.result, reason=one.reason, packet=one.packet, told=told)
    await save_standings(tx.connection, known.workspace, standings, observed_at)
    return is_unsure
