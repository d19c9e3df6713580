"""What a notification shows to be undeclared beyond doubt is undone at once; the look that confirms it comes after.

Such a notification carries the whole rule or port, so nothing need be listed to decide. The transaction that hears it tells the
drift and the call; the call is made when it has committed. To take a rule out, or to put a port into its group, opens
nothing, so it may precede everything else (I8).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from contracts.network_policy import DriftDetected, DriftRepaired, RuleDrift
from contracts.openstack import Notification
from contracts.openstack.neutron import NetworkPayload, SecurityGroupRule
from network_policy import store
from network_policy.domain.compile import Policy
from network_policy.domain.drift import ProtectPort, port_drift, told_rule
from network_policy.domain.names import DEFAULT_GROUP
from network_policy.domain.plan import enclose
from network_policy.domain.rule import Remote, RemoteKind, Rule
from network_policy.domain.sight import digest_of_drift
from network_policy.domain.world import Group, Port
from network_policy.handlers.context import Context
from network_policy.handlers.told import rule_of
from network_policy.store import Keeper, PromptRepair
from shared.errors import Conflict, NotFound
from shared.handlers import Heard
from shared.telemetry import below
from shared.work import Call, Settled, Work


@dataclass(frozen=True)
class Decided:
    """A difference that its notification shows, and the call that ends it."""

    repair: PromptRepair
    drift: RuleDrift
    generation: int
    call: Call
    heard: Heard


def undeclared_rules(
    heard: Heard, keepers: Mapping[str, Keeper], tx: Work[Context]
) -> tuple[list[Decided], set[str], bool]:
    """What is to be done about rules that were made, and whether something is left that a look has to find out.

    `keepers` by the ids of their groups. The second: workspaces in which a look found the rule first.
    """
    seen, found, found_first, is_left = heard.notification, list[Decided](), set[str](), False
    for told in seen.payload.resources if isinstance(seen.payload, NetworkPayload) else ():
        group_id = told.security_group_id if isinstance(told, SecurityGroupRule) else None
        keeper = keepers.get(group_id or "")
        rule = rule_of(told) if isinstance(told, SecurityGroupRule) else None
        if keeper is None or rule is None or group_id is None or not told.id or not tx.may_call(keeper.workspace):
            is_left = True
            continue
        role = keeper.role_of_group(group_id)
        policy = tx.context.policies.of(keeper.document, tx.context.site)
        group_ids = {each: one for each, one in keeper.group_ids.items() if each in policy.roles}
        if symbolic(rule, policy, group_ids) in policy.roles.get(role or "", frozenset()):
            is_left = True
            continue
        drift = RuleDrift(
            change="rule-added",
            group_id=group_id,
            role=role if role in policy.roles else None,
            rule_id=told.id,
            rule=told_rule(rule, group_ids),
        )
        digest = digest_of_drift(drift)
        if digest in keeper.open_drift:
            found_first.add(keeper.workspace)
            continue
        repair = PromptRepair(
            told.id, keeper.workspace, group_id, rule, None, digest, seen.timestamp, tx.now, **who(seen)
        )
        call = Call("rule.delete", told.id, partial(_delete, tx.context, repair))
        found.append(Decided(repair, drift, keeper.generation, call, heard))
    return found, found_first, is_left


def escaped_port(heard: Heard, port: Port, keeper: Keeper, tx: Work[Context]) -> Decided | None:
    """How a port of the workspace is put into its group, filtered; None where that is for a look to find out."""
    if keeper.is_confined or not tx.may_call(keeper.workspace):
        return None
    site = tx.context.site
    is_elsewhere = port.network_id not in keeper.network_ids
    if is_elsewhere and (site.internal_api_network is not None or site.internal_api_prefixes):
        return None  # on the network of OpenStack's own services no role's group is right (row C3)
    policy = tx.context.policies.of(keeper.document, site)
    groups = tuple(
        Group(group_id, role or DEFAULT_GROUP, keeper.project_id) for role, group_id in keeper.group_ids.items()
    )
    own = {role: group_id for role, group_id in keeper.group_ids.items() if role}
    actual = enclose(policy, keeper.project_id, groups, own)
    drift, step = next(port_drift(policy, keeper.project_id, actual, (port,), keeper.nodes), (None, None))
    if drift is None or step is None or digest_of_drift(drift) in keeper.open_drift:
        return None
    # A group that was made anew has Neutron's own rules until a look has seen them out (I7).
    if not set(step.group_ids) <= {*keeper.enforced_groups, keeper.group_ids.get("")}:
        return None
    seen = heard.notification
    repair = PromptRepair(
        f"{port.id}@{port.revision}", keeper.workspace, None, None, port, digest_of_drift(drift), seen.timestamp,
        tx.now, **who(seen),
    )  # fmt: skip
    call = Call("port.update", port.id, partial(_protect, tx.context, repair, step), step)
    return Decided(repair, drift, keeper.generation, call, heard)


async def begin(decided: Sequence[Decided], tx: Work[Context]) -> None:
    """Tell the drift and have the calls made; those whose notification came before are left out."""
    once = {each.repair.repair_id: each for each in reversed(decided)}  # of a doubled notification the first
    new = await store.begin_prompt(tx.connection, [each.repair for each in once.values()])
    for each in reversed(once.values()):
        repair = each.repair
        with below(each.heard.traceparent):
            tx.reconcile(repair.workspace, tx.context.pace.reserve(repair.workspace, tx.now))
            if repair.repair_id not in new:
                continue
            tx.call_at_once(repair.workspace, each.call, (repair, each.generation), _settled)
            tx.emit(
                DriftDetected(
                    workspace=repair.workspace,
                    generation=each.generation,
                    drift=(each.drift,),
                    seen_by="notification",
                    happened_at=repair.happened_at,
                    actor=repair.actor,
                    request_id=repair.request_id,
                    repairing=True,
                )
            )


def who(seen: Notification) -> dict[str, Any]:
    """Who did it, as far as the notification says."""
    return {"actor": (seen.user_id or "")[:255], "request_id": (seen.request_id or "")[:64]}


async def _delete(context: Context, repair: PromptRepair, request_id: str) -> str:
    context.under_way.add(repair.repair_id)
    await context.cloud.delete_rule(repair.repair_id, request_id=request_id, urgent=True)
    return repair.repair_id


async def _protect(context: Context, repair: PromptRepair, step: ProtectPort, request_id: str) -> str:
    context.under_way.add(repair.repair_id)
    revision = step.revision
    for is_last in (False, False, True):
        try:
            await context.cloud.protect_port(
                step.port_id, step.group_ids, revision=revision, request_id=request_id, urgent=True
            )
        except NotFound:
            return step.port_id  # it went meanwhile: nothing is left to protect
        except Conflict as changed:
            found = await context.cloud.port(step.port_id)
            if found is None or _is_protected(found, step):
                return step.port_id
            if is_last or repair.port is None or not _is_same_escape(found, repair.port):
                raise changed  # whoever changed it otherwise may be right: a look finds out
            revision = found.revision
        else:
            break
    return step.port_id


def _is_protected(port: Port, step: ProtectPort) -> bool:
    return port.port_security and port.group_ids == step.group_ids and not port.address_pairs


def _is_same_escape(port: Port, before: Port) -> bool:
    """Whether the port is out of order again just as it was."""
    return replace(port, revision=before.revision) == before


async def _settled(work: Work[Any], outcomes: Sequence[Settled]) -> None:
    """Tell that they are repaired; what failed is left to a look, at once."""
    now = work.now
    work.context.under_way.difference_update(each.about[0].repair_id for each in outcomes)
    done = [each for each in outcomes if each.made]
    failed = [each for each in outcomes if not each.made]
    if failed:
        await store.fail_prompt(work.connection, [each.about[0].repair_id for each in failed])
    for each in failed:
        with below(each.traceparent):
            work.context.pace.hurry(each.about[0].workspace)
            work.reconcile(each.about[0].workspace)
    if done:
        await store.end_prompt(work.connection, [each.about[0].repair_id for each in done], now)
        await store.record_repaired(work.connection, [each.about[0] for each in done], now)
    for each in done:
        repair, generation = each.about
        # OpenStack's clock may be ahead of ours.
        changed = max(0.0, (now - repair.happened_at).total_seconds()) if repair.happened_at else None
        with below(each.traceparent):
            work.emit(
                DriftRepaired(
                    workspace=repair.workspace,
                    generation=generation,
                    steps=1,
                    seconds_since_change=changed,
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
