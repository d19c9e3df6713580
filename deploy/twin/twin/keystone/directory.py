"""Users, groups, roles, and the lists of services, endpoints and regions."""

from typing import TYPE_CHECKING, Any

from twin.core.errors import ApiError
from twin.core.http import Reply, Request
from twin.core.table import Row, Table
from twin.keystone import audit

if TYPE_CHECKING:
    from twin.keystone.service import Keystone


def routes(keystone: "Keystone") -> None:
    """Registers this room's paths."""
    router = keystone.router
    for singular, plural in (("user", "users"), ("group", "groups"), ("role", "roles")):
        room = _Room(keystone, singular, plural, getattr(keystone, plural))
        router.add("GET", f"/v3/{plural}", room.list)
        router.add("POST", f"/v3/{plural}", room.create)
        router.add("GET", f"/v3/{plural}/{{id}}", room.show)
        router.add("PATCH", f"/v3/{plural}/{{id}}", room.update)
        router.add("DELETE", f"/v3/{plural}/{{id}}", room.delete)
    router.add("GET", "/v3/users/{id}/projects", lambda request: _projects_of(keystone, request))
    router.add("GET", "/v3/users/{id}/groups", lambda request: _groups_of(keystone, request))
    router.add("GET", "/v3/groups/{id}/users", lambda request: _members(keystone, request))
    router.add("PUT HEAD DELETE", "/v3/groups/{id}/users/{user}", lambda request: _membership(keystone, request))
    for plural, table in (("services", keystone.catalog_services), ("endpoints", keystone.endpoints)):
        _read_only(keystone, plural, table)
    router.add("GET", "/v3/regions", lambda request: _regions(keystone, request))
    for plural in ("limits", "registered_limits"):
        router.add("GET", f"/v3/{plural}", lambda request, name=plural: keystone.listed(request, name, []))  # type: ignore[misc]


def add_user(keystone: "Keystone", name: str, password: str | None, domain_id: str = "default", **more: Any) -> Row:
    """A new user."""
    return keystone.users.add(
        {
            "id": keystone.cloud.chance.hex_id("user"),
            "name": name,
            "domain_id": domain_id,
            "enabled": True,
            "password_expires_at": None,
            "options": {},
            "_password": password,
            **more,
        }
    )


def add_role(keystone: "Keystone", name: str, **more: Any) -> Row:
    """A new role."""
    role_id = keystone.cloud.chance.hex_id("role")
    row = {"id": role_id, "name": name, "domain_id": None, "description": None, "options": {}, **more}
    return keystone.roles.add(row)


class _Room:
    """The common paths of users, groups and roles."""

    def __init__(self, keystone: "Keystone", singular: str, plural: str, table: Table) -> None:
        self._keystone = keystone
        self._singular = singular
        self._plural = plural
        self._table = table

    def list(self, request: Request) -> Reply:
        """All of them, for administrators; roles for anybody who may read."""
        self._keystone.need_admin(request, f"identity:list_{self._plural}")
        return self._keystone.listed(request, self._plural, [*self._table])

    def create(self, request: Request) -> Reply:
        """A new one; 409 for a name taken."""
        keystone = self._keystone
        keystone.need_admin(request, f"identity:create_{self._singular}")
        body = request.body(self._singular)
        name = body.get("name")
        if not name:
            message = (
                f"Invalid input for field/attribute {self._singular}. Value: {body}. 'name' is a required property"
            )
            raise ApiError(400, message)
        if self._table.where(name=name):
            raise ApiError(
                409, f"Conflict occurred attempting to store {self._singular} - Duplicate entry found with name {name}."
            )
        if self._singular == "user":
            more = {key: body[key] for key in ("email", "description", "default_project_id") if key in body}
            row = add_user(keystone, name, body.get("password"), body.get("domain_id") or "default", **more)
            row["enabled"] = body.get("enabled", True)
        elif self._singular == "role":
            row = add_role(keystone, name, description=body.get("description"))
        else:
            row = self._table.add(
                {
                    "id": keystone.cloud.chance.hex_id("group"),
                    "name": name,
                    "domain_id": body.get("domain_id") or "default",
                    "description": body.get("description", ""),
                    "_users": [],
                }
            )
        audit.changed(keystone, request, "created", self._singular, row["id"])
        return Reply(201, {self._singular: keystone.shown(self._plural, row)})

    def show(self, request: Request) -> Reply:
        """One; users may see themselves."""
        if not (self._singular == "user" and request.params["id"] == request.caller.user_id):
            self._keystone.need_admin(request, f"identity:get_{self._singular}")
        return Reply(200, {self._singular: self._keystone.shown(self._plural, self._row(request))})

    def update(self, request: Request) -> Reply:
        """Changes the attributes given."""
        keystone = self._keystone
        keystone.need_admin(request, f"identity:update_{self._singular}")
        row = self._row(request)
        body = request.body(self._singular)
        if "name" in body:
            self._table.change(row, name=body["name"])
        row.update({key: body[key] for key in ("description", "enabled", "email", "default_project_id") if key in body})
        if "password" in body:
            row["_password"] = body["password"]
        keystone.assignments.changed()
        audit.changed(keystone, request, "updated", self._singular, row["id"])
        return Reply(200, {self._singular: keystone.shown(self._plural, row)})

    def delete(self, request: Request) -> Reply:
        """Deletes it with its assignments."""
        keystone = self._keystone
        keystone.need_admin(request, f"identity:delete_{self._singular}")
        row = self._row(request)
        self._table.remove(row["id"])
        keystone.assignments.forget(row["id"])
        if self._singular == "user":
            for credential in keystone.credentials.where(user_id=row["id"]):
                keystone.credentials.remove(credential["id"])
            for group in keystone.groups:
                group["_users"] = [user for user in group["_users"] if user != row["id"]]
        audit.changed(keystone, request, "deleted", self._singular, row["id"])
        return Reply(204)

    def _row(self, request: Request) -> Row:
        row = self._table.get(request.params["id"])
        if row is None:
            raise ApiError(404, f"Could not find {self._singular}: {request.params['id']}.")
        return row


