"""What a notification shows to be undeclared beyond doubt is undone at once; the look that confirms it comes after.

Such a notification carries the whole rule or port, so nothing need be listed to decide. The transaction that hears it tells the
drift and the call; the call is made when it has committed. To take a rule out, or to put a port into its group, opens
nothing, so it may precede everything else (I8).
"""

from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Any

from contracts.network_policy import DriftDetected, DriftRepaired, RuleDrift
from contracts.openstack import Notification
from contracts.openstack.neutron import NetworkPayload, SecurityGroupRule
from network_policy import store
from network_policy.domain.compile import Policy
from network_policy.domain.drift import ProtectPort, told_rule
from network_policy.domain.names import DEFAULT_GROUP
from network_policy.domain.rule import Remote, RemoteKind, Rule
from network_policy.domain.sight import digest_of_drift, see
from network_policy.domain.world import Group, Port
from network_policy.handlers.context import Context
from network_policy.handlers.told import rule_of
from network_policy.store import Keeper, Known, PromptRepair
from shared.errors import NotFound
from shared.work import Work


async def repair_rules(seen: Notification, tx: Work[Context]) -> frozenset[str]:
    """Take out the rules that were made in our groups and are declared nowhere. The workspaces that are dealt with."""
    if not tx.context.is_enforcing or not isinstance(seen.payload, NetworkPayload):
        return frozenset()
    rules = {each.id: each for each in seen.payload.resources if isinstance(each, SecurityGroupRule) and each.id}
    keepers = await store.keepers(tx.connection, {each.security_group_id or "" for each in rules.values()})
    left = {keeper.workspace for keeper in keepers.values()}
    for rule_id, told in rules.items():
        keeper = keepers.get(told.security_group_id or "")
        if keeper is None or not await _repair(rule_id, told, keeper, seen, tx):
            left -= {keeper.workspace} if keeper else set()
    for workspace in left:
        tx.reconcile(workspace, tx.context.pace.reserve(workspace, tx.now))
    return frozenset(left)


async def _repair(rule_id: str, told: SecurityGroupRule, keeper: Keeper, seen: Notification, tx: Work[Context]) -> bool:
    """Whether nothing more is to be done about this rule than to confirm that it went."""
    rule = rule_of(told)
    policy = tx.context.policies.of(keeper.document, tx.context.site)
    if rule is None or symbolic(rule, policy, keeper.group_ids) in policy.roles.get(keeper.role, frozenset()):
        return False
    drift = RuleDrift(
        change="rule-added",
        group_id=keeper.group_id,
        role=keeper.role if keeper.role in policy.roles else None,
        rule_id=rule_id,
        rule=told_rule(rule, keeper.group_ids),
    )
    if digest_of_drift(drift) in keeper.open_drift:
        return False  # a look found it first, and repairs it
    repair = PromptRepair(
        rule_id, keeper.workspace, keeper.group_id, rule, None, digest_of_drift(drift), seen.timestamp, tx.now,
        **who(seen),
    )  # fmt: skip
    delete = partial(_delete, tx.context, rule_id)
    return await _begin(repair, drift, keeper.generation, "rule.delete", rule_id, delete, seen, tx)


async def repair_port(port: Port, known: Known, seen: Notification, tx: Work[Context]) -> bool:
    """Put a port of the workspace into its group, filtered. Whether nothing more is to be done than to confirm it."""
    if not tx.context.is_enforcing or not known.was_enforced or known.document is None or known.project_id is None:
        return False
    made = [*known.group_ids.items(), *([("", known.default_group_id)] if known.default_group_id else [])]
    groups = tuple(Group(group_id, role or DEFAULT_GROUP, known.project_id) for role, group_id in made)
    sight = see(
        tx.context.policies.of(known.document.model_dump_json(by_alias=True), tx.context.site),
        known.project_id,
        groups,
        (port,),
        recorded_groups=known.group_ids,
        known_rules={},
        nodes=known.nodes,
    )
    drift = next((each for each in sight.drift if each.port_id == port.id), None)
    step = next((each for each in sight.repairs if each.port_id == port.id), None)
    if drift is None or step is None or digest_of_drift(drift) in known.open_drift:
        return False
    # A group that was made anew has Neutron's own rules until a look has seen them out (I7).
    if not set(step.group_ids) <= {*known.enforced_groups.values(), known.default_group_id}:
        return False
    repair = PromptRepair(
        f"{port.id}@{port.revision}", known.workspace, None, None, port, digest_of_drift(drift), seen.timestamp,
        tx.now, **who(seen),
    )  # fmt: skip
    protect = partial(_protect, tx.context, step)
    if not await _begin(repair, drift, known.generation, "port.update", port.id, protect, seen, tx):
        return False
    tx.reconcile(known.workspace, tx.context.pace.reserve(known.workspace, tx.now))
    return True


async def _begin(
    repair: PromptRepair,
    drift: RuleDrift,
    generation: int,
    step: str,
    marker: str,
    call: Callable[[str], Awaitable[str | None]],
    seen: Notification,
    tx: Work[Context],
) -> bool:
    """Tell the drift and have the call made; False where another replica keeps the workspace."""
    if not await store.begin_prompt(tx.connection, repair):
        return True  # the same notification came before
    if not tx.call_at_once(repair.workspace, step, marker, call, partial(_settled, repair, generation)):
        await store.forget_prompt(tx.connection, [repair.repair_id])
        return False
    tx.emit(
        DriftDetected(
            workspace=repair.workspace,
            generation=generation,
            drift=(drift,),
            seen_by="notification",
            happened_at=seen.timestamp,
            **who(seen),
            repairing=True,
        )
    )
    return True


def who(seen: Notification) -> dict[str, Any]:
    """Who did it, as far as the notification says."""
    return {"actor": (seen.user_id or "")[:255], "request_id": (seen.request_id or "")[:64]}


async def _delete(context: Context, rule_id: str, request_id: str) -> str:
    await context.cloud.delete_rule(rule_id, request_id=request_id, urgent=True)
    return rule_id


async def _protect(context: Context, step: ProtectPort, request_id: str) -> str:
    try:
        await context.cloud.protect_port(
            step.port_id, step.group_ids, revision=step.revision, request_id=request_id, urgent=True
        )
    except NotFound:
        return step.port_id  # it went meanwhile: nothing is left to protect
    return step.port_id


async def _settled(repair: PromptRepair, generation: int, work: Work[Any], made: bool) -> None:
    """Tell that it is repaired; what failed is left to a look, at once."""
    if not made:
        await store.fail_prompt(work.connection, repair.repair_id)
        work.context.pace.hurry(repair.workspace)
        work.reconcile(repair.workspace)
        return
    now = work.now
    await store.end_prompt(work.connection, repair.repair_id, now)
    await store.record_repaired(work.connection, repair, now)
    work.emit(
        DriftRepaired(
            workspace=repair.workspace,
            generation=generation,
            steps=1,
            # OpenStack's clock may be ahead of ours.
            seconds_since_change=max(0.0, (now - repair.happened_at).total_seconds()) if repair.happened_at else None,
            seconds_since_detection=max(0.0, (now - repair.detected_at).total_seconds()),
        )
    )


def symbolic(rule: Rule, policy: Policy, group_ids: Mapping[str, str]) -> Rule:
    """The rule with a group of ours named by its role."""
    if rule.remote.kind is RemoteKind.GROUP:
        for role, group_id in group_ids.items():
            if group_id == rule.remote.value and role in policy.roles:
                return rule.with_remote(Remote(RemoteKind.ROLE, role))
    return rule
