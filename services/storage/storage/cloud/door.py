"""What storage asks of the cloud and has done there: reads with the service's own token, writes with the project's."""

from collections.abc import Callable
from typing import Any

from openstack.connection import Connection

from shared.cloud import Cloud
from shared.errors import NotFound, Transient
from storage.cloud import cinder, manila
from storage.domain import names
from storage.domain.observed import Observed, ObservedShare, Records
from storage.domain.steps import (
    AllowAccess,
    CreateShare,
    CreateVolume,
    DeleteShare,
    DeleteVolume,
    DenyAccess,
    ExtendShare,
    ExtendVolume,
    ForgetLimits,
    GrantRole,
    SetLimits,
    Step,
)

IN_PROJECT = (CreateShare, ExtendShare, DeleteShare, AllowAccess, DenyAccess, CreateVolume, ExtendVolume, DeleteVolume)
"""Steps made with a token of the workspace's project, so that what they make belongs to it."""


class StorageCloud:
    """One cloud's Manila and Cinder. Raises CloudError."""

    def __init__(self, cloud: Cloud, project_role: str) -> None:
        self._cloud = cloud
        self._project_role = project_role
        self._member_of: set[str] = set()

    async def observe(
        self, project_id: str, recorded: Records, *, shares: bool, volumes: bool, limits: bool, exports: bool
    ) -> Observed:
        """What the project has. What is on record and not listed is asked for by id, before it counts as gone."""
        found_shares = await self._cloud.call(lambda c: manila.shares(c, project_id)) if shares else []
        found_volumes = await self._cloud.call(lambda c: cinder.volumes(c, project_id)) if volumes else []
        listed = {share.share_id for share in found_shares} | {volume.volume_id for volume in found_volumes}
        for record in recorded.values():
            asked = shares if record.kind == "share" else volumes
            if asked and record.resource_id not in listed:
                await self._confirm_gone(project_id, record.kind, record.resource_id)
        full = [await self._filled(share, exports) for share in found_shares]
        return Observed(
            shares=tuple(full),
            volumes=tuple(found_volumes),
            limits=await self._limits(project_id, shares, volumes) if limits else None,
        )

    async def _filled(self, share: ObservedShare, exports: bool) -> ObservedShare:
        """The share with its rules, and where it is mounted from."""

        def read(connection: Connection) -> ObservedShare:
            locations = manila.export_locations(connection, share.share_id) if exports else ()
            return ObservedShare(
                **{**vars(share), "rules": manila.rules(connection, share.share_id), "export_locations": locations}
            )

        try:
            return await self._cloud.call(read)
        except NotFound:
            return share

    async def _confirm_gone(self, project_id: str, kind: str, resource_id: str) -> None:
        """Raises Transient when it is there after all: the list was not whole."""
        asked: Callable[[Connection, str], str] = manila.project_of if kind == "share" else cinder.project_of
        try:
            found_in = await self._cloud.call(lambda c: asked(c, resource_id))
        except NotFound:
            return
        if found_in == project_id:
            raise Transient(f"{kind} {resource_id} is there and was not listed")

    async def _limits(self, project_id: str, shares: bool, volumes: bool) -> dict[str, dict[str, int]]:
        made: dict[str, dict[str, int]] = {}
        if shares:
            made["share"] = await self._cloud.call(lambda c: manila.limits(c, project_id))
        if volumes:
            made["volume"] = await self._cloud.call(lambda c: cinder.limits(c, project_id))
        return made

    async def is_member(self, project_id: str) -> bool:
        """Whether the service's user has its role in the project."""
        if project_id not in self._member_of:
            if not await self._cloud.call(lambda c: self._is_assigned(c, project_id)):
                return False
            self._member_of.add(project_id)
        return True

    def _is_assigned(self, connection: Connection, project_id: str) -> bool:
        identity: Any = connection.identity
        user_id = connection.current_user_id
        assigned = identity.role_assignments(user_id=user_id, scope_project_id=project_id, include_names=True)
        return any(each.role.get("name") == self._project_role for each in assigned)

    def _grant(self, connection: Connection, project_id: str) -> None:
        identity: Any = connection.identity
        role = identity.find_role(self._project_role, ignore_missing=False)
        identity.assign_project_role_to_user(project_id, connection.current_user_id, role.id)

    async def find(self, step: Step, project_id: str, workspace: str) -> str | None:
        """What a call without an answer has made, by name and mark; None when there is nothing of it."""
        if isinstance(step, CreateShare):
            name, listed = step.name, await self._cloud.call(lambda c: manila.shares(c, project_id))
            marked = [each.share_id for each in listed if _is_it(each.name, each.metadata, name, workspace)]
        elif isinstance(step, CreateVolume):
            name, volumes = step.name, await self._cloud.call(lambda c: cinder.volumes(c, project_id))
            marked = [each.volume_id for each in volumes if _is_it(each.name, each.metadata, name, workspace)]
        else:
            return None
        return marked[0] if marked else None

    async def make(self, step: Step, project_id: str, request_id: str) -> str | None:
        """Make the step's call; returns the id of what it made, if it makes something."""
        scope = project_id if isinstance(step, IN_PROJECT) else None
        if isinstance(step, GrantRole):
            self._cloud.forget_project(project_id)
        made = await self._cloud.call(
            lambda c: self._make(c, step, project_id), request_id=request_id, project_id=scope
        )
        return str(made) if isinstance(made, str) else None

    def _make(self, connection: Connection, step: Step, project_id: str) -> Any:
        match step:
            case GrantRole():
                return self._grant(connection, project_id)
            case SetLimits():
                set_limits = manila.set_limits if step.service == "share" else cinder.set_limits
                return set_limits(connection, project_id, dict(step.limits))
            case ForgetLimits():
                forget = manila.forget_limits if step.service == "share" else cinder.forget_limits
                return forget(connection, project_id)
            case CreateShare():
                return manila.create(connection, step)
            case ExtendShare():
                return manila.extend(connection, step)
            case DeleteShare():
                return manila.delete(connection, step.share_id)
            case AllowAccess():
                return manila.allow(connection, step)
            case DenyAccess():
                return manila.deny(connection, step)
            case CreateVolume():
                return cinder.create(connection, step)
            case ExtendVolume():
                return cinder.extend(connection, step)
            case DeleteVolume():
                return cinder.delete(connection, step.volume_id)
        raise TypeError(f"no call for {type(step).__name__}")

    def forget(self, project_id: str) -> None:
        """The project is no concern any more."""
        self._member_of.discard(project_id)
        self._cloud.forget_project(project_id)


def _is_it(name: str, metadata: Any, wanted: str, workspace: str) -> bool:
    return name == wanted and metadata.get(names.WORKSPACE_KEY) == workspace
