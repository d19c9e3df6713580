"""Reads a workspace's project: a handful of lists, whatever the number of nodes."""

import asyncio
from collections.abc import Mapping
from typing import Any, cast

from openstack import exceptions
from openstack.connection import Connection
from openstack.identity.v3._proxy import Proxy as Identity

from provisioner.cloud import quotas
from provisioner.domain import names
from provisioner.domain.observed import (
    Observed,
    SeenNetwork,
    SeenPort,
    SeenProject,
    SeenRouter,
    SeenServer,
    SeenSubnet,
    SeenTrunk,
)
from provisioner.domain.steps import (
    AttachVolume,
    CreateNetwork,
    CreatePort,
    CreateProject,
    CreateRouter,
    CreateServer,
    CreateSubnet,
    CreateTrunk,
    Step,
)
from shared.cloud import Cloud


class Reading:
    """Looks; changes nothing."""

    def __init__(self, cloud: Cloud, domain: str) -> None:
        self._cloud = cloud
        self._domain = domain

    async def observe(
        self,
        workspace: str,
        project: str,
        project_id: str | None,
        *,
        server_ids: frozenset[str],
        quota_services: tuple[str, ...],
        with_role: bool,
    ) -> Observed:
        """See `ProvisionerCloud.observe`."""
        found = await self._cloud.call(lambda c: _project(c, self._domain, workspace, project, project_id))
        owner = project_id or (found.id if found else None)
        if owner is None:
            return Observed()
        mark = names.mark(workspace)
        networks, subnets, routers, (ports, trunks), limits, is_granted = await asyncio.gather(
            self._cloud.call(lambda c: _networks(c, owner, mark)),
            self._cloud.call(lambda c: _subnets(c, owner, mark)),
            self._cloud.call(lambda c: _routers(c, owner, mark)),
            self._wires(owner, mark),
            self._quotas(owner, quota_services),
            self._is_granted(owner, with_role and found is not None),
        )
        # After the ports: a device that a port names and this list lacks is surely gone, not yet to come.
        servers = await self._cloud.call(lambda c: _servers(c, owner, workspace, server_ids))
        return Observed(found, networks, subnets, routers, ports, trunks, servers, limits, is_granted)

    async def find(self, step: Step) -> str | None:
        """See `ProvisionerCloud.find`."""
        return await self._cloud.call(lambda c: _made(c, self._domain, step))

    async def _wires(self, project_id: str, mark: str) -> tuple[tuple[SeenPort, ...], tuple[SeenTrunk, ...]]:
        """Trunks first: a port that one of them names and the list of ports lacks is surely gone."""
        trunks = await self._cloud.call(lambda c: _trunks(c, project_id, mark))
        return await self._cloud.call(lambda c: _ports(c, project_id, mark)), trunks

    async def _quotas(self, project_id: str, services: tuple[str, ...]) -> Mapping[str, Mapping[str, int]]:
        limits = await asyncio.gather(
            *(self._cloud.call(lambda c, name=service: quotas.read(c, name, project_id)) for service in services)  # type: ignore[misc]
        )
        return dict(zip(services, limits, strict=True))

    async def _is_granted(self, project_id: str, is_asked: bool) -> bool:
        return is_asked and await self._cloud.call(lambda c: _has_role(c, project_id))


def identity(connection: Connection) -> Identity:
    """Keystone's version 3, the only one there is."""
    return cast(Identity, connection.identity)


def domain_id(connection: Connection, domain: str) -> str:
    """The id of the Keystone domain of that id or name. Raises openstacksdk's NotFoundException."""
    return str(identity(connection).find_domain(domain, ignore_missing=False).id)


def own_role_id(connection: Connection) -> str:
    """The role that the service's user takes in workspaces' projects: `member`, the least that may create servers."""
    return str(identity(connection).find_role("member", ignore_missing=False).id)


def _project(
    connection: Connection, domain: str, workspace: str, name: str, project_id: str | None
) -> SeenProject | None:
    if project_id is None:
        listed = identity(connection).projects(name=name, domain_id=domain_id(connection, domain))
        found = next(iter(listed), None)
    else:
        try:
            found = identity(connection).get_project(project_id)
        except exceptions.NotFoundException:
            return None
    if found is None:
        return None
    is_ours = found.id == project_id or names.mark(workspace) in (found.tags or [])
    return SeenProject(found.id, found.name, is_ours, bool(found.is_enabled))


def _has_role(connection: Connection, project_id: str) -> bool:
    assigned = identity(connection).role_assignments(
        user_id=connection.current_user_id, scope_project_id=project_id, role_id=own_role_id(connection)
    )
    return any(True for _ in assigned)


