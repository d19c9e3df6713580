"""Compute services, hypervisors, availability zones."""

from typing import TYPE_CHECKING, Any

from twin.core.clock import micros, whole, zulu
from twin.core.errors import ApiError
from twin.core.http import Reply, Request
from twin.core.table import Row
from twin.nova import events, payloads
from twin.nova.paging import paged

if TYPE_CHECKING:
    from twin.nova.service import Nova


def routes(nova: "Nova") -> None:
    """Registers this room's paths."""
    router = nova.router
    router.add("GET", "/v2.1/os-services", lambda request: _services(nova, request))
    router.add("PUT", "/v2.1/os-services/{id}", lambda request: _update(nova, request))
    router.add("DELETE", "/v2.1/os-services/{id}", lambda request: _delete(nova, request))
    router.add("GET", "/v2.1/os-hypervisors", lambda request: _hypervisors(nova, request, detail=False))
    router.add("GET", "/v2.1/os-hypervisors/detail", lambda request: _hypervisors(nova, request, detail=True))
    router.add("GET", "/v2.1/os-hypervisors/{id}", lambda request: _hypervisor(nova, request))
    router.add("GET", "/v2.1/os-availability-zone", lambda request: _zones(nova, request, detail=False))
    router.add("GET", "/v2.1/os-availability-zone/detail", lambda request: _zones(nova, request, detail=True))
    router.add("GET", "/v2.1/os-aggregates", lambda request: Reply(200, {"aggregates": []}))


def add_host(nova: "Nova", host: str, kind: str, binary: str = "nova-compute") -> Row:
    """A compute service; kind is hypervisor, ironic or control."""
    return nova.hosts.add(
        {
            "id": nova.cloud.chance.uuid("compute_service"),
            "host": host,
            "kind": kind,
            "binary": binary,
            "hypervisor_id": nova.cloud.chance.uuid("hypervisor"),
            "disabled": False,
            "disabled_reason": None,
            "forced_down": False,
            "updated": whole(nova.cloud.clock.now()),
        }
    )


def _service(nova: "Nova", row: Row) -> dict[str, Any]:
    return {
        "binary": row["binary"],
        "host": row["host"],
        "id": row["id"],
        "zone": "internal" if row["kind"] == "control" else "nova",
        "status": "disabled" if row["disabled"] else "enabled",
        "state": "down" if row["forced_down"] else "up",
        "updated_at": micros(whole(nova.cloud.clock.now())),
        "disabled_reason": row["disabled_reason"],
        "forced_down": row["forced_down"],
    }


def _services(nova: "Nova", request: Request) -> Reply:
    nova.need_admin(request, "os_compute_api:os-services:list")
    rows = [_service(nova, row) for row in nova.hosts]
    wanted = [(name, value) for name, value in request.query if name in ("host", "binary")]
    return Reply(200, {"services": [row for row in rows if all(row[name] == value for name, value in wanted)]})


def _update(nova: "Nova", request: Request) -> Reply:
    nova.need_admin(request, "os_compute_api:os-services:update")
    row = nova.hosts.get(request.params["id"])
    if row is None:
        raise ApiError(404, f"Service {request.params['id']} could not be found.")
    body = request.json()
    if "status" in body:
        if body["status"] not in ("enabled", "disabled"):
            raise ApiError(400, f"Invalid input for field/attribute status. Value: {body['status']}.")
        row["disabled"] = body["status"] == "disabled"
        row["disabled_reason"] = body.get("disabled_reason") if row["disabled"] else None
    if "forced_down" in body:
        row["forced_down"] = bool(body["forced_down"])
    data = {
        "host": row["host"],
        "binary": row["binary"],
        "topic": "compute",
        "report_count": 12,
        "disabled": row["disabled"],
        "disabled_reason": row["disabled_reason"],
        "availability_zone": None,
        "last_seen_up": zulu(nova.cloud.clock.now()),
        "forced_down": row["forced_down"],
        "version": 74,
        "uuid": row["id"],
    }
    document = payloads.wrap("ServiceStatusPayload", "1.1", data)
    events.versioned(nova, f"nova-compute:{row['host']}", "service.update", document, request.caller)
    return Reply(200, {"service": _service(nova, row)})


