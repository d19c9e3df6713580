"""The end of a workspace's policy: its groups go, and it is told."""

from contracts.network_policy import PolicyWithdrawn
from network_policy import store
from network_policy.handlers.context import Context
from network_policy.handlers.effects import Hand
from network_policy.handlers.quarantining import end_quarantines
from network_policy.store import Known
from shared.effects import is_awaited
from shared.errors import Conflict, NotFound
from shared.handlers import Turn

IN_USE_SECONDS = 2.0


async def withdraw(turn: Turn[Context], known: Known) -> float | None:
    """Delete all groups of the project, the default one too: groups of projects that are gone are a hole (CVE-2022-3277)."""
    if known.project_id is not None:
        if not turn.context.is_enforcing:
            return None
        hand = Hand(turn, known.workspace, known.project_id, {})
        for group_id in await _group_ids(turn, known.project_id):
            try:
                await hand.remove_group(group_id)
            except Conflict:
                return IN_USE_SECONDS  # a port is still going, or another group's rule names it
        # Whatever the site names roles by: it may have been another kind when these were made.
        for each in await turn.context.cloud.address_groups(known.project_id):
            await hand.remove_address_group(each.id)
    async with turn.transaction() as tx:
        if await is_awaited(tx, known.workspace):
            return IN_USE_SECONDS  # a group may still come of a call that outlived its caller
        await end_quarantines(tx, known)
        await store.withdrawn(tx.connection, known.workspace)
        tx.emit(PolicyWithdrawn(workspace=known.workspace, generation=known.generation))
    return None


async def _group_ids(turn: Turn[Context], project_id: str) -> list[str]:
    """The project's groups, the default group last, as listing would make it anew."""
    try:
        groups = await turn.context.cloud.groups(project_id)
    except NotFound:
        return []
    return [group.id for group in sorted(groups, key=lambda group: (group.name == "default", group.id))]