def _read_only(keystone: "Keystone", plural: str, table: Table) -> None:
    def show(request: Request) -> Reply:
        row = table.get(request.params["id"])
        if row is None:
            raise ApiError(404, f"Could not find {plural[:-1]}: {request.params['id']}.")
        return Reply(200, {plural[:-1]: keystone.shown(plural, row)})

    def listed(request: Request) -> Reply:
        keystone.need_admin(request, f"identity:list_{plural}")
        return keystone.listed(request, plural, [*table])

    keystone.router.add("GET", f"/v3/{plural}", listed)
    keystone.router.add("GET", f"/v3/{plural}/{{id}}", show)


def _projects_of(keystone: "Keystone", request: Request) -> Reply:
    user = request.params["id"]
    if user != request.caller.user_id:
        keystone.need_admin(request, "identity:list_user_projects")
    rows = [one for one in keystone.projects if keystone.assignments.effective(user, ("project", one["id"]))]
    return keystone.listed(request, "projects", rows)


def _groups_of(keystone: "Keystone", request: Request) -> Reply:
    rows = [group for group in keystone.groups if request.params["id"] in group["_users"]]
    return keystone.listed(request, "groups", rows)


def _group(keystone: "Keystone", request: Request) -> Row:
    group = keystone.groups.get(request.params["id"])
    if group is None:
        raise ApiError(404, f"Could not find group: {request.params['id']}.")
    return group


def _members(keystone: "Keystone", request: Request) -> Reply:
    keystone.need_admin(request, "identity:list_users_in_group")
    users = [keystone.users.get(user) for user in _group(keystone, request)["_users"]]
    return keystone.listed(request, "users", [user for user in users if user is not None])


def _membership(keystone: "Keystone", request: Request) -> Reply:
    keystone.need_admin(request, "identity:add_user_to_group")
    group = _group(keystone, request)
    user = request.params["user"]
    if user not in keystone.users:
        raise ApiError(404, f"Could not find user: {user}.")
    if request.method == "PUT":
        group["_users"] = [*(one for one in group["_users"] if one != user), user]
    elif user not in group["_users"]:
        raise ApiError(404, f"Could not find user '{user}' in the group '{group['id']}'.")
    elif request.method == "DELETE":
        group["_users"] = [one for one in group["_users"] if one != user]
    if request.method != "HEAD":
        keystone.assignments.changed()
        audit.changed(keystone, request, "updated", "group", group["id"])
    return Reply(204)


def _regions(keystone: "Keystone", request: Request) -> Reply:
    row = {"id": "RegionOne", "description": "", "parent_region_id": None}
    return keystone.listed(request, "regions", [row])
