"""A rule's own tests: its streams, judged as the service would."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from pydantic import ValidationError

from contracts.audit import OPENSTACK, Entry, Row
from contracts.openstack import Notification, read_payload
from contracts.security_monitor import Finding
from contracts.site import Site
from security_monitor.domain.detections.compiling import Compiled, compiled
from security_monitor.domain.detections.judging import Found, Over, Place, Remembered, RuleSet, due
from security_monitor.domain.detections.record import Known, Node, Record, record_of_event, record_of_notification
from security_monitor.domain.detections.rule import BadRule, Example, RuleFile, span_of

BEGIN = datetime(2026, 11, 18, 10, 0, tzinfo=UTC)
"""A Wednesday, in the morning."""
EXAMPLE = Site(name="example")
"""A site that says nothing."""
_NAMES = ("message_id", "source", "request_id", "project_id", "user_id", "user", "address")
_FIELDS = frozenset({"type", "at", "times", "payload", "data", "workspace", *_NAMES})


@dataclass(frozen=True)
class Result:
    """How a test of a rule ended; `why` is empty when it held."""

    name: str
    why: str


def run(rule: RuleFile) -> tuple[Result, ...]:
    """All tests of the rule. Raises BadRule for a test that can't be run, and where one kind of test is missing."""
    if not any(each.finds for each in rule.tests) or all(each.finds for each in rule.tests):
        raise BadRule(("tests",), "a rule needs a stream in which it is found, and one in which it is not")
    return tuple(Result(each.name, _why_not(rule, each, ("tests", index))) for index, each in enumerate(rule.tests))


def _why_not(rule: RuleFile, example: Example, path: tuple[str | int, ...]) -> str:
    try:
        site = Site.model_validate({"name": "example", **example.known.site})
    except ValidationError as error:
        raise BadRule((*path, "known", "site"), error.errors()[0]["msg"]) from None
    judging = compiled(rule.model_copy(update={"status": "test"}), site)  # one that is switched off is tested, too
    known = Known(
        site,
        example.known.workspaces,
        example.known.sensitivities,
        {server: Node(*told) for server, told in example.known.nodes.items()},
    )
    records = list(_records(rule, example, known, path))
    found, over = _judged(judging, records)
    if len(found) != example.finds:
        return f"{len(found)} found instead of {example.finds}: {'; '.join(each.title for each in found) or 'nothing'}"
    if over != example.ended:
        return f"{over} are over at the end instead of {example.ended}"
    if found:
        words = f"{found[0].title} {found[0].cause} {found[0].mend} {found[0].actor}"
        for wanted in example.says:
            if wanted not in words:
                return f"'{wanted}' does not stand in: {words}"
    return ""


def _judged(judging: Compiled, records: list[Record]) -> tuple[list[Finding], int]:
    """What is found, one message at a time, and how many of those are over at the end."""
    rules = RuleSet([judging])
    memories: dict[Place, Remembered] = {}
    found: list[Finding] = []
    open_ones: set[Place] = set()
    over = 0

    def take(each: Found | Over) -> None:
        nonlocal over
        if isinstance(each, Over):
            over += each.place in open_ones
            open_ones.discard(each.place)
        elif each.place not in open_ones:
            found.append(each.finding)
            if each.finding.resolved_at is None:
                open_ones.add(each.place)

    for record in records:
        for place in [place for place, each in memories.items() if each.until <= record.written_at]:
            if missed := due(place, memories.pop(place)):
                take(missed)
        made = rules.judge(rules.hits([record], _raise), memories, _raise)
        for place, memory in made.memories.items():
            memories.pop(place, None)
            if memory is not None:
                memories[place] = memory
        for each in made.outcome:
            take(each)
    return found, over


def _raise(_: Compiled, __: Record, error: Exception) -> None:
    raise error


def _records(rule: RuleFile, example: Example, known: Known, path: tuple[str | int, ...]) -> Iterator[Record]:
    position = 0
    for index, each in enumerate(example.stream):
        here = (*path, "stream", index)
        if wrong := each.keys() - _FIELDS:
            raise BadRule((*here, min(wrong)), f"a message has no '{min(wrong)}'", f"use: {', '.join(sorted(_FIELDS))}")
        times = each.get("times", 1)
        if not isinstance(each.get("type"), str) or not isinstance(times, int) or not 1 <= times <= 1000:
            raise BadRule(here, "a message has a `type`; `times`, if given, is from 1 to 1000")
        for number in range(times):
            position += 1
            yield _record(rule, each, position, number, known, here)


def _record(
    rule: RuleFile, said: Mapping[str, Any], position: int, number: int, known: Known, path: tuple[str | int, ...]
) -> Record:
    at = BEGIN
    if "at" in said:
        try:
            span = span_of(said["at"])
        except ValueError as error:
            raise BadRule((*path, "at"), str(error)) from None
        assert isinstance(span, timedelta)
        at += span

    def named(name: str) -> str | None:
        value = said.get(name)
        return None if value is None else str(value).replace("{n}", str(number))

    kind, message_id = str(said["type"]), named("message_id") or f"message-{position}"
    source = named("source") or (
        "example" if rule.logsource.product == OPENSTACK else f"tresor/{kind.split('.', maxsplit=1)[0]}"
    )
    entry = Entry(
        "notification" if rule.logsource.product == OPENSTACK else "event",
        kind,
        message_id,
        source,
        at,
        named("request_id") or "",
        "",
        named("project_id") or "",
        named("workspace") or "",
        False,
        b"",
    )
    row = Row(rule.logsource.product, position, at, entry, b"")
    if rule.logsource.product != OPENSTACK:
        return record_of_event(row, {"data": _numbered(said.get("data", {}), number)}, known)
    payload, versioned = read_payload(kind, _numbered(said.get("payload", {}), number))
    notification = Notification(
        kind,
        "INFO",
        source,
        message_id,
        at,
        named("request_id"),
        None,
        named("project_id"),
        named("user_id"),
        named("user"),
        named("address"),
        payload,
        versioned,
    )
    return record_of_notification(row, notification, known)


def _numbered(value: Any, number: int) -> Any:
    """`{n}` in texts replaced by which of the `times` it is."""
    if isinstance(value, str):
        return value.replace("{n}", str(number))
    if isinstance(value, dict):
        return {key: _numbered(each, number) for key, each in value.items()}
    return [_numbered(each, number) for each in value] if isinstance(value, list) else value
