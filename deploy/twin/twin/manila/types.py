"""Share types."""

from typing import TYPE_CHECKING, Any

from twin.core.errors import ApiError
from twin.core.http import Reply, Request
from twin.core.table import Row

if TYPE_CHECKING:
    from twin.manila.service import Manila


def routes(manila: "Manila") -> None:
    """Registers this room's paths."""
    router = manila.router
    router.add("GET", "/v2/types", lambda request: _list(manila, request))
    router.add("POST", "/v2/types", lambda request: _create(manila, request))
    router.add("GET", "/v2/types/default", lambda request: Reply(200, _both(next(iter(manila.types)))))
    router.add("GET", "/v2/types/{id}", lambda request: Reply(200, _both(_row(manila, request))))
    router.add("DELETE", "/v2/types/{id}", lambda request: _delete(manila, request))
    router.add(
        "GET",
        "/v2/types/{id}/extra_specs",
        lambda request: Reply(200, {"extra_specs": _row(manila, request)["extra_specs"]}),
    )


def add_type(manila: "Manila", name: str, extra_specs: dict[str, Any]) -> Row:
    """A new type."""
    specs = {
        **extra_specs,
        "create_share_from_snapshot_support": False,
        "revert_to_snapshot_support": False,
        "mount_snapshot_support": False,
    }
    return manila.types.add(
        {"id": manila.cloud.chance.uuid("share_type"), "name": name, "extra_specs": specs, "description": None}
    )


def _view(row: Row) -> dict[str, Any]:
    return {
        "id": row["id"],
        "name": row["name"],
        "extra_specs": dict(row["extra_specs"]),
        "required_extra_specs": {
            "driver_handles_share_servers": row["extra_specs"].get("driver_handles_share_servers")
        },
        "share_type_access:is_public": True,
        "description": row["description"],
        "is_default": row["name"] == "nfs",
    }


def _both(row: Row) -> dict[str, Any]:
    return {"volume_type": _view(row), "share_type": _view(row)}


def _row(manila: "Manila", request: Request) -> Row:
    row = manila.types.get(request.params["id"])
    if row is None:
        raise ApiError(404, f"Share type {request.params['id']} could not be found.")
    return row


def _list(manila: "Manila", request: Request) -> Reply:
    views = [_view(row) for row in manila.types]
    return Reply(200, {"volume_types": views, "share_types": views})


def _create(manila: "Manila", request: Request) -> Reply:
    manila.need_admin(request, "share_type:create")
    body = request.json().get("share_type") or request.json().get("volume_type") or {}
    name = str(body.get("name") or "")
    if not name or "driver_handles_share_servers" not in (body.get("extra_specs") or {}):
        raise ApiError(400, "Invalid input: Required extra spec driver_handles_share_servers is not set.")
    if manila.types.where(name=name):
        raise ApiError(409, f"Share Type {name} already exists.")
    return Reply(200, _both(add_type(manila, name, dict(body["extra_specs"]))))


def _delete(manila: "Manila", request: Request) -> Reply:
    manila.need_admin(request, "share_type:delete")
    row = _row(manila, request)
    if any(share["type_id"] == row["id"] for share in manila.shares):
        raise ApiError(400, f"Target share type with id {row['id']} is still in use.")
    manila.types.remove(row["id"])
    return Reply(202)
