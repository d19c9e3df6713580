"""Projects and domains."""

from typing import TYPE_CHECKING

from twin.core.errors import ApiError
from twin.core.http import Reply, Request
from twin.core.table import Row
from twin.keystone import audit

if TYPE_CHECKING:
    from twin.keystone.service import Keystone


def routes(keystone: "Keystone") -> None:
    """Registers this room's paths."""
    router = keystone.router
    router.add("GET", "/v3/projects", lambda request: _list(keystone, request))
    router.add("POST", "/v3/projects", lambda request: _create(keystone, request))
    router.add("GET", "/v3/projects/{id}", lambda request: _show(keystone, request))
    router.add("PATCH", "/v3/projects/{id}", lambda request: _update(keystone, request))
    router.add("DELETE", "/v3/projects/{id}", lambda request: _delete(keystone, request))
    router.add("GET PUT DELETE", "/v3/projects/{id}/tags", lambda request: _tags(keystone, request))
    router.add("GET PUT DELETE", "/v3/projects/{id}/tags/{tag}", lambda request: _tag(keystone, request))
    router.add("GET", "/v3/domains", lambda request: keystone.listed(request, "domains", list(keystone.domains)))
    router.add("GET", "/v3/domains/{id}", lambda request: _domain(keystone, request))


def add_project(keystone: "Keystone", name: str, description: str = "", domain_id: str = "default") -> Row:
    """A new project."""
    return keystone.projects.add(
        {
            "id": keystone.cloud.chance.hex_id("project"),
            "name": name,
            "domain_id": domain_id,
            "description": description,
            "enabled": True,
            "parent_id": domain_id,
            "is_domain": False,
            "tags": [],
            "options": {},
        }
    )


def _project(keystone: "Keystone", request: Request, action: str) -> Row:
    project_id = request.params["id"]
    if not request.caller.is_admin and request.caller.project_id != project_id:
        raise ApiError(403, f"You are not authorized to perform the requested action: identity:{action}.")
    project = keystone.projects.get(project_id)
    if project is None:
        raise ApiError(404, f"Could not find project: {project_id}.")
    return project


def _list(keystone: "Keystone", request: Request) -> Reply:
    keystone.need_admin(request, "identity:list_projects")
    return keystone.listed(request, "projects", list(keystone.projects))


def _create(keystone: "Keystone", request: Request) -> Reply:
    keystone.need_admin(request, "identity:create_project")
    body = request.body("project")
    name = body.get("name")
    if not name:
        raise ApiError(400, f"Invalid input for field/attribute project. Value: {body}. 'name' is a required property")
    domain = body.get("domain_id") or "default"
    if domain not in keystone.domains:
        raise ApiError(404, f"Could not find domain: {domain}.")
    _refuse_duplicate(keystone, name, domain)
    project = add_project(keystone, name, body.get("description") or "", domain)
    project.update(enabled=body.get("enabled", True), tags=list(body.get("tags") or []))
    audit.changed(keystone, request, "created", "project", project["id"])
    return Reply(201, {"project": keystone.shown("projects", project)})


def _refuse_duplicate(keystone: "Keystone", name: str, domain: str) -> None:
    if keystone.projects.where(name=name, domain_id=domain):
        raise ApiError(
            409,
            "Conflict occurred attempting to store project - it is not permitted to have two projects with either the "
            f"same name or same id in the same domain: name is {name}, project id "
            f"{keystone.cloud.chance.hex_id('refused')}.",
        )


def _show(keystone: "Keystone", request: Request) -> Reply:
    return Reply(200, {"project": keystone.shown("projects", _project(keystone, request, "get_project"))})


def _update(keystone: "Keystone", request: Request) -> Reply:
    keystone.need_admin(request, "identity:update_project")
    project = _project(keystone, request, "update_project")
    body = request.body("project")
    name = str(body.get("name", project["name"]))
    if name != project["name"]:
        _refuse_duplicate(keystone, name, project["domain_id"])
        keystone.projects.change(project, name=name)
    project.update({key: body[key] for key in ("description", "enabled", "tags") if key in body})
    audit.changed(keystone, request, "updated", "project", project["id"])
    return Reply(200, {"project": {**keystone.shown("projects", project), "extra": {}}})


def _delete(keystone: "Keystone", request: Request) -> Reply:
    keystone.need_admin(request, "identity:delete_project")
    project = _project(keystone, request, "delete_project")
    keystone.projects.remove(project["id"])
    keystone.assignments.forget(project["id"])
    for credential in keystone.credentials.where(project_id=project["id"]):
        keystone.credentials.remove(credential["id"])
    audit.changed(keystone, request, "deleted", "project", project["id"])
    return Reply(204)


def _tags(keystone: "Keystone", request: Request) -> Reply:
    project = _project(keystone, request, "list_project_tags")
    if request.method != "GET":
        keystone.need_admin(request, "identity:update_project_tags")
        project["tags"] = list(request.json().get("tags", [])) if request.method == "PUT" else []
        audit.changed(keystone, request, "updated", "project", project["id"])
    if request.method == "DELETE":
        return Reply(204)
    return Reply(200, {"links": {"self": request.link("/v3")}, "tags": project["tags"]})


def _tag(keystone: "Keystone", request: Request) -> Reply:
    project = _project(keystone, request, "get_project_tag")
    tag = request.params["tag"]
    if request.method == "PUT":
        keystone.need_admin(request, "identity:create_project_tag")
        if tag not in project["tags"]:
            project["tags"] = [*project["tags"], tag]
        return Reply(201)
    if tag not in project["tags"]:
        raise ApiError(404, f"Could not find project tag: {tag}.")
    if request.method == "DELETE":
        keystone.need_admin(request, "identity:delete_project_tag")
        project["tags"] = [one for one in project["tags"] if one != tag]
    return Reply(204)


def _domain(keystone: "Keystone", request: Request) -> Reply:
    domain = keystone.domains.get(request.params["id"])
    if domain is None:
        raise ApiError(404, f"Could not find domain: {request.params['id']}.")
    return Reply(200, {"domain": keystone.shown("domains", domain)})
