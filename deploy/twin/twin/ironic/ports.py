"""Ports of bare-metal nodes."""

import re
from typing import TYPE_CHECKING, Any

from twin.core.clock import whole
from twin.core.errors import ApiError
from twin.core.http import Reply, Request
from twin.core.table import Row
from twin.ironic import events
from twin.ironic.nodes import text

if TYPE_CHECKING:
    from twin.ironic.service import Ironic

MAC = re.compile(r"^([0-9a-f]{2}:){5}[0-9a-f]{2}$")


def routes(ironic: "Ironic") -> None:
    """Registers this room's paths."""
    router = ironic.router
    router.add("GET", "/v1/ports", lambda request: _list(ironic, request))
    router.add("GET", "/v1/ports/detail", lambda request: _list(ironic, request, detail=True))
    router.add("POST", "/v1/ports", lambda request: _create(ironic, request))
    router.add("GET", "/v1/ports/{port}", lambda request: Reply(200, _view(ironic, _row(ironic, request))))
    router.add("DELETE", "/v1/ports/{port}", lambda request: _delete(ironic, request))
    router.add("GET", "/v1/nodes/{id}/ports", lambda request: _of_node(ironic, request))


def _view(ironic: "Ironic", row: Row) -> dict[str, Any]:
    base = f"{ironic.cloud.base_url}/baremetal"
    return {
        "uuid": row["id"],
        "created_at": text(row["created"]),
        "updated_at": None,
        "address": row["address"],
        "extra": dict(row["extra"]),
        "internal_info": {},
        "is_smartnic": False,
        "local_link_connection": dict(row["local_link_connection"]),
        "physical_network": row["physical_network"],
        "pxe_enabled": row["pxe_enabled"],
        "node_uuid": row["node_uuid"],
        "name": row["name"],
        "links": [{"href": f"{base}/v1/ports/{row['id']}", "rel": "self"}],
        "portgroup_uuid": None,
    }


def _row(ironic: "Ironic", request: Request) -> Row:
    row = ironic.ports.get(request.params["port"])
    if row is None:
        raise ApiError(404, f"Port {request.params['port']} could not be found.")
    return row


def _shown(ironic: "Ironic", row: Row, *, detail: bool) -> dict[str, Any]:
    view = _view(ironic, row)
    return view if detail else {name: view[name] for name in ("uuid", "address", "links")}


def _list(ironic: "Ironic", request: Request, *, detail: bool = False) -> Reply:
    rows = [row for row in ironic.ports if request.one("address") in ("", row["address"])]
    wanted = request.one("node") or request.one("node_uuid")
    if wanted:
        node = ironic.nodes.get(wanted) or next(iter(ironic.nodes.where(name=wanted)), None)
        rows = [row for row in rows if node is not None and row["node_uuid"] == node["id"]]
    detail = detail or request.flag("detail")
    return Reply(200, {"ports": [_shown(ironic, row, detail=detail) for row in rows]})


def _of_node(ironic: "Ironic", request: Request) -> Reply:
    rows = ironic.ports.where(node_uuid=ironic.node(request)["id"])
    return Reply(200, {"ports": [_shown(ironic, row, detail=False) for row in rows]})


def _create(ironic: "Ironic", request: Request) -> Reply:
    body = request.json()
    address = str(body.get("address") or "").lower()
    if not MAC.match(address):
        raise ApiError(400, f"Expected a MAC address but received {body.get('address')}.")
    if body.get("node_uuid") not in ironic.nodes:
        raise ApiError(400, f"Node {body.get('node_uuid')} could not be found.")
    if ironic.ports.where(address=address):
        raise ApiError(409, f"A port with MAC address {address} already exists.")
    row: Row = {
        "id": body.get("uuid") or ironic.cloud.chance.uuid("baremetal_port"),
        "address": address,
        "node_uuid": body["node_uuid"],
        "extra": dict(body.get("extra") or {}),
        "local_link_connection": dict(body.get("local_link_connection") or {}),
        "physical_network": body.get("physical_network"),
        "pxe_enabled": bool(body.get("pxe_enabled", True)),
        "name": body.get("name"),
        "created": whole(ironic.cloud.clock.now()),
    }
    ironic.ports.add(row)
    # A port's creation is told at its end only: the start is lost on the real bus as well.
    events.port(ironic, row, "create.end", request.caller)
    return Reply(201, _view(ironic, row), {"Location": request.link(f"/v1/ports/{row['id']}")})


def _delete(ironic: "Ironic", request: Request) -> Reply:
    row = _row(ironic, request)
    events.port(ironic, row, "delete.start", request.caller)
    ironic.ports.remove(row["id"])
    events.port(ironic, row, "delete.end", request.caller)
    return Reply(204)
