"""Makes the steps' calls."""

import base64
from collections.abc import Callable

from openstack.connection import Connection

from provisioner.cloud import quotas
from provisioner.cloud.reading import domain_id, identity, own_role_id
from provisioner.domain.names import mark
from provisioner.domain.steps import (
    AddInterface,
    AddSubports,
    AttachVolume,
    CreateNetwork,
    CreatePort,
    CreateProject,
    CreateRouter,
    CreateServer,
    CreateSubnet,
    CreateTrunk,
    DeleteNetwork,
    DeletePort,
    DeleteProject,
    DeleteRouter,
    DeleteServer,
    DeleteTrunk,
    ForgetQuota,
    GrantRole,
    RemoveInterface,
    RemoveSubports,
    SetGateway,
    SetQuota,
    SetTag,
    StartServer,
    Step,
)
from shared.cloud import Cloud
from shared.errors import NotFound

Call = Callable[[Connection], str | None]


class Acting:
    """Changes the cloud, one step at a time. As an administrator, save for servers: those belong to the project."""

    def __init__(self, cloud: Cloud, domain: str) -> None:
        self._cloud = cloud
        self._domain = domain

    async def perform(self, step: Step, request_id: str) -> str | None:
        """See `ProvisionerCloud.perform`."""
        match step:
            case CreateServer() | AttachVolume():
                return await self._cloud.call(_in_project(step), request_id=request_id, project_id=step.project_id)
            case DeleteProject(project_id=project_id):
                made = await self._leave(step, request_id)
                self._cloud.forget_project(project_id)
                return made
            case DeleteServer() | DeleteTrunk() | DeletePort() | RemoveSubports():
                return await self._leave(step, request_id)
            case DeleteRouter() | DeleteNetwork() | RemoveInterface() | ForgetQuota():
                return await self._leave(step, request_id)
            case CreateProject():
                return await self._cloud.call(lambda c: _project(c, self._domain, step), request_id=request_id)
            case _:
                return await self._cloud.call(_adding(step), request_id=request_id)

    async def _leave(self, step: Step, request_id: str) -> str | None:
        try:
            return await self._cloud.call(_removing(step), request_id=request_id)
        except NotFound:
            return None


def _project(connection: Connection, domain: str, step: CreateProject) -> str:
    made = identity(connection).create_project(
        name=step.name,
        domain_id=domain_id(connection, domain),
        description=f"Workspace {step.workspace} of Tresor",
        tags=[mark(step.workspace)],
        is_enabled=True,
    )
    return str(made.id)


def _adding(step: Step) -> Call:
    match step:
        case GrantRole(project_id=project_id):
            return lambda c: _grant(c, project_id)
        case SetQuota(project_id=project_id, service=service, limits=limits):
            return lambda c: quotas.write(c, service, project_id, dict(limits))
        case CreateNetwork():
            return lambda c: _network(c, step)
        case CreateSubnet():
            return lambda c: _subnet(c, step)
        case CreateRouter():
            return lambda c: _router(c, step)
        case SetGateway(router_id=router_id, gateway_network_id=network_id):
            return lambda c: str(
                c.network.update_router(router_id, external_gateway_info={"network_id": network_id}).id
            )
        case AddInterface(router_id=router_id, subnet_id=subnet_id):
            return lambda c: str(c.network.add_interface_to_router(router_id, subnet=subnet_id)["port_id"])
        case SetTag():
            return lambda c: _tag(c, step)
        case StartServer(server_id=server_id):
            return lambda c: c.compute.start_server(server_id)
        case _:
            return _wiring(step)


def _wiring(step: Step) -> Call:
    match step:
        case CreatePort():
            return lambda c: _port(c, step)
        case CreateTrunk():
            return lambda c: _trunk(c, step)
        case AddSubports(trunk_id=trunk_id, subports=subports):
            return lambda c: str(c.network.add_trunk_subports(trunk_id, _carried(subports)).id)
        case _:
            raise TypeError(f"{type(step).__name__} adds nothing")


def _removing(step: Step) -> Call:
    match step:
        case DeleteServer(server_id=server_id):
            return lambda c: c.compute.delete_server(server_id, ignore_missing=False)
        case DeletePort(port_id=port_id):
            return lambda c: c.network.delete_port(port_id, ignore_missing=False)
        case DeleteTrunk(trunk_id=trunk_id):
            return lambda c: c.network.delete_trunk(trunk_id, ignore_missing=False)
        case RemoveSubports(trunk_id=trunk_id, port_ids=port_ids):
            gone = [{"port_id": port_id} for port_id in port_ids]
            return lambda c: str(c.network.delete_trunk_subports(trunk_id, gone).id)
        case RemoveInterface(router_id=router_id, subnet_id=subnet_id):
            return lambda c: str(c.network.remove_interface_from_router(router_id, subnet=subnet_id)["port_id"])
        case DeleteRouter(router_id=router_id):
            return lambda c: c.network.delete_router(router_id, ignore_missing=False)
        case DeleteNetwork(network_id=network_id):
            return lambda c: c.network.delete_network(network_id, ignore_missing=False)
        case ForgetQuota(project_id=project_id, service=service):
            return lambda c: quotas.forget(c, service, project_id)
        case DeleteProject(project_id=project_id):
            return lambda c: identity(c).delete_project(project_id, ignore_missing=False)
        case _:
            raise TypeError(f"{type(step).__name__} removes nothing")


