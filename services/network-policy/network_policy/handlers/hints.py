"""OpenStack's notifications: hints that a workspace should be looked at, and who changed it."""

from collections.abc import Iterable, Mapping, Sequence

from contracts.openstack import Notification
from contracts.openstack.neutron import NetworkPayload, Port, SecurityGroupRule
from network_policy import store
from network_policy.domain.world import GroupRule
from network_policy.handlers.about import in_order, mentions, note, ports_of, workspaces
from network_policy.handlers.context import WHOLE_CLOUD, Context, handlers
from network_policy.handlers.own import is_own, own_calls
from network_policy.handlers.pace import SOON_SECONDS
from network_policy.handlers.prompt import Decided, begin, escaped_port, undeclared_rules
from network_policy.handlers.told import port_of, rule_of
from network_policy.store import Keeper, OwnCall
from shared.handlers import Heard
from shared.telemetry import below
from shared.work import Work

SETTLING_SECONDS = 2.0
"""How long a port that is as it should be may wait for the next proof: many are born together."""


@handlers.notified("security_group", "floatingip", "router", "network", "subnet", "rbac_policy")
async def on_policy_changed(seen: Notification, tx: Work[Context]) -> None:
    """Somebody changed a group, or the ways between networks."""
    if seen.phase not in (None, "end"):
        return
    is_policy = seen.is_about("security_group", "rbac_policy")
    is_ours = is_policy and is_own(seen, await own_calls(tx.connection, [seen], tx.now))
    if is_ours and not seen.is_about("security_group.update"):
        return
    if not is_policy or is_ours:  # which of a group's fields an own update set is not known: it is looked at as well
        for workspace in await workspaces(seen, tx):
            tx.reconcile(workspace, SETTLING_SECONDS)
        return
    await _look_at_once(seen, tx)


@handlers.notified_together("security_group_rule", "port")
async def on_rules_and_ports_changed(batch: Sequence[Heard], tx: Work[Context]) -> None:
    """Rules and ports were made, changed or deleted: what escapes is put right at once, else looked at."""
    batch = [each for each in batch if each.notification.phase == "end"]
    calls = await own_calls(tx.connection, [each.notification for each in batch], tx.now)
    rules = [each for each in batch if not each.notification.is_about("port") and not is_own(each.notification, calls)]
    await _hear_rules(rules, tx)
    await _hear_ports([each for each in batch if each.notification.is_about("port")], calls, tx)


@handlers.notified("address_group")
async def on_address_group_changed(seen: Notification, tx: Work[Context]) -> None:
    """An address group may stand in any project's rule; Neutron is silent about its members (fact 4)."""
    if seen.phase == "end":
        tx.reconcile(WHOLE_CLOUD, SETTLING_SECONDS)


@handlers.every(lambda context: context.scan_seconds, is_scan=True)
async def scan(tx: Work[Context]) -> None:
    """What nobody told of: everything is looked at again."""
    await store.forget_changes(tx.connection, tx.now)
    tx.reconcile(WHOLE_CLOUD)


async def _hear_rules(heard: Sequence[Heard], tx: Work[Context]) -> None:
    made = [each for each in heard if each.notification.is_about("security_group_rule.create")]
    for told in (told for each in made for told in _rules_of(each.notification)):
        rule = rule_of(told)
        if rule is not None and told.id and told.security_group_id:
            tx.context.model.hear(GroupRule(told.id, told.security_group_id, rule))
    groups = {told.security_group_id for each in made for told in _rules_of(each.notification)}
    keepers: dict[str, Keeper] = {}
    if made and tx.context.is_enforcing:
        found = await store.keepers(tx.connection, group_ids=[each for each in groups if each])
        keepers = {group_id: keeper for keeper in found for group_id in keeper.group_ids.values()}
    decided: list[Decided] = []
    for each in heard:
        nothing: tuple[list[Decided], set[str], bool] = [], set(), True
        repairs, found_first, is_left = undeclared_rules(each, keepers, tx) if each in made and keepers else nothing
        decided += repairs
        # What names somebody else's group is his workspace's to know as well.
        if is_left or any(told.remote_group_id for told in _rules_of(each.notification)):
            spared = set() if is_left else {*found_first, *(one.repair.workspace for one in repairs)}
            with below(each.traceparent):
                await _look_at_once(each.notification, tx, spared)
        for workspace in found_first if not is_left else ():
            with below(each.traceparent):  # a look is at it, and waits for who did it
                await note(each.notification, workspace, tx)
                tx.reconcile(workspace, SOON_SECONDS)
    await begin(decided, tx)


