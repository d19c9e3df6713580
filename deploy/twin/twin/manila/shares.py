"""Shares: creating → available, extending, deleting."""

from typing import TYPE_CHECKING, Any

from twin.core.caller import Caller
from twin.core.clock import micros
from twin.core.errors import ApiError
from twin.core.http import Reply, Request, literal, truth
from twin.core.table import Row

if TYPE_CHECKING:
    from twin.manila.service import Manila

PROTOCOLS = ("NFS", "CIFS", "CEPHFS")
DELETABLE = ("available", "error", "inactive")


def routes(manila: "Manila") -> None:
    """Registers this room's paths."""
    router = manila.router
    router.add("GET", "/v2/shares", lambda request: _list(manila, request, detail=False))
    router.add("GET", "/v2/shares/detail", lambda request: _list(manila, request, detail=True))
    router.add("POST", "/v2/shares", lambda request: _create(manila, request))
    base = "/v2/shares/{id}"
    router.add("GET", base, lambda request: Reply(200, {"share": view(manila, manila.share(request), request)}))
    router.add("PUT", base, lambda request: _update(manila, request))
    router.add("DELETE", base, lambda request: _delete(manila, request))


def view(manila: "Manila", row: Row, request: Request) -> dict[str, Any]:
    """A share in full."""
    kind = manila.types.get(row["type_id"])
    base = f"{manila.cloud.base_url}/share"
    shown: dict[str, Any] = {
        "id": row["id"],
        "size": row["size"],
        "availability_zone": "nova" if row["status"] != "creating" else None,
        "created_at": micros(row["created"]),
        "status": row["status"],
        "name": row["name"],
        "description": row["description"],
        "project_id": row["project_id"],
        "snapshot_id": None,
        "share_network_id": None,
        "share_proto": row["proto"],
        "metadata": dict(row["metadata"]),
        "share_type": row["type_id"],
        "volume_type": kind["name"] if kind else None,
        "links": [
            {"rel": "self", "href": f"{base}/v2/shares/{row['id']}"},
            {"rel": "bookmark", "href": f"{base}/shares/{row['id']}"},
        ],
        "is_public": row["is_public"],
        "snapshot_support": True,
        "task_state": None,
        "share_type_name": kind["name"] if kind else None,
        "access_rules_status": rules_status(manila, row),
        "replication_type": None,
        "has_replicas": False,
        "user_id": row["user_id"],
        "create_share_from_snapshot_support": False,
        "revert_to_snapshot_support": False,
        "share_group_id": None,
        "source_share_group_snapshot_member_id": None,
        "mount_snapshot_support": False,
        "progress": None if row["status"] == "creating" else "100%",
        "is_soft_deleted": False,
        "scheduled_to_be_deleted_at": None,
        "source_backup_id": None,
    }
    if request.caller.is_admin:
        shown.update(share_server_id=None, host=row["host"])
    return shown


def rules_status(manila: "Manila", row: Row) -> str:
    """How far the access rules are applied."""
    states = {rule["state"] for rule in manila.rules.where(share_id=row["id"])}
    if "error" in states:
        return "error"
    return "active" if states <= {"active"} else "syncing"


def _list(manila: "Manila", request: Request, *, detail: bool) -> Reply:
    caller = request.caller
    if request.flag("all_tenants") and caller.is_admin:
        rows = list(manila.shares)
    elif caller.project_id:
        rows = [row for row in manila.shares if row["project_id"] == caller.project_id or row["is_public"]]
    else:
        rows = []
    for name, key in (("name", "name"), ("status", "status"), ("project_id", "project_id"), ("share_proto", "proto")):
        if request.one(name):
            rows = [row for row in rows if row[key] == request.one(name)]
    metadata = literal(request.one("metadata"))
    rows = [row for row in reversed(rows) if metadata.items() <= row["metadata"].items()]
    offset = int(request.one("offset")) if request.one("offset").isdigit() else 0
    marker = request.one("marker")
    if marker:
        offset = next((index + 1 for index, row in enumerate(rows) if row["id"] == marker), len(rows))
    limit = int(request.one("limit")) if request.one("limit").isdigit() else 1000
    rows = rows[offset : offset + limit]
    if detail:
        return Reply(200, {"shares": [view(manila, row, request) for row in rows]})
    base = f"{manila.cloud.base_url}/share"
    brief = [
        {
            "id": row["id"],
            "name": row["name"],
            "links": [
                {"rel": "self", "href": f"{base}/v2/shares/{row['id']}"},
                {"rel": "bookmark", "href": f"{base}/shares/{row['id']}"},
            ],
        }
        for row in rows
    ]
    return Reply(200, {"shares": brief})


