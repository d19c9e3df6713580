"""Nodes are asked for and given back: by Slurm's hooks, or by a person."""

from burst_scheduler.domain import nodes
from burst_scheduler.domain.nodes import Change
from burst_scheduler.handlers.context import Context, handlers
from burst_scheduler.store import ledger, pools
from contracts.burst_scheduler import (
    GiveNodesUp,
    ListNodes,
    NodeDemand,
    NodeList,
    ReleaseReason,
    ResumeNodes,
    SuspendNodes,
)
from shared.work import Work


@handlers.on(ResumeNodes)
async def on_resume_nodes(asked: ResumeNodes, tx: Work[Context]) -> None:
    """Want the nodes, as far as the pool has room."""
    known = await pools.lock(tx.connection, asked.workspace)
    wanted = await ledger.load(tx.connection, asked.workspace)
    pool = known.pool if known else None
    await _make(
        tx, asked.workspace, nodes.resume(asked.workspace, pool, wanted, asked, tx.now, tx.context.resume_patience)
    )


@handlers.on(SuspendNodes)
async def on_suspend_nodes(asked: SuspendNodes, tx: Work[Context]) -> None:
    """Want them no more."""
    await _let_go(asked.workspace, asked.nodes, "suspended", tx)


@handlers.on(GiveNodesUp)
async def on_give_nodes_up(asked: GiveNodesUp, tx: Work[Context]) -> None:
    """They did not come up in time: what was made for them goes."""
    await _let_go(asked.workspace, asked.nodes, "gave-up", tx)


@handlers.answer(ListNodes)
async def list_nodes(query: ListNodes, tx: Work[Context]) -> NodeList:
    """The workspace's ledger."""
    known = await ledger.load(tx.connection, query.workspace)
    return NodeList(
        nodes=tuple(
            NodeDemand(
                name=one.name,
                state=one.state,
                generation=one.generation,
                provider=one.provider,
                job_ids=one.job_ids,
                since=one.since,
            )
            for one in known.values()
            if query.every or one.state == "wanted"
        )
    )


async def _let_go(workspace: str, names: str, reason: ReleaseReason, tx: Work[Context]) -> None:
    await pools.lock(tx.connection, workspace)
    wanted = await ledger.load(tx.connection, workspace)
    await _make(tx, workspace, nodes.let_go(workspace, wanted, names, reason, tx.now))


async def _make(tx: Work[Context], workspace: str, change: Change) -> None:
    await ledger.save(tx.connection, workspace, change.changed)
    tx.emit(*change.events)
    if change.problems:
        assert tx.cause is not None
        await tx.rejected(tx.cause.id, change.problems)
