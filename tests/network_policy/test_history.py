"""The history (M4): what was possible at a time or at any time between two, by what, by whom, and what is not known."""

import asyncio
from datetime import timedelta
from pathlib import Path

import pytest

from bootstrap.leases import BrokerLease
from contracts.network_policy import (
    DriftRepaired,
    HistoryShown,
    IsolationProven,
    IsolationShown,
    IsolationViolated,
    ShowHistory,
    ShowIsolation,
)
from shared.metrics import LAST_SCAN, SCAN_SECONDS
from tests.network_policy.quiet import known, scanned_since
from tests.network_policy.stage import Stage
from tests.operator_cli.conftest import Ended, run_tresor

NEVER = 3600.0
SCAN = 2.0
"""Seconds: what is known has a gap where no scan ended for twice that and a fifth more."""


async def ask(stage: Stage, **fields: object) -> HistoryShown:
    answer = await stage.site.ask(ShowHistory.model_validate({"of": stage.name, **fields}))
    assert isinstance(answer, HistoryShown)
    return answer


async def test_an_opening_that_was_closed_at_once_is_found_afterwards_m4(stage: Stage) -> None:
    await stage.service(scan_seconds=SCAN)
    groups, _ = await stage.standing()
    await known(stage)
    begin = stage.site.clock.now()
    rogue = await stage.open_ssh(groups["compute"])
    await stage.site.tap.until(IsolationProven, workspace=stage.name)
    end = stage.site.clock.now()
    await scanned_since(stage)
    span = await ask(stage, begin=begin, end=end, source="outside", target="compute")
    (opened,) = span.spans
    assert opened.packet.rule_ids == (rogue,)
    assert opened.open_until is not None
    assert timedelta(0) < opened.open_until - opened.open_from < timedelta(seconds=5)
    (origin,) = opened.origins
    assert (origin.resource_id, origin.seen_by) == (rogue, "notification")
    assert origin.actor
    assert origin.request_id.startswith("req-")
    assert not span.unknown
    at = await ask(stage, begin=opened.open_from + (opened.open_until - opened.open_from) / 2)
    assert [each.verdict for each in at.verdicts] == ["violated"]
    before = await ask(stage, begin=begin)
    assert [each.verdict for each in before.verdicts] == ["isolated"]
    assert before.verdicts[0].proof is not None


async def test_a_port_that_escaped_is_found_afterwards_m4(stage: Stage) -> None:
    await stage.service(scan_seconds=SCAN)
    _, ports = await stage.standing()
    await known(stage)
    begin = stage.site.clock.now()
    await stage.cloud(
        lambda c: c.network.update_port(ports["compute-0"], security_groups=[], is_port_security_enabled=False)
    )
    await stage.site.tap.until(DriftRepaired, workspace=stage.name)
    await scanned_since(stage)
    found = await ask(stage, begin=begin, end=stage.site.clock.now(), source="outside", target="node:compute-0")
    (escaped,) = found.spans
    assert escaped.open_until is not None
    assert escaped.packet.rule_ids == (ports["compute-0"],)


async def test_what_was_never_possible_and_what_always_was(stage: Stage) -> None:
    await stage.service(scan_seconds=SCAN)
    await stage.standing()
    await known(stage)
    begin = stage.site.clock.now()
    await scanned_since(stage)
    now = stage.site.clock.now()
    closed = await ask(stage, begin=begin, end=now, source="outside", target="role:compute")
    assert not closed.spans
    assert not closed.problem
    declared = await ask(stage, begin=begin, end=now, source="role:login", target="role:compute")
    assert {(each.open_from, each.open_until) for each in declared.spans} == {(begin, None)}
    jumphost = await ask(stage, begin=now, source="203.0.113.1", target="login")
    assert {each.packet.port for each in jumphost.spans} == {22}


async def test_what_is_not_known_is_said(stage: Stage) -> None:
    await stage.service(scan_seconds=SCAN)
    await stage.standing()
    await known(stage)
    long_ago = stage.site.clock.now() - timedelta(days=2)
    past = await ask(stage, begin=long_ago, source="outside", target="login")
    assert "before the first observation" in past.unknown[0].why
    assert [each.verdict for each in (await ask(stage, begin=long_ago)).verdicts] == ["unknown"]


async def test_only_what_changed_is_appended(stage: Stage) -> None:
    service = await stage.service(scan_seconds=SCAN)
    await stage.standing()
    await known(stage)
    rows = await service.pool.fetchval("SELECT count(*) FROM history")
    spans = await service.pool.fetch("SELECT * FROM observed_span")
    await scanned_since(stage)
    assert await service.pool.fetchval("SELECT count(*) FROM history") == rows
    again = await service.pool.fetch("SELECT * FROM observed_span")
    assert len(spans) == len(again) == 1
    assert again[0]["ended_at"] > spans[0]["ended_at"]
    shown = await stage.site.ask(ShowIsolation(of=stage.name))
    assert isinstance(shown, IsolationShown)
    assert shown.scan_age_seconds is not None
    assert shown.scan_age_seconds < shown.staleness_seconds + 2
    assert LAST_SCAN._value.get() >= again[0]["ended_at"].timestamp()
    assert pytest.approx(shown.staleness_seconds) == SCAN_SECONDS._value.get()
    assert not await service.pool.fetchval(
        "SELECT count(*) FROM history AS a JOIN history AS b USING (kind, resource_id)"
        " WHERE a.valid_from < b.valid_from AND (a.valid_until IS NULL OR a.valid_until > b.valid_from)"
    )


