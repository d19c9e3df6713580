"""Snapshots of volumes."""

from typing import TYPE_CHECKING, Any

from twin.cinder import events
from twin.core.clock import micros, whole
from twin.core.errors import ApiError
from twin.core.http import Reply, Request, truth
from twin.core.table import Row
from twin.nova.paging import paged

if TYPE_CHECKING:
    from twin.cinder.service import Cinder


def routes(cinder: "Cinder") -> None:
    """Registers this room's paths."""
    cinder.both("GET", "/snapshots", lambda request: _list(cinder, request))
    cinder.both("GET", "/snapshots/detail", lambda request: _list(cinder, request))
    cinder.both("POST", "/snapshots", lambda request: _create(cinder, request))
    cinder.both("GET", "/snapshots/{id}", lambda request: Reply(200, {"snapshot": _view(_row(cinder, request))}))
    cinder.both("PUT", "/snapshots/{id}", lambda request: _update(cinder, request))
    cinder.both("DELETE", "/snapshots/{id}", lambda request: _delete(cinder, request))


def _view(row: Row, *, new: bool = False) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "id": row["id"],
        "created_at": micros(row["created"]),
        "updated_at": micros(row["updated"]) if row["updated"] else None,
        "name": row["name"],
        "description": row["description"],
        "volume_id": row["volume_id"],
        "status": row["status"],
        "size": row["size"],
        "metadata": dict(row["metadata"]),
        "group_snapshot_id": None,
        "user_id": row["user_id"],
        "consumes_quota": True,
    }
    if not new:
        shown["os-extended-snapshot-attributes:project_id"] = row["project_id"]
        shown["os-extended-snapshot-attributes:progress"] = "100%" if row["status"] == "available" else "0%"
    return shown


def _row(cinder: "Cinder", request: Request) -> Row:
    row = cinder.snapshots.get(request.params["id"])
    if row is None or not request.caller.sees(row["project_id"]):
        raise ApiError(404, f"Snapshot {request.params['id']} could not be found.")
    return row


def _list(cinder: "Cinder", request: Request) -> Reply:
    everybody = request.flag("all_tenants") and request.caller.is_admin
    rows = list(cinder.snapshots) if everybody else cinder.snapshots.where(project_id=request.caller.project_id)
    for name in ("name", "status", "volume_id"):
        if request.one(name):
            rows = [row for row in rows if row[name] == request.one(name)]
    rows, more = paged(cinder, list(reversed(rows)), request, "snapshots")
    return Reply(200, {"snapshots": [_view(row) for row in rows], **more})


def _create(cinder: "Cinder", request: Request) -> Reply:
    body = request.body("snapshot")
    volume = cinder.volume(str(body.get("volume_id")), request.caller)
    if volume["status"] != "available" and not (truth(body.get("force", False)) or volume["status"] == "in-use"):
        message = f"Invalid volume: Volume {volume['id']} status must be available, but current status is: {volume['status']}."
        raise ApiError(400, message)
    caller = request.caller
    cinder.quotas.check(caller.project_id, volume["size"], snapshot=True)
    row: Row = {
        "id": cinder.cloud.chance.uuid("snapshot"),
        "project_id": caller.project_id,
        "user_id": caller.user_id,
        "volume_id": volume["id"],
        "name": body.get("name"),
        "description": body.get("description"),
        "size": volume["size"],
        "status": "creating",
        "metadata": dict(body.get("metadata") or {}),
        "created": whole(cinder.cloud.clock.now()),
        "updated": None,
    }
    cinder.snapshots.add(row)

    def done() -> None:
        if row["id"] in cinder.snapshots:
            events.snapshot(cinder, row, "create.start", caller)
            cinder.touch(row, status="available")
            events.snapshot(cinder, row, "create.end", caller)

    cinder.cloud.later(row["id"], "create", 0.05, 0.3, done)
    return Reply(202, {"snapshot": _view(row, new=True)})


def _update(cinder: "Cinder", request: Request) -> Reply:
    row = _row(cinder, request)
    body = request.body("snapshot")
    cinder.touch(row, **{name: body[name] for name in ("name", "description") if name in body})
    return Reply(200, {"snapshot": _view(row)})


def _delete(cinder: "Cinder", request: Request) -> Reply:
    row = _row(cinder, request)
    caller = request.caller
    if row["status"] not in ("available", "error"):
        message = "Invalid snapshot: Snapshot status must be available or error and must not be part of a group."
        raise ApiError(400, message)
    cinder.touch(row, status="deleting")

    def gone() -> None:
        if row["id"] in cinder.snapshots:
            events.snapshot(cinder, row, "delete.start", caller)
            row["status"] = "deleted"
            events.snapshot(cinder, row, "delete.end", caller)
            cinder.snapshots.remove(row["id"])

    cinder.cloud.later(row["id"], "delete", 0.05, 0.3, gone)
    return Reply(202)
