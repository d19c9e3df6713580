"""OpenStack's JSON as the audit's inventory."""

from collections.abc import Mapping
from typing import Any

from network_policy.domain.audit.inventory import (
    Agent,
    Attachment,
    DefaultRule,
    Image,
    Inventory,
    Part,
    PortFacts,
    Server,
    Volume,
)
from network_policy.domain.world import World

Body = Mapping[str, Any]

_UNBOUND = ("", "unbound", "binding_failed")


def inventory(
    bodies: Mapping[Part, tuple[Body, ...]], unread: Mapping[Part, str], *, world: World, account: str
) -> Inventory:
    """What was read, by list."""
    return Inventory(
        world=world,
        unread=unread,
        is_whole=world.whole,
        account=account,
        project_names={str(body["id"]): str(body.get("name") or "") for body in bodies[Part.PROJECTS]},
        port_facts={str(body["id"]): port_facts(body) for body in bodies[Part.PORTS]},
        agents=tuple(agent(body) for body in bodies[Part.AGENTS]),
        default_rules=tuple(default_rule(body) for body in bodies[Part.DEFAULT_RULES]),
        servers=tuple(server(body) for body in bodies[Part.SERVERS]),
        volumes=tuple(volume(body) for body in bodies[Part.VOLUMES]),
        attachments=tuple(attachment(body) for body in bodies[Part.ATTACHMENTS]),
        images=tuple(image(body) for body in bodies[Part.IMAGES]),
    )


def port_facts(body: Body) -> PortFacts:
    """The host is told to administrators only."""
    return PortFacts(
        host=str(body.get("binding:host_id") or ""),
        is_bound=str(body.get("binding:vif_type") or "") not in _UNBOUND,
        status=str(body.get("status") or ""),
        created_at=str(body.get("created_at") or ""),
    )


def agent(body: Body) -> Agent:
    configurations = body.get("configurations")
    return Agent(
        id=str(body["id"]),
        kind=str(body.get("agent_type") or body.get("binary") or ""),
        host=str(body.get("host") or ""),
        is_alive=body.get("alive") is not False,
        is_hybrid=isinstance(configurations, Mapping) and bool(configurations.get("ovs_hybrid_plug")),
    )


def default_rule(body: Body) -> DefaultRule:
    far = body.get("remote_group_id") or body.get("remote_address_group_id") or body.get("remote_ip_prefix") or ""
    return DefaultRule(
        id=str(body["id"]),
        direction=str(body.get("direction") or ""),
        ethertype=str(body.get("ethertype") or ""),
        remote=str(far),
        for_default_group=bool(body.get("used_in_default_sg")),
    )


def server(body: Body) -> Server:
    return Server(
        id=str(body["id"]),
        name=str(body.get("name") or ""),
        project_id=_project(body),
        volume_ids=tuple(str(each["id"]) for each in body.get("os-extended-volumes:volumes_attached") or ()),
    )


def volume(body: Body) -> Volume:
    return Volume(
        id=str(body["id"]),
        project_id=str(body.get("os-vol-tenant-attr:tenant_id") or ""),
        status=str(body.get("status") or ""),
        is_multiattach=bool(body.get("multiattach")),
    )


def attachment(body: Body) -> Attachment:
    return Attachment(
        id=str(body["id"]),
        volume_id=str(body.get("volume_id") or ""),
        server_id=str(body.get("instance") or ""),
        status=str(body.get("status") or ""),
    )


def image(body: Body) -> Image:
    return Image(
        id=str(body["id"]),
        name=str(body.get("name") or ""),
        project_id=str(body.get("owner") or ""),
        disk_format=str(body.get("disk_format") or ""),
        visibility=str(body.get("visibility") or ""),
    )


def _project(body: Body) -> str:
    return str(body.get("project_id") or body.get("tenant_id") or "")
