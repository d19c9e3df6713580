"""Tags of Neutron's resources, with their own notifications (`tag.create.end` …)."""

from typing import TYPE_CHECKING, Any

from twin.core.http import Reply, Request
from twin.core.table import Row
from twin.neutron.errors import bad_request, refused

if TYPE_CHECKING:
    from twin.neutron.collection import Collection


def tag_routes(collection: "Collection") -> None:
    """Registers `/<collection>/{id}/tags`."""
    base = f"/v2.0/{collection.path}/{{id}}/tags"
    router = collection.neutron.router
    router.add("GET", base, lambda request: Reply(200, {"tags": _row(collection, request)["tags"]}))
    router.add("PUT", base, lambda request: _replace(collection, request))
    router.add("POST", base, lambda request: _add(collection, request))
    router.add("DELETE", base, lambda request: _clear(collection, request))
    router.add("GET", base + "/{tag}", lambda request: _has(collection, request))
    router.add("PUT", base + "/{tag}", lambda request: _put(collection, request))
    router.add("DELETE", base + "/{tag}", lambda request: _remove(collection, request))


def _row(collection: "Collection", request: Request, *, own: bool = False) -> Row:
    return collection.found(request.params["id"], request.caller, own=own)


def _asked(request: Request) -> list[str]:
    tags = request.json().get("tags")
    if not isinstance(tags, list) or not all(isinstance(tag, str) and 0 < len(tag) <= 255 for tag in tags):
        raise bad_request("Invalid input for operation: Invalid tags body.")
    return list(dict.fromkeys(tags))


def _apply(collection: "Collection", request: Request, action: str, tags: list[str], shown: list[str] | None) -> None:
    row = _row(collection, request, own=True)
    payload: dict[str, Any] = {"obj_resource": collection.plural, "obj_resource_id": row["id"]}
    if shown is not None:
        payload["tags"] = shown
    collection.neutron.emit(f"tag.{action}.start", payload, request.caller)
    if tags != row["tags"]:
        row["tags"] = tags
        collection.touch(row)
    collection.neutron.emit(f"tag.{action}.end", payload, request.caller)


def _replace(collection: "Collection", request: Request) -> Reply:
    tags = _asked(request)
    _apply(collection, request, "update", tags, tags)
    return Reply(200, {"tags": tags})


def _add(collection: "Collection", request: Request) -> Reply:
    tags = _asked(request)
    have = _row(collection, request, own=True)["tags"]
    _apply(collection, request, "create", [*have, *(tag for tag in tags if tag not in have)], tags)
    return Reply(200, {"tags": _row(collection, request)["tags"]})


def _clear(collection: "Collection", request: Request) -> Reply:
    _apply(collection, request, "delete_all", [], None)
    return Reply(204)


def _has(collection: "Collection", request: Request) -> Reply:
    _need(collection, request)
    return Reply(204)


def _put(collection: "Collection", request: Request) -> Reply:
    tag = request.params["tag"]
    have = _row(collection, request, own=True)["tags"]
    _apply(collection, request, "create", have if tag in have else [*have, tag], [tag])
    return Reply(201, b"null")


def _remove(collection: "Collection", request: Request) -> Reply:
    tag = _need(collection, request)
    have = _row(collection, request, own=True)["tags"]
    _apply(collection, request, "delete", [one for one in have if one != tag], [tag])
    return Reply(204)


def _need(collection: "Collection", request: Request) -> str:
    tag = request.params["tag"]
    if tag not in _row(collection, request)["tags"]:
        raise refused(404, "TagNotFound", f"Tag {tag} could not be found.")
    return tag
