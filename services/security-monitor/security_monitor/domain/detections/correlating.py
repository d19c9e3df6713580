"""Several messages of one key: how many, how many different ones, one after the other, or one that does not come.

What is remembered of a key is plain JSON, so that it outlives a restart; times in it are microseconds since 1970.
"""

from bisect import insort
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from contracts.audit import microseconds
from security_monitor.domain.detections.matching import Matched, Path
from security_monitor.domain.detections.rule import BadRule, Correlation

Memory = dict[str, Any]
WAITS = "waits"
"""In a memory: something is due."""


class Step(NamedTuple):
    """What a message did to what is remembered of its key."""

    memory: Memory | None
    """None: nothing is left to remember."""
    fires: bool = False
    ends: bool = False
    """What was missed has come: the finding about it is over."""


@dataclass(frozen=True)
class Correlator:
    """`names` are the selections that a message may fit; `step` takes those that it does fit."""

    names: tuple[str, ...]
    span: timedelta
    """So long after a message was written down its memory is of no more use, and what it waits for is missed: by the log's
    own time, as what is delivered late is late with all that follows it."""
    step: Callable[[Memory | None, frozenset[str], datetime, Any], Step]
    field: str | None = None
    """The field whose value `step` is given."""


def moment(since_1970_us: int) -> datetime:
    return datetime.fromtimestamp(since_1970_us / 1_000_000, UTC)


def correlator(said: Correlation, selections: dict[str, Matched], path: Path) -> Correlator:
    """Raises BadRule where the correlation's fields don't fit its type."""
    if said.type in ("event_count", "value_count"):
        if said.condition is None or said.order or said.after or said.until:
            raise BadRule(path, f"{said.type} takes a condition like {{gte: 5}}, and no order, after or until")
        if (said.type == "value_count") is (said.field is None):
            raise BadRule(path, "value_count, and no other, names the field that is counted")
        count = said.condition.gte
        if said.type == "event_count":
            return Correlator(("condition",), said.timespan, _Counting(said.timespan, count).step)
        return Correlator(("condition",), said.timespan, _CountingValues(said.timespan, count).step, field=said.field)
    if said.condition is not None or said.field is not None:
        raise BadRule(path, f"{said.type} takes no condition and no field")
    if said.type == "temporal_ordered":
        if len(said.order) < 2 or said.after or said.until:
            raise BadRule((*path, "order"), "temporal_ordered takes an order of two selections or more")
        names = said.order
        made = Correlator(names, said.timespan, _InOrder(said.timespan, names).step)
    else:
        if said.after is None or said.until is None or said.order:
            raise BadRule(path, "absence takes the selections after and until")
        names = (said.after, said.until)
        made = Correlator(names, said.timespan, _Missing(said.after, said.until).step)
    for name in names:
        if name not in selections:
            raise BadRule(path, f"there is no selection '{name}'", f"use one of: {', '.join(sorted(selections))}")
    return made


@dataclass(frozen=True)
class _Counting:
    span: timedelta
    count: int

    def step(self, memory: Memory | None, _: frozenset[str], at: datetime, __: Any) -> Step:
        times: list[int] = list((memory or {}).get("at", ()))
        insort(times, microseconds(at))
        oldest = times[-1] - microseconds(moment(0) + self.span)
        times = [each for each in times if each >= oldest][-self.count :]
        if len(times) >= self.count:
            return Step(None, fires=True)
        return Step({"at": times})


@dataclass(frozen=True)
class _CountingValues:
    span: timedelta
    count: int

    def step(self, memory: Memory | None, _: frozenset[str], at: datetime, value: Any) -> Step:
        seen: dict[str, int] = dict((memory or {}).get("seen", {}))
        if value is not None:
            seen[str(value)[:255]] = max(microseconds(at), seen.get(str(value)[:255], 0))
        if not seen:
            return Step(memory)
        newest = max(seen.values())
        oldest = newest - microseconds(moment(0) + self.span)
        seen = {each: when for each, when in seen.items() if when >= oldest}
        if len(seen) >= self.count:
            return Step(None, fires=True)
        return Step({"seen": seen})


@dataclass(frozen=True)
class _InOrder:
    span: timedelta
    order: tuple[str, ...]

    def step(self, memory: Memory | None, names: frozenset[str], at: datetime, _: Any) -> Step:
        done, begun = (memory["done"], moment(memory["begun"])) if memory else (0, at)
        if done and at - begun > self.span:
            done = 0
        if self.order[done] in names and (done == 0 or at >= begun):
            if done + 1 == len(self.order):
                return Step(None, fires=True)
            return self._waits(done + 1, begun if done else at)
        if self.order[0] in names and done == 1:
            return self._waits(1, max(begun, at))
        return self._waits(done, begun) if done else Step(None)

    def _waits(self, done: int, begun: datetime) -> Step:
        return Step({"done": done, "begun": microseconds(begun)})


@dataclass(frozen=True)
class _Missing:
    """What ends it may be told before what begins it: two hosts tell, each in its own time."""

    after: str
    until: str

    def step(self, memory: Memory | None, names: frozenset[str], at: datetime, _: Any) -> Step:
        ended = (memory or {}).get("ended")
        if self.after in names:
            ends = self.until in names
            if ended is not None and moment(ended) >= at and not ends:
                return Step(memory)
            return Step({WAITS: True}, ends=ends)
        if self.until in names:
            return Step({"ended": max(microseconds(at), ended or 0)}, ends=True)
        return Step(memory)
