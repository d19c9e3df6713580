"""OpenStack's notifications: hints that a workspace should be looked at, and who changed it."""

from collections.abc import Iterable, Mapping, Sequence, Set

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
    ports = {each: _only_port(each.notification) for each in batch if each.notification.is_about("port")}
    keepers, about = await _keepers(rules, [port for port in ports.values() if port is not None], tx)
    decided = await _hear_rules(rules, keepers, tx)
    decided += await _hear_ports(ports, _of_ports(ports.values(), keepers, about), calls, tx)
    await begin(decided, tx)


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


async def _keepers(
    rules: Sequence[Heard], ports: Sequence[Port], tx: Work[Context]
) -> tuple[tuple[Keeper, ...], frozenset[str]]:
    """The keepers of the groups that rules were made in, where they are to be repaired, and of the ports' projects;
    and the workspaces that the ports are about."""
    made = [each.notification for each in rules if _is_made(each)] if tx.context.is_enforcing else []
    groups = {told.security_group_id for each in made for told in _rules_of(each) if told.security_group_id}
    if not groups and not ports:
        return (), frozenset()
    return await store.keepers(
        tx.connection,
        project_ids={port.project_id or "" for port in ports},
        group_ids=groups,
        port_ids={port.id or "" for port in ports},
        device_ids={port.device_id or "" for port in ports},
        touched_ids={each for port in ports for each in (port.id or "", *mentions(port))},
    )


def _of_ports(ports: Iterable[Port | None], keepers: Iterable[Keeper], about: Set[str]) -> dict[str, Keeper]:
    """By project the keepers that the ports are of; none where the ports are about anybody else as well."""
    projects = {port.project_id for port in ports if port is not None}
    found = {each.project_id: each for each in keepers if each.project_id in projects and not each.is_confined}
    # Else somebody else's networks, servers or groups are in it, or a quarantine.
    return found if about <= {keeper.workspace for keeper in found.values()} else {}


async def _hear_rules(heard: Sequence[Heard], keepers: Iterable[Keeper], tx: Work[Context]) -> list[Decided]:
    for told in (told for each in heard if _is_made(each) for told in _rules_of(each.notification)):
        rule = rule_of(told)
        if rule is not None and told.id and told.security_group_id:
            tx.context.model.hear(GroupRule(told.id, told.security_group_id, rule))
    of_groups = {group_id: keeper for keeper in keepers for group_id in keeper.group_ids.values()}
    decided: list[Decided] = []
    for each in heard:
        nothing: tuple[list[Decided], set[str], bool] = [], set(), True
        is_judged = tx.context.is_enforcing and _is_made(each)
        repairs, found_first, is_left = undeclared_rules(each, of_groups, tx) if is_judged else nothing
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
    return decided


async def _hear_ports(
    heard: Mapping[Heard, Port | None], keepers: Mapping[str, Keeper], calls: Mapping[str, OwnCall], tx: Work[Context]
) -> list[Decided]:
    decided: list[Decided] = []
    for each, port in heard.items():
        is_there = not each.notification.is_about("port.delete")
        whole = port_of(port) if port is not None and is_there else None
        if whole is not None and whole.network_id:
            tx.context.model.hear(whole)
        keeper = keepers.get(port.project_id or "") if port is not None else None
        with below(each.traceparent):
            if port is None or keeper is None:
                await _hear_port(each.notification, calls, tx)
            elif in_order(port, keeper.workspace, keeper.group_ids, keeper.nodes):
                if not is_own(each.notification, calls):
                    tx.reconcile(keeper.workspace, SETTLING_SECONDS)
            else:  # whatever id it carries: while the policy stands, no call of ours leaves a port so
                judged = whole if tx.context.is_enforcing else None
                repair = escaped_port(each, judged, keeper, tx) if judged is not None else None
                if repair is not None:
                    decided.append(repair)
                else:
                    await _look_at_once(each.notification, tx)
    return decided


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


def _is_made(heard: Heard) -> bool:
    return heard.notification.is_about("security_group_rule.create")


def _only_port(seen: Notification) -> Port | None:
    found = ports_of(seen)
    return found[0] if len(found) == 1 and found[0].id and found[0].project_id else None


def _rules_of(seen: Notification) -> list[SecurityGroupRule]:
    resources = seen.payload.resources if isinstance(seen.payload, NetworkPayload) else ()
    return [each for each in resources if isinstance(each, SecurityGroupRule)]
