"""Shares and volumes of calls that outlived their callers, and were made again meanwhile (I2): which may go.

Data comes first: whatever could have been written to stays, and what is past its first minutes is a person's to judge.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta

from storage.domain.observed import Observed, ObservedShare, ObservedVolume, Records, is_ours, kind_of

CALL_OUTLIVES = timedelta(minutes=10)
"""How long after it was sent a call may still make something."""
YOUNG = timedelta(minutes=15)
"""Of an older one nobody knows what has become of it meanwhile."""
CLOCKS_DIFFER = timedelta(minutes=1)
_NEVER_USED = frozenset({"available", "error"})

Calls = Mapping[tuple[str, str], Sequence[datetime]]
"""When calls were sent that nothing is known to have come of, by their verb and marker."""


def calls_of(workspace: str, observed: Observed, records: Records) -> frozenset[tuple[str, str]]:
    """The calls that could have made what is marked as the workspace's and is on no record."""
    return frozenset(_call_of(workspace, thing) for thing in _unrecorded(workspace, observed, records))


def came_late(workspace: str, observed: Observed, records: Records, calls: Calls, now: datetime) -> frozenset[str]:
    """The ids of what came of such a call alone, and was never attached, opened to anybody or filled."""
    return frozenset(
        thing.resource_id
        for thing in _unrecorded(workspace, observed, records)
        if _is_untouched(thing) and _came_of(thing, calls.get(_call_of(workspace, thing), ()), now)
    )


def _unrecorded(workspace: str, observed: Observed, records: Records) -> Iterator[ObservedShare | ObservedVolume]:
    known = {record.resource_id for record in records.values()}
    everything: list[ObservedShare | ObservedVolume] = [*observed.shares, *observed.volumes]
    for thing in everything:
        if thing.resource_id not in known and is_ours(thing, workspace, frozenset()):
            yield thing


def _call_of(workspace: str, thing: ObservedShare | ObservedVolume) -> tuple[str, str]:
    return f"{kind_of(thing)}.create", f"{workspace}/{thing.name.removeprefix(f'{workspace}-')}"


def _is_untouched(thing: ObservedShare | ObservedVolume) -> bool:
    used = thing.rules if isinstance(thing, ObservedShare) else thing.attached_to
    return thing.is_blank and not used and thing.status in _NEVER_USED


def _came_of(thing: ObservedShare | ObservedVolume, sent: Sequence[datetime], now: datetime) -> bool:
    try:
        born = datetime.fromisoformat(thing.created_at)
    except ValueError:
        return False
    born = born if born.tzinfo else born.replace(tzinfo=UTC)
    return now - born < YOUNG and any(at - CLOCKS_DIFFER <= born <= at + CALL_OUTLIVES for at in sent)
