"""Nodes: create, list, show, patch, maintenance, delete."""

from datetime import datetime
from typing import TYPE_CHECKING, Any

from twin.core.clock import whole
from twin.core.errors import ApiError
from twin.core.http import Reply, Request
from twin.core.table import Row
from twin.ironic import events

if TYPE_CHECKING:
    from twin.ironic.service import Ironic

INTERFACES = (
    "bios",
    "boot",
    "console",
    "deploy",
    "firmware",
    "inspect",
    "management",
    "power",
    "raid",
    "rescue",
    "vendor",
)
SETTABLE = (
    "name",
    "driver",
    "driver_info",
    "properties",
    "extra",
    "resource_class",
    "description",
    "owner",
    "lessee",
    "conductor_group",
    "instance_info",
    "instance_uuid",
    "automated_clean",
    "shard",
    "retired",
    "retired_reason",
    "protected",
    "protected_reason",
    "network_interface",
    "storage_interface",
    *(f"{name}_interface" for name in INTERFACES),
)


def routes(ironic: "Ironic") -> None:
    """Registers this room's paths."""
    router = ironic.router
    router.add("GET", "/v1/nodes", lambda request: _list(ironic, request, detail=request.flag("detail")))
    router.add("GET", "/v1/nodes/detail", lambda request: _list(ironic, request, detail=True))
    router.add("POST", "/v1/nodes", lambda request: _create(ironic, request))
    base = "/v1/nodes/{id}"
    router.add("GET", base, lambda request: _show(ironic, request))
    router.add("PATCH", base, lambda request: _patch(ironic, request))
    router.add("DELETE", base, lambda request: _delete(ironic, request))
    router.add("PUT DELETE", base + "/maintenance", lambda request: _maintenance(ironic, request))
    router.add("GET", base + "/validate", lambda request: _validate(ironic, request))
    router.add("GET", base + "/traits", lambda request: Reply(200, {"traits": ironic.node(request)["traits"]}))
    router.add("GET", base + "/vifs", lambda request: Reply(200, {"vifs": []}))


def text(moment: datetime | None) -> str | None:
    """`2026-11-21T02:47:27+00:00`."""
    return moment.strftime("%Y-%m-%dT%H:%M:%S+00:00") if moment else None


def view(ironic: "Ironic", row: Row) -> dict[str, Any]:
    """A node in full."""
    base = f"{ironic.cloud.base_url}/baremetal"
    shown = {name: value for name, value in row.items() if not name.startswith("_")}
    shown["uuid"] = shown.pop("id")
    for name in ("created", "updated", "provision_updated", "inspection_finished"):
        shown[f"{name}_at"] = text(shown.pop(name))
    shown["links"] = [
        {"href": f"{base}/v1/nodes/{row['id']}", "rel": "self"},
        {"href": f"{base}/nodes/{row['id']}", "rel": "bookmark"},
    ]
    return shown


def _brief(ironic: "Ironic", row: Row) -> dict[str, Any]:
    names = ("instance_uuid", "maintenance", "name", "power_state", "provision_state", "uuid", "links")
    full = view(ironic, row)
    return {name: full[name] for name in names}


def _list(ironic: "Ironic", request: Request, *, detail: bool) -> Reply:
    rows = [row for row in ironic.nodes if ironic.sees(row, request.caller)]
    for name in ("provision_state", "resource_class", "driver", "owner", "instance_uuid", "conductor_group"):
        if request.one(name):
            rows = [row for row in rows if str(row[name]) == request.one(name)]
    for name, key in (("maintenance", "maintenance"), ("associated", "instance_uuid")):
        if request.one(name):
            rows = [row for row in rows if bool(row[key]) == request.flag(name)]
    marker = request.one("marker")
    if marker:
        at = next((index for index, row in enumerate(rows) if row["id"] == marker), -1)
        rows = rows[at + 1 :]
    limit = int(request.one("limit")) if request.one("limit").isdigit() else 1000
    page = rows[:limit]
    fields = [name for value in request.all("fields") for name in value.split(",")]
    views = [view(ironic, row) if detail or fields else _brief(ironic, row) for row in page]
    if fields:
        views = [{name: value for name, value in one.items() if name in (*fields, "links")} for one in views]
    body: dict[str, Any] = {"nodes": views}
    if len(rows) > limit and page:
        body["next"] = request.url_with(marker=page[-1]["id"])
    return Reply(200, body)


def _show(ironic: "Ironic", request: Request) -> Reply:
    shown = view(ironic, ironic.node(request))
    fields = [name for value in request.all("fields") for name in value.split(",")]
    return Reply(200, {name: value for name, value in shown.items() if name in (*fields, "links")} if fields else shown)


def _create(ironic: "Ironic", request: Request) -> Reply:
    if not (request.caller.is_admin and (request.caller.system or "service" in request.caller.roles)):
        raise ApiError(403, "Access was denied to the following resource: baremetal:node:create")
    body = request.json()
    unknown = sorted(set(body) - {*SETTABLE, "uuid", "chassis_uuid", "parent_node"})
    if unknown or not body.get("driver"):
        why = (
            f"Additional properties are not allowed ('{unknown[0]}' was unexpected)"
            if unknown
            else "driver is mandatory"
        )
        raise ApiError(400, f"Schema error for node: {why}")
    if body["driver"] != "fake-hardware":
        raise ApiError(
            400,
            "No valid host was found. Reason: No conductor service registered which supports driver "
            f'{body["driver"]} for conductor group "". Ensure the driver is valid and enabled.',
        )
    if body.get("name") and ironic.nodes.where(name=body["name"]):
        raise ApiError(409, f"A node with name {body['name']} already exists.")
    row = _new(ironic, body)
    events.node(ironic, row, "create.start", "NodeCRUDPayload", request.caller)
    ironic.nodes.add(row)
    events.node(ironic, row, "create.end", "NodeCRUDPayload", request.caller)
    return Reply(201, view(ironic, row), {"Location": request.link(f"/v1/nodes/{row['id']}")})


