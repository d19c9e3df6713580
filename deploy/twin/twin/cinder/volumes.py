"""Volumes: creating → available, extending, deleting."""

from typing import TYPE_CHECKING, Any

from twin.cinder import events
from twin.core.caller import Caller
from twin.core.clock import micros, whole
from twin.core.errors import ApiError
from twin.core.http import Reply, Request, literal
from twin.core.table import Row
from twin.nova.paging import paged

if TYPE_CHECKING:
    from twin.cinder.service import Cinder

DELETABLE = ("available", "error", "error_restoring", "error_extending", "error_managing")
HOST = "ctl@lab#fake"


def routes(cinder: "Cinder") -> None:
    """Registers this room's paths."""
    cinder.both("GET", "/volumes", lambda request: _list(cinder, request, detail=False))
    cinder.both("GET", "/volumes/detail", lambda request: _list(cinder, request, detail=True))
    cinder.both("POST", "/volumes", lambda request: _create(cinder, request))
    cinder.both(
        "GET", "/volumes/{id}", lambda request: Reply(200, {"volume": view(cinder, _row(cinder, request), request)})
    )
    cinder.both("PUT", "/volumes/{id}", lambda request: _update(cinder, request))
    cinder.both("DELETE", "/volumes/{id}", lambda request: _delete(cinder, request))
    cinder.both("POST", "/volumes/{id}/action", lambda request: _act(cinder, request))
    cinder.both("GET POST PUT", "/volumes/{id}/metadata", lambda request: _metadata(cinder, request))
    cinder.both("DELETE", "/volumes/{id}/metadata/{key}", lambda request: _drop_metadata(cinder, request))


def _row(cinder: "Cinder", request: Request) -> Row:
    return cinder.volume(request.params["id"], request.caller)


def view(cinder: "Cinder", row: Row, request: Request, *, new: bool = False) -> dict[str, Any]:
    """A volume in full."""
    kind = cinder.types.get(row["type_id"])
    shown: dict[str, Any] = {
        "id": row["id"],
        "status": row["status"],
        "size": row["size"],
        "availability_zone": "nova",
        "created_at": micros(row["created"]),
        "updated_at": micros(row["updated"]) if row["updated"] else None,
        "name": row["name"],
        "description": row["description"],
        "volume_type": kind["name"] if kind else None,
        "snapshot_id": row["snapshot_id"],
        "source_volid": None,
        "metadata": dict(row["metadata"]),
        "links": cinder.links("volumes", row["id"]),
        "user_id": row["user_id"],
        "bootable": "false",
        "encrypted": False,
        "replication_status": None,
        "consistencygroup_id": None,
        "multiattach": row["multiattach"],
        "attachments": [_attachment(one) for one in cinder.attachments.where(volume_id=row["id"]) if one["host"]],
        "group_id": None,
        "shared_targets": new,
        "service_uuid": None if new else cinder.service_uuid,
        "volume_type_id": row["type_id"],
        "consumes_quota": True,
    }
    if not new:
        shown["os-vol-tenant-attr:tenant_id"] = row["project_id"]
    if request.caller.is_admin:
        shown.update(
            {
                "migration_status": None,
                "provider_id": None,
                "cluster_name": None,
                "os-vol-mig-status-attr:migstat": None,
                "os-vol-mig-status-attr:name_id": None,
                "os-vol-host-attr:host": row["host"],
            }
        )
    return shown


def _attachment(one: Row) -> dict[str, Any]:
    return {
        "id": one["volume_id"],
        "attachment_id": one["id"],
        "volume_id": one["volume_id"],
        "server_id": one["instance_id"],
        "host_name": one["host"],
        "device": one["device"],
        "attached_at": micros(one["attached"]) if one["attached"] else None,
    }


def _list(cinder: "Cinder", request: Request, *, detail: bool) -> Reply:
    everybody = request.flag("all_tenants") and request.caller.is_admin
    rows = list(cinder.volumes) if everybody else cinder.volumes.where(project_id=request.caller.project_id)
    for name in ("name", "status", "project_id"):
        wanted = request.one(name)
        if wanted:
            rows = [row for row in rows if row[name] == wanted]
    metadata = literal(request.one("metadata"))
    rows = [row for row in rows if metadata.items() <= row["metadata"].items()]
    rows, more = paged(cinder, list(reversed(rows)), request, "volumes")
    if detail:
        return Reply(200, {"volumes": [view(cinder, row, request) for row in rows], **more})
    brief = [{"id": row["id"], "name": row["name"], "links": cinder.links("volumes", row["id"])} for row in rows]
    return Reply(200, {"volumes": brief, **more})


def _create(cinder: "Cinder", request: Request) -> Reply:
    body = request.body("volume")
    caller = request.caller
    size, snapshot_id = body.get("size"), body.get("snapshot_id")
    if snapshot_id:
        snapshot = cinder.snapshots.get(str(snapshot_id))
        if snapshot is None or not caller.sees(snapshot["project_id"]):
            raise ApiError(404, f"Snapshot {snapshot_id} could not be found.")
        size = size or snapshot["size"]
    if not isinstance(size, int) and not str(size).isdigit():
        raise ApiError(400, f"Invalid input for field/attribute size. Value: {size}. {size} is not of type 'integer'")
    if int(str(size)) < 1:
        raise ApiError(
            400, f"Invalid input for field/attribute size. Value: {size}. {size} is less than the minimum of 1"
        )
    size = int(str(size))
    kind = _type(cinder, body.get("volume_type"))
    cinder.quotas.check(caller.project_id, size, volume=True)
    row: Row = {
        "id": cinder.cloud.chance.uuid("volume"),
        "project_id": caller.project_id,
        "user_id": caller.user_id,
        "name": body.get("name"),
        "description": body.get("description"),
        "size": size,
        "status": "creating",
        "type_id": kind["id"],
        "snapshot_id": snapshot_id,
        "metadata": dict(body.get("metadata") or {}),
        "multiattach": bool(body.get("multiattach", False)),
        "host": HOST,
        "created": whole(cinder.cloud.clock.now()),
        "updated": None,
        "launched": None,
    }
    cinder.volumes.add(row)

    def done() -> None:
        if row["id"] not in cinder.volumes or row["status"] != "creating":
            return
        row["launched"] = whole(cinder.cloud.clock.now())
        events.volume(cinder, row, "create.start", caller, f"volume.{HOST}")
        cinder.touch(row, status="available")
        events.volume(cinder, row, "create.end", caller, f"volume.{HOST}")

    cinder.cloud.later(row["id"], "create", 0.1, 0.6, done)
    return Reply(202, {"volume": view(cinder, row, request, new=True)})


