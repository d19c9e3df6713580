"""When workspaces are looked at to confirm what was repaired at once: after the repairs, and at a rate that Neutron bears.

One look confirms all repairs of its workspace. While more of them are made, of whatever workspace, looks wait up to a
bound, as they would keep the repairs waiting.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

SOON_SECONDS = 0.6
"""After a repair: what belongs to it has come by then, and one look confirms all of it."""
QUIET_SECONDS = 1.5
"""After the last of several repairs."""
GATHER_SECONDS = 10.0
"""No longer than this does a look wait for the repairs to end."""
LOOKS_PER_SECOND = 1.0
"""While repairs are being made."""
CALM_LOOKS_PER_SECOND = 4.0
"""When no more are: then they keep nobody waiting, and what was open meanwhile is told soon."""
LIVELY_SECONDS = 1.0
"""So long after the last repair the next one is reckoned with."""
LATEST_SECONDS = 20.0
"""After its first repair a workspace is looked at; with what that takes, a difference is found well within 60 s (I10)."""


@dataclass
class _Slot:
    first: datetime
    """When the first repair was made that it is for."""
    at: datetime | None = None
    """Its place among the others', once it has one."""
    is_hindered: bool = False
    """Whether that was given while repairs were being made: when they end, there is an earlier one."""


class Pace:
    """One process's slots for such looks."""

    def __init__(self) -> None:
        self._latest = self._next = self._next_calm = datetime.min.replace(tzinfo=UTC)
        self._slots: dict[str, _Slot] = {}
        self._hurried: set[str] = set()

    def reserve(self, key: str, now: datetime) -> float:
        """Seconds from `now` to the earliest look at the key, after one more repair."""
        self._latest = now
        self._slots.setdefault(key, _Slot(now))
        return self.seconds_left(key, now)

    def is_lively(self, now: datetime) -> bool:
        """Whether repairs are being made: who calculates for long gives way to them."""
        return (now - self._latest).total_seconds() < LIVELY_SECONDS

    def hurry(self, key: str) -> None:
        """There is more to be looked at than what was repaired: no slot is waited for."""
        self._hurried.add(key)

    def seconds_left(self, key: str, now: datetime) -> float:
        """Until the key may be looked at; 0 when it is to be now."""
        slot = self._slots.get(key)
        if slot is None or key in self._hurried:
            return 0.0
        if slot.at is None:
            waiting = (self._quiet(slot.first) - now).total_seconds()
            if waiting > 0:
                return waiting
        is_lively = self.is_lively(now)
        if slot.at is None or (slot.is_hindered and not is_lively):
            latest = max(now, slot.first + timedelta(seconds=LATEST_SECONDS))
            slot.at = min(slot.at or latest, latest, self._place(now, is_lively=is_lively))
            slot.is_hindered = is_lively
        return max(0.0, (slot.at - now).total_seconds())

    def _place(self, now: datetime, *, is_lively: bool) -> datetime:
        """The next one that is free."""
        if is_lively:
            place = max(now, self._next)
            self._next = place + timedelta(seconds=1 / LOOKS_PER_SECOND)
        else:
            place = max(now, self._next_calm)
            self._next_calm = place + timedelta(seconds=1 / CALM_LOOKS_PER_SECOND)
        return place

    def _quiet(self, first: datetime) -> datetime:
        if self._latest <= first:
            return first + timedelta(seconds=SOON_SECONDS)
        quiet = self._latest + timedelta(seconds=QUIET_SECONDS)
        return min(quiet, first + timedelta(seconds=GATHER_SECONDS))

    def begin(self, key: str) -> None:
        """It is looked at: repairs from here on are for another look."""
        self._slots.pop(key, None)
        self._hurried.discard(key)
