"""Whether one wanted share or volume is there, and what brings it there."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import TypeVar

from contracts.envelope import Problem
from storage.domain import names
from storage.domain.desired import Desired, DesiredShare, DesiredVolume
from storage.domain.observed import ObservedShare, ObservedVolume, Recorded, kind_of, printable
from storage.domain.steps import (
    CreateShare,
    CreateVolume,
    DeleteShare,
    DeleteVolume,
    ExtendShare,
    ExtendVolume,
    Plan,
    Step,
)

DELETABLE = frozenset({"available", "error", "error_deleting", "extending_error", "shrinking_error", "error_extending"})
GONE_SOON = frozenset({"deleting", "deferred_deleting"})
USABLE = frozenset({"available", "in-use", "extending_error", "error_extending", "shrinking_error"})
BROKEN = frozenset({"error", "error_deleting"})

Thing = TypeVar("Thing", ObservedShare, ObservedVolume)


def same(ours: Iterable[Thing], cloud_name: str, record: Recorded | None) -> list[Thing]:
    """Those that stand for one wanted thing: the one on record first, then the oldest."""
    known = record.resource_id if record is not None else ""
    found = [thing for thing in ours if thing.name == cloud_name or thing.resource_id == known]
    return sorted(found, key=lambda thing: (thing.resource_id != known, thing.created_at, thing.resource_id))


def plan_surplus(
    workspace: str, same: Sequence[Thing], record: Recorded | None, late: Collection[str], made: Plan
) -> Iterator[Step]:
    """What was made twice because an answer was lost, while nobody has been told of either, so that both are empty.

    Later, a second one of that name and mark can be somebody's restored copy: only what came `late` goes then.
    """
    is_told = record is not None and record.is_told
    for thing in same[1:]:
        if not is_told or thing.resource_id in late:
            yield from plan_delete(workspace, thing, "", made)


def plan_share(
    desired: Desired,
    wanted: DesiredShare,
    found: ObservedShare | None,
    everything: Iterable[ObservedShare],
    record: Recorded | None,
    made: Plan,
) -> Iterator[Step]:
    marker = f"{desired.workspace}/{wanted.name}"
    if found is None:
        if _may_create(wanted, everything, record, made):
            yield CreateShare(
                marker,
                wanted.field,
                wanted.cloud_name,
                wanted.size_gib,
                wanted.protocol,
                wanted.share_type,
                _marks(desired),
            )
        return
    if found.status in BROKEN:
        yield from _broken(desired.workspace, wanted, found, record, made)
        return
    if found.status not in USABLE:
        made.waits.append(f"share '{wanted.name}' is {found.status}")
        return
    if (found.protocol, found.share_type) != (wanted.protocol, wanted.share_type):
        made.problems.append(
            Problem(
                field=wanted.field,
                reason=f"share '{wanted.name}' is {found.protocol} of type '{printable(found.share_type)}', "
                f"not {wanted.protocol} of type '{wanted.share_type}'",
                remedy="a share's kind can't be changed: add one under another name, move the data, remove this one",
            )
        )
        return
    if _grows(wanted, found, record, made):
        yield ExtendShare(marker, wanted.field, found.share_id, wanted.size_gib)
    made.kept["share", wanted.cloud_name] = Recorded(
        kind="share",
        cloud_name=wanted.cloud_name,
        name=wanted.name,
        resource_id=found.share_id,
        size_gib=found.size_gib,
        protocol=found.protocol,
        export_locations=found.export_locations or (record.export_locations if record is not None else ()),
        access=tuple(sorted(str(rule) for rule in wanted.access)),
        is_told=record is not None and record.is_told and record.resource_id == found.share_id,
    )


def plan_volume(
    desired: Desired,
    wanted: DesiredVolume,
    found: ObservedVolume | None,
    everything: Iterable[ObservedVolume],
    record: Recorded | None,
    made: Plan,
) -> Iterator[Step]:
    marker = f"{desired.workspace}/{wanted.cloud_name.removeprefix(desired.workspace + '-')}"
    if found is None:
        if _may_create(wanted, everything, record, made):
            yield CreateVolume(
                marker, wanted.field, wanted.cloud_name, wanted.size_gib, wanted.volume_type, _marks(desired)
            )
        return
    if found.status in BROKEN:
        yield from _broken(desired.workspace, wanted, found, record, made)
        return
    if found.status not in USABLE | {"attaching", "detaching", "reserved", "maintenance"}:
        made.waits.append(f"volume '{wanted.name}' of {wanted.node} is {found.status}")
        return
    if wanted.volume_type is not None and found.volume_type != wanted.volume_type:
        made.problems.append(
            Problem(
                field=wanted.field,
                reason=f"volume '{wanted.name}' of {wanted.node} is of type '{printable(found.volume_type)}', "
                f"not '{wanted.volume_type}'",
                remedy="add one under another name, move the data, remove this one",
            )
        )
        return
    if _grows(wanted, found, record, made):
        if found.status in {"available", "in-use"}:
            yield ExtendVolume(marker, wanted.field, found.volume_id, wanted.size_gib)
        else:
            made.waits.append(f"volume '{wanted.name}' of {wanted.node} is {found.status}")
    made.kept["volume", wanted.cloud_name] = Recorded(
        kind="volume",
        cloud_name=wanted.cloud_name,
        name=wanted.name,
        resource_id=found.volume_id,
        size_gib=found.size_gib,
        node=wanted.node,
        is_told=record is not None and record.is_told and record.resource_id == found.volume_id,
    )


def _may_create(
    wanted: DesiredShare | DesiredVolume,
    everything: Iterable[ObservedShare | ObservedVolume],
    record: Recorded | None,
    made: Plan,
) -> bool:
    """Whether nothing stands in its place. What held data and vanished is not silently replaced by an empty one."""
    if record is not None and record.is_told:
        made.vanished.append((record.kind, record.cloud_name))
        made.problems.append(
            Problem(
                field=wanted.field,
                reason=f"'{wanted.name}' ({record.resource_id}) is gone from the project, with the data that was in it",
                remedy="restore it; creating the workspace again makes an empty one in its place",
            )
        )
        return False
    stranger = next((thing for thing in everything if thing.name == wanted.cloud_name), None)
    if stranger is not None:
        made.problems.append(
            Problem(
                field=wanted.field,
                reason=f"the project has a {kind_of(stranger)} '{wanted.cloud_name}' ({stranger.resource_id}) "
                "that is not marked as this workspace's",
                remedy=f"rename it, or set its metadata {names.WORKSPACE_KEY} to have it adopted",
            )
        )
        return False
    return True


def _broken(
    workspace: str,
    wanted: DesiredShare | DesiredVolume,
    found: ObservedShare | ObservedVolume,
    record: Recorded | None,
    made: Plan,
) -> Iterator[Step]:
    """In error: made anew while it can't hold data; afterwards left for a person."""
    problem = Problem(
        field=wanted.field,
        reason=f"{kind_of(found)} '{wanted.name}' ({found.resource_id}) came to status {found.status}",
        remedy="look at the back end's log and its free capacity; then create the workspace again",
    )
    if record is not None and record.is_told and record.resource_id == found.resource_id:
        made.problems.append(problem)
        return
    made.faults.append(problem)
    yield from plan_delete(workspace, found, wanted.field, made)


