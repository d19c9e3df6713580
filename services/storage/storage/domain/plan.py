"""From what is to what should be: the steps for one project, in the safe order."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass

from contracts.envelope import Problem
from storage.domain.desired import Desired
from storage.domain.granting import plan_access
from storage.domain.observed import Observed, ObservedShare, ObservedVolume, Records, is_ours, kind_of, printable
from storage.domain.presence import BROKEN, GONE_SOON, plan_delete, plan_share, plan_surplus, plan_volume, same
from storage.domain.steps import Plan, SetLimits, Step


def plan(desired: Desired, observed: Observed, recorded: Records, late: Collection[str] = ()) -> Plan:
    """The steps: denials first, then what goes, the limits, what comes, and access last.

    `late`: the ids of what came of calls that outlived their callers, and can hold nothing.
    """
    made = Plan()
    ours = _ours(desired.workspace, observed, recorded)
    denials: list[Step] = []
    removals: list[Step] = []
    additions: list[Step] = []
    grants: list[Step] = []
    for share in desired.shares:
        record = recorded.get(("share", share.cloud_name))
        shares = same(ours.shares, share.cloud_name, record)
        removals += plan_surplus(desired.workspace, shares, record, late, made)
        found = shares[0] if shares else None
        additions += plan_share(desired, share, found, observed.shares, record, made)
        if found is not None and found.status not in GONE_SOON | BROKEN:
            deny, allow = plan_access(desired.workspace, share, found, record, made)
            denials += deny
            grants += allow
    for volume in desired.volumes:
        record = recorded.get(("volume", volume.cloud_name))
        volumes = same(ours.volumes, volume.cloud_name, record)
        removals += plan_surplus(desired.workspace, volumes, record, late, made)
        additions += plan_volume(desired, volume, volumes[0] if volumes else None, observed.volumes, record, made)
    removals += _unwanted(desired, observed, recorded, late, made)
    made.steps = [*denials, *removals, *_limits(desired, observed, made), *additions, *grants]
    return made


def release(workspace: str, observed: Observed, recorded: Records) -> Plan:
    """The steps towards an empty project, for a workspace without a server."""
    made = Plan()
    ours = _ours(workspace, observed, recorded)
    mine: list[ObservedShare | ObservedVolume] = [*ours.shares, *ours.volumes]
    everything: list[ObservedShare | ObservedVolume] = [*observed.shares, *observed.volumes]
    for thing in mine:
        made.steps += plan_delete(workspace, thing, "", made)
    for stranger in everything:
        if stranger not in mine:
            made.faults.append(
                Problem(
                    reason=f"{kind_of(stranger)} '{printable(stranger.name)}' ({stranger.resource_id}) is in the project "
                    "and was not made by Tresor",
                    remedy="move or delete it by hand; the project stays until then",
                )
            )
    return made


@dataclass(frozen=True)
class _Ours:
    shares: list[ObservedShare]
    volumes: list[ObservedVolume]


def _ours(workspace: str, observed: Observed, recorded: Records) -> _Ours:
    ids = frozenset(record.resource_id for record in recorded.values())
    return _Ours(
        [share for share in observed.shares if is_ours(share, workspace, ids)],
        [volume for volume in observed.volumes if is_ours(volume, workspace, ids)],
    )


def _unwanted(
    desired: Desired, observed: Observed, recorded: Records, late: Collection[str], made: Plan
) -> Iterator[Step]:
    """What an earlier document wanted and this one does not: by recorded id alone, since data is lost with it.

    What came late for it goes too: nothing is lost with that.
    """
    wanted = {("share", share.cloud_name) for share in desired.shares}
    wanted |= {("volume", volume.cloud_name) for volume in desired.volumes}
    unwanted = {record.resource_id for key, record in recorded.items() if key not in wanted}
    everything: list[ObservedShare | ObservedVolume] = [*observed.shares, *observed.volumes]
    unwanted |= {
        thing.resource_id
        for thing in everything
        if thing.resource_id in late and (kind_of(thing), thing.name) not in wanted
    }
    for share in observed.shares:
        if share.share_id in unwanted:
            yield from plan_delete(desired.workspace, share, "storage.shares", made)
    for volume in observed.volumes:
        if volume.volume_id in unwanted:
            if volume.attached_to:
                made.leftovers.append(volume.volume_id)
            else:
                yield from plan_delete(desired.workspace, volume, "storage.volumes", made)


def _limits(desired: Desired, observed: Observed, made: Plan) -> Iterator[Step]:
    """The quota: what the document needs, and room for what has not gone yet."""
    if observed.limits is None or desired.limits is None:
        return
    left = [volume for volume in observed.volumes if volume.volume_id in made.leftovers]
    for service, wanted in sorted(desired.limits.items()):
        limits = dict(wanted)
        if service == "volume" and left:
            limits["volumes"] += len(left)
            limits["gigabytes"] += sum(volume.size_gib for volume in left)
        current = observed.limits.get(service, {})
        if any(current.get(name) != limit for name, limit in limits.items()):
            yield SetLimits(f"{desired.workspace}/{service}-quota", "quotas", service, tuple(sorted(limits.items())))
