"""Messages judged by rules: what they fit, what that makes of what is remembered, and what is found or over."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from contracts.openstack.neutron import Resource
from contracts.security_monitor import Finding
from security_monitor.domain.detections.compiling import ENDS, Compiled
from security_monitor.domain.detections.correlating import WAITS, Memory
from security_monitor.domain.detections.matching import Types, union
from security_monitor.domain.detections.record import Record
from security_monitor.domain.making import said

RUNBOOK = "docs/runbooks/detections.md"
MAX_TYPES = 4096
"""Whoever publishes chooses the types; so many are remembered."""

Place = tuple[str, str]
"""A rule's id and a key."""
Failed = Callable[[Compiled, Record, Exception], None]


@dataclass(frozen=True)
class Hit:
    """A message that fits parts of a rule."""

    compiled: Compiled
    record: Record
    resource: Resource | None
    names: frozenset[str]
    place: Place


@dataclass(frozen=True)
class Remembered:
    """What is known of one key of one rule, and until when it is of use."""

    memory: Memory
    until: datetime


@dataclass(frozen=True)
class Found:
    """A finding, and what it is about."""

    place: Place
    finding: Finding


@dataclass(frozen=True)
class Over:
    """What the open finding at that place told of is no more."""

    place: Place
    at: datetime


@dataclass
class Judgement:
    """What comes of a page of messages."""

    memories: dict[Place, Remembered | None] = field(default_factory=dict)
    """What has changed; None: forgotten."""
    outcome: list[Found | Over] = field(default_factory=list)
    """In the order of the messages."""


class RuleSet:
    """Rules by the types that they name, so that a message of another type costs one look into a dictionary."""

    def __init__(self, rules: Iterable[Compiled]) -> None:
        self.rules = {each.rule.id: each for each in rules}
        self._active = [each for each in self.rules.values() if not each.idle]
        self._of_type: dict[tuple[str, str], tuple[Compiled, ...]] = {}

    def types(self, stream: str) -> Types:
        """All types of a stream that some rule names."""
        return union(each.types for each in self._active if each.stream == stream) or Types()

    def of(self, stream: str, kind: str) -> tuple[Compiled, ...]:
        """The rules that name the type."""
        known = self._of_type.get((stream, kind))
        if known is None:
            known = tuple(each for each in self._active if each.stream == stream and each.types.has(kind))
            if len(self._of_type) < MAX_TYPES:
                self._of_type[stream, kind] = known
        return known

    def digests(self) -> dict[str, str]:
        """What each rule says, by its id."""
        return {name: each.digest for name, each in self.rules.items()}

    def hits(self, records: Iterable[Record], failed: Failed) -> list[Hit]:
        """Which messages fit which rules. A rule that fails over a message is told of, and the others go on."""
        found: list[Hit] = []
        for record in records:
            for compiled in self.of(record.stream, record.type):
                try:
                    for resource in record.resources:
                        if names := compiled.fits(record, resource):
                            place = (compiled.rule.id, compiled.key_of(record, resource))
                            found.append(Hit(compiled, record, resource, names, place))
                except Exception as error:  # whatever a rule stumbles over, the others must see the message
                    failed(compiled, record, error)
        return found

    def judge(self, hits: Sequence[Hit], remembered: Mapping[Place, Remembered], failed: Failed) -> Judgement:
        """What the hits make of what is remembered at their places."""
        made = Judgement()
        for hit in hits:
            try:
                self._judge(hit, remembered, made)
            except Exception as error:  # what can't be told of one message must not stop the others
                failed(hit.compiled, hit.record, error)
        return made

    def _judge(self, hit: Hit, remembered: Mapping[Place, Remembered], made: Judgement) -> None:
        if ENDS in hit.names:
            made.outcome.append(Over(hit.place, hit.record.at))
        if hit.compiled.correlator is not None:
            before = made.memories[hit.place] if hit.place in made.memories else remembered.get(hit.place)
            self._correlate(hit, before, made)
        elif hit.names != {ENDS}:
            made.outcome.append(Found(hit.place, _finding(hit, hit.record.at)))

    @staticmethod
    def _correlate(hit: Hit, before: Remembered | None, made: Judgement) -> None:
        correlator = hit.compiled.correlator
        assert correlator is not None
        if before is not None and before.until <= hit.record.written_at:
            if (missed := due(hit.place, before)) is not None:
                made.outcome.append(missed)
            before = None
        value = next(iter(hit.compiled.counted(hit.record, hit.resource)), None) if hit.compiled.counted else None
        step = correlator.step(before.memory if before else None, hit.names, hit.record.at, value)
        if step.ends:
            made.outcome.append(Over(hit.place, hit.record.at))
        if step.fires:
            made.outcome.append(Found(hit.place, _finding(hit, hit.record.at)))
        if step.memory is None:
            made.memories[hit.place] = None
            return
        memory, until = step.memory, hit.record.written_at + correlator.span
        if WAITS in memory:
            finding = _finding(hit, until)
            memory = {WAITS: finding.model_dump(mode="json", exclude_defaults=True)}
        made.memories[hit.place] = Remembered(memory, until)


def due(place: Place, remembered: Remembered) -> Found | None:
    """The finding of what did not come in its time; None where nothing was waited for."""
    said_then = remembered.memory.get(WAITS)
    return None if said_then is None else Found(place, Finding.model_validate(said_then))


def _finding(hit: Hit, at: datetime) -> Finding:
    compiled, record = hit.compiled, hit.record
    rule = compiled.rule
    is_over = rule.finding.life == "occurrence"
    return Finding(
        finding_id=f"{rule.id}-{hit.place[1][:12]}-{record.position}",
        rule=rule.id,
        severity=rule.level,
        title=compiled.title(record, hit.resource),
        cause=compiled.cause(record, hit.resource),
        workspace=record.workspace,
        actor=said(record.user_id or "")[:255],
        request_id=said(record.request_id or "")[:64],
        mend=compiled.mend(record, hit.resource),
        raised_at=at,
        resolved_at=at if is_over else None,
        state="resolved" if is_over else "open",
        runbook=f"{RUNBOOK}#{rule.id}",
    )
