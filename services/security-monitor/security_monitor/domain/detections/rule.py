"""A rule as its file says it: Sigma's form, with what a finding needs beside it."""

import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints

from contracts.security_monitor import Severity

_SPAN = re.compile(r"([0-9]{1,6})([smhd])")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
MAX_SPAN = timedelta(days=31)
MAX_COUNT = 1000
"""Times or values that are kept for one key."""


class BadRule(Exception):
    """A rule can't be used. `path` is the field in the file that is wrong."""

    def __init__(self, path: tuple[str | int, ...], reason: str, remedy: str = "") -> None:
        super().__init__(f"{'.'.join(map(str, path))}: {reason}")
        self.path, self.reason, self.remedy = path, reason, remedy


def span_of(text: object) -> object:
    """`90s`, `10m`, `1h` or `2d`, as Sigma writes a timespan. Raises ValueError for no such text."""
    found = _SPAN.fullmatch(text) if isinstance(text, str) else None
    if found is None:
        raise ValueError("a span of time is a number and s, m, h or d, like 10m")
    span = timedelta(**{_UNITS[found[2]]: int(found[1])})
    if not timedelta(0) < span <= MAX_SPAN:
        raise ValueError(f"a span of time is at most {MAX_SPAN.days} days, and more than none")
    return span


def _listed(value: object) -> object:
    return [value] if isinstance(value, str) else value


Span = Annotated[timedelta, BeforeValidator(span_of)]
Names = Annotated[tuple[str, ...], BeforeValidator(_listed)]
Words = Annotated[str, StringConstraints(min_length=1, max_length=500)]
RuleId = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]*$", max_length=60)]


class Piece(BaseModel):
    """A part of a rule's file; a misspelt field is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class LogSource(Piece):
    """Which stream of the audit log; `service` and `category` are for the reader."""

    product: Literal["openstack", "tresor"]
    service: str = ""
    category: str = ""


class Threshold(Piece):
    """How many are enough."""

    gte: Annotated[int, Field(ge=2, le=MAX_COUNT)]


class Correlation(Piece):
    """What is looked for in several messages of one key, after Sigma's correlation rules; `absence` is Tresor's own."""

    type: Literal["event_count", "value_count", "temporal_ordered", "absence"]
    group_by: Annotated[Names, Field(alias="group-by", min_length=1, max_length=4)]
    timespan: Span
    condition: Threshold | None = None
    """Of `event_count` and `value_count`."""
    field: str | None = None
    """Of `value_count`: the field whose different values are counted."""
    order: Annotated[tuple[str, ...], Field(max_length=8)] = ()
    """Of `temporal_ordered`: the selections, one after the other."""
    after: str | None = None
    """Of `absence`: the selection after which the other one is due."""
    until: str | None = None
    """Of `absence`: the selection that has to come within the time; the same one for a heartbeat."""


class FindingText(Piece):
    """What the finding says; `{field}` stands for a field of the message."""

    title: Words
    cause: Words
    mend: Annotated[str, StringConstraints(max_length=500)] = ""
    """The command that mends it. What is filled in is quoted for a shell."""
    key: Annotated[Names, Field(max_length=4)] = ()
    """What the finding is about: as long as one is open, there is no second one about the same."""
    life: Literal["open", "occurrence"] = "open"
    """`occurrence`: over when it is told."""
    ends: str | None = None
    """The selection that ends it."""


class Facts(Piece):
    """What a test takes for known beside its messages."""

    workspaces: dict[str, str] = {}
    """Workspaces by the ids of their projects."""
    sensitivities: dict[str, str] = {}
    """How sensitive each workspace is."""
    nodes: dict[str, tuple[str, str, bool]] = {}
    """By the server's id: workspace, role, and whether the role is sensitive."""
    site: dict[str, Any] = {}
    """Fields of the site file."""


class Example(Piece):
    """A test of the rule: a stream, and what is found in it."""

    name: Words
    known: Facts = Facts()
    stream: Annotated[tuple[dict[str, Any], ...], Field(min_length=1, max_length=64)]
    """Messages as the audit log has them: `type`, and any of `at`, `payload`, `data`, `times`, and a message's names."""
    finds: Annotated[int, Field(ge=0, le=100)]
    ended: Annotated[int, Field(ge=0, le=100)] = 0
    """How many of them are over at the end; occurrences aside."""
    says: tuple[str, ...] = ()
    """What stands in the first finding's title, cause, mending command or holder."""


class RuleFile(Piece):
    """One rule."""

    title: Words
    id: RuleId
    status: Literal["stable", "test", "experimental", "deprecated", "unsupported"]
    """`deprecated` and `unsupported`: not looked for; a file of the site may so switch off a shipped rule."""
    level: Severity
    description: Annotated[str, StringConstraints(min_length=1, max_length=2000)]
    author: str = ""
    date: str = ""
    modified: str = ""
    references: Names = ()
    falsepositives: Names = ()
    tags: Names = ()
    """Rows of the requirements (`L13`), CVEs and ATT&CK techniques."""
    logsource: LogSource
    detection: dict[str, Any]
    correlation: Correlation | None = None
    finding: FindingText
    response: Annotated[tuple[Words, ...], Field(min_length=1, max_length=12)]
    """What to do, step by step: the rule's part of the runbook."""
    tests: Annotated[tuple[Example, ...], Field(min_length=2, max_length=20)]
    """At least one stream in which it is found, and one in which it is not."""

    @property
    def is_on(self) -> bool:
        return self.status not in ("deprecated", "unsupported")


def selections_of(rule: RuleFile) -> Mapping[str, Any]:
    """The detection's selections by name."""
    return {name: said for name, said in rule.detection.items() if name != "condition"}
