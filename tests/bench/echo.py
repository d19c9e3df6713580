"""The smallest service on the chassis, as a process: a command, one event in answer. What the command bench measures."""

from contracts import provisioner
from shared.cloud import Cloud
from shared.handlers import Handlers
from shared.service import run
from shared.settings import ServiceSettings
from shared.work import Work

handlers: Handlers[None] = Handlers(provisioner)


@handlers.on(provisioner.DeleteWorkspace)
async def delete(command: provisioner.DeleteWorkspace, tx: Work[None]) -> None:
    """A decision that tells one event."""
    tx.emit(provisioner.WorkspaceDeleted(workspace=command.workspace, generation=1))


async def make_context(_: ServiceSettings, __: Cloud | None) -> None:
    """There is none."""


if __name__ == "__main__":
    run(ServiceSettings, handlers, make_context)
