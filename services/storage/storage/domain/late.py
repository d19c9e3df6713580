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
SAME_MOMENT = timedelta(seconds=2)
"""Cinder writes a volume once more just after it has made it; nobody attaches one and detaches it in less."""
_LONG_AGO, _NEVER = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)
_NEVER_USED = frozenset({"available", "error"})

Calls = Mapping[tuple[str, str], Sequence[datetime]]
"""When calls were sent that nothing is known to have come of, by their verb and marker."""
Births = Mapping[str, datetime]
"""When volumes were ready, by their ids, as Cinder's notifications of it said."""


def calls_of(workspace: str, observed: Observed, records: Records) -> frozenset[tuple[str, str]]:
    """The calls that could have made what is marked as the workspace's and is on no record."""
    return frozenset(_call_of(workspace, thing) for thing in _unrecorded(workspace, observed, records))


def came_late(
    workspace: str, observed: Observed, records: Records, calls: Calls, births: Births, now: datetime
) -> frozenset[str]:
    """The ids of what came of such a call alone, and was never attached, opened to anybody or filled."""
    return frozenset(
        thing.resource_id
        for thing in _come_of(workspace, observed, records, calls)
        if now - _born(thing) < YOUNG and not why_left(thing, births)
    )


def left_alone(
    workspace: str, observed: Observed, records: Records, calls: Calls, now: datetime
) -> tuple[ObservedShare | ObservedVolume, ...]:
    """What came of such a call and stays, as it was not sure in its first minutes that nothing is in it."""
    return tuple(
        thing
        for thing in _come_of(workspace, observed, records, calls)
        if now - _born(thing) >= YOUNG and thing.status in _NEVER_USED | {"in-use"}
    )


def why_left(thing: ObservedShare | ObservedVolume, births: Births) -> str:
    """Why something may be in it; empty where nothing can be. Cinder keeps no record of attachments that are over."""
    used = thing.rules if isinstance(thing, ObservedShare) else thing.attached_to
    if used or thing.status not in _NEVER_USED:
        return "it is in use"
    if not thing.is_blank:
        return "it was not made empty"
    if isinstance(thing, ObservedVolume):
        ready_at = births.get(thing.volume_id)
        if ready_at is None:
            return "Cinder's notification of its making was not heard, so that it may have been attached since"
        if _time(thing.updated_at, _NEVER) > ready_at + SAME_MOMENT:
            return "it was changed after it was made, and may have been attached"
    return ""


def _come_of(
    workspace: str, observed: Observed, records: Records, calls: Calls
) -> Iterator[ObservedShare | ObservedVolume]:
    for thing in _unrecorded(workspace, observed, records):
        born = _born(thing)
        sent = calls.get(_call_of(workspace, thing), ())
        if any(at - CLOCKS_DIFFER <= born <= at + CALL_OUTLIVES for at in sent):
            yield thing


def _unrecorded(workspace: str, observed: Observed, records: Records) -> Iterator[ObservedShare | ObservedVolume]:
    known = {record.resource_id for record in records.values()}
    everything: list[ObservedShare | ObservedVolume] = [*observed.shares, *observed.volumes]
    for thing in everything:
        if thing.resource_id not in known and is_ours(thing, workspace, frozenset()):
            yield thing


def _call_of(workspace: str, thing: ObservedShare | ObservedVolume) -> tuple[str, str]:
    return f"{kind_of(thing)}.create", f"{workspace}/{thing.name.removeprefix(f'{workspace}-')}"


def _time(said: str, otherwise: datetime) -> datetime:
    try:
        at = datetime.fromisoformat(said)
    except ValueError:
        return otherwise
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def _born(thing: ObservedShare | ObservedVolume) -> datetime:
    return _time(thing.created_at, _LONG_AGO)
