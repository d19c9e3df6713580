"""A cloud read from end to end with GET alone. A list that can't be read is told with its reason, never left out.

One request is not all reading: Neutron makes the caller's own project a default group when it lists groups.
"""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

from openstack.connection import Connection

from network_policy.cloud import inventories, reading
from network_policy.cloud.listing import ADMIN_ROLE, everything, pages_of
from network_policy.domain.audit.inventory import Inventory, Part
from network_policy.domain.world import World
from shared.cloud import Cloud
from shared.errors import CloudError

Body = Mapping[str, Any]
Progress = Callable[[str, int], None]
"""Told what was read, and how much of it."""

ATTACHMENTS_MICROVERSION = "3.27"
"""Cinder's first with the attachments API."""
HIDDEN = "the list is empty, as Neutron shows it to those who may not see agents"

NEUTRON: tuple[tuple[Part, str, str], ...] = (
    (Part.GROUPS, "/security-groups", "security_groups"),
    (Part.PORTS, "/ports", "ports"),
    (Part.NETWORKS, "/networks", "networks"),
    (Part.SUBNETS, "/subnets", "subnets"),
    (Part.ROUTERS, "/routers", "routers"),
    (Part.FLOATING_IPS, "/floatingips", "floatingips"),
    (Part.ADDRESS_GROUPS, "/address-groups", "address_groups"),
    (Part.SHARINGS, "/rbac-policies", "rbac_policies"),
    (Part.TRUNKS, "/trunks", "trunks"),
    (Part.AGENTS, "/agents", "agents"),
    (Part.DEFAULT_RULES, "/default-security-group-rules", "default_security_group_rules"),
)
OTHERS: tuple[tuple[Part, str, str, str, str], ...] = (
    (Part.PROJECTS, "identity", "/projects", "projects", ""),
    (Part.SERVERS, "compute", "/servers/detail", "servers", ""),
    (Part.VOLUMES, "block_storage", "/volumes/detail?all_tenants=1", "volumes", ""),
    (Part.ATTACHMENTS, "block_storage", "/attachments?all_tenants=1", "attachments", ATTACHMENTS_MICROVERSION),
    (Part.IMAGES, "image", "/images", "images", ""),
)


class AuditingCloud:
    """Reads what an audit looks at."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud

    async def inventory(
        self, *, sees_everything: bool = False, progress: Progress = lambda words, count: None
    ) -> Inventory:
        """All that the account may read. Raises CloudError only when it can't log in.

        `sees_everything`: the account's role reads every project, though it is not the administrator's.
        """
        account, roles = await self._cloud.call(_account)
        bodies: dict[Part, tuple[Body, ...]] = {}
        unread: dict[Part, str] = {}

        async def read(part: Part, fetch: Callable[[Connection], tuple[Body, ...]]) -> None:
            try:
                bodies[part] = await self._cloud.call(fetch)
            except CloudError as error:
                bodies[part], unread[part] = (), _words(error)
                progress(f"{part.value}: {unread[part]}", 0)
            else:
                progress(part.value, len(bodies[part]))

        def neutron(path: str, key: str) -> Callable[[Connection], tuple[Body, ...]]:
            return lambda connection: everything(connection, path, key, dict)

        is_whole = sees_everything or ADMIN_ROLE in roles

        def other(proxy: str, path: str, key: str, microversion: str) -> Callable[[Connection], tuple[Body, ...]]:
            if proxy == "compute" and is_whole:
                path += "?all_tenants=1"  # Nova refuses it to others, where Cinder shows them their own
            return lambda connection: tuple(pages_of(getattr(connection, proxy), path, key, microversion))

        await asyncio.gather(
            *(read(part, neutron(path, key)) for part, path, key in NEUTRON),
            *(read(part, other(*rest)) for part, *rest in OTHERS),
        )
        if not bodies[Part.AGENTS]:
            unread.setdefault(Part.AGENTS, HIDDEN)
        return inventories.inventory(
            bodies,
            unread,
            world=_world(bodies, is_whole=is_whole),
            account=account,
        )

    async def groups_called(self, name_or_id: str) -> tuple[Body, ...]:
        """The groups of that id, else of that name, as Neutron answers. Raises CloudError."""

        def fetch(connection: Connection) -> tuple[Body, ...]:
            found = everything(connection, "/security-groups", "security_groups", dict, id=name_or_id)
            return found or everything(connection, "/security-groups", "security_groups", dict, name=name_or_id)

        return await self._cloud.call(fetch)


def _world(bodies: Mapping[Part, tuple[Body, ...]], *, is_whole: bool) -> World:
    return World(
        groups=tuple(reading.group(body) for body in bodies[Part.GROUPS]),
        ports=tuple(reading.port(body) for body in bodies[Part.PORTS]),
        networks=tuple(reading.network(body) for body in bodies[Part.NETWORKS]),
        subnets=tuple(reading.subnet(body) for body in bodies[Part.SUBNETS]),
        routers=tuple(reading.router(body) for body in bodies[Part.ROUTERS]),
        floating_ips=tuple(reading.floating_ip(body) for body in bodies[Part.FLOATING_IPS]),
        address_groups=tuple(reading.address_group(body) for body in bodies[Part.ADDRESS_GROUPS]),
        sharings=tuple(reading.sharing(body) for body in bodies[Part.SHARINGS]),
        trunks=tuple(reading.trunk(body) for body in bodies[Part.TRUNKS]),
        whole=is_whole,
    )


def _account(connection: Connection) -> tuple[str, frozenset[str]]:
    auth: Any = connection.session.auth
    access = auth.get_access(connection.session)
    roles = frozenset(str(each) for each in access.role_names)
    where = f"project {access.project_name}" if access.project_name else "the whole system"
    return f"{access.username} in {where}, roles {', '.join(sorted(roles))}", roles


def _words(error: CloudError) -> str:
    status = getattr(error, "status", None)
    said = " ".join(str(error).split())[:200] or type(error).__name__
    return f"HTTP {status}: {said}" if status else said