def _type(cinder: "Cinder", asked: Any) -> Row:
    if not asked:
        return cinder.types.where(name="lab")[0]
    found = cinder.types.get(str(asked)) or next(iter(cinder.types.where(name=str(asked))), None)
    if found is None:
        raise ApiError(404, f"Volume type with name {asked} could not be found.")
    return found


def _update(cinder: "Cinder", request: Request) -> Reply:
    row = _row(cinder, request)
    body = request.body("volume")
    events.volume(cinder, row, "update.start", request.caller)
    if "name" in body:
        cinder.volumes.change(row, name=body["name"])
    if "description" in body:
        row["description"] = body["description"]
    if "metadata" in body:
        row["metadata"] = dict(body["metadata"])
    cinder.touch(row)
    events.volume(cinder, row, "update.end", request.caller)
    return Reply(200, {"volume": view(cinder, row, request)})


def _delete(cinder: "Cinder", request: Request) -> Reply:
    row = _row(cinder, request)
    force = request.flag("force") and request.caller.is_admin
    _check_delete(cinder, row, force=force)
    begin_delete(cinder, row, request.caller)
    return Reply(202)


def _check_delete(cinder: "Cinder", row: Row, *, force: bool) -> None:
    attached = cinder.attachments.where(volume_id=row["id"])
    snapshots = cinder.snapshots.where(volume_id=row["id"])
    if (row["status"] not in DELETABLE and not force) or attached or snapshots:
        raise ApiError(
            400,
            f"Invalid volume: Volume status must be {' or '.join(DELETABLE)} and must not be migrating, attached, belong to "
            "a group, have snapshots, awaiting a transfer, or be disassociated from snapshots after volume transfer.",
        )


def begin_delete(cinder: "Cinder", row: Row, caller: Caller) -> None:
    """Deleting; gone after the driver's work."""
    cinder.touch(row, status="deleting")

    def gone() -> None:
        if row["id"] in cinder.volumes:
            events.volume(cinder, row, "delete.start", caller)
            row["status"] = "deleted"
            events.volume(cinder, row, "delete.end", caller)
            cinder.volumes.remove(row["id"])

    cinder.cloud.later(row["id"], "delete", 0.1, 0.5, gone)


def _act(cinder: "Cinder", request: Request) -> Reply:
    row = _row(cinder, request)
    body = request.json()
    name, arguments = next(iter(body.items())) if body else ("", {})
    if name == "os-extend":
        return _extend(cinder, request, row, int((arguments or {}).get("new_size") or 0))
    if name == "os-reset_status":
        if not request.caller.is_admin:
            raise ApiError(
                403, "Policy doesn't allow volume_extension:volume_admin_actions:reset_status to be performed."
            )
        cinder.touch(row, status=str((arguments or {}).get("status") or row["status"]))
        return Reply(202)
    if name == "os-force_delete":
        begin_delete(cinder, row, request.caller)
        return Reply(202)
    if name in ("os-set_bootable", "os-update_readonly_flag", "os-begin_detaching", "os-roll_detaching"):
        return Reply(200 if name == "os-set_bootable" else 202)
    raise ApiError(400, f"There is no such action: {name}")


def _extend(cinder: "Cinder", request: Request, row: Row, size: int) -> Reply:
    if row["status"] not in ("available", "in-use"):
        message = f"Invalid volume: Volume {row['id']} status must be 'available' or 'in-use' to extend, currently {row['status']}."
        raise ApiError(400, message)
    if size <= row["size"]:
        raise ApiError(
            400,
            "Invalid input received: New size for extend must be greater than current size. "
            f"(current: {row['size']}, extended: {size}).",
        )
    cinder.quotas.check(row["project_id"], size - row["size"])
    before = row["status"]
    cinder.touch(row, status="extending")
    caller = request.caller

    def done() -> None:
        if row["id"] in cinder.volumes:
            events.volume(cinder, row, "resize.start", caller)
            cinder.touch(row, status=before, size=size)
            events.volume(cinder, row, "resize.end", caller)

    cinder.cloud.later(row["id"], f"extend:{size}", 0.1, 0.4, done)
    return Reply(202)


def _metadata(cinder: "Cinder", request: Request) -> Reply:
    row = _row(cinder, request)
    if request.method != "GET":
        values = {str(key): str(value) for key, value in request.body("metadata").items()}
        row["metadata"] = values if request.method == "PUT" else {**row["metadata"], **values}
        cinder.touch(row)
    return Reply(200, {"metadata": row["metadata"]})


def _drop_metadata(cinder: "Cinder", request: Request) -> Reply:
    row = _row(cinder, request)
    key = request.params["key"]
    if key not in row["metadata"]:
        raise ApiError(404, f"Volume {row['id']} has no metadata with key {key}.")
    row["metadata"] = {name: value for name, value in row["metadata"].items() if name != key}
    return Reply(200)