def _create(manila: "Manila", request: Request) -> Reply:
    from twin.manila.service import BACKENDS

    body = request.body("share")
    caller = request.caller
    protocol = str(body.get("share_proto") or "").upper()
    if protocol not in PROTOCOLS:
        raise ApiError(
            400,
            f"Invalid input received: Invalid share protocol provided: {protocol}. It is either disabled or unsupported. "
            f"Available protocols: {list(PROTOCOLS)}.",
        )
    size = body.get("size")
    if not str(size).isdigit() or int(str(size)) < 1:
        message = f"Invalid input received: Share size '{size}' must be an integer and greater than 0."
        raise ApiError(400, message)
    size = int(str(size))
    kind = _type(manila, body.get("share_type") or body.get("volume_type"))
    manila.quotas.check(caller.project_id, size, new=True)
    backend = str(kind["extra_specs"].get("share_backend_name") or BACKENDS.get(protocol, "labnfs"))
    row: Row = {
        "id": manila.cloud.chance.uuid("share"),
        "instance_id": manila.cloud.chance.uuid("share_instance"),
        "export_id": manila.cloud.chance.uuid("export_location"),
        "project_id": caller.project_id,
        "user_id": caller.user_id,
        "name": body.get("name") or body.get("display_name"),
        "description": body.get("description"),
        "size": size,
        "proto": protocol,
        "status": "creating",
        "type_id": kind["id"],
        "metadata": dict(body.get("metadata") or {}),
        "is_public": truth(body.get("is_public", False)),
        "host": f"ctl@{backend}#fake_pool_for_{backend}",
        "backend": backend,
        "created": manila.cloud.clock.now(),
        "updated": None,
    }
    manila.shares.add(row)

    def start() -> None:
        if row["id"] in manila.shares:
            emit(manila, row, "create.start", caller)

    def done() -> None:
        if row["id"] not in manila.shares or row["status"] != "creating":
            return
        if BACKENDS.get(protocol) != backend:
            row["status"] = "error"
            return
        emit(manila, row, "create.end", caller)
        row.update(status="available", updated=manila.cloud.clock.now())

    manila.cloud.later(row["id"], "start", 0.05, 0.15, start)
    manila.cloud.later(row["id"], "create", 0.3, 1.0, done)
    return Reply(200, {"share": view(manila, row, request)})


def _type(manila: "Manila", asked: Any) -> Row:
    if not asked:
        return manila.types.where(name="nfs")[0]
    found = manila.types.get(str(asked)) or next(iter(manila.types.where(name=str(asked))), None)
    if found is None:
        raise ApiError(404, "Share type not found.")
    return found


def emit(manila: "Manila", row: Row, event: str, caller: Caller) -> None:
    """`share.<event>` on the exchange `openstack`."""
    kind = manila.types.get(row["type_id"])
    creating = row["status"] == "creating"
    payload = {
        "share_id": row["id"],
        "user_id": row["user_id"],
        "project_id": row["project_id"],
        "snapshot_id": None,
        "share_group_id": None,
        "size": row["size"],
        "name": row["name"],
        "description": row["description"],
        "proto": row["proto"],
        "is_public": row["is_public"],
        "availability_zone": None if creating else "nova",
        "host": row["host"],
        "status": row["status"],
        "share_type_id": row["type_id"],
        "share_type": kind["name"] if kind else None,
    }
    elevated = caller.elevated()
    extra: dict[str, object] = {
        "user_id": elevated.user_id,
        "project_name": elevated.project_name or None,
        "domain_id": None,
        "read_deleted": "no",
        "remote_address": None,
        "timestamp": micros(manila.cloud.clock.now()),
        "quota_class": None,
        "service_catalog": [],
    }
    publisher = f"share.ctl@{row['backend']}"
    manila.cloud.notify("manila", "openstack", publisher, f"share.{event}", payload, elevated, extra=extra)


def _update(manila: "Manila", request: Request) -> Reply:
    row = manila.share(request)
    body = request.body("share")
    if "display_name" in body or "name" in body:
        manila.shares.change(row, name=body.get("display_name", body.get("name")))
    if "display_description" in body or "description" in body:
        row["description"] = body.get("display_description", body.get("description"))
    if "is_public" in body:
        row["is_public"] = truth(body["is_public"])
    return Reply(200, {"share": view(manila, row, request)})


def _delete(manila: "Manila", request: Request) -> Reply:
    row = manila.share(request)
    if row["status"] not in DELETABLE:
        raise ApiError(403, f"Invalid share: Share status must be one of {DELETABLE}.")
    begin_delete(manila, row, request.caller)
    return Reply(202)


def begin_delete(manila: "Manila", row: Row, caller: Caller) -> None:
    """Deleting; gone after the driver's work."""
    row["status"] = "deleting"

    def start() -> None:
        emit(manila, row, "delete.start", caller)

    def gone() -> None:
        if row["id"] in manila.shares:
            emit(manila, row, "delete.end", caller)
            for rule in manila.rules.where(share_id=row["id"]):
                manila.rules.remove(rule["id"])
            manila.shares.remove(row["id"])

    manila.cloud.later(row["id"], "delete.start", 0.05, 0.15, start)
    manila.cloud.later(row["id"], "delete", 0.2, 0.8, gone)


def extend(manila: "Manila", row: Row, size: int, caller: Caller) -> None:
    """Extending, or shrinking, to a size in GiB."""
    grow = size > row["size"]
    row["status"] = "extending" if grow else "shrinking"

    def done() -> None:
        if row["id"] in manila.shares and row["status"] in ("extending", "shrinking"):
            row.update(status="available", size=size, updated=manila.cloud.clock.now())

    manila.cloud.later(row["id"], f"size:{size}", 0.2, 0.6, done)
