"""What a notification is about: which workspaces, who did it, and whether a port that it tells of is in order."""

from collections.abc import Iterator, Mapping

from contracts.openstack import Notification
from contracts.openstack.neutron import NetworkPayload, Port, RbacPolicy, Resource, RouterInterface, SecurityGroupRule
from network_policy import store
from network_policy.domain.drift import Nodes
from network_policy.domain.names import role_of_node
from network_policy.handlers.context import Context
from shared.work import Work


def ports_of(seen: Notification) -> tuple[Port, ...]:
    """The ports that it tells of."""
    if not isinstance(seen.payload, NetworkPayload):
        return ()
    return tuple(resource for resource in seen.payload.resources if isinstance(resource, Port))


def in_order(port: Port, workspace: str, group_ids: Mapping[str, str], nodes: Nodes) -> bool:
    """Whether the port, as told, is in its role's group alone, filtered, with no address but its own."""
    if (port.device_owner or "").startswith("network:"):
        return port.id not in nodes.port_roles and port.device_id not in nodes.server_ids
    roles = frozenset(each for each in group_ids if each)
    role = nodes.port_roles.get(port.id or "") or role_of_node(workspace, roles, port.name or "")
    return (
        role is not None
        and port.security_groups == (group_ids.get(role),)
        and port.port_security_enabled is not False
        and not port.allowed_address_pairs
    )


async def workspaces(seen: Notification, tx: Work[Context]) -> list[str]:
    """The workspaces that it is about."""
    if not isinstance(seen.payload, NetworkPayload):
        return []
    projects = {resource.project_id for resource in seen.payload.resources if resource.project_id}
    ids = {*seen.payload.resource_ids, *(each for resource in seen.payload.resources for each in mentions(resource))}
    return await store.workspaces_about(tx.connection, projects, ids)


def mentions(resource: Resource) -> Iterator[str]:
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


async def note(seen: Notification, workspace: str, tx: Work[Context]) -> None:
    """Remember who did it, so that what a look finds can be put down to them."""
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
