"""Looks at a workspace that is to be, and does what is possible now."""

from dataclasses import replace

from contracts.envelope import Problem
from provisioner import store
from provisioner.domain import life, looking, names, quotas
from provisioner.domain.catalog import Catalog
from provisioner.domain.observed import Observed
from provisioner.domain.record import Nodes, Record
from provisioner.handlers import working
from provisioner.handlers.admission import read_catalog
from provisioner.handlers.context import Context
from provisioner.handlers.ending import apply, give_up
from shared.handlers import Turn

ROUNDS = 12
"""Looks in one turn, each after the steps of the one before; then others' keys have theirs."""


async def build(turn: Turn[Context]) -> float | None:
    """Bring the workspace nearer to its document; see `reconcile`."""
    for _ in range(ROUNDS):
        look = await _look(turn)
        if look is None or look.has_ended:
            return 0.0 if look is None else None
        if not look.plan.steps or not turn.context.is_enforcing:
            is_building = any(node.server_id is not None and not node.is_active for node in look.nodes)
            return turn.context.poll_seconds if is_building else None
        outcome = await working.work(turn, look.record, look.plan)
        if outcome.hopeless:
            await _give_up(turn, look.record, outcome.hopeless)
            return None
        if (pause_seconds := outcome.pause_seconds) is not None:
            return pause_seconds
    return 0.0


async def _look(turn: Turn[Context]) -> looking.Look | None:
    """Observe and tell what is new. None when the workspace moved on meanwhile."""
    async with turn.transaction() as tx:
        record = await store.load(tx.connection, turn.key)
        nodes = await store.load_nodes(tx.connection, turn.key)
        reading = await store.load_catalog(tx.connection, tx.now)
    if record is None or record.state not in ("creating", "ready"):
        return None
    catalog = await read_catalog(turn) if reading is None else reading.catalog
    seen = await _observe(turn, record, nodes)
    return await _tell(turn, record, catalog, seen)


async def _tell(turn: Turn[Context], before: Record, catalog: Catalog, seen: Observed) -> looking.Look | None:
    async with turn.transaction() as tx:
        record = await store.load(tx.connection, turn.key, lock=True)
        if record is None or (record.generation, record.state) != (before.generation, before.state):
            return None
        nodes = await store.load_nodes(tx.connection, turn.key)
        look = looking.building(record, nodes, turn.context.site, catalog, seen, tx.now)
        if look.record != record:
            await store.save(tx.connection, look.record)
        await store.save_nodes(tx.connection, record.name, nodes, look.nodes)
        tx.emit(*look.events)
        if look.has_ended:
            await store.remember(tx.connection, look.record, tx.now)
            if look.record.state == "ready":
                await apply(tx, look.record)
            else:
                await give_up(tx, look.record, look.record.problems)
        return look


async def _observe(turn: Turn[Context], record: Record, nodes: Nodes) -> Observed:
    is_prepared = record.prepared_generation == record.generation
    return await turn.context.cloud.observe(
        record.name,
        names.project(turn.context.site, record.name),
        record.project_id,
        server_ids=frozenset(
            node.server_id for node in nodes if node.server_id and node.server_id != node.failed_server_id
        ),
        quota_services=() if is_prepared else quotas.SERVICES,
        with_role=not is_prepared,
    )


async def _give_up(turn: Turn[Context], before: Record, problems: list[Problem]) -> None:
    async with turn.transaction() as tx:
        record = await store.load(tx.connection, turn.key, lock=True)
        if record is None or (record.generation, record.state) != (before.generation, before.state):
            return
        decision = life.fail(replace(record, prepared_generation=0), problems)
        await store.save(tx.connection, decision.record)
        await store.remember(tx.connection, decision.record, tx.now)
        tx.emit(*decision.events)
        await give_up(tx, decision.record, problems)
