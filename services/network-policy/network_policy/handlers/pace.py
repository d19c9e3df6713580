"""When workspaces are looked at to confirm what was repaired at once: under a storm not more than Neutron bears."""

from datetime import UTC, datetime, timedelta

SOON_SECONDS = 0.5
"""After a repair: what belongs to it has come by then, and one look confirms all of it."""
LOOKS_PER_SECOND = 4.0
LATEST_SECONDS = 20.0
"""No look is put off beyond; with what it then takes, a difference is found well within 60 s (I10)."""


class Pace:
    """One process's slots for such looks."""

    def __init__(self) -> None:
        self._next = datetime.min.replace(tzinfo=UTC)
        self._slots: dict[str, datetime] = {}

    def reserve(self, key: str, now: datetime) -> float:
        """Seconds from `now` to the key's look; one that waits for its slot already keeps it."""
        waiting = self.seconds_left(key, now)
        if waiting > 0:
            return waiting
        slot = max(now + timedelta(seconds=SOON_SECONDS), self._next)
        slot = min(slot, now + timedelta(seconds=LATEST_SECONDS))
        self._next = slot + timedelta(seconds=1 / LOOKS_PER_SECOND)
        self._slots = {each: at for each, at in self._slots.items() if at > now} | {key: slot}
        return (slot - now).total_seconds()

    def hurry(self, key: str) -> None:
        """There is more to be looked at than what was repaired: no slot is waited for."""
        self._slots.pop(key, None)

    def seconds_left(self, key: str, now: datetime) -> float:
        """Until the key's slot; 0 without one."""
        slot = self._slots.get(key)
        return max(0.0, (slot - now).total_seconds()) if slot is not None else 0.0
