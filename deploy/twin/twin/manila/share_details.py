"""A share's export locations, instances and metadata."""

from typing import TYPE_CHECKING, Any

from twin.core.clock import micros
from twin.core.errors import ApiError
from twin.core.http import Reply, Request
from twin.manila.shares import rules_status

if TYPE_CHECKING:
    from twin.manila.service import Manila


def routes(manila: "Manila") -> None:
    """Registers this room's paths."""
    router = manila.router
    base = "/v2/shares/{id}"
    router.add("GET", base + "/export_locations", lambda request: _exports(manila, request))
    router.add("GET", base + "/instances", lambda request: _instances(manila, request))
    router.add("GET POST PUT", base + "/metadata", lambda request: _metadata(manila, request))
    router.add("DELETE", base + "/metadata/{key}", lambda request: _drop_metadata(manila, request))


def _exports(manila: "Manila", request: Request) -> Reply:
    row = manila.share(request)
    if row["status"] in ("creating", "error"):
        return Reply(200, {"export_locations": []})
    instance = row["instance_id"]
    name = f"share_{row['id']}_{instance}".replace("-", "_")
    if row["proto"] == "CEPHFS":
        path = f"10.0.0.10:6789,10.0.0.11:6789:/volumes/_nogroup/{instance}/{name}"
    else:
        path = f"10.0.0.20:/fake_path/{name}"
    location: dict[str, Any] = {"id": row["export_id"], "path": path, "preferred": False}
    if request.caller.is_admin:
        location.update(share_instance_id=instance, is_admin_only=False)
    return Reply(200, {"export_locations": [location]})


def _instances(manila: "Manila", request: Request) -> Reply:
    manila.need_admin(request, "share_instance:index")
    row = manila.share(request)
    instance = {
        "id": row["instance_id"],
        "share_id": row["id"],
        "availability_zone": "nova",
        "created_at": micros(row["created"]),
        "host": row["host"],
        "status": row["status"],
        "share_network_id": None,
        "share_server_id": None,
        "access_rules_status": rules_status(manila, row),
        "replica_state": None,
        "share_type_id": row["type_id"],
        "cast_rules_to_readonly": False,
        "progress": "100%",
    }
    return Reply(200, {"share_instances": [instance]})


def _metadata(manila: "Manila", request: Request) -> Reply:
    row = manila.share(request)
    if request.method != "GET":
        values = {str(key): str(value) for key, value in request.body("metadata").items()}
        row["metadata"] = values if request.method == "PUT" else {**row["metadata"], **values}
    return Reply(200, {"metadata": row["metadata"]})


def _drop_metadata(manila: "Manila", request: Request) -> Reply:
    row = manila.share(request)
    key = request.params["key"]
    if key not in row["metadata"]:
        raise ApiError(404, "Metadata item was not found")
    row["metadata"] = {name: value for name, value in row["metadata"].items() if name != key}
    return Reply(200)
