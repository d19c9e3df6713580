"""The plan's steps as single calls to Neutron, each told of before and after."""

import hashlib
from collections.abc import Iterable

from network_policy import store
from network_policy.domain.drift import ProtectPort
from network_policy.domain.names import group_description, group_name, tag
from network_policy.domain.plan import AddRules, CreateGroup, RemoveGroup, RemoveRule, Step, bind
from network_policy.handlers.context import Context
from shared.errors import CloudError, NotFound
from shared.handlers import Turn


class Hand:
    """Makes the steps of one look at one workspace."""

    def __init__(self, turn: Turn[Context], workspace: str, project_id: str, group_ids: dict[str, str]) -> None:
        self._turn = turn
        self._cloud = turn.context.cloud
        self._workspace = workspace
        self._project_id = project_id
        self._group_ids = dict(group_ids)

    async def make(self, steps: Iterable[Step | ProtectPort]) -> None:
        """Make the steps in order. A step that opens and fails ends the opening; what tightens is made all the same.

        Raises the first error, after the last step.
        """
        failure: CloudError | None = None
        for step in steps:
            if failure is not None and isinstance(step, (CreateGroup, AddRules)):
                continue
            try:
                await self._make(step)
            except CloudError as error:
                failure = failure or error
        if failure is not None:
            raise failure

    async def _make(self, step: Step | ProtectPort) -> None:
        if isinstance(step, CreateGroup):
            await self._create_group(step.role)
        elif isinstance(step, AddRules):
            await self._add_rules(step)
        elif isinstance(step, RemoveRule):
            await self._remove_rule(step)
        elif isinstance(step, RemoveGroup):
            await self.remove_group(step.group_id)
        else:
            await self._protect(step)

    async def _create_group(self, role: str) -> None:
        name = group_name(self._workspace, role)

        async def call(request_id: str) -> str:
            description = group_description(self._workspace, role)
            return await self._cloud.create_group(name, description, self._project_id, request_id=request_id)

        async def find() -> str | None:
            groups = await self._cloud.groups(self._project_id)
            return next((group.id for group in groups if group.name == name), None)

        # The project's id is part of the marker: a workspace made again has other groups of the same names.
        group_id = await self._turn.effect("group.create", f"{self._project_id}/{name}", call, find=find)
        assert group_id is not None
        self._group_ids[role] = group_id
        async with self._turn.transaction() as tx:
            await store.save_group(tx.connection, self._workspace, role, group_id)

        async def put_tag(request_id: str) -> str:
            await self._cloud.tag_group(group_id, tag(self._workspace), request_id=request_id)
            return group_id

        await self._turn.effect("group.tag", group_id, put_tag, repeatable=True)

    async def _add_rules(self, step: AddRules) -> None:
        group_id = self._group_ids[step.role]
        rules = tuple(bind(rule, self._group_ids) for rule in step.rules)
        digest = hashlib.sha256(repr([rule.key() for rule in rules]).encode()).hexdigest()[:16]

        async def call(request_id: str) -> str:
            await self._cloud.create_rules(group_id, self._project_id, rules, request_id=request_id)
            return group_id

        # Neutron takes no rule twice, so making the call again after a lost answer makes nothing twice.
        await self._turn.effect("rules.create", f"{group_id}/{digest}", call, repeatable=True)

    async def _remove_rule(self, step: RemoveRule) -> None:
        async def call(request_id: str) -> str:
            await self._cloud.delete_rule(step.rule_id, request_id=request_id)
            return step.rule_id

        await self._turn.effect("rule.delete", step.rule_id, call, repeatable=True)

    async def remove_group(self, group_id: str) -> None:
        """Delete a group with its rules. Raises CloudError; Conflict while a port is in it."""

        async def call(request_id: str) -> str:
            await self._cloud.delete_group(group_id, request_id=request_id)
            return group_id

        await self._turn.effect("group.delete", group_id, call, repeatable=True)

    async def _protect(self, step: ProtectPort) -> None:
        async def call(request_id: str) -> str:
            try:
                await self._cloud.protect_port(
                    step.port_id, step.group_ids, revision=step.revision, request_id=request_id
                )
            except NotFound:
                return step.port_id  # it went meanwhile: nothing is left to protect
            return step.port_id

        await self._turn.effect("port.update", step.port_id, call, repeatable=True)