def _in_project(step: CreateServer | AttachVolume) -> Call:
    if isinstance(step, CreateServer):
        return lambda c: _server(c, step)
    return lambda c: str(c.compute.create_volume_attachment(step.server_id, volume=step.volume_id).volume_id)


def _grant(connection: Connection, project_id: str) -> None:
    user_id = str(connection.current_user_id)
    identity(connection).assign_project_role_to_user(project_id, user_id, own_role_id(connection))


def _network(connection: Connection, step: CreateNetwork) -> str:
    asked: dict[str, object] = {
        "name": step.name,
        "description": step.tag,
        "project_id": step.project_id,
        "is_shared": False,
        "is_port_security_enabled": True,
    }
    if step.segmentation != "any":
        asked["provider_network_type"] = step.segmentation
    if step.segmentation_id is not None:
        asked["provider_segmentation_id"] = step.segmentation_id
    if step.physical_network is not None:
        asked["provider_physical_network"] = step.physical_network
    made = connection.network.create_network(**asked)
    connection.network.set_tags(made, [step.tag])
    return str(made.id)


def _subnet(connection: Connection, step: CreateSubnet) -> str:
    asked: dict[str, object] = {
        "name": step.name,
        "project_id": step.project_id,
        "network_id": step.network_id,
        "ip_version": step.version,
        "cidr": step.cidr,
        "is_dhcp_enabled": True,
        "dns_nameservers": list(step.nameservers),
    }
    if not step.is_routed:
        asked["gateway_ip"] = None
    if step.version == 6:
        # Addresses that Neutron chose and DHCPv6 hands out: the anti-spoofing rules and the proof know them.
        asked |= {"ipv6_ra_mode": "dhcpv6-stateful", "ipv6_address_mode": "dhcpv6-stateful"}
    made = connection.network.create_subnet(**asked)
    connection.network.set_tags(made, [step.tag])
    return str(made.id)


def _router(connection: Connection, step: CreateRouter) -> str:
    asked: dict[str, object] = {"name": step.name, "description": step.tag, "project_id": step.project_id}
    if step.gateway_network_id:
        asked["external_gateway_info"] = {"network_id": step.gateway_network_id}
    made = connection.network.create_router(**asked)
    connection.network.set_tags(made, [step.tag])
    return str(made.id)


def _port(connection: Connection, step: CreatePort) -> str:
    asked: dict[str, object] = {
        "name": step.name,
        "description": step.tag,
        "project_id": step.project_id,
        "network_id": step.network_id,
        "fixed_ips": [{"subnet_id": subnet_id} for subnet_id in step.subnet_ids],
        "security_groups": [step.group_id],
        "is_port_security_enabled": True,
    }
    if step.vnic_type != "normal":
        asked["binding_vnic_type"] = step.vnic_type
    made = connection.network.create_port(**asked)
    connection.network.set_tags(made, [step.tag])
    return str(made.id)


def _trunk(connection: Connection, step: CreateTrunk) -> str:
    made = connection.network.create_trunk(
        name=step.name, project_id=step.project_id, port_id=step.parent_id, sub_ports=_carried(step.subports)
    )
    connection.network.set_tags(made, [step.tag])
    return str(made.id)


def _carried(subports: tuple[tuple[str, int], ...]) -> list[dict[str, object]]:
    return [{"port_id": port_id, "segmentation_type": "vlan", "segmentation_id": vlan} for port_id, vlan in subports]


def _tag(connection: Connection, step: SetTag) -> str:
    network = connection.network
    readers = {
        "networks": network.get_network,
        "subnets": network.get_subnet,
        "routers": network.get_router,
        "trunks": network.get_trunk,
    }
    found = readers[step.kind](step.resource_id)
    network.set_tags(found, sorted({*(found.tags or []), step.tag}))
    return step.resource_id


def _server(connection: Connection, step: CreateServer) -> str:
    asked: dict[str, object] = {
        "name": step.name,
        "flavor_id": step.flavor_id,
        "image_id": step.image_id,
        "networks": [{"port": port_id} for port_id in step.port_ids],
        "config_drive": True,
        "metadata": dict(step.metadata),
    }
    if step.keypair is not None:
        asked["key_name"] = step.keypair
    if step.user_data:
        asked["user_data"] = base64.b64encode(step.user_data.encode()).decode()
    return str(connection.compute.create_server(**asked).id)