async def _hear_ports(heard: Sequence[Heard], calls: Mapping[str, OwnCall], tx: Work[Context]) -> None:
    ports = {each: port for each in heard if (port := _only_port(each.notification)) is not None}
    for each, told in ports.items():
        whole = port_of(told) if told.network_id else None
        if whole is not None and not each.notification.is_about("port.delete"):
            tx.context.model.hear(whole)
    keepers: dict[str, Keeper] = {}
    if ports:
        found = await store.keepers(
            tx.connection,
            project_ids={port.project_id or "" for port in ports.values()},
            port_ids={port.id or "" for port in ports.values()},
            device_ids={port.device_id or "" for port in ports.values()},
        )
        keepers = {keeper.project_id: keeper for keeper in found if not keeper.is_confined}
        about = await store.workspaces_about(
            tx.connection,
            [port.project_id or "" for port in ports.values()],
            [each for port in ports.values() for each in (port.id or "", *mentions(port))],
        )
        if not set(about) <= {keeper.workspace for keeper in keepers.values()}:
            keepers = {}  # somebody else's networks, servers or groups are in it, or a quarantine
    decided: list[Decided] = []
    for each in heard:
        port = ports.get(each)
        keeper = keepers.get(port.project_id or "") if port is not None else None
        with below(each.traceparent):
            if port is None or keeper is None:
                await _hear_port(each.notification, calls, tx)
            elif in_order(port, keeper.workspace, keeper.group_ids, keeper.nodes):
                if not is_own(each.notification, calls):
                    tx.reconcile(keeper.workspace, SETTLING_SECONDS)
            else:  # whatever id it carries: while the policy stands, no call of ours leaves a port so
                is_there = tx.context.is_enforcing and not each.notification.is_about("port.delete")
                whole = port_of(port) if is_there else None
                repair = escaped_port(each, whole, keeper, tx) if whole is not None else None
                if repair is not None:
                    decided.append(repair)
                else:
                    await _look_at_once(each.notification, tx)
    await begin(decided, tx)


async def _hear_port(seen: Notification, calls: Mapping[str, OwnCall], tx: Work[Context]) -> None:
    """A port that more than one workspace may have to do with, or one in quarantine."""
    is_ours = is_own(seen, calls)
    for workspace in await workspaces(seen, tx):
        known = await store.load(tx.connection, workspace)
        if is_ours or (known is not None and _are_in_order(ports_of(seen), known)):
            tx.reconcile(workspace, SETTLING_SECONDS)
        else:
            await note(seen, workspace, tx)
            tx.context.pace.hurry(workspace)
            tx.reconcile(workspace)


def _are_in_order(ports: Iterable[Port], known: store.Known) -> bool:
    # Where a quarantine is in force, a port in its role's group may be an escape.
    return not known.nodes.confined and all(
        in_order(port, known.workspace, known.group_ids, known.nodes) for port in ports
    )


async def _look_at_once(seen: Notification, tx: Work[Context], spared: Iterable[str] = ()) -> None:
    """Remember who changed it, and have the workspaces that it is about looked at, but for those to be spared."""
    for workspace in await workspaces(seen, tx):
        if workspace not in spared:
            await note(seen, workspace, tx)
            tx.context.pace.hurry(workspace)
            tx.reconcile(workspace)


def _only_port(seen: Notification) -> Port | None:
    found = ports_of(seen)
    return found[0] if len(found) == 1 and found[0].id and found[0].project_id else None


def _rules_of(seen: Notification) -> list[SecurityGroupRule]:
    resources = seen.payload.resources if isinstance(seen.payload, NetworkPayload) else ()
    return [each for each in resources if isinstance(each, SecurityGroupRule)]