async def test_a_question_that_makes_no_sense_is_refused(stage: Stage) -> None:
    await stage.service(scan_seconds=NEVER)
    with pytest.raises(ValueError, match="both ends"):
        ShowHistory(of="w", begin=stage.site.clock.now(), source="outside")
    with pytest.raises(AssertionError, match="host bits"):
        await stage.site.ask(
            ShowHistory(of=stage.name, begin=stage.site.clock.now(), source="prefix:10.0.0.1/8", target="login")
        )


async def test_what_is_known_begins_with_the_first_enforcement_m4(stage: Stage) -> None:
    """However long the scan's period is: a user who asks of the minute after is not told that nothing was observed."""
    service = await stage.service(scan_seconds=NEVER)
    await stage.build()
    assert not await service.pool.fetchval("SELECT count(*) FROM observed_span")
    await stage.declare()
    await stage.enforced()
    enforced_at = stage.site.clock.now()
    await stage.scanned()
    ((began_at, ended_at),) = await service.pool.fetch("SELECT * FROM observed_span")
    assert began_at == ended_at
    assert abs(began_at - enforced_at) < timedelta(seconds=5)
    assert await service.pool.fetchval("SELECT count(*) FROM history WHERE kind = 'networks'")
    at = await ask(stage, begin=stage.site.clock.now())
    assert [each.verdict for each in at.verdicts] == ["isolated"]
    assert not at.unknown


async def test_a_second_generation_begins_no_scan(stage: Stage) -> None:
    """What is known goes on by the scan's period: nobody makes the whole cloud be listed by changing documents."""
    service = await stage.service(scan_seconds=NEVER)
    await stage.standing()
    stage.generation = 2
    await stage.declare(stage.document(flows=[{"from": "site:jumphosts", "to": "login", "ports": [22, 443]}]))
    await stage.enforced()
    await asyncio.sleep(1)
    ((began_at, ended_at),) = await service.pool.fetch("SELECT * FROM observed_span")
    assert began_at == ended_at


async def test_the_violation_stays_in_the_past(stage: Stage) -> None:
    """In observe mode the opening stays until somebody closes it; both times are kept."""
    enforcing = await stage.service(scan_seconds=NEVER)
    groups, _ = await stage.standing()
    await stage.site.stop(enforcing)
    await stage.service(mode="observe", scan_seconds=SCAN)
    rogue = await stage.open_ssh(groups["login"])
    await stage.site.tap.until(IsolationViolated, workspace=stage.name)
    await scanned_since(stage)
    still = await ask(stage, begin=stage.site.clock.now(), source="outside", target="login")
    assert any(rogue in each.packet.rule_ids for each in still.spans)


async def test_the_command_asks_of_the_past_m4(stage: Stage, broker: BrokerLease, tmp_path: Path) -> None:
    await stage.service(scan_seconds=SCAN)
    groups, _ = await stage.standing()
    await known(stage)
    begin = stage.site.clock.now()
    rogue = await stage.open_ssh(groups["compute"])
    await stage.site.tap.until(IsolationProven, workspace=stage.name)
    end = stage.site.clock.now()
    await scanned_since(stage)
    environment = {
        "TRESOR_AMQP_URL": broker.url_of("operator"),
        "TRESOR_SIGNING_KEY_PATH": str(stage.site.keys.path("ana")),
        "TRESOR_KEYRING_PATH": str(stage.site.keys.keyring_path),
    }

    async def tresor(*arguments: str) -> Ended:
        return await run_tresor("isolation", stage.name, *arguments, folder=tmp_path, environment=environment)

    ends = ("--from", "outside", "--to", "compute")
    opened = await tresor("--between", begin.isoformat(), end.isoformat(), *ends)
    assert opened.code == 1, opened
    assert rogue in opened.out
    closed = await tresor("--at", begin.isoformat(), *ends)
    assert (closed.code, "No packet could pass" in closed.out) == (0, True), closed
    verdict = await tresor("--at", begin.isoformat())
    assert (verdict.code, "isolated" in verdict.out) == (0, True), verdict
    long_ago = await tresor("--at", "2026-01-01T00:00", *ends)
    assert (long_ago.code, "Not known" in long_ago.out) == (1, True), long_ago
    assert (await tresor("--from", "outside")).code == 2
    assert (await tresor("--at", "yesterday")).code == 2


async def test_before_the_first_full_scan_nothing_is_claimed(stage: Stage) -> None:
    """What looks at the own project saw is a part of the cloud: a proof over it would accuse ports that are in order."""
    service = await stage.service(scan_seconds=NEVER)
    groups, _ = await stage.standing()
    await stage.open_ssh(groups["login"])
    await stage.site.tap.until(DriftRepaired, workspace=stage.name)
    await service.pool.execute("DELETE FROM observed_span")
    await service.pool.execute("DELETE FROM history WHERE project_id <> $1", stage.project)
    now = stage.site.clock.now()
    assert await service.pool.fetchval("SELECT count(*) FROM history")
    at = await ask(stage, begin=now)
    assert [(each.verdict, each.counterexamples) for each in at.verdicts] == [("unknown", ())]
    span = await ask(stage, begin=now - timedelta(seconds=60), end=now, source="outside", target="login")
    assert (span.spans, bool(span.unknown)) == ((), True)
    await service.pool.execute("INSERT INTO observed_span VALUES ($1, $1)", now + timedelta(seconds=1))
    assert [each.verdict for each in (await ask(stage, begin=now)).verdicts] == ["unknown"]
    assert not (await ask(stage, begin=now - timedelta(seconds=9), end=now, source="outside", target="login")).spans
