"""The provisioner at work in this process, and what tests wait for."""

import asyncio
from typing import Any

from contracts.envelope import Problem
from contracts.provisioner import CHASSIS, CreateWorkspace, ShowWorkspace, WorkspaceReady, WorkspaceShown
from provisioner.handlers import handlers
from provisioner.main import make_context
from provisioner.settings import Settings
from shared.service import Service
from shared.testing import Site
from tests.place import Place
from tests.provisioner.tenant import Tenant

PATIENCE_SECONDS = 120.0


async def started(site: Site, place: Place, **more: Any) -> Service[Any]:
    """The provisioner, begun."""
    return await site.start(
        handlers,
        make_context,
        Settings,
        clouds_path=place.clouds_file,
        cloud_name="tresor-provisioner",
        **{"poll_seconds": 1.0, **more},
    )


async def ready(site: Site, tenant: Tenant, generation: int = 1, **changed: Any) -> WorkspaceReady:
    """The workspace, created or changed, and ready."""
    await site.command(CreateWorkspace(document=tenant.document(**changed)))
    return await site.tap.until(
        WorkspaceReady,
        workspace=tenant.name,
        where=lambda event: event.generation == generation,
        seconds=PATIENCE_SECONDS,
    )


async def shown(site: Site, tenant: Tenant) -> WorkspaceShown:
    """The workspace as the service shows it."""
    answer = await site.ask(ShowWorkspace(workspace=tenant.name))
    assert isinstance(answer, WorkspaceShown)
    return answer


async def ended(site: Site, command_id: str) -> str:
    """How the command ended, and that it ended once."""
    outcomes = {"applied": CHASSIS.applied, "rejected": CHASSIS.rejected, "failed": CHASSIS.failed}
    async with asyncio.timeout(PATIENCE_SECONDS):
        while True:
            found = [
                name for name, kind in outcomes.items() for event in site.tap.of(kind) if event.command_id == command_id
            ]
            if found:
                assert len(found) == 1
                return found[0]
            await asyncio.sleep(0.1)


async def problems_of(site: Site, command_id: str) -> tuple[Problem, ...]:
    """Why the command was rejected."""
    found = await site.tap.until(
        CHASSIS.rejected, where=lambda event: event.command_id == command_id, seconds=PATIENCE_SECONDS
    )
    return found.problems
