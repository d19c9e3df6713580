"""A server's metadata, tags, addresses and history."""

from typing import TYPE_CHECKING

from twin.core.errors import ApiError
from twin.core.http import Reply, Request
from twin.nova import events, lifecycle

if TYPE_CHECKING:
    from twin.nova.service import Nova


def routes(nova: "Nova") -> None:
    """Registers this room's paths."""
    router = nova.router
    base = "/v2.1/servers/{id}"
    router.add("GET", base + "/metadata", lambda request: Reply(200, {"metadata": nova.server(request)["metadata"]}))
    router.add("POST PUT", base + "/metadata", lambda request: _metadata(nova, request))
    router.add("GET PUT DELETE", base + "/metadata/{key}", lambda request: _metadata_item(nova, request))
    router.add("GET PUT DELETE", base + "/tags", lambda request: _tags(nova, request))
    router.add("GET PUT DELETE", base + "/tags/{tag}", lambda request: _tag(nova, request))
    router.add("GET", base + "/ips", lambda request: Reply(200, {"addresses": nova.addresses(nova.server(request))}))
    router.add("GET", base + "/os-instance-actions", lambda request: _history(nova, request))


def _metadata(nova: "Nova", request: Request) -> Reply:
    server = nova.server(request)
    values = {str(key): str(value) for key, value in request.body("metadata").items()}
    server["metadata"] = values if request.method == "PUT" else {**server["metadata"], **values}
    lifecycle.stamp(nova, server, request.caller)
    events.updated(nova, server, server["vm_state"], server["task_state"])
    return Reply(200, {"metadata": server["metadata"]})


def _metadata_item(nova: "Nova", request: Request) -> Reply:
    server = nova.server(request)
    key = request.params["key"]
    if request.method == "PUT":
        server["metadata"] = {**server["metadata"], **request.body("meta")}
    elif key not in server["metadata"]:
        raise ApiError(404, "Metadata item was not found")
    elif request.method == "DELETE":
        server["metadata"] = {name: value for name, value in server["metadata"].items() if name != key}
        events.updated(nova, server, server["vm_state"], server["task_state"])
        return Reply(204)
    return Reply(200, {"meta": {key: server["metadata"][key]}})


def _tags(nova: "Nova", request: Request) -> Reply:
    server = nova.server(request)
    if request.method == "GET":
        return Reply(200, {"tags": server["tags"]})
    server["tags"] = list(dict.fromkeys(request.json().get("tags", []))) if request.method == "PUT" else []
    lifecycle.stamp(nova, server, request.caller)
    events.updated(nova, server, server["vm_state"], server["task_state"])
    return Reply(200, {"tags": server["tags"]}) if request.method == "PUT" else Reply(204)


def _tag(nova: "Nova", request: Request) -> Reply:
    server = nova.server(request)
    tag = request.params["tag"]
    if request.method == "PUT":
        known = tag in server["tags"]
        if not known:
            server["tags"] = [*server["tags"], tag]
        return Reply(204 if known else 201)
    if tag not in server["tags"]:
        raise ApiError(404, f"Server {server['id']} has no tag '{tag}'")
    if request.method == "DELETE":
        server["tags"] = [one for one in server["tags"] if one != tag]
    return Reply(204)


def _history(nova: "Nova", request: Request) -> Reply:
    return Reply(200, {"instanceActions": list(reversed(nova.server(request)["history"]))})
