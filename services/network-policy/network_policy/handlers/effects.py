"""The plan's steps as single calls to Neutron, each told of before and after."""

from collections.abc import Iterable, Sequence
from functools import partial
from itertools import groupby
from typing import Literal

from network_policy import store
from network_policy.domain.drift import ProtectPort
from network_policy.domain.names import group_description, group_name, tag
from network_policy.domain.plan import (
    AddRules,
    ChangeAddresses,
    CreateAddressGroup,
    CreateGroup,
    RemoveAddressGroup,
    RemoveGroup,
    RemoveRule,
    SetStateful,
    Step,
    bind,
)
from network_policy.domain.sight import Sight
from network_policy.handlers.context import Context
from network_policy.handlers.own import marker_of_group, marker_of_rules
from shared.errors import CloudError, Conflict, NotFound, Unsettled
from shared.handlers import Turn

CHANGED_MEANWHILE = 412
"""Neutron's status for a change at another revision."""


def opens(step: Step | ProtectPort) -> bool:
    """Whether it is made for what is to be permitted; the others only tighten."""
    if isinstance(step, ChangeAddresses):
        return bool(step.added)
    return isinstance(step, (CreateGroup, AddRules, CreateAddressGroup, SetStateful))


class Hand:
    """Makes the steps of one look at one workspace."""

    def __init__(self, turn: Turn[Context], workspace: str, project_id: str, group_ids: dict[str, str]) -> None:
        self._turn = turn
        self._cloud = turn.context.cloud
        self._workspace = workspace
        self._project_id = project_id
        self._group_ids = dict(group_ids)
        self._far_ends: Literal["group", "address-group"] = "group"
        self._address_group_ids: dict[str, str] = {}

    async def settle(self, sight: Sight) -> None:
        """Make everything that is to be done. Raises as `make` does."""
        self._far_ends = sight.policy.far_ends
        self._address_group_ids = {role: group.id for role, group in sight.actual.address_groups.items()}
        await self.make(sight.todo)

    async def make(self, steps: Iterable[Step | ProtectPort]) -> None:
        """Make the steps in order. A step that opens and fails ends the opening; what tightens is made all the same.

        Raises the first error, after the last step.
        """
        failure: Exception | None = None
        unclean: set[str] = set()
        for is_removal, together in groupby(steps, lambda step: isinstance(step, RemoveRule)):
            if is_removal:
                removed = [step for step in together if isinstance(step, RemoveRule)]
                failures = await self._remove_rules(removed)
                unclean |= {step.group_id for step in removed if step.rule_id in failures}
                failure = failure or next(iter(failures.values()), None)
                continue
            for step in together:
                if failure is not None and opens(step):
                    continue
                if isinstance(step, ProtectPort) and unclean & set(step.group_ids):
                    continue  # an undeclared rule is still in the group
                try:
                    await self._make(step)
                except (CloudError, Unsettled) as error:
                    if isinstance(step, ProtectPort) and getattr(error, "status", None) == CHANGED_MEANWHILE:
                        continue  # it was put right at once, or is out of order in another way: the next look sees it
                    failure = failure or error
        if failure is not None:
            raise failure

    async def _make(self, step: Step | ProtectPort) -> None:
        if isinstance(step, CreateGroup):
            await self._create_group(step.role, stateful=step.stateful)
        elif isinstance(step, AddRules):
            await self._add_rules(step)
        elif isinstance(step, RemoveGroup):
            await self._remove_group(step.group_id)
        elif isinstance(step, SetStateful):
            await self._set_stateful(step)
        elif isinstance(step, CreateAddressGroup):
            await self._create_address_group(step)
        elif isinstance(step, ChangeAddresses):
            await self._change_addresses(step)
        elif isinstance(step, RemoveAddressGroup):
            await self._remove_address_group(step)
        elif isinstance(step, ProtectPort):
            await self._protect(step)

    async def _create_group(self, role: str, *, stateful: bool) -> None:
        name = group_name(self._workspace, role)

        async def call(request_id: str) -> str:
            description = group_description(self._workspace, role)
            return await self._cloud.create_group(
                name, description, self._project_id, request_id=request_id, stateful=stateful
            )

        async def find() -> str | None:
            groups = await self._cloud.groups(self._project_id)
            return next((group.id for group in groups if group.name == name), None)

        group_id = await self._turn.effect("group.create", marker_of_group(self._project_id, name), call, find=find)
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
        far_end_ids = self._group_ids if self._far_ends == "group" else self._address_group_ids
        rules = tuple(bind(rule, far_end_ids, self._far_ends) for rule in step.rules)

        async def call(request_id: str) -> str:
            await self._cloud.create_rules(group_id, self._project_id, rules, request_id=request_id)
            return group_id

        # Neutron takes no rule twice, so making the call again after a lost answer makes nothing twice.
        await self._turn.effect("rules.create", marker_of_rules(group_id, rules), call, repeatable=True)

    async def _remove_rules(self, steps: Sequence[RemoveRule]) -> dict[str, Exception]:
        """Take them out side by side: none waits for another. The failures by the rule's id."""

        async def call(rule_id: str, request_id: str) -> str:
            await self._cloud.delete_rule(rule_id, request_id=request_id)
            return rule_id

        calls = {step.rule_id: partial(call, step.rule_id) for step in steps}
        return await self._turn.effects("rule.delete", calls, workspace=self._workspace)

    async def _remove_group(self, group_id: str) -> None:
        """Delete a group that was emptied. Raises Conflict when somebody has just put a rule in."""
        found = await self._cloud.group(group_id)
        if found is not None and found.rules:
            raise Conflict(f"group {group_id} has rules again")
        if found is not None:
            await self.remove_group(group_id, found.revision)

    async def remove_group(self, group_id: str, revision: int | None = None) -> None:
        """Delete a group with its rules. Raises CloudError; Conflict while a port is in it, or at another revision."""

        async def call(request_id: str) -> str:
            await self._cloud.delete_group(group_id, request_id=request_id, revision=revision)
            return group_id

        await self._turn.effect("group.delete", group_id, call, repeatable=True)

    async def _set_stateful(self, step: SetStateful) -> None:
        async def call(request_id: str) -> str:
            await self._cloud.set_stateful(
                step.group_id, stateful=step.stateful, revision=step.revision, request_id=request_id
            )
            return step.group_id

        await self._turn.effect("group.stateful", step.group_id, call, repeatable=True)

    async def _create_address_group(self, step: CreateAddressGroup) -> None:
        name = group_name(self._workspace, step.role)

        async def call(request_id: str) -> str:
            description = group_description(self._workspace, step.role)
            return await self._cloud.create_address_group(
                name, description, self._project_id, step.addresses, request_id=request_id
            )

        async def find() -> str | None:
            groups = await self._cloud.address_groups(self._project_id)
            return next((group.id for group in groups if group.name == name), None)

        made = await self._turn.effect("address-group.create", f"{self._project_id}/{name}", call, find=find)
        assert made is not None
        self._address_group_ids[step.role] = made

    async def _change_addresses(self, step: ChangeAddresses) -> None:
        async def call(request_id: str) -> str:
            if step.removed:
                await self._cloud.remove_addresses(step.address_group_id, step.removed, request_id=request_id)
            if step.added:
                await self._cloud.add_addresses(step.address_group_id, step.added, request_id=request_id)
            return step.address_group_id

        await self._turn.effect("address-group.change", step.address_group_id, call, repeatable=True)

    async def _remove_address_group(self, step: RemoveAddressGroup) -> None:
        await self.remove_address_group(step.address_group_id)

    async def remove_address_group(self, address_group_id: str) -> None:
        """Delete an address group. Raises CloudError; Conflict while a rule names it."""

        async def call(request_id: str) -> str:
            await self._cloud.delete_address_group(address_group_id, request_id=request_id)
            return address_group_id

        await self._turn.effect("address-group.delete", address_group_id, call, repeatable=True)

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