def _delete(nova: "Nova", request: Request) -> Reply:
    nova.need_admin(request, "os_compute_api:os-services:delete")
    row = nova.hosts.get(request.params["id"])
    if row is None:
        raise ApiError(404, f"Service {request.params['id']} not found.")
    if nova.servers.where(host=row["host"]):
        message = "Unable to delete compute service that is hosting instances. Migrate or delete the instances first."
        raise ApiError(409, message)
    nova.hosts.remove(row["id"])
    return Reply(204)


def _rows(nova: "Nova") -> list[Row]:
    rows = [row for row in nova.hosts if row["kind"] == "hypervisor"]
    ironic = next((row for row in nova.hosts if row["kind"] == "ironic"), None)
    if ironic is not None:
        shown = ("available", "active", "deploying", "cleaning", "deleting")
        nodes = [node["id"] for node in nova.cloud.ironic.nodes if node["provision_state"] in shown]
        rows.extend({**ironic, "hypervisor_id": node, "node": node} for node in nodes)
    return rows


def _view(row: Row, *, detail: bool) -> dict[str, Any]:
    view: dict[str, Any] = {
        "id": row["hypervisor_id"],
        "hypervisor_hostname": row.get("node", row["host"]),
        "state": "down" if row["forced_down"] else "up",
        "status": "disabled" if row["disabled"] else "enabled",
    }
    if detail:
        view.update(
            {
                "hypervisor_type": "ironic" if row["kind"] == "ironic" else "fake",
                "hypervisor_version": 1000 if row["kind"] != "ironic" else 1,
                "host_ip": "127.0.0.1",
                "service": {"id": row["id"], "host": row["host"], "disabled_reason": row["disabled_reason"]},
                "uptime": None,
            }
        )
    return view


def _hypervisors(nova: "Nova", request: Request, *, detail: bool) -> Reply:
    nova.need_admin(
        request, "os_compute_api:os-hypervisors:list-detail" if detail else "os_compute_api:os-hypervisors:list"
    )
    rows = [{**row, "service_id": row["id"], "id": row["hypervisor_id"]} for row in _rows(nova)]
    pattern = request.one("hypervisor_hostname_pattern")
    rows = [row for row in rows if pattern in str(row.get("node", row["host"]))]
    rows, more = paged(nova, rows, request, "hypervisors")
    views = [_view({**row, "id": row["service_id"]}, detail=detail) for row in rows]
    if request.flag("with_servers"):
        for view, row in zip(views, rows, strict=True):
            servers = nova.servers.where(host=row["host"])
            view["servers"] = [{"name": one["name"], "uuid": one["id"]} for one in servers]
    return Reply(200, {"hypervisors": views, **more})


def _hypervisor(nova: "Nova", request: Request) -> Reply:
    nova.need_admin(request, "os_compute_api:os-hypervisors:show")
    for row in _rows(nova):
        if row["hypervisor_id"] == request.params["id"]:
            return Reply(200, {"hypervisor": _view(row, detail=True)})
    raise ApiError(404, f"Hypervisor with ID '{request.params['id']}' could not be found.")


def _zones(nova: "Nova", request: Request, *, detail: bool) -> Reply:
    if not detail:
        return Reply(
            200, {"availabilityZoneInfo": [{"zoneName": "nova", "zoneState": {"available": True}, "hosts": None}]}
        )
    nova.need_admin(request, "os_compute_api:os-availability-zone:detail")
    zones: dict[str, dict[str, Any]] = {"internal": {}, "nova": {}}
    for row in nova.hosts:
        zone = "internal" if row["kind"] == "control" else "nova"
        state = {
            "available": not row["forced_down"],
            "active": not row["disabled"],
            "updated_at": micros(row["updated"]),
        }
        zones[zone].setdefault(row["host"], {})[row["binary"]] = state
    info = [{"zoneName": name, "zoneState": {"available": True}, "hosts": hosts} for name, hosts in zones.items()]
    return Reply(200, {"availabilityZoneInfo": info})
