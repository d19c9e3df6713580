"""What was seen, for the history: after a look its project, after a scan the cloud. Never before a repair."""

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from network_policy import store
from network_policy.domain.sight import Sight
from network_policy.domain.world import World
from network_policy.handlers.context import Context, handlers
from network_policy.store import Known
from network_policy.store.history import KINDS, OF_PROJECTS, WORKSPACES, Thing, declared, observe, scanned, things_of
from shared import metrics
from shared.handlers import Turn
from shared.work import Work

FORGET_SECONDS = 3600.0


async def remember_project(turn: Turn[Context], known: Known, sight: Sight, at: datetime) -> None:
    """The project's groups, rules and ports as they were listed at that time, and what was declared."""
    own = World(
        groups=tuple(each for each in sight.groups if each.project_id == sight.project_id),
        ports=tuple(each for each in sight.ports if each.project_id == sight.project_id),
    )
    declared_now = _declared(known)
    # While the lane is ours nobody but a scan writes about the workspace.
    same = (turn.lane, known.scanned_at, own, declared_now.digest)
    if turn.context.remembered.get(known.workspace) == same:
        return
    things = [*await asyncio.to_thread(things_of, own), declared_now]
    async with turn.transaction() as tx:
        await observe(
            tx.connection,
            things,
            at,
            kinds=(*OF_PROJECTS, WORKSPACES),
            project_id=sight.project_id,
            workspace=known.workspace,
        )
    turn.context.remembered[known.workspace] = same


async def remember_cloud(turn: Turn[Context], world: World, everybody: Sequence[Known], at: datetime) -> None:
    """The whole cloud as it was listed at that time."""
    things = [*await asyncio.to_thread(things_of, world), *(_declared(known) for known in everybody)]
    async with turn.transaction() as tx:
        await observe(tx.connection, things, at, kinds=(*KINDS, WORKSPACES), project_id=None, workspace=None)
        await scanned(tx.connection, at, turn.context.scan_seconds * 1.2)
    metrics.LAST_SCAN.set(at.timestamp())


def _declared(known: Known) -> Thing:
    assert known.project_id is not None
    value: dict[str, Any] = {
        "generation": known.generation,
        "document": known.document.model_dump(mode="json", by_alias=True) if known.document else None,
        "group_ids": dict(sorted(known.group_ids.items())),
        "port_roles": dict(sorted(known.nodes.port_roles.items())),
        "server_ids": sorted(known.nodes.server_ids),
    }
    return declared(known.workspace, known.project_id, value)


@handlers.every(FORGET_SECONDS)
async def forget_old(tx: Work[Context]) -> None:
    """Versions that ended longer ago than they are to be kept."""
    await store.forget_history(tx.connection, tx.now - timedelta(days=tx.context.history_days))
