"""Who may use a share: rules as values, and the difference between what should be and what is."""

from collections.abc import Iterable
from dataclasses import dataclass

LIVE_STATES = frozenset({"queued_to_apply", "applying", "active", "error", "new", "out_of_sync"})
"""Manila's states of a rule that is there, or will be; anything else is on its way out."""
PENDING_STATES = frozenset({"queued_to_apply", "applying", "new", "out_of_sync"})


@dataclass(frozen=True, order=True)
class AccessRule:
    """A Manila access rule without its key: `kind` cephx or ip (or another that Manila knows), `level` rw or ro."""

    kind: str
    to: str
    level: str

    def __str__(self) -> str:
        return f"{self.kind}:{self.to} {self.level}"


@dataclass(frozen=True)
class ObservedRule:
    """A rule that Manila has, in that state."""

    rule_id: str
    rule: AccessRule
    state: str

    @property
    def is_live(self) -> bool:
        return self.state in LIVE_STATES


@dataclass(frozen=True)
class Drift:
    """What differs on one share: rules that are too many, rules that are missing."""

    added: tuple[str, ...]
    removed: tuple[str, ...]

    def __bool__(self) -> bool:
        return bool(self.added or self.removed)


def drift(expected: Iterable[str], required: Iterable[str], observed: Iterable[ObservedRule]) -> Drift:
    """Live rules beyond `expected`, and the `required` ones that are not there. Rules are named as they are printed."""
    live = {str(each.rule) for each in observed if each.is_live}
    return Drift(tuple(sorted(live - set(expected))), tuple(sorted(set(required) - live)))
