"""Servers: create, list, show, update, delete, metadata, tags."""

import base64
import binascii
import re
from typing import TYPE_CHECKING, Any

from twin.core.clock import micros, whole
from twin.core.errors import ApiError
from twin.core.http import Reply, Request, truth
from twin.core.table import Row
from twin.nova import events, lifecycle
from twin.nova.networking import Wanted, wanted_networks
from twin.nova.paging import paged
from twin.nova.views import links, server_brief, server_view, status

if TYPE_CHECKING:
    from twin.nova.service import Nova

KNOWN = frozenset(
    (
        "name",
        "flavorRef",
        "imageRef",
        "networks",
        "key_name",
        "metadata",
        "tags",
        "user_data",
        "config_drive",
        "security_groups",
        "availability_zone",
        "description",
        "min_count",
        "max_count",
        "block_device_mapping_v2",
        "adminPass",
        "OS-DCF:diskConfig",
        "personality",
        "host",
        "hypervisor_hostname",
        "hostname",
        "accessIPv4",
        "accessIPv6",
        "return_reservation_id",
        "trusted_image_certificates",
    )
)


def routes(nova: "Nova") -> None:
    """Registers this room's paths."""
    router = nova.router
    router.add("GET", "/v2.1/servers", lambda request: _list(nova, request, detail=False))
    router.add("GET", "/v2.1/servers/detail", lambda request: _list(nova, request, detail=True))
    router.add("POST", "/v2.1/servers", lambda request: _create(nova, request))
    base = "/v2.1/servers/{id}"
    router.add("GET", base, lambda request: Reply(200, {"server": server_view(nova, nova.server(request), request)}))
    router.add("PUT", base, lambda request: _update(nova, request))
    router.add("DELETE", base, lambda request: _delete(nova, request))


def _list(nova: "Nova", request: Request, *, detail: bool) -> Reply:
    caller = request.caller
    everybody = request.flag("all_tenants") or request.one("all_tenants") == ""
    everybody = everybody and any(name == "all_tenants" for name, _ in request.query)
    if everybody and not caller.is_admin:
        action = "detail" if detail else "index"
        raise ApiError(403, f"Policy doesn't allow os_compute_api:servers:{action}:get_all_tenants to be performed.")
    rows = list(nova.servers) if everybody else nova.servers.where(project_id=caller.project_id)
    rows = [row for row in reversed(rows) if _wanted(row, request)]
    rows, more = paged(nova, rows, request, "servers")
    if detail:
        views = [server_view(nova, row, request, single=False) for row in rows]
    else:
        views = [server_brief(nova, row) for row in rows]
    return Reply(200, {"servers": views, **more})


def _wanted(row: Row, request: Request) -> bool:
    for name, value in request.query:
        if not value:
            continue
        if name == "name" and not _name_matches(value, row["name"]):
            return False
        if name == "status" and status(row) not in (one.upper() for one in request.all("status")):
            return False
        if name in ("host", "node", "user_id") and row[name] != value:
            return False
        if name in ("project_id", "tenant_id") and request.flag("all_tenants") and row["project_id"] != value:
            return False
        if name in ("flavor",) and row["flavor"]["id"] != value:
            return False
        if name == "image" and row["image_id"] != value:
            return False
        if name == "uuid" and row["id"] != value:
            return False
        if name == "tags" and not set(value.split(",")) <= set(row["tags"]):
            return False
        if name == "tags-any" and not set(value.split(",")) & set(row["tags"]):
            return False
        if name == "changes-since" and micros(row["updated"] or row["created"]) < value[:19]:
            return False
    return True


def _name_matches(pattern: str, name: str) -> bool:
    try:
        return re.search(pattern, name) is not None
    except re.error:
        return False


def _refuse_schema(body: dict[str, Any], why: str) -> ApiError:
    return ApiError(400, f"Invalid input for field/attribute server. Value: {body}. {why}")


def _create(nova: "Nova", request: Request) -> Reply:
    body = request.body("server")
    document = request.json()
    hints = document.get("os:scheduler_hints") or document.get("OS-SCH-HNT:scheduler_hints") or {}
    unknown = sorted(set(body) - KNOWN)
    if unknown:
        raise _refuse_schema(body, f"Additional properties are not allowed ('{unknown[0]}' was unexpected)")
    for name in ("name", "flavorRef"):
        if not body.get(name):
            raise _refuse_schema(body, f"'{name}' is a required property")
    if request.microversion >= (2, 37) and "networks" not in body:
        raise _refuse_schema(body, "'networks' is a required property")
    flavor = nova.flavors.get(str(body["flavorRef"]).rsplit("/", 1)[-1])
    if flavor is None:
        raise ApiError(400, f"Flavor {body['flavorRef']} could not be found.")
    _check_image(nova, body, request)
    if body.get("key_name") and nova.keypair(request.caller.user_id, body["key_name"]) is None:
        raise ApiError(400, "Invalid key_name provided.")
    _check_user_data(body)
    least, most = int(body.get("min_count") or 1), int(body.get("max_count") or body.get("min_count") or 1)
    if least > most:
        raise ApiError(400, "min_count must be <= max_count")
    wanted = wanted_networks(nova, body, request.caller)
    if most > 1 and any(one.port_id for one in wanted):
        raise ApiError(400, "Unable to launch multiple instances with a single configured port ID.")
    group_id = _check_hints(nova, hints, request)
    count = nova.quotas.claim(request.caller.project_id, flavor, least, most)
    reservation = "r-" + nova.cloud.chance.word("reservation", 8)
    made = [
        _make(nova, request, body, flavor, wanted, group_id, reservation, index, most > 1) for index in range(count)
    ]
    for server in made:
        lifecycle.boot(nova, server)
    first = made[0]
    names = [one.get("name", "default") for one in body.get("security_groups") or [{"name": "default"}]]
    answer = {
        "id": first["id"],
        "links": links(nova, f"servers/{first['id']}"),
        "OS-DCF:diskConfig": "MANUAL",
        "security_groups": [{"name": name} for name in names],
        "adminPass": body.get("adminPass") or nova.cloud.chance.word("password", 12),
    }
    if truth(body.get("return_reservation_id", False)):
        return Reply(202, {"reservation_id": reservation})
    return Reply(202, {"server": answer}, {"Location": request.link(f"/v2.1/servers/{first['id']}")})


