"""What a notification shows to be undeclared beyond doubt is undone at once; the look that confirms it comes after.

Such a notification carries the whole rule, so nothing need be listed to decide. The transaction that hears it tells the
drift and the call; the call is made when it has committed. A rule that is taken away opens nothing, so it may precede
everything else (I8).
"""

from collections.abc import Mapping
from functools import partial
from typing import Any

from contracts.network_policy import DriftDetected, DriftRepaired, RuleDrift
from contracts.openstack import Notification
from contracts.openstack.neutron import NetworkPayload, SecurityGroupRule
from network_policy import store
from network_policy.domain.compile import Policy
from network_policy.domain.drift import told_rule
from network_policy.domain.rule import Remote, RemoteKind, Rule, read_rule
from network_policy.domain.sight import digest_of_drift
from network_policy.handlers.context import Context
from network_policy.store import Keeper, PromptRepair
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
    rule = _read(told)
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
        rule_id, keeper.workspace, keeper.group_id, rule, digest_of_drift(drift), seen.timestamp, detected_at=tx.now
    )
    if not await store.begin_prompt(tx.connection, repair):
        return True  # the same notification came before
    made = tx.call_at_once(
        keeper.workspace, "rule.delete", rule_id, partial(_delete, tx.context, rule_id),
        partial(_settled, repair, keeper.generation),
    )  # fmt: skip
    if not made:
        await store.forget_prompt(tx.connection, [rule_id])
        return False
    tx.emit(
        DriftDetected(
            workspace=keeper.workspace,
            generation=keeper.generation,
            drift=(drift,),
            seen_by="notification",
            happened_at=seen.timestamp,
            actor=(seen.user_id or "")[:255],
            request_id=(seen.request_id or "")[:64],
            repairing=True,
        )
    )
    return True


async def _delete(context: Context, rule_id: str, request_id: str) -> str:
    await context.cloud.delete_rule(rule_id, request_id=request_id, urgent=True)
    return rule_id


async def _settled(repair: PromptRepair, generation: int, work: Work[Any], made: bool) -> None:
    """Tell that it is repaired; what failed is left to a look, at once."""
    if not made:
        work.context.pace.hurry(repair.workspace)
        work.reconcile(repair.workspace)
        return
    now = work.now
    await store.end_prompt(work.connection, repair.rule_id, now)
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


def _read(told: SecurityGroupRule) -> Rule | None:
    """The rule; None where the notification does not say enough of it."""
    if not told.direction or not told.ethertype:
        return None
    try:
        return read_rule(
            direction=told.direction,
            ethertype=told.ethertype,
            protocol=told.protocol,
            port_range_min=told.port_range_min,
            port_range_max=told.port_range_max,
            remote_ip_prefix=told.normalized_cidr or told.remote_ip_prefix,
            remote_group_id=told.remote_group_id,
            remote_address_group_id=told.remote_address_group_id,
        )
    except ValueError:
        return None


def symbolic(rule: Rule, policy: Policy, group_ids: Mapping[str, str]) -> Rule:
    """The rule with a group of ours named by its role."""
    if rule.remote.kind is RemoteKind.GROUP:
        for role, group_id in group_ids.items():
            if group_id == rule.remote.value and role in policy.roles:
                return rule.with_remote(Remote(RemoteKind.ROLE, role))
    return rule
