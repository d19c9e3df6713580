"""Nova's side of Neutron: which networks a server asks for, making, binding and releasing its ports."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from twin.core.caller import Caller
from twin.core.errors import ApiError
from twin.core.table import Row

if TYPE_CHECKING:
    from twin.nova.service import Nova


@dataclass(frozen=True, slots=True)
class Wanted:
    """One interface: a port that exists, or a network on which to make one."""

    port_id: str | None = None
    network_id: str | None = None
    fixed_ip: str | None = None


def wanted_networks(nova: "Nova", body: dict[str, Any], caller: Caller) -> list[Wanted]:
    """The interfaces that a request asks for, checked as Nova's API does."""
    asked = body.get("networks", "auto")
    neutron = nova.cloud.neutron
    for one in body.get("security_groups") or []:
        name = str(one.get("name"))
        found = [
            group
            for group in neutron.groups.table.where(project_id=caller.project_id)
            if name in (group["id"], group["name"])
        ]
        if not found and name != "default":
            raise ApiError(400, f"Unable to find security_group with name or id '{name}'")
        if len(found) > 1:
            message = f"Multiple security_group matches found for name '{name}', use an ID to be more specific."
            raise ApiError(409, message)
    if asked == "none":
        return []
    if asked == "auto":
        own = neutron.networks.table.where(project_id=caller.project_id)
        if len(own) > 1:
            message = "Multiple possible networks found, use a Network ID to be more specific."
            raise ApiError(409, message)
        return [Wanted(network_id=network["id"]) for network in own]
    wanted: list[Wanted] = []
    for one in asked:
        if one.get("port"):
            _check_port(nova, str(one["port"]), caller)
            wanted.append(Wanted(port_id=str(one["port"])))
        else:
            _check_network(nova, str(one.get("uuid")), caller)
            wanted.append(Wanted(network_id=str(one["uuid"]), fixed_ip=one.get("fixed_ip")))
    return wanted


def _check_port(nova: "Nova", port_id: str, caller: Caller) -> None:
    port = nova.cloud.neutron.ports.table.get(port_id)
    if port is None or not nova.cloud.neutron.ports.visible(port, caller):
        raise ApiError(400, f"Port id {port_id} could not be found.")
    if port["device_id"]:
        raise ApiError(409, f"Port {port_id} is still in use.")
    if not port["fixed_ips"] and port["port_security_enabled"]:
        raise ApiError(400, f"Port {port_id} requires a FixedIP in order to be used.")


def _check_network(nova: "Nova", network_id: str, caller: Caller) -> None:
    network = nova.cloud.neutron.networks.table.get(network_id)
    if network is None or not nova.cloud.neutron.networks.visible(network, caller):
        raise ApiError(400, f"Network {network_id} could not be found.")
    if network["router:external"] and not network["shared"] and not caller.is_admin:
        raise ApiError(403, f"It is not allowed to create an interface on external network {network_id}")
    if not network["subnets"]:
        raise ApiError(400, f"Network {network_id} requires a subnet in order to boot instances on.")


def plug(nova: "Nova", server: Row, wanted: Wanted) -> Row:
    """Makes or takes the port and binds it to the server's host; ApiError where Neutron refuses."""
    neutron = nova.cloud.neutron
    caller = server["initiator"]
    if wanted.port_id is None:
        port = _make_port(nova, server, wanted, caller)
        server["own_ports"] = [*server["own_ports"], port["id"]]
    else:
        found = neutron.ports.table.get(wanted.port_id)
        if found is None:
            raise ApiError(400, f"Port id {wanted.port_id} could not be found.")
        if found["project_id"] != server["project_id"]:
            raise ApiError(400, f"Port {wanted.port_id} not usable for instance {server['id']}.")
        if found["device_id"] and found["device_id"] != server["id"]:
            raise ApiError(409, f"Port {wanted.port_id} is still in use.")
        port = found
    owner = "compute:" + server["zone"]
    body = {
        "device_id": server["id"],
        "device_owner": owner,
        "binding:host_id": None if server["host"] == "bm" else server["host"],
        "dns_name": server["hostname"],
    }
    update_port(nova, port, body, caller)
    server["ports"] = [*server["ports"], port["id"]]
    return port


def _make_port(nova: "Nova", server: Row, wanted: Wanted, caller: Caller) -> Row:
    neutron = nova.cloud.neutron
    groups = _group_ids(nova, server)
    body: dict[str, Any] = {
        "device_id": server["id"],
        "network_id": wanted.network_id,
        "admin_state_up": True,
        "tenant_id": server["project_id"],
        "project_id": server["project_id"],
    }
    if groups:
        body["security_groups"] = groups
    if wanted.fixed_ip:
        body["fixed_ips"] = [{"ip_address": wanted.fixed_ip}]
    inner = caller.onward(nova.cloud.chance.request_id())
    shown = {name: value for name, value in body.items() if name != "project_id"}
    neutron.ports.emit("create.start", {"port": shown}, inner)
    neutron.ports.check_quota(server["project_id"])
    port = neutron.ports.make(body, caller)
    neutron.ports.emit("create.end", {"port": neutron.ports.view(port, inner)}, inner)
    return port


def _group_ids(nova: "Nova", server: Row) -> list[str]:
    table = nova.cloud.neutron.groups.table
    ids = []
    for name in server["security_group_names"]:
        for group in table.where(project_id=server["project_id"]):
            if name in (group["id"], group["name"]) and group["id"] not in ids:
                ids.append(group["id"])
    return ids


def update_port(nova: "Nova", port: Row, body: dict[str, Any], caller: Caller) -> None:
    """A port update in Nova's own name: the notification that follows says DOWN, the port becomes ACTIVE later."""
    neutron = nova.cloud.neutron
    inner = nova.service_caller("neutron", caller)
    neutron.ports.emit("update.start", {"port": body, "id": port["id"]}, inner)
    applied = {name: value for name, value in body.items() if name != "dns_name"}
    neutron.ports.change(port, dict(applied), inner)
    neutron.ports.touch(port)
    neutron.ports.emit("update.end", {"port": neutron.ports.view(port, inner)}, inner)


def release(nova: "Nova", server: Row, port_id: str, caller: Caller) -> None:
    """Deletes a port that Nova made; frees one that it was given."""
    neutron = nova.cloud.neutron
    port = neutron.ports.table.get(port_id)
    server["ports"] = [one for one in server["ports"] if one != port_id]
    if port is None:
        return
    if port_id in server["own_ports"]:
        server["own_ports"] = [one for one in server["own_ports"] if one != port_id]
        inner = caller.onward(nova.cloud.chance.request_id())
        neutron.ports.emit("delete.start", {"port_id": port_id}, inner)
        last = neutron.ports.final_view(port)
        neutron.ports.drop(port)
        neutron.ports.emit("delete.end", {"port": last, "port_id": port_id}, inner)
        return
    body: dict[str, Any] = {
        "device_id": "",
        "device_owner": "",
        "binding:host_id": None,
        "binding:profile": {},
        "dns_name": "",
    }
    update_port(nova, port, body, caller)


def follow(nova: "Nova", server: Row) -> None:
    """Binds every port to the server's host of now and plugs it there."""
    for port in nova.ports_of(server):
        body: dict[str, Any] = {"binding:host_id": server["host"], "device_owner": "compute:" + server["zone"]}
        update_port(nova, port, body, server["initiator"])
        nova.cloud.neutron.ports.plugged(port["id"])