def _check_image(nova: "Nova", body: dict[str, Any], request: Request) -> None:
    image_id = str(body.get("imageRef") or "")
    if not image_id:
        if not body.get("block_device_mapping_v2"):
            raise ApiError(400, "Block Device Mapping is Invalid: You must provide a boot source.")
        return
    image = nova.cloud.glance.images.get(image_id)
    if image is None or not nova.cloud.glance.visible(image, request.caller):
        raise ApiError(400, "Can not find requested image")
    if image["status"] != "active":
        raise ApiError(400, f"Image {image_id} is not active.")


def _check_user_data(body: dict[str, Any]) -> None:
    data = body.get("user_data")
    if data:
        try:
            base64.b64decode(str(data), validate=True)
        except (binascii.Error, ValueError):
            raise _refuse_schema(body, f"'{data}' is not a 'base64'") from None
        if len(str(data)) > 65535:
            raise _refuse_schema(body, "user_data is too long")


def _check_hints(nova: "Nova", hints: dict[str, Any], request: Request) -> str | None:
    group_id = hints.get("group")
    if group_id is None:
        return None
    group = nova.server_groups.get(str(group_id))
    if group is None or not request.caller.sees(group["project_id"]):
        raise ApiError(400, f"Instance group {group_id} could not be found.")
    return str(group_id)


def _make(
    nova: "Nova",
    request: Request,
    body: dict[str, Any],
    flavor: Row,
    wanted: list[Wanted],
    group_id: str | None,
    reservation: str,
    index: int,
    several: bool,
) -> Row:
    name = f"{body['name']}-{index + 1}" if several else str(body["name"])
    number = nova.quotas.next_number()
    zone = body.get("availability_zone")
    row: Row = {
        "id": nova.cloud.chance.uuid("server"),
        "name": name,
        "hostname": body.get("hostname") or re.sub(r"[^a-z0-9-]", "-", name.lower()).strip("-")[:63] or "server",
        "project_id": request.caller.project_id,
        "user_id": request.caller.user_id,
        "flavor": flavor,
        "image_id": str(body.get("imageRef") or "") or None,
        "vm_state": "building",
        "task_state": "scheduling",
        "power_state": 0,
        "host": None,
        "claimed": None,
        "node": None,
        "zone": (zone or "nova").partition(":")[0],
        "pinned_zone": zone,
        "forced_host": (zone or "").partition(":")[2] or body.get("host"),
        "metadata": dict(body.get("metadata") or {}),
        "tags": list(body.get("tags") or []),
        "description": body.get("description"),
        "created": whole(nova.cloud.clock.now()),
        "updated": None,
        "launched": None,
        "terminated": None,
        "deleted": None,
        "key_name": body.get("key_name"),
        "user_data": body.get("user_data"),
        "config_drive": truth(body.get("config_drive", False)),
        "reservation_id": reservation,
        "launch_index": index,
        "instance_name": f"instance-{number:08x}",
        "locked": False,
        "locked_reason": None,
        "fault": {},
        "group_id": group_id,
        "ports": [],
        "own_ports": [],
        "volumes": [],
        "wanted": wanted,
        "security_group_names": [str(one.get("name")) for one in body.get("security_groups") or []],
        "initiator": request.caller,
        "history": [],
        "run": 0,
    }
    if group_id is not None:
        group = nova.server_groups.get(group_id)
        if group is not None:
            group["members"] = [*group["members"], row["id"]]
    nova.servers.add(row)
    lifecycle.record(nova, row, "create", request.caller)
    return row


def _update(nova: "Nova", request: Request) -> Reply:
    server = nova.server(request)
    body = request.body("server")
    old = server["vm_state"], server["task_state"]
    if "name" in body:
        server["name"] = str(body["name"])
    if "description" in body:
        server["description"] = body["description"]
    if "hostname" in body:
        server["hostname"] = str(body["hostname"])
    lifecycle.stamp(nova, server, request.caller)
    events.updated(nova, server, *old)
    return Reply(200, {"server": server_view(nova, server, request)})


def _delete(nova: "Nova", request: Request) -> Reply:
    server = nova.server(request)
    lifecycle.check_unlocked(server, request.caller)
    lifecycle.delete(nova, server, request.caller)
    return Reply(204)