def _networks(connection: Connection, project_id: str, mark: str) -> tuple[SeenNetwork, ...]:
    return tuple(
        SeenNetwork(
            network.id,
            network.name,
            mark in (network.tags or []),
            bool(network.is_shared),
            int(network.mtu or 0),
            is_born_ours=network.description == mark,
        )
        for network in connection.network.networks(project_id=project_id)
    )


def _subnets(connection: Connection, project_id: str, mark: str) -> tuple[SeenSubnet, ...]:
    return tuple(
        SeenSubnet(subnet.id, subnet.name, subnet.network_id, subnet.cidr, mark in (subnet.tags or []))
        for subnet in connection.network.subnets(project_id=project_id)
    )


def _routers(connection: Connection, project_id: str, mark: str) -> tuple[SeenRouter, ...]:
    return tuple(
        SeenRouter(
            router.id,
            router.name,
            (router.external_gateway_info or {}).get("network_id"),
            mark in (router.tags or []),
            is_born_ours=router.description == mark,
        )
        for router in connection.network.routers(project_id=project_id)
    )


def _ports(connection: Connection, project_id: str, mark: str) -> tuple[SeenPort, ...]:
    return tuple(_port(port, mark) for port in connection.network.ports(project_id=project_id))


def _port(port: Any, mark: str) -> SeenPort:
    fixed = port.fixed_ips or []
    return SeenPort(
        id=port.id,
        name=port.name or "",
        network_id=port.network_id,
        device_id=port.device_id or "",
        device_owner=port.device_owner or "",
        group_ids=frozenset(port.security_group_ids or ()),
        is_secured=port.is_port_security_enabled is not False,
        subnet_ids=tuple(each["subnet_id"] for each in fixed),
        addresses=tuple(each["ip_address"] for each in fixed),
        is_marked=mark in (port.tags or []) or port.description == mark,
        vnic_type=port.binding_vnic_type or "normal",
    )


def _trunks(connection: Connection, project_id: str, mark: str) -> tuple[SeenTrunk, ...]:
    """None where the cloud's Neutron has no trunks: the path is unknown there."""
    try:
        listed = list(connection.network.trunks(project_id=project_id))
    except exceptions.NotFoundException:
        return ()
    return tuple(
        SeenTrunk(
            trunk.id,
            trunk.name or "",
            trunk.port_id,
            frozenset((str(each["port_id"]), int(each["segmentation_id"])) for each in trunk.sub_ports or ()),
            mark in (trunk.tags or []),
        )
        for trunk in listed
    )


def _servers(
    connection: Connection, project_id: str, workspace: str, expected: frozenset[str]
) -> tuple[SeenServer, ...]:
    listed = {server.id: server for server in connection.compute.servers(all_projects=True, project_id=project_id)}
    for server_id in sorted(expected - listed.keys()):
        try:
            listed[server_id] = connection.compute.get_server(server_id)
        except exceptions.NotFoundException:
            continue
    return tuple(_server(server, workspace) for server in listed.values() if server.status != "DELETED")


def _server(server: Any, workspace: str) -> SeenServer:
    fault = server.fault or {}
    return SeenServer(
        id=server.id,
        name=server.name,
        status="DELETING" if server.task_state == "deleting" else server.status,
        is_busy=bool(server.task_state),
        fault=str(fault.get("message", "")),
        host=server.compute_host or "",
        volume_ids=frozenset(str(volume.id) for volume in server.attached_volumes or ()),
        is_marked=(server.metadata or {}).get("tresor_workspace") == workspace,
    )


def _made(connection: Connection, domain: str, step: Step) -> str | None:
    found: Any = None
    match step:
        case CreateProject(name=name):
            found = identity(connection).projects(name=name, domain_id=domain_id(connection, domain))
        case CreateNetwork(project_id=project_id, name=name):
            found = connection.network.networks(project_id=project_id, name=name)
        case CreateSubnet(network_id=network_id, cidr=cidr):
            found = connection.network.subnets(network_id=network_id, cidr=cidr)
        case CreateRouter(project_id=project_id, name=name):
            found = connection.network.routers(project_id=project_id, name=name)
        case CreatePort(project_id=project_id, name=name):
            found = connection.network.ports(project_id=project_id, name=name)
        case CreateTrunk(parent_id=parent_id):
            found = connection.network.trunks(port_id=parent_id)
        case CreateServer(project_id=project_id, name=name):
            listed = connection.compute.servers(all_projects=True, project_id=project_id)
            found = (server for server in listed if server.name == name)
        case AttachVolume(server_id=server_id, volume_id=volume_id):
            attached = connection.compute.volume_attachments(server_id)
            return next((str(each.volume_id) for each in attached if each.volume_id == volume_id), None)
        case _:
            return None
    return next((str(each.id) for each in found), None)
