"""The attachments API; Nova makes attachments, others read them."""

from typing import TYPE_CHECKING, Any

from twin.core.clock import micros
from twin.core.errors import ApiError
from twin.core.http import Reply, Request
from twin.core.table import Row

if TYPE_CHECKING:
    from twin.cinder.service import Cinder


def routes(cinder: "Cinder") -> None:
    """Registers this room's paths."""
    cinder.both("GET", "/attachments", lambda request: _list(cinder, request, detail=False))
    cinder.both("GET", "/attachments/detail", lambda request: _list(cinder, request, detail=True))
    cinder.both("GET", "/attachments/{id}", lambda request: _show(cinder, request))
    cinder.both("DELETE", "/attachments/{id}", lambda request: _delete(cinder, request))


def _view(row: Row, *, detail: bool) -> dict[str, Any]:
    view: dict[str, Any] = {
        "id": row["id"],
        "status": row["status"],
        "instance": row["instance_id"],
        "volume_id": row["volume_id"],
    }
    if detail:
        view["attached_at"] = micros(row["attached"]) if row["attached"] else ""
        view["detached_at"] = ""
        view["attach_mode"] = "rw"
        view["connection_info"] = {}
    return view


def _mine(cinder: "Cinder", row: Row, request: Request) -> bool:
    volume = cinder.volumes.get(row["volume_id"])
    return volume is not None and request.caller.sees(volume["project_id"])


def _list(cinder: "Cinder", request: Request, *, detail: bool) -> Reply:
    rows = [row for row in cinder.attachments if _mine(cinder, row, request)]
    for name in ("instance_id", "volume_id", "status"):
        if request.one(name):
            rows = [row for row in rows if row[name] == request.one(name)]
    if not (request.flag("all_tenants") and request.caller.is_admin):
        own = request.caller.project_id
        rows = [row for row in rows if (cinder.volumes.get(row["volume_id"]) or {}).get("project_id") == own]
    return Reply(200, {"attachments": [_view(row, detail=detail) for row in rows]})


def _row(cinder: "Cinder", request: Request) -> Row:
    row = cinder.attachments.get(request.params["id"])
    if row is None or not _mine(cinder, row, request):
        message = f"Volume attachment could not be found with filter: attachment_id = {request.params['id']}."
        raise ApiError(404, message)
    return row


def _show(cinder: "Cinder", request: Request) -> Reply:
    return Reply(200, {"attachment": _view(_row(cinder, request), detail=True)})


def _delete(cinder: "Cinder", request: Request) -> Reply:
    row = _row(cinder, request)
    server = cinder.cloud.nova.servers.get(row["instance_id"])
    if server is not None and any(one["attachment_id"] == row["id"] for one in server["volumes"]):
        message = f"Detach volume from instance {row['instance_id']} using the Compute API"
        raise ApiError(409, message)
    cinder.detach(row["volume_id"], row["id"], request.caller)
    return Reply(200, {"attachments": []})
