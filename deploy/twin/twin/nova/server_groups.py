"""Server groups with their policies."""

from typing import TYPE_CHECKING, Any

from twin.core.errors import ApiError
from twin.core.http import Reply, Request
from twin.core.table import Row
from twin.nova import events, payloads
from twin.nova.paging import paged

if TYPE_CHECKING:
    from twin.nova.service import Nova

POLICIES = ("anti-affinity", "affinity", "soft-anti-affinity", "soft-affinity")


def routes(nova: "Nova") -> None:
    """Registers this room's paths."""
    router = nova.router
    router.add("GET", "/v2.1/os-server-groups", lambda request: _list(nova, request))
    router.add("POST", "/v2.1/os-server-groups", lambda request: _create(nova, request))
    router.add("GET", "/v2.1/os-server-groups/{id}", lambda request: Reply(200, _view(_row(nova, request), request)))
    router.add("DELETE", "/v2.1/os-server-groups/{id}", lambda request: _delete(nova, request))


def _shape(row: Row, request: Request) -> dict[str, Any]:
    view = {"id": row["id"], "name": row["name"]}
    if request.microversion >= (2, 64):
        view.update(policy=row["policy"], rules=row["rules"])
    else:
        view.update(policies=[row["policy"]], metadata={})
    view["members"] = list(row["members"])
    if request.microversion >= (2, 13):
        view.update(project_id=row["project_id"], user_id=row["user_id"])
    return view


def _view(row: Row, request: Request) -> dict[str, Any]:
    return {"server_group": _shape(row, request)}


def _row(nova: "Nova", request: Request) -> Row:
    row = nova.server_groups.get(request.params["id"])
    if row is None or not request.caller.sees(row["project_id"]):
        raise ApiError(404, f"Instance group {request.params['id']} could not be found.")
    return row


def _list(nova: "Nova", request: Request) -> Reply:
    if request.flag("all_projects") and request.caller.is_admin:
        rows = list(nova.server_groups)
    else:
        rows = nova.server_groups.where(project_id=request.caller.project_id)
    rows, _ = paged(nova, rows, request, "server_groups")
    return Reply(200, {"server_groups": [_shape(row, request) for row in rows]})


def _create(nova: "Nova", request: Request) -> Reply:
    body = request.body("server_group")
    policy = body.get("policy") or (body.get("policies") or [None])[0]
    if not body.get("name") or policy not in POLICIES:
        message = (
            f"Invalid input for field/attribute policy. Value: {policy}. '{policy}' is not one of {list(POLICIES)}"
        )
        raise ApiError(400, message)
    rules = dict(body.get("rules") or {})
    if rules and policy != "anti-affinity":
        raise ApiError(400, "Only anti-affinity policy supports rules.")
    nova.quotas.check_groups(request.caller.project_id)
    row: Row = {
        "id": nova.cloud.chance.uuid("server_group"),
        "name": str(body["name"]),
        "policy": policy,
        "rules": rules,
        "members": [],
        "project_id": request.caller.project_id,
        "user_id": request.caller.user_id,
    }
    nova.server_groups.add(row)
    _emit(nova, request, row, "create")
    return Reply(200, _view(row, request))


def _delete(nova: "Nova", request: Request) -> Reply:
    row = _row(nova, request)
    nova.server_groups.remove(row["id"])
    _emit(nova, request, row, "delete")
    return Reply(204)


def _emit(nova: "Nova", request: Request, row: Row, action: str) -> None:
    plain = {"name": row["name"], "policies": [row["policy"]], "server_group_id": row["id"]}
    events.plain(nova, "servergroup", f"servergroup.{action}", plain, request.caller)
    data = {
        "uuid": row["id"],
        "name": row["name"],
        "user_id": row["user_id"],
        "project_id": row["project_id"],
        "policies": [row["policy"]],
        "members": list(row["members"]),
        "hosts": None,
        "policy": row["policy"],
        "rules": {key: str(value) for key, value in row["rules"].items()},
    }
    document = payloads.wrap("ServerGroupPayload", "1.1", data)
    events.versioned(nova, "nova-api:ctl", f"server_group.{action}", document, request.caller)
