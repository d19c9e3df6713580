"""Faults on demand, of calls and of notifications."""

import re
from dataclasses import dataclass, field
from random import Random
from typing import Any, Literal, get_args

from twin.core.errors import ApiError

CallFault = Literal["500", "503", "429", "409", "401", "slow", "lost_response", "quota", "unseen"]
NotificationFault = Literal["lost", "doubled", "reordered", "delayed"]


@dataclass(slots=True)
class FaultRule:
    """A fault, what it strikes, and how often: `count` strikes (None: no end), each with `probability`."""

    id: str
    kind: str
    service: str = ".*"
    method: str = ".*"
    path: str = ".*"
    event_type: str = ".*"
    count: int | None = None
    probability: float = 1.0
    seconds: float = 1.0
    """Of `slow` and `delayed`; the Retry-After of `429` and `503`; how far reads lag behind of `unseen`."""
    struck: int = 0
    _random: Random = field(default_factory=Random)

    def as_document(self) -> dict[str, Any]:
        """For the control API."""
        names = ("id", "kind", "service", "method", "path", "event_type", "count", "probability", "seconds", "struck")
        return {name: getattr(self, name) for name in names}

    def strikes(self) -> bool:
        """Draws by lot; counts a strike."""
        if self.count is not None and self.struck >= self.count:
            return False
        if self.probability < 1.0 and self._random.random() >= self.probability:
            return False
        self.struck += 1
        return True


class Faults:
    """The rules in force; the first that strikes decides."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._made = 0
        self.rules: list[FaultRule] = []

    def add(self, document: dict[str, Any]) -> FaultRule:
        """A rule from the control API's document; ApiError 400 when it makes no sense."""
        kinds = (*get_args(CallFault), *get_args(NotificationFault))
        known = {"kind", "service", "method", "path", "event_type", "count", "probability", "seconds"}
        unknown = set(document) - known
        if unknown or str(document.get("kind")) not in kinds:
            raise ApiError(400, f"unknown: {sorted(unknown)}" if unknown else f"kind is one of {', '.join(kinds)}")
        self._made += 1
        values = {**document, "kind": str(document["kind"])}
        for name in ("service", "method", "path", "event_type"):
            try:
                re.compile(values.get(name, ""))
            except re.error as error:
                raise ApiError(400, f"{name}: {error}") from None
        lot = Random(f"{self._seed}:fault:{self._made}")
        rule = FaultRule(id=str(self._made), _random=lot, **values)
        self.rules.append(rule)
        return rule

    def clear(self) -> None:
        """Takes every rule away."""
        self.rules.clear()

    def remove(self, rule_id: str) -> bool:
        """Takes one rule away; False when there is none of that id."""
        before = len(self.rules)
        self.rules = [rule for rule in self.rules if rule.id != rule_id]
        return len(self.rules) < before

    def of_call(self, service: str, method: str, path: str) -> FaultRule | None:
        """The fault that strikes this call, if one does."""
        for rule in self.rules:
            if (
                rule.kind in get_args(CallFault)
                and re.fullmatch(rule.service, service)
                and re.fullmatch(rule.method, method)
                and re.search(rule.path, path)
                and rule.strikes()
            ):
                return rule
        return None

    def of_notification(self, service: str, event_type: str) -> FaultRule | None:
        """The fault that strikes this notification, if one does."""
        for rule in self.rules:
            if (
                rule.kind in get_args(NotificationFault)
                and re.fullmatch(rule.service, service)
                and re.search(rule.event_type, event_type)
                and rule.strikes()
            ):
                return rule
        return None
