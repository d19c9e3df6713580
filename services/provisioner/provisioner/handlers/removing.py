"""Looks at a workspace that is to go, and does what is possible now."""

from dataclasses import replace

from provisioner import store
from provisioner.domain import deletion, looking, names
from provisioner.domain.observed import Observed
from provisioner.domain.record import Record
from provisioner.domain.steps import DeleteProject
from provisioner.handlers import working
from provisioner.handlers.context import Context
from provisioner.handlers.ending import apply
from shared.effects import is_awaited
from shared.errors import Invalid
from shared.handlers import Turn

ROUNDS = 12


async def remove(turn: Turn[Context]) -> float | None:
    """Bring the workspace nearer to its end; see `reconcile`."""
    for _ in range(ROUNDS):
        look = await _look(turn)
        if look is None or look.has_ended:
            return 0.0 if look is None else None
        if not turn.context.is_enforcing:
            return None
        if not look.plan.steps:
            is_emptying = look.record.emptied_generation < look.record.generation
            is_emptying = is_emptying and deletion.may_begin(looking.unwanted_of(look.record))
            return turn.context.poll_seconds if is_emptying else None
        if any(isinstance(step, DeleteProject) for step in look.plan.steps) and await _is_awaited(turn):
            return turn.context.poll_seconds
        outcome = await working.work(turn, look.record, look.plan)
        if (pause_seconds := outcome.pause_seconds) is not None:
            return pause_seconds
        if outcome.hopeless:  # a deletion is never given up: somebody may mend the cause
            raise Invalid("; ".join(problem.reason for problem in outcome.hopeless))
        if working.has_forgotten_quotas(look.plan, outcome):
            await _forget_quotas(turn, look.record)
    return 0.0


async def _is_awaited(turn: Turn[Context]) -> bool:
    """Something may still come into the project, of a call that outlived its caller: it would be left there alone."""
    async with turn.transaction() as tx:
        return await is_awaited(tx, turn.key)


async def _look(turn: Turn[Context]) -> looking.Look | None:
    async with turn.transaction() as tx:
        before = await store.load(tx.connection, turn.key)
    if before is None or before.state != "deleting":
        return None
    seen = await _observe(turn, before)
    if not seen.servers and not seen.ports and before.emptied_generation < before.generation:
        seen = await _observe(turn, before)  # it takes two looks to believe that nothing is left
    async with turn.transaction() as tx:
        record = await store.load(tx.connection, turn.key, lock=True)
        if record is None or (record.generation, record.state) != (before.generation, before.state):
            return None
        nodes = await store.load_nodes(tx.connection, turn.key)
        look = looking.removing(record, nodes, seen)
        if look.record != record:
            await store.save(tx.connection, look.record)
        await store.save_nodes(tx.connection, record.name, nodes, look.nodes)
        tx.emit(*look.events)
        if look.has_ended:
            await store.remember(tx.connection, look.record, tx.now)
            await apply(tx, look.record)
        return look


async def _observe(turn: Turn[Context], record: Record) -> Observed:
    project = names.project(turn.context.site, record.name)
    return await turn.context.cloud.observe(record.name, project, record.project_id)


async def _forget_quotas(turn: Turn[Context], before: Record) -> None:
    async with turn.transaction() as tx:
        record = await store.load(tx.connection, turn.key, lock=True)
        if record is not None and record.generation == before.generation:
            await store.save(tx.connection, replace(record, are_quotas_forgotten=True))
