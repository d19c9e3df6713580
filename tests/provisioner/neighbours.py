"""network-policy's and storage's part in a workspace's way, told by the test as they would tell it."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from contracts.network_policy import DeletionCleared, PolicyEnforced, PolicyWithdrawn
from contracts.provisioner import NetworkReady, WorkspaceDeclared, WorkspaceDeleting, WorkspaceEmptied
from contracts.storage import ReadyVolume, StorageReady, StorageReleased
from shared.testing import Site
from tests.place import Place

LOOK_SECONDS = 0.05


class Neighbours:
    """Answers each new generation once; `enforce` False keeps the gate of the policy shut."""

    def __init__(self, site: Site, place: Place) -> None:
        self._site = site
        self._place = place
        self._answered: set[tuple[str, str, int]] = set()
        self._groups: dict[str, dict[str, str]] = {}
        self.enforce = asyncio.Event()
        self.enforce.set()
        self.volumes: tuple[ReadyVolume, ...] = ()

    @asynccontextmanager
    async def playing(self) -> AsyncIterator["Neighbours"]:
        """Play until the block ends."""
        task = asyncio.create_task(self._play())
        try:
            yield self
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    async def _play(self) -> None:
        while True:
            for networked in self._site.tap.of(NetworkReady):
                if self._is_new("ready", networked.workspace, networked.generation):
                    await self._open(networked)
            for deleting in self._site.tap.of(WorkspaceDeleting):
                if self._is_new("deleting", deleting.workspace, deleting.generation):
                    await self._site.tell(DeletionCleared(workspace=deleting.workspace, generation=deleting.generation))
            for emptied in self._site.tap.of(WorkspaceEmptied):
                if self._is_new("emptied", emptied.workspace, emptied.generation):
                    await self._close(emptied)
            await asyncio.sleep(LOOK_SECONDS)

    def _is_new(self, what: str, workspace: str, generation: int) -> bool:
        key = (what, workspace, generation)
        is_new = key not in self._answered
        self._answered.add(key)
        return is_new

    async def _open(self, seen: NetworkReady) -> None:
        declared = next(
            event
            for event in self._site.tap.of(WorkspaceDeclared, seen.workspace)
            if event.generation == seen.generation
        )
        groups = self._groups.setdefault(seen.workspace, {})
        for role in declared.document.roles:
            if role.name not in groups:
                groups[role.name] = await asyncio.to_thread(self._group, seen.workspace, role.name, seen.project_id)
        await self.enforce.wait()
        await self._site.tell(
            PolicyEnforced(
                workspace=seen.workspace,
                generation=seen.generation,
                project_id=seen.project_id,
                groups=groups,
                rules=0,
                proof="sha256:" + "a" * 64,
                assumptions=(),
            )
        )
        await self._site.tell(
            StorageReady(workspace=seen.workspace, generation=seen.generation, shares=(), volumes=self.volumes)
        )

    def _group(self, workspace: str, role: str, project_id: str) -> str:
        made = self._place.admin.network.create_security_group(name=f"tresor-{workspace}-{role}", project_id=project_id)
        return str(made.id)

    async def _close(self, seen: WorkspaceEmptied) -> None:
        for group_id in self._groups.pop(seen.workspace, {}).values():
            await asyncio.to_thread(self._place.admin.network.delete_security_group, group_id)
        await self._site.tell(PolicyWithdrawn(workspace=seen.workspace, generation=seen.generation))
        await self._site.tell(StorageReleased(workspace=seen.workspace, generation=seen.generation))
