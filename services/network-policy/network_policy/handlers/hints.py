"""OpenStack's notifications: hints that a workspace should be looked at, and who changed it."""

from collections.abc import Iterator

from contracts.openstack import Notification
from contracts.openstack.neutron import NetworkPayload, Port, RbacPolicy, Resource, RouterInterface, SecurityGroupRule
from network_policy import store
from network_policy.domain.names import role_of_node
from network_policy.handlers.context import WHOLE_CLOUD, Context, handlers
from network_policy.handlers.prompt import repair_port, repair_rules
from network_policy.handlers.told import port_of
from network_policy.store import Known
from shared.work import Work

SETTLING_SECONDS = 2.0
"""How long a port that is as it should be may wait for the next proof: many are born together."""


@handlers.notified("security_group", "security_group_rule", "floatingip", "router", "network", "subnet", "rbac_policy")
async def on_policy_changed(seen: Notification, tx: Work[Context]) -> None:
    """Somebody changed a group, a rule, or the ways between networks."""
    if seen.phase not in (None, "end") or await _is_own(seen, tx):
        return
    is_policy = seen.is_about("security_group", "security_group_rule", "rbac_policy")
    is_new_rule = seen.is_about("security_group_rule.create")
    repaired = await repair_rules(seen, tx) if is_new_rule else frozenset()
    if repaired and not _names_other_groups(seen):
        return
    for workspace in await _workspaces(seen, tx):
        if workspace in repaired:
            continue
        if is_policy:
            await _note(seen, workspace, tx)
            tx.context.pace.hurry(workspace)
        tx.reconcile(workspace, 0.0 if is_policy else SETTLING_SECONDS)


@handlers.notified("port")
async def on_port_changed(seen: Notification, tx: Work[Context]) -> None:
    """A port was born, changed or went: at once when it escapes its group, else with the others."""
    if seen.phase != "end" or await _is_own(seen, tx):
        return
    for workspace in await _workspaces(seen, tx):
        known = await store.load(tx.connection, workspace)
        if known is not None and all(_is_in_order(port, known) for port in _ports(seen)):
            tx.reconcile(workspace, SETTLING_SECONDS)
        elif known is None or not await _put_right(seen, known, tx):
            await _note(seen, workspace, tx)
            tx.context.pace.hurry(workspace)
            tx.reconcile(workspace)


@handlers.notified("address_group")
async def on_address_group_changed(seen: Notification, tx: Work[Context]) -> None:
    """An address group may stand in any project's rule; Neutron is silent about its members (fact 4)."""
    if seen.phase == "end":
        tx.reconcile(WHOLE_CLOUD, SETTLING_SECONDS)


@handlers.every(lambda context: context.scan_seconds)
async def scan(tx: Work[Context]) -> None:
    """What nobody told of: everything is looked at again."""
    await store.forget_changes(tx.connection, tx.now)
    tx.reconcile(WHOLE_CLOUD)


async def _put_right(seen: Notification, known: Known, tx: Work[Context]) -> bool:
    """Whether the one port that it is about is being put right already."""
    told = _ports(seen)
    port = port_of(told[0]) if len(told) == 1 else None
    return port is not None and port.project_id == known.project_id and await repair_port(port, known, seen, tx)


def _ports(seen: Notification) -> tuple[Port, ...]:
    if not isinstance(seen.payload, NetworkPayload):
        return ()
    return tuple(resource for resource in seen.payload.resources if isinstance(resource, Port))


def _is_in_order(port: Port, known: Known) -> bool:
    """Whether the port, as told, is in its role's group alone, filtered, with no address but its own."""
    if known.nodes.confined:
        return False  # where a quarantine is in force, a port in its role's group may be an escape
    if (port.device_owner or "").startswith("network:"):
        return port.id not in known.nodes.port_roles and port.device_id not in known.nodes.server_ids
    roles = frozenset(known.group_ids)
    role = known.nodes.port_roles.get(port.id or "") or role_of_node(known.workspace, roles, port.name or "")
    return (
        role is not None
        and port.security_groups == (known.group_ids.get(role),)
        and port.port_security_enabled is not False
        and not port.allowed_address_pairs
    )


async def _is_own(seen: Notification, tx: Work[Context]) -> bool:
    ids = [request_id for request_id in (seen.global_request_id, seen.request_id) if request_id]
    return bool(ids) and await store.is_own(tx.connection, ids, tx.now)


async def _workspaces(seen: Notification, tx: Work[Context]) -> list[str]:
    if not isinstance(seen.payload, NetworkPayload):
        return []
    projects = {resource.project_id for resource in seen.payload.resources if resource.project_id}
    ids = {*seen.payload.resource_ids, *(each for resource in seen.payload.resources for each in _mentions(resource))}
    return await store.workspaces_about(tx.connection, projects, ids)


def _names_other_groups(seen: Notification) -> bool:
    """Whether somebody else's groups are far ends of the rules."""
    assert isinstance(seen.payload, NetworkPayload)
    rules = [each for each in seen.payload.resources if isinstance(each, SecurityGroupRule)]
    return len({each.security_group_id for each in rules}) > 1 or any(each.remote_group_id for each in rules)


def _mentions(resource: Resource) -> Iterator[str]:
    """The ids by which a resource touches a workspace that its project is not of."""
    found: tuple[str | None, ...] = ()
    if isinstance(resource, SecurityGroupRule):
        found = (resource.security_group_id, resource.remote_group_id)
    elif isinstance(resource, Port):
        found = (resource.network_id, resource.device_id, *(resource.security_groups or ()))
    elif isinstance(resource, RouterInterface):
        found = (resource.network_id, resource.port_id)
    elif isinstance(resource, RbacPolicy):
        found = (resource.object_id,)
    else:
        found = (getattr(resource, "port_id", None), getattr(resource, "network_id", None))
    return (each for each in found if each)


async def _note(seen: Notification, workspace: str, tx: Work[Context]) -> None:
    assert isinstance(seen.payload, NetworkPayload)
    ids = {*seen.payload.resource_ids}
    for resource in seen.payload.resources:
        rules = getattr(resource, "rules", ())
        ids |= {rule.id for rule in rules if rule.id}
    await store.note_change(
        tx.connection,
        workspace,
        ids,
        seen.event_type,
        happened_at=seen.timestamp,
        seen_at=tx.now,
        actor=(seen.user_id or "")[:255],
        request_id=(seen.request_id or "")[:64],
    )
