"""Judging by itself: rules that fail, messages that come late or the wrong way round, ends that are told before."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import permutations
from typing import Any

import pytest

from contracts.audit import TRESOR, Entry, Row
from contracts.envelope import EventEnvelope
from contracts.security_monitor import Finding, FindingChanged
from contracts.site import Site
from security_monitor.domain.detections import Compiled, Known, Record, RuleSet, compiled, record_of_event, rule_of
from security_monitor.domain.detections.correlating import correlator
from security_monitor.domain.detections.rule import Correlation
from security_monitor.domain.entries import entry_of_message
from security_monitor.domain.ocsf import event_of_message
from security_monitor.store import findings as finding_store
from shared.db import Pool, transaction
from tests.security_monitor.test_detection_rules import PLAIN, SITE
from tests.security_monitor.test_ocsf import AT, check

RULE = rule_of(
    {
        **PLAIN,
        "logsource": {"product": "tresor"},
        "detection": {"gone": {"type": "provisioner.node.gone"}, "condition": "gone"},
        "finding": {"title": "Node {data.node} is gone", "cause": "of {workspace}"},
    }
)


def record(about: str, position: int = 1) -> Record:
    entry = Entry(
        "event", "provisioner.node.gone", f"m{position}", "tresor/provisioner", AT, "", "", "", about, False, b""
    )
    return record_of_event(Row(TRESOR, position, AT, entry, b""), {"data": {"node": "n"}}, Known(SITE))


@pytest.mark.parametrize("about", ["site", "", "No Name", "0198c0de-0000-7000-8000-000000000001", "a" * 41, "a\n"])
def test_an_event_about_no_workspace_is_found_all_the_same(about: str) -> None:
    rules = RuleSet([compiled(RULE, SITE)])
    (found,) = rules.judge(rules.hits([record(about)], _never), {}, _never).outcome
    assert found.finding.workspace is None  # type: ignore[union-attr]
    assert record("openhpc").workspace == "openhpc"


def _never(_: Compiled, __: Record, error: Exception) -> None:
    raise error


def test_a_rule_that_fails_stops_no_other_one() -> None:
    good = compiled(RULE, SITE)

    def fails(*_: object) -> Any:
        raise ZeroDivisionError

    blind = replace(good, rule=RULE.model_copy(update={"id": "blind"}), key=(fails,))
    mute = replace(good, rule=RULE.model_copy(update={"id": "mute"}), title=fails)
    rules = RuleSet([blind, mute, good])
    failed: list[str] = []

    def note(rule: Compiled, _: Record, error: Exception) -> None:
        failed.append(f"{rule.rule.id}: {type(error).__name__}")

    hits = rules.hits([record("openhpc"), record("genome", 2)], note)
    outcome = rules.judge(hits, {}, note).outcome
    assert [each.place[0] for each in outcome] == [RULE.id] * 2
    assert sorted(failed) == ["blind: ZeroDivisionError"] * 2 + ["mute: ZeroDivisionError"] * 2


@pytest.mark.parametrize("order", list(permutations([0, 4, 8, 19])))
def test_a_window_counts_whatever_the_order(order: tuple[int, ...]) -> None:
    """Three within ten minutes, told in any order; a fourth one lies outside."""
    said = Correlation.model_validate(
        {"type": "event_count", "group-by": ["user"], "timespan": "10m", "condition": {"gte": 3}}
    )
    step = correlator(said, {}, ()).step
    memory, fired = None, 0
    for minute in order:
        memory, fires, _ = step(memory, frozenset(), datetime(2026, 1, 1, 0, minute, tzinfo=UTC), None)
        fired += fires
    # What lies more than a window before the newest one is forgotten, so it may be missed behind it, never doubled.
    assert fired == (0 if order.index(19) < 2 or order[2] == 19 else 1)


async def test_an_end_that_says_to_be_before_the_beginning_ends_it(pool: Pool) -> None:
    finding = Finding(finding_id="a-b-1", rule="a", severity="low", title="t", cause="c", raised_at=AT)
    async with transaction(pool) as connection:
        assert await finding_store.add(connection, finding, about="b")
        (over,) = await finding_store.resolve_about(connection, "a", "b", AT - timedelta(hours=1))
        assert over.resolved_at == AT
        assert not await finding_store.resolve_about(connection, "a", "b", AT)
        assert await finding_store.add(connection, finding.model_copy(update={"finding_id": "a-b-2"}), about="b")
        assert not await finding_store.add(connection, finding.model_copy(update={"finding_id": "a-b-3"}), about="b")


def test_a_changed_finding_is_an_update_to_the_siem() -> None:
    event = FindingChanged.model_validate(FindingChanged.example)
    envelope = EventEnvelope(
        id="0198c0de-0000-7000-8000-000000000001",
        type=event.type,
        source="tresor/security-monitor",
        subject=event.aggregate,
        time=AT,
        dataschema=f"tresor:{event.type}:1",
        correlationid="0198c0de-0000-7000-8000-000000000001",
        sequence=1,
        data=event.model_dump(mode="json"),
    )
    row = Row(TRESOR, 1, AT, entry_of_message(envelope), b"")
    told = event_of_message(row, envelope.model_dump(mode="json"))
    check(told)
    assert (told["activity_id"], told["is_alert"]) == (2, False)
    assert told["unmapped"]["state"] == "acknowledged"


def test_working_hours_are_the_sites_own() -> None:
    site = Site.model_validate(
        {"name": "s", "working_hours": {"timezone": "Europe/Zurich", "from_hour": 8, "to_hour": 18}}
    )
    hours = {hour: site.is_working_time(datetime(2026, 7, 1, hour, 30, tzinfo=UTC)) for hour in (5, 6, 15, 16)}
    assert hours == {5: False, 6: True, 15: True, 16: False}
    assert site.is_working_time(datetime(2026, 7, 4, 10, tzinfo=UTC)) is False
    assert SITE.is_working_time(AT) is None
