"""The end of a workspace's policy: its groups go, and it is told; so is who holds one up."""

from contracts.network_policy import PolicyWithdrawn, PortHolder, WithdrawalHeld
from network_policy import store
from network_policy.domain.world import Port
from network_policy.handlers.context import Context
from network_policy.handlers.effects import Hand
from network_policy.handlers.quarantining import end_quarantines
from network_policy.store import Known
from shared.effects import is_awaited
from shared.errors import Conflict, NotFound
from shared.handlers import Turn

IN_USE_SECONDS = 2.0
LONGEST_IN_USE_SECONDS = 60.0
TOLD_AFTER_SECONDS = 10.0
"""Ports that are going are gone by then."""
_TOLD_AT_MOST = 20
_TEXT_LENGTH = 255


async def withdraw(turn: Turn[Context], known: Known) -> float | None:
    """Delete all groups of the project, the default one too: groups of projects that are gone are a hole (CVE-2022-3277).

    While ports are in them, whosever they are, these are looked for again, less and less often.
    """
    if known.project_id is not None:
        if not turn.context.is_enforcing:
            return None
        group_ids = await _group_ids(turn, known.project_id)
        if known.held_since is not None and (ports := await turn.context.cloud.ports_in(group_ids)):
            return await _held(turn, known, group_ids, ports)  # not tried in vain: each call is told of
        hand = Hand(turn, known.workspace, known.project_id, {})
        in_use = False
        for group_id in group_ids:
            try:
                await hand.remove_group(group_id)
            except Conflict:
                in_use = True
        if in_use:
            return await _held(turn, known, group_ids, await turn.context.cloud.ports_in(group_ids))
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


async def _held(turn: Turn[Context], known: Known, group_ids: list[str], ports: tuple[Port, ...]) -> float:
    """Tell of ports that stay, once; seconds until the next look, as many as they have stayed for."""
    since = known.held_since or turn.now
    stays = (turn.now - since).total_seconds()
    named = sorted(port.id for port in ports)
    is_told = tuple(named) == known.held_by
    tells = bool(ports) and not is_told and stays >= TOLD_AFTER_SECONDS
    async with turn.transaction() as tx:
        await store.withdrawal_held(tx.connection, known.workspace, since, named if tells else known.held_by)
        if tells:
            ours = set(group_ids)
            holders = tuple(_holder(port, ours) for port in sorted(ports, key=lambda port: port.id))
            tx.emit(
                WithdrawalHeld(
                    workspace=known.workspace,
                    generation=known.generation,
                    holders=holders[:_TOLD_AT_MOST],
                    more=max(0, len(holders) - _TOLD_AT_MOST),
                )
            )
    return min(max(IN_USE_SECONDS, stays), LONGEST_IN_USE_SECONDS)


def _holder(port: Port, group_ids: set[str]) -> PortHolder:
    return PortHolder(
        port_id=port.id,
        group_id=next(each for each in port.group_ids if each in group_ids),
        project_id=_said(port.project_id),
        device_owner=_said(port.device_owner),
        device_id=_said(port.device_id),
    )


def _said(text: str) -> str:
    """Words that whoever made the port chose."""
    return "".join(each if each.isascii() and each.isprintable() else "?" for each in text[:_TEXT_LENGTH])


async def _group_ids(turn: Turn[Context], project_id: str) -> list[str]:
    """The project's groups, the default group last, as listing would make it anew."""
    try:
        groups = await turn.context.cloud.groups(project_id)
    except NotFound:
        return []
    return [group.id for group in sorted(groups, key=lambda group: (group.name == "default", group.id))]
