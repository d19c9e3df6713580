"""Proposals against the cloud: admitted as a new generation, or refused before anything is made."""

from contracts.envelope import Problem
from provisioner import store
from provisioner.domain import admission, foundation, life, looking, names
from provisioner.domain.catalog import Catalog
from provisioner.domain.record import Proposal, Record
from provisioner.handlers.context import Context
from provisioner.handlers.ending import supersede
from shared.handlers import Turn
from shared.work import Work


async def read_catalog(turn: Turn[Context]) -> Catalog:
    """Read what the cloud offers, and keep it for plans."""
    catalog = await turn.context.cloud.catalog()
    async with turn.transaction() as tx:
        await store.save_catalog(tx.connection, catalog, tx.now)
    return catalog


async def admit(turn: Turn[Context]) -> bool:
    """Decide on the workspace's oldest proposal. Returns whether there was one."""
    async with turn.transaction() as tx:
        proposal = await store.first_proposal(tx.connection, turn.key)
        known = await store.load(tx.connection, turn.key)
    if proposal is None:
        return False
    catalog = await read_catalog(turn)
    in_the_way = await _in_the_way(turn, proposal, known, catalog)
    async with turn.transaction() as tx:
        await store.lock_prefixes(tx.connection)
        known = await store.load(tx.connection, turn.key, lock=True)
        if await store.drop_proposal(tx.connection, proposal.command_id):
            await _decide(tx, proposal, known, catalog, in_the_way)
    return True


async def _in_the_way(
    turn: Turn[Context], proposal: Proposal, known: Record | None, catalog: Catalog
) -> tuple[Problem, ...]:
    """What is in the cloud under the names of a workspace that is new, and is not Tresor's."""
    if known is not None and known.is_present:
        return ()
    site = turn.context.site
    seen = await turn.context.cloud.observe(proposal.workspace, names.project(site, proposal.workspace), None)
    record = life.accept(known, proposal)
    return tuple(foundation.problems(looking.wanted_of(record, (), site, catalog), seen))


async def _decide(
    tx: Work[Context], proposal: Proposal, known: Record | None, catalog: Catalog, in_the_way: tuple[Problem, ...]
) -> None:
    connection, site = tx.connection, tx.context.site
    if known is not None and life.is_fulfilled(known, proposal.document):
        if known.state == "ready":
            await tx.applied(proposal.command_id)
        else:
            await store.await_generation(connection, proposal.command_id, known.name, known.generation)
        return
    neighbours = await store.documents_present(connection)
    found = (
        *life.objections(known, proposal.document, site),
        *admission.problems(proposal.document, site, catalog, neighbours),
        *in_the_way,
    )
    if found:
        await tx.rejected(proposal.command_id, life.in_document(found))
        return
    record = life.accept(known, proposal)
    if known is not None:
        await supersede(tx, known, f"another document of '{record.name}' came before this one was reached")
    await store.save(connection, record)
    await store.remember(connection, record, tx.now)
    nodes = await store.load_nodes(connection, record.name)
    await store.save_nodes(connection, record.name, nodes, life.renewed(nodes))
    await store.await_generation(connection, proposal.command_id, record.name, record.generation)
