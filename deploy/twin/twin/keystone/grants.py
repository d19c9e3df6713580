"""Role assignments: granting, checking, listing and revoking."""

from typing import TYPE_CHECKING, Any

from twin.core.errors import ApiError
from twin.core.http import Reply, Request
from twin.core.table import Row
from twin.keystone import audit
from twin.keystone.assignments import Assignment

if TYPE_CHECKING:
    from twin.keystone.service import Keystone


def routes(keystone: "Keystone") -> None:
    """Registers this room's paths."""
    router = keystone.router
    router.add("GET", "/v3/role_assignments", lambda request: _list(keystone, request))
    for target in ("projects", "domains"):
        for actor in ("users", "groups"):
            path = f"/v3/{target}/{{target}}/{actor}/{{actor}}/roles"
            room = _Room(keystone, target[:-1], actor[:-1])
            router.add("GET", path, room.list)
            router.add("PUT HEAD DELETE", path + "/{role}", room.one)
    for actor in ("users", "groups"):
        room = _Room(keystone, "system", actor[:-1])
        router.add("GET", f"/v3/system/{actor}/{{actor}}/roles", room.list)
        router.add("PUT HEAD DELETE", f"/v3/system/{actor}/{{actor}}/roles/{{role}}", room.one)


class _Room:
    """Grants of one kind of actor on one kind of target."""

    def __init__(self, keystone: "Keystone", target: str, actor: str) -> None:
        self._keystone = keystone
        self._target = target
        self._actor = actor

    def list(self, request: Request) -> Reply:
        """The roles held directly."""
        self._keystone.need_admin(request, "identity:list_grants")
        actor, target = self._checked(request)
        roles = [
            self._keystone.roles.get(one.role_id)
            for one in self._keystone.assignments.all()
            if (one.actor_kind, one.actor_id, one.target_kind, one.target_id)
            == (self._actor, actor, self._target, target)
        ]
        return self._keystone.listed(request, "roles", [role for role in roles if role is not None])

    def one(self, request: Request) -> Reply:
        """Grants (PUT), checks (HEAD) or revokes (DELETE) a role."""
        keystone = self._keystone
        keystone.need_admin(request, "identity:create_grant")
        actor, target = self._checked(request)
        role = request.params["role"]
        if role not in keystone.roles:
            raise ApiError(404, f"Could not find role: {role}.")
        assignment = Assignment(self._actor, actor, self._target, target, role)
        if request.method == "PUT":
            keystone.assignments.add(assignment)
            audit.assigned(keystone, request, "created", self._facts(assignment))
        elif assignment not in keystone.assignments:
            raise ApiError(
                404,
                f"Could not find role assignment with role: {role}, user or group: {actor}, project, domain, or "
                f"system: {target}.",
            )
        elif request.method == "DELETE":
            keystone.assignments.remove(assignment)
            audit.assigned(keystone, request, "deleted", self._facts(assignment))
        return Reply(204)

    def _checked(self, request: Request) -> tuple[str, str]:
        actor = request.params["actor"]
        if actor not in (self._keystone.users if self._actor == "user" else self._keystone.groups):
            raise ApiError(404, f"Could not find {self._actor}: {actor}.")
        if self._target == "system":
            return actor, "all"
        target = request.params["target"]
        if target not in (self._keystone.projects if self._target == "project" else self._keystone.domains):
            raise ApiError(404, f"Could not find {self._target}: {target}.")
        return actor, target

    @staticmethod
    def _facts(assignment: Assignment) -> dict[str, Any]:
        return {
            assignment.target_kind: assignment.target_id,
            assignment.actor_kind: assignment.actor_id,
            "inherited_to_projects": False,
            "role": assignment.role_id,
        }


def _list(keystone: "Keystone", request: Request) -> Reply:
    keystone.need_admin(request, "identity:list_role_assignments")
    names = "include_names" in dict(request.query) and request.one("include_names").lower() not in ("false", "0")
    wanted = {
        "user": request.one("user.id"),
        "group": request.one("group.id"),
        "project": request.one("scope.project.id"),
        "domain": request.one("scope.domain.id"),
        "role": request.one("role.id"),
        "system": request.one("scope.system"),
    }
    held = keystone.assignments.all()
    if "effective" in dict(request.query):
        held = _effective(keystone, held)
    shown = [_view(keystone, request, one, names) for one in held if _wanted(one, wanted)]
    links = {"next": None, "self": request.url_with(), "previous": None}
    return Reply(200, {"role_assignments": shown, "links": links})


def _effective(keystone: "Keystone", held: list[Assignment]) -> list[Assignment]:
    found: dict[Assignment, None] = {}
    for one in held:
        group = keystone.groups.get(one.actor_id) if one.actor_kind == "group" else None
        for user in group["_users"] if group else [one.actor_id]:
            for role in keystone.assignments.effective(user, (one.target_kind, one.target_id)):
                found[Assignment("user", user, one.target_kind, one.target_id, role)] = None
    return list(found)


def _wanted(one: Assignment, wanted: dict[str, str]) -> bool:
    if wanted["system"] and one.target_kind != "system":
        return False
    for kind, actual_kind, actual in (
        ("user", one.actor_kind, one.actor_id),
        ("group", one.actor_kind, one.actor_id),
        ("project", one.target_kind, one.target_id),
        ("domain", one.target_kind, one.target_id),
        ("role", "role", one.role_id),
    ):
        if wanted[kind] and (actual_kind != kind or actual != wanted[kind]):
            return False
    return True


def _view(keystone: "Keystone", request: Request, one: Assignment, names: bool) -> dict[str, Any]:
    actor_table = keystone.users if one.actor_kind == "user" else keystone.groups
    if one.target_kind == "system":
        scope: dict[str, Any] = {"system": {"all": True}}
        place = "/v3/system"
    else:
        table = keystone.projects if one.target_kind == "project" else keystone.domains
        scope = {one.target_kind: _reference(table.get(one.target_id), names and one.target_kind == "project", names)}
        place = f"/v3/{one.target_kind}s/{one.target_id}"
    return {
        "links": {"assignment": request.link(f"{place}/{one.actor_kind}s/{one.actor_id}/roles/{one.role_id}")},
        "scope": scope,
        one.actor_kind: _reference(actor_table.get(one.actor_id), names, names),
        "role": _reference(keystone.roles.get(one.role_id), False, names),
    }


def _reference(row: Row | None, domain: bool, name: bool) -> dict[str, Any]:
    view: dict[str, Any] = {"id": row["id"] if row else ""}
    if name and row:
        view["name"] = row["name"]
    if domain:
        view["domain"] = {"id": "default", "name": "Default"}
    return view
