"""Volume types."""

from typing import TYPE_CHECKING, Any

from twin.core.errors import ApiError
from twin.core.http import Reply, Request
from twin.core.table import Row

if TYPE_CHECKING:
    from twin.cinder.service import Cinder


def routes(cinder: "Cinder") -> None:
    """Registers this room's paths."""
    cinder.both("GET", "/types", lambda request: _list(cinder, request))
    cinder.both("POST", "/types", lambda request: _create(cinder, request))
    cinder.both("GET", "/types/{id}", lambda request: _show(cinder, request))
    cinder.both("DELETE", "/types/{id}", lambda request: _delete(cinder, request))
    cinder.both("GET POST", "/types/{id}/extra_specs", lambda request: _specs(cinder, request))
    cinder.both("GET", "/types/{id}/encryption", lambda request: Reply(200, {}))


def add_type(cinder: "Cinder", name: str, description: str | None, extra_specs: dict[str, str]) -> Row:
    """A new type."""
    row = {"id": cinder.cloud.chance.uuid("volume_type"), "name": name, "description": description}
    return cinder.types.add({**row, "is_public": True, "extra_specs": extra_specs})


def _view(row: Row, request: Request) -> dict[str, Any]:
    return {
        **row,
        "extra_specs": dict(row["extra_specs"]) if request.caller.is_admin else {},
        "os-volume-type-access:is_public": row["is_public"],
    }


def _list(cinder: "Cinder", request: Request) -> Reply:
    rows = [row for row in cinder.types if request.one("name") in ("", row["name"])]
    return Reply(200, {"volume_types": [_view(row, request) for row in rows]})


def _row(cinder: "Cinder", request: Request) -> Row:
    row_id = request.params["id"]
    row = cinder.types.where(name="lab")[0] if row_id == "default" else cinder.types.get(row_id)
    if row is None:
        raise ApiError(404, f"Volume type {row_id} could not be found.")
    return row


def _show(cinder: "Cinder", request: Request) -> Reply:
    return Reply(200, {"volume_type": _view(_row(cinder, request), request)})


def _need_admin(request: Request) -> None:
    if not request.caller.is_admin:
        raise ApiError(403, "Policy doesn't allow volume_extension:type_create to be performed.")


def _create(cinder: "Cinder", request: Request) -> Reply:
    _need_admin(request)
    body = request.body("volume_type")
    name = str(body.get("name") or "")
    if cinder.types.where(name=name):
        raise ApiError(409, f"Volume Type {name} already exists.")
    row = add_type(cinder, name, body.get("description"), dict(body.get("extra_specs") or {}))
    return Reply(200, {"volume_type": _view(row, request)})


def _delete(cinder: "Cinder", request: Request) -> Reply:
    _need_admin(request)
    row = _row(cinder, request)
    if any(volume["type_id"] == row["id"] for volume in cinder.volumes):
        raise ApiError(400, f"Target volume type {row['id']} is still in use.")
    cinder.types.remove(row["id"])
    return Reply(202)


def _specs(cinder: "Cinder", request: Request) -> Reply:
    row = _row(cinder, request)
    if request.method == "POST":
        _need_admin(request)
        row["extra_specs"] = {**row["extra_specs"], **request.body("extra_specs")}
    return Reply(200, {"extra_specs": row["extra_specs"]})
