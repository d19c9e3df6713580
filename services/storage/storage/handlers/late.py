"""What there is only because a call outlived its caller (I2)."""

from contracts.openstack import Notification
from contracts.openstack.cinder import Volume
from contracts.storage import SurplusLeft
from shared.handlers import Turn
from shared.work import Work
from storage import store
from storage.domain import late
from storage.domain.observed import Observed, Records, kind_of, printable
from storage.handlers.register import Context, handlers

_BIRTHS_DAYS = 1.0
"""Nothing that is older than some minutes is taken away for being late."""

handlers.forgets(
    "volume_birth",
    lambda _: _BIRTHS_DAYS,
    "DELETE FROM volume_birth WHERE ctid = ANY(ARRAY(SELECT ctid FROM volume_birth WHERE ready_at < $1 LIMIT $2))",
)


async def came_late(turn: Turn[Context], workspace: str, observed: Observed, records: Records) -> frozenset[str]:
    """The ids of the shares and volumes that may go, although another one of their name was told of.

    Tells, once, of what stays for good, as something may be in it.
    """
    calls = late.calls_of(workspace, observed, records)
    if not calls:
        return frozenset()
    async with turn.transaction() as tx:
        sent = await store.without_outcome(tx.connection, calls)
        if not sent:
            return frozenset()
        births = await store.births(tx.connection, (volume.volume_id for volume in observed.volumes))
        for thing in late.left_alone(workspace, observed, records, sent, turn.now):
            if await store.tell_left(tx.connection, workspace, thing.resource_id):
                tx.emit(
                    SurplusLeft(
                        workspace=workspace,
                        kind=kind_of(thing),
                        resource_id=thing.resource_id,
                        name=printable(thing.name),
                        reason=late.why_left(thing, births) or "it was not looked at in its first minutes",
                    )
                )
    return late.came_late(workspace, observed, records, sent, births, turn.now)


async def hear_birth(seen: Notification, tx: Work[Context]) -> None:
    """Cinder says that a volume is made."""
    made = seen.payload
    if seen.event_type == "volume.create.end" and isinstance(made, Volume) and made.volume_id and made.launched_at:
        await store.born(tx.connection, made.volume_id, made.launched_at)
