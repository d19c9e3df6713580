"""How the commands of a generation end."""

from collections.abc import Iterable

from contracts.envelope import Problem
from provisioner import store
from provisioner.domain import life
from provisioner.domain.record import Record
from provisioner.handlers.context import Context
from shared.work import Work


async def apply(tx: Work[Context], record: Record) -> None:
    """All that the commands of this generation asked is so; those of earlier ones were overtaken."""
    for command_id, generation in await store.awaited_by(tx.connection, record.name, record.generation):
        if generation == record.generation:
            await tx.applied(command_id)
        else:
            await tx.failed(command_id, _overtaken(record))


async def give_up(tx: Work[Context], record: Record, problems: Iterable[Problem]) -> None:
    """The commands of this generation failed."""
    found = life.in_document(problems)
    for command_id, _ in await store.awaited_by(tx.connection, record.name, record.generation):
        await tx.failed(command_id, found)


async def supersede(tx: Work[Context], record: Record, reason: str) -> None:
    """The commands that wait for this generation will never see it."""
    for command_id, _ in await store.awaited_by(tx.connection, record.name, record.generation):
        await tx.failed(command_id, (Problem(reason=reason, remedy=_remedy(record)),))


def _overtaken(record: Record) -> tuple[Problem, ...]:
    reason = f"generation {record.generation} came before this one was reached"
    return (Problem(reason=reason, remedy=_remedy(record)),)


def _remedy(record: Record) -> str:
    return (
        f"look at what stands with `tresor workspace show {record.name}`; "
        "give it again if it is wanted still, with --expect-generation so that nobody's is overtaken unseen"
    )
