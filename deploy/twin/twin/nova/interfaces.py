"""`os-interface` and `os-security-groups` of a server."""

from typing import TYPE_CHECKING, Any

from twin.core.errors import ApiError
from twin.core.http import Reply, Request
from twin.core.table import Row
from twin.nova import events, lifecycle, networking
from twin.nova.networking import Wanted

if TYPE_CHECKING:
    from twin.nova.service import Nova


def routes(nova: "Nova") -> None:
    """Registers this room's paths."""
    router = nova.router
    base = "/v2.1/servers/{id}/os-interface"
    router.add("GET", base, lambda request: _list(nova, request))
    router.add("POST", base, lambda request: _attach(nova, request))
    router.add("GET", base + "/{port}", lambda request: _show(nova, request))
    router.add("DELETE", base + "/{port}", lambda request: _detach(nova, request))
    router.add("GET", "/v2.1/servers/{id}/os-security-groups", lambda request: _groups(nova, request))


def _view(port: Row, request: Request) -> dict[str, Any]:
    view = {
        "port_state": port["status"],
        "fixed_ips": [dict(ip) for ip in port["fixed_ips"]],
        "mac_addr": port["mac_address"],
        "net_id": port["network_id"],
        "port_id": port["id"],
    }
    if request.microversion >= (2, 70):
        view["tag"] = None
    return view


def _list(nova: "Nova", request: Request) -> Reply:
    server = nova.server(request)
    return Reply(200, {"interfaceAttachments": [_view(port, request) for port in nova.ports_of(server)]})


def _port(nova: "Nova", request: Request, server: Row) -> Row:
    port = nova.cloud.neutron.ports.table.get(request.params["port"])
    if port is None or port["id"] not in server["ports"]:
        raise ApiError(404, f"Port id {request.params['port']} could not be found.")
    return port


def _show(nova: "Nova", request: Request) -> Reply:
    return Reply(200, {"interfaceAttachment": _view(_port(nova, request, nova.server(request)), request)})


def _check(server: Row, request: Request) -> None:
    from twin.nova.actions import check_state

    lifecycle.check_unlocked(server, request.caller)
    check_state(server, "attach_interface", ("active", "paused", "stopped"))


def _attach(nova: "Nova", request: Request) -> Reply:
    server = nova.server(request)
    _check(server, request)
    asked = request.json().get("interfaceAttachment") or {}
    body: dict[str, Any] = {"networks": "auto"}
    if asked.get("port_id"):
        body = {"networks": [{"port": asked["port_id"]}]}
    elif asked.get("net_id"):
        fixed = (asked.get("fixed_ips") or [{}])[0].get("ip_address")
        body = {"networks": [{"uuid": asked["net_id"], "fixed_ip": fixed}]}
    try:
        wanted = networking.wanted_networks(nova, body, request.caller)
    except ApiError as error:
        status = 404 if "could not be found" in error.message else error.status
        raise ApiError(status, error.message) from None
    lifecycle.record(nova, server, "attach_interface", request.caller)
    lifecycle.stamp(nova, server, request.caller)
    events.action(nova, server, None, "interface_attach.start")
    port = networking.plug(nova, server, wanted[0] if wanted else Wanted())
    nova.cloud.neutron.ports.plugged(port["id"])
    events.action(nova, server, None, "interface_attach.end")
    return Reply(200, {"interfaceAttachment": _view(port, request)})


def _detach(nova: "Nova", request: Request) -> Reply:
    server = nova.server(request)
    _check(server, request)
    port = _port(nova, request, server)
    lifecycle.record(nova, server, "detach_interface", request.caller)
    lifecycle.stamp(nova, server, request.caller)

    def detach() -> None:
        if server["id"] in nova.servers and port["id"] in server["ports"]:
            events.action(nova, server, None, "interface_detach.start")
            networking.release(nova, server, port["id"], server["initiator"])
            events.action(nova, server, None, "interface_detach.end")

    nova.cloud.later(server["id"], f"detach:{port['id']}", 0.1, 0.4, detach)
    return Reply(202)


def _groups(nova: "Nova", request: Request) -> Reply:
    server = nova.server(request)
    table = nova.cloud.neutron.groups.table
    groups: dict[str, dict[str, Any]] = {}
    for port in nova.ports_of(server):
        for group_id in port["security_groups"]:
            group = table.get(group_id)
            if group is not None:
                groups[group_id] = {
                    "id": group_id,
                    "name": group["name"],
                    "description": group["description"],
                    "tenant_id": group["project_id"],
                    "rules": [],
                }
    return Reply(200, {"security_groups": list(groups.values())})
