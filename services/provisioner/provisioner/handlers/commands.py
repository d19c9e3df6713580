"""Create and delete: checked, stored and held; they end when the workspace is ready or gone."""

from contracts.envelope import CommandEnvelope, Problem
from contracts.provisioner import CreateWorkspace, DeleteWorkspace
from provisioner import store
from provisioner.domain import custody, life
from provisioner.domain.record import Proposal, Record
from provisioner.handlers.context import Context, handlers
from provisioner.handlers.ending import supersede
from shared.errors import Rejected
from shared.work import Work


@handlers.on(CreateWorkspace)
async def on_create(command: CreateWorkspace, tx: Work[Context]) -> None:
    """Refuse what is wrong in itself, and propose the rest: the first look asks the cloud before anything is made."""
    document, connection = command.document, tx.connection
    _require_enforcing(tx)
    known = await store.load(connection, document.name, lock=True)
    _require_generation(tx, known)
    waiting = await store.proposals_of(connection, document.name)
    if known is not None and life.is_fulfilled(known, document) and not waiting:
        if known.state == "creating":
            tx.hold()
            await store.await_generation(connection, _command_id(tx), known.name, known.generation)
        return
    if found := life.objections(known, document, tx.context.site):
        raise Rejected(life.in_document(found))
    tx.hold()
    await store.propose(connection, Proposal(document.name, document, _command_id(tx), tx.holder, tx.now))
    tx.reconcile(document.name)


@handlers.on(DeleteWorkspace)
async def on_delete(command: DeleteWorkspace, tx: Work[Context]) -> None:
    """Begin the deletion, in whatever state the workspace is; a second one joins the first."""
    connection, name = tx.connection, command.workspace
    _require_enforcing(tx)
    known = await store.load(connection, name, lock=True)
    _require_generation(tx, known)
    if known is not None and known.state != "deleting" and (found := tuple(custody.deletion_problems(known))):
        raise Rejected(found)
    waiting = await store.proposals_of(connection, name)
    if known is None and not waiting:
        raise Rejected(
            Problem(field="workspace", reason=f"no workspace '{name}'", remedy="see `tresor workspace list`")
        )
    for proposal in waiting:
        await store.drop_proposal(connection, proposal.command_id)
        await tx.rejected(proposal.command_id, (Problem(reason=f"workspace '{name}' was deleted before it was begun"),))
    if known is None or not known.is_present:
        return
    tx.hold()
    if known.state != "deleting":
        await supersede(tx, known, f"workspace '{name}' was deleted before it was ready")
        decision = life.delete(known, tx.holder, tx.now)
        known = decision.record
        await store.save(connection, known)
        await store.remember(connection, known, tx.now)
        tx.emit(*decision.events)
    await store.await_generation(connection, _command_id(tx), name, known.generation)
    tx.reconcile(name)


def _require_enforcing(tx: Work[Context]) -> None:
    if not tx.context.is_enforcing:
        raise Rejected(
            "the provisioner only observes: it writes nothing to the cloud",
            "start it with TRESOR_MODE=enforce",
        )


def _require_generation(tx: Work[Context], known: Record | None) -> None:
    cause = tx.cause
    expected = cause.expectedgeneration if isinstance(cause, CommandEnvelope) else None
    if expected is not None and expected != life.stands_at(known):
        raise Rejected(
            f"the workspace stands at generation {life.stands_at(known)}, not at {expected}",
            "plan again, look at what has changed, then give the command with the new generation",
        )


def _command_id(tx: Work[Context]) -> str:
    assert tx.cause is not None
    return tx.cause.id
