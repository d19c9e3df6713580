"""Application credentials."""

from typing import TYPE_CHECKING, Any

from twin.core.errors import ApiError
from twin.core.http import Reply, Request
from twin.core.table import Row
from twin.keystone import audit

if TYPE_CHECKING:
    from twin.keystone.service import Keystone


def routes(keystone: "Keystone") -> None:
    """Registers this room's paths."""
    router = keystone.router
    path = "/v3/users/{user}/application_credentials"
    router.add("GET", path, lambda request: _list(keystone, request))
    router.add("POST", path, lambda request: _create(keystone, request))
    router.add("GET", path + "/{id}", lambda request: _show(keystone, request))
    router.add("DELETE", path + "/{id}", lambda request: _delete(keystone, request))


def _mine(request: Request, action: str) -> str:
    user = request.params["user"]
    if user != request.caller.user_id and not (request.caller.is_admin and action != "create"):
        raise ApiError(
            403, f"You are not authorized to perform the requested action: identity:{action}_application_credential."
        )
    return user


def _shown(keystone: "Keystone", row: Row) -> dict[str, Any]:
    return keystone.shown("application_credentials", row)


def _list(keystone: "Keystone", request: Request) -> Reply:
    return keystone.listed(
        request, "application_credentials", keystone.credentials.where(user_id=_mine(request, "list"))
    )


def _create(keystone: "Keystone", request: Request) -> Reply:
    user = _mine(request, "create")
    body = request.body("application_credential")
    if not body.get("name"):
        raise ApiError(400, "Invalid input for field/attribute application_credential. 'name' is a required property")
    if keystone.credentials.where(user_id=user, name=body["name"]):
        raise ApiError(
            409,
            "Conflict occurred attempting to store application_credential - Duplicate entry found with name "
            f"{body['name']}.",
        )
    held = keystone.assignments.effective(user, ("project", request.caller.project_id))
    roles = _chosen(keystone, body.get("roles"), held)
    secret = body.get("secret") or keystone.cloud.chance.word("secret", 86)
    row: Row = {
        "id": keystone.cloud.chance.hex_id("credential"),
        "name": body["name"],
        "description": body.get("description"),
        "user_id": user,
        "project_id": request.caller.project_id,
        "system": None,
        "expires_at": body.get("expires_at"),
        "unrestricted": bool(body.get("unrestricted", False)),
        "roles": roles,
        "_secret": secret,
    }
    if body.get("access_rules"):
        row["access_rules"] = [
            {"id": keystone.cloud.chance.hex_id("access_rule"), **rule} for rule in body["access_rules"]
        ]
    keystone.credentials.add(row)
    audit.changed(keystone, request, "created", "application_credential", row["id"])
    return Reply(201, {"application_credential": {**_shown(keystone, row), "secret": secret}})


def _chosen(keystone: "Keystone", asked: Any, held: tuple[str, ...]) -> list[dict[str, Any]]:
    ids: list[str] = list(held)
    if asked:
        ids = []
        for one in asked:
            found = [one["id"]] if "id" in one else [role["id"] for role in keystone.roles.where(name=one.get("name"))]
            if not found or found[0] not in held:
                raise ApiError(400, f"Invalid application credential: Could not find role assignment with role: {one}.")
            ids.extend(role for role in keystone.assignments.implied(found[0]) if role not in ids)
    rows = [keystone.roles.get(role_id) for role_id in ids]
    return [{key: row[key] for key in ("id", "name", "domain_id", "description", "options")} for row in rows if row]


def _row(keystone: "Keystone", request: Request, action: str) -> Row:
    user = _mine(request, action)
    row = keystone.credentials.get(request.params["id"])
    if row is None or row["user_id"] != user:
        raise ApiError(404, f"Could not find Application Credential: {request.params['id']}.")
    return row


def _show(keystone: "Keystone", request: Request) -> Reply:
    return Reply(200, {"application_credential": _shown(keystone, _row(keystone, request, "get"))})


def _delete(keystone: "Keystone", request: Request) -> Reply:
    row = _row(keystone, request, "delete")
    keystone.credentials.remove(row["id"])
    audit.changed(keystone, request, "deleted", "application_credential", row["id"])
    return Reply(204)
