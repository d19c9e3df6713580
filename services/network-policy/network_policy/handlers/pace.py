"""When workspaces are looked at to confirm what was repaired at once: under a storm not more than Neutron bears.

One look confirms all repairs of its workspace, so while more of them come it waits for these, up to a bound.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

SOON_SECONDS = 0.6
"""After a repair: what belongs to it has come by then, and one look confirms all of it."""
QUIET_SECONDS = 1.0
"""After a repair that was not the first."""
GATHER_SECONDS = 10.0
"""No longer than this does a look wait for the repairs to end."""
LOOKS_PER_SECOND = 2.0
LATEST_SECONDS = 20.0
"""After its first repair a workspace is looked at; with what that takes, a difference is found well within 60 s (I10)."""


@dataclass
class _Slot:
    first: datetime
    """When the first repair was made that it is for."""
    at: datetime
    is_fixed: bool = False
    """Whether its place among the others' is given: it moves no more."""


class Pace:
    """One process's slots for such looks."""

    def __init__(self) -> None:
        self._next = datetime.min.replace(tzinfo=UTC)
        self._slots: dict[str, _Slot] = {}
        self._hurried: set[str] = set()

    def reserve(self, key: str, now: datetime) -> float:
        """Seconds from `now` to the earliest look at the key, after one more repair."""
        if key in self._hurried:
            return 0.0
        slot = self._slots.get(key)
        if slot is None:
            slot = self._slots[key] = _Slot(now, now + timedelta(seconds=SOON_SECONDS))
        elif not slot.is_fixed:
            end = slot.first + timedelta(seconds=GATHER_SECONDS)
            slot.at = max(slot.at, min(now + timedelta(seconds=QUIET_SECONDS), end))
        return max(0.0, (slot.at - now).total_seconds())

    def hurry(self, key: str) -> None:
        """There is more to be looked at than what was repaired: no slot is waited for."""
        self._hurried.add(key)

    def seconds_left(self, key: str, now: datetime) -> float:
        """Until the key may be looked at; 0 when it is to be now."""
        slot = self._slots.get(key)
        if slot is None or key in self._hurried:
            return 0.0
        if slot.at <= now and not slot.is_fixed:
            latest = slot.first + timedelta(seconds=LATEST_SECONDS)
            slot.at, slot.is_fixed = max(now, min(self._next, latest)), True
            self._next = max(now, self._next) + timedelta(seconds=1 / LOOKS_PER_SECOND)
        return max(0.0, (slot.at - now).total_seconds())

    def begin(self, key: str) -> None:
        """It is looked at: repairs from here on are for another look."""
        self._slots.pop(key, None)
        self._hurried.discard(key)