def _new(ironic: "Ironic", body: dict[str, Any]) -> Row:
    empty: dict[str, Any] = {
        name: {}
        for name in ("clean_step", "deploy_step", "service_step", "driver_info", "driver_internal_info", "extra")
    }
    empty.update(
        {name: {} for name in ("instance_info", "properties", "network_data", "raid_config", "target_raid_config")}
    )
    nothing = (
        "automated_clean",
        "boot_mode",
        "secure_boot",
        "description",
        "fault",
        "inspection_started_at",
        "instance_uuid",
    )
    more = (
        "last_error",
        "lessee",
        "maintenance_reason",
        "name",
        "owner",
        "parent_node",
        "power_state",
        "protected_reason",
    )
    rest = ("reservation", "resource_class", "retired_reason", "shard", "target_power_state", "target_provision_state")
    row: Row = {
        "id": body.get("uuid") or ironic.cloud.chance.uuid("node"),
        **empty,
        **dict.fromkeys((*nothing, *more, *rest)),
        **{f"{name}_interface": "fake" for name in INTERFACES},
        "network_interface": "noop",
        "storage_interface": "noop",
        "conductor_group": "",
        "console_enabled": False,
        "maintenance": False,
        "protected": False,
        "retired": False,
        "traits": [],
        "provision_state": "enroll",
        "created": whole(ironic.cloud.clock.now()),
        "updated": None,
        "provision_updated": None,
        "inspection_finished": None,
    }
    row.update({name: body[name] for name in SETTABLE if name in body})
    return row


def _patch(ironic: "Ironic", request: Request) -> Reply:
    row = ironic.node(request)
    if row["reservation"]:
        raise ApiError(
            409, f"Node {row['id']} is locked by host ctl, please retry after the current operation is completed."
        )
    draft = {name: dict(value) if isinstance(value, dict) else value for name, value in row.items()}
    for change in request.json():
        _apply(draft, change)
    if draft["name"] != row["name"] and draft["name"] and ironic.nodes.where(name=draft["name"]):
        raise ApiError(409, f"A node with name {draft['name']} already exists.")
    events.node(ironic, {**row, **draft}, "update.start", "NodeCRUDPayload", request.caller)
    ironic.nodes.change(row, **{name: draft[name] for name in SETTABLE if name in draft})
    row["updated"] = whole(ironic.cloud.clock.now())
    events.node(ironic, row, "update.end", "NodeCRUDPayload", request.caller)
    return Reply(200, view(ironic, row))


def _apply(draft: Row, change: dict[str, Any]) -> None:
    parts = [part.replace("~1", "/").replace("~0", "~") for part in str(change.get("path", "")).strip("/").split("/")]
    if parts[0] not in SETTABLE:
        raise ApiError(400, f"'/{parts[0]}' is an internal attribute and can not be updated")
    removing = change.get("op") == "remove"
    if len(parts) == 1:
        draft[parts[0]] = ({} if isinstance(draft[parts[0]], dict) else None) if removing else change.get("value")
        return
    holder = draft[parts[0]]
    for part in parts[1:-1]:
        holder = holder.setdefault(part, {})
    if removing:
        if parts[-1] not in holder:
            raise ApiError(
                400, f"Couldn't apply patch '{change}'. Reason: can't remove non-existent object '{parts[-1]}'"
            )
        del holder[parts[-1]]
    else:
        holder[parts[-1]] = change.get("value")


def _delete(ironic: "Ironic", request: Request) -> Reply:
    row = ironic.node(request)
    allowed = ("enroll", "manageable", "available", "error", "inspect failed", "clean failed", "verifying")
    if row["provision_state"] not in allowed and not row["maintenance"]:
        message = f'Can not delete node "{row["id"]}" while it is in provision state "{row["provision_state"]}".'
        raise ApiError(409, message)
    if row["instance_uuid"]:
        raise ApiError(409, f"Node {row['id']} is associated with instance {row['instance_uuid']}.")
    events.node(ironic, row, "delete.start", "NodeCRUDPayload", request.caller)
    for port in ironic.ports.where(node_uuid=row["id"]):
        ironic.ports.remove(port["id"])
    ironic.nodes.remove(row["id"])
    events.node(ironic, row, "delete.end", "NodeCRUDPayload", request.caller)
    return Reply(204)


def _maintenance(ironic: "Ironic", request: Request) -> Reply:
    row = ironic.node(request)
    wanted = request.method == "PUT"
    reason = request.json().get("reason") if wanted else None
    row.update(maintenance=wanted, maintenance_reason=reason, updated=whole(ironic.cloud.clock.now()))
    for phase in ("start", "end"):
        events.node(ironic, row, f"maintenance_set.{phase}", "NodePayload", request.caller)
    return Reply(202)


def _validate(ironic: "Ironic", request: Request) -> Reply:
    ironic.node(request)
    names = (
        "boot",
        "deploy",
        "management",
        "network",
        "power",
        "bios",
        "console",
        "inspect",
        "raid",
        "rescue",
        "storage",
    )
    return Reply(200, {name: {"result": True} for name in names})
