"""Groups that came of calls which outlived their callers: made anew meanwhile, they are there twice, and go (I2)."""

from network_policy import store
from network_policy.domain.sight import Sight
from network_policy.handlers.context import Context
from network_policy.handlers.effects import Hand
from network_policy.handlers.own import marker_of_group
from shared.errors import Conflict
from shared.handlers import Turn


async def remove_surplus(turn: Turn[Context], sight: Sight, hand: Hand) -> bool:
    """Delete them; True when any went.

    A group is taken for one of them when it is not the workspace's, no port is in it, and a call of this service that
    was to make a group of its name in this project has none to show for it. Neutron itself refuses the deletion once
    a port is in it, or once it was changed.
    """
    in_use = {group_id for port in sight.ports for group_id in port.group_ids}
    markers = {
        group.id: marker_of_group(sight.project_id, group.name)
        for group in sight.actual.unmanaged
        if group.id not in in_use
    }
    if not markers:
        return False
    async with turn.transaction() as tx:
        came_of_calls = await store.without_outcome(tx.connection, "group.create", markers.values())
    gone = False
    for group in sight.actual.unmanaged:
        if markers.get(group.id) in came_of_calls:
            try:
                await hand.remove_group(group.id, group.revision)
                gone = True
            except Conflict:
                continue  # somebody uses it: it is told as one that is not the workspace's
    return gone
