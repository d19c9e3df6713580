"""Quarantines ordered and released, and what Neutron says of their ports."""

import asyncio
from typing import Any

from contracts.network_policy import (
    CHASSIS,
    IsolationShown,
    QuarantineWorkspace,
    ReleaseWorkspace,
    ShowIsolation,
    WorkspaceQuarantined,
    WorkspaceReleased,
)
from tests.network_policy.stage import Stage

NEVER = 3600.0


async def ordered(stage: Stage, **scope: str) -> WorkspaceQuarantined:
    """A quarantine, once nothing passes; its command is applied."""
    command = QuarantineWorkspace(workspace=stage.name, reason="a test of the alarm", **scope)
    command_id = await stage.site.command(command, "sam")
    told = await stage.site.tap.until(
        WorkspaceQuarantined, workspace=stage.name, where=lambda event: event.quarantine_id == command_id
    )
    await stage.site.tap.until(CHASSIS.applied, where=lambda event: event.command_id == command_id)
    return told


async def asked_to_release(stage: Stage, quarantine_id: str, generation: int | None = 1) -> tuple[str, str]:
    """A release that waits for approval: its id and digest."""
    command = ReleaseWorkspace(workspace=stage.name, quarantine_id=quarantine_id, reason="looked over")
    command_id = await stage.site.command(command, "ana", expectedgeneration=generation)
    waiting = await stage.site.tap.until(CHASSIS.waiting, where=lambda event: event.command_id == command_id)
    return command_id, waiting.digest


async def approved(stage: Stage, command_id: str, digest: str, holder: str = "sam") -> str:
    return await stage.site.command(CHASSIS.approve(workspace=stage.name, command_id=command_id, digest=digest), holder)


async def released(stage: Stage, quarantine_id: str) -> WorkspaceReleased:
    """The quarantine ended by two people."""
    await approved(stage, *await asked_to_release(stage, quarantine_id))
    return await stage.site.tap.until(
        WorkspaceReleased, workspace=stage.name, where=lambda event: event.quarantine_id == quarantine_id
    )


async def port(stage: Stage, port_id: str) -> Any:
    return await stage.cloud(lambda c: c.network.get_port(port_id))


async def until_port(stage: Stage, port_id: str, **wanted: Any) -> None:
    """Until Neutron says so of the port."""
    async with asyncio.timeout(20):
        while True:
            found = await port(stage, port_id)
            if all(getattr(found, name) == value for name, value in wanted.items()):
                return
            await asyncio.sleep(0.1)


def steps_of(stage: Stage, marker: str) -> list[str]:
    """What was done to it, in order."""
    return [each.step for each in stage.site.tap.of(CHASSIS.effect, stage.name) if each.marker == marker]


async def until_steps(stage: Stage, marker: str, *wanted: str) -> None:
    """Until these are the last things that were done to it."""
    async with asyncio.timeout(20):
        while steps_of(stage, marker)[-len(wanted) :] != list(wanted):
            await asyncio.sleep(0.1)


async def floating_ip(stage: Stage, port_id: str) -> str:
    """A floating IP on the port."""

    def make(c: Any) -> str:
        public = c.network.find_network("public")
        made = c.network.create_ip(floating_network_id=public.id, project_id=stage.project, port_id=port_id)
        return str(made.id)

    return await stage.cloud(make)


async def port_of(stage: Stage, floating_ip_id: str) -> str | None:
    found = await stage.cloud(lambda c: c.network.get_ip(floating_ip_id))
    return str(found.port_id) if found.port_id else None


async def is_isolated(stage: Stage) -> IsolationShown:
    """The answer, once the verdict is that nothing undeclared passes."""
    async with asyncio.timeout(20):
        while True:
            shown = await stage.site.ask(ShowIsolation(of=stage.name))
            assert isinstance(shown, IsolationShown)
            if shown.workspaces[0].verdict == "isolated":
                return shown
            await asyncio.sleep(0.2)