def _grows(
    wanted: DesiredShare | DesiredVolume, found: ObservedShare | ObservedVolume, record: Recorded | None, made: Plan
) -> bool:
    """Whether it has to be extended; a document that shrinks it is refused, since that can lose data."""
    if record is not None and record.is_told and wanted.size_gib < record.size_gib:
        made.problems.append(
            Problem(
                field=f"{wanted.field}.size_gib",
                reason=f"'{wanted.name}' has {record.size_gib} GiB and can't shrink to {wanted.size_gib} GiB",
                remedy=f"write {record.size_gib} or more, or move the data to a smaller one under another name",
            )
        )
        return False
    return found.size_gib < wanted.size_gib


def plan_delete(workspace: str, thing: ObservedShare | ObservedVolume, field: str, made: Plan) -> Iterator[Step]:
    name = thing.name.removeprefix(f"{workspace}-")
    if thing.status in GONE_SOON:
        made.waits.append(f"{kind_of(thing)} '{printable(name)}' is {thing.status}")
    elif isinstance(thing, ObservedVolume) and thing.attached_to:
        made.waits.append(f"volume '{printable(name)}' is attached to server {', '.join(thing.attached_to)}")
    elif thing.status not in DELETABLE:
        made.waits.append(f"{kind_of(thing)} '{printable(name)}' is {thing.status}")
    elif isinstance(thing, ObservedShare):
        yield DeleteShare(f"{workspace}/{printable(name)[:120]}", field, thing.share_id)
    else:
        yield DeleteVolume(f"{workspace}/{printable(name)[:120]}", field, thing.volume_id)


def _marks(desired: Desired) -> tuple[tuple[str, str], ...]:
    return tuple(sorted(names.metadata(desired.workspace, desired.generation).items()))
