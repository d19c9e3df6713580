"""Members of shared images."""

from typing import TYPE_CHECKING

from twin.core.clock import zulu
from twin.core.errors import ApiError
from twin.core.http import Reply, Request
from twin.core.table import Row

if TYPE_CHECKING:
    from twin.glance.service import Glance


def routes(glance: "Glance") -> None:
    """Registers this room's paths."""
    base = "/v2/images/{id}/members"
    glance.router.add("GET", base, lambda request: _members(glance, request))
    glance.router.add("POST", base, lambda request: _add_member(glance, request))
    glance.router.add("GET PUT DELETE", base + "/{member}", lambda request: _member(glance, request))


def _shared(glance: "Glance", request: Request) -> Row:
    image = glance.row(request)
    if image["visibility"] != "shared":
        verb = "list" if request.method == "GET" else "create"
        message = f"Not allowed to {verb} members for image {image['id']}: Only shared images have members."
        raise ApiError(403, message)
    return image


def _members(glance: "Glance", request: Request) -> Reply:
    image = _shared(glance, request)
    members = list(image["_members"].values())
    if not request.caller.sees(image["owner"]):
        members = [one for one in members if one["member_id"] == request.caller.project_id]
    return Reply(200, {"members": members, "schema": "/v2/schemas/members"})


def _add_member(glance: "Glance", request: Request) -> Reply:
    image = _shared(glance, request)
    if not request.caller.sees(image["owner"]):
        raise ApiError(403, f"Not allowed to create members for image {image['id']}.")
    member = str(request.json().get("member") or "")
    if not member:
        raise ApiError(400, "Member to be added not specified")
    if member in image["_members"]:
        message = f"Member {member} is duplicated for image {image['id']}"
        raise ApiError(409, message)
    now = zulu(glance.cloud.clock.now())
    image["_members"][member] = {
        "member_id": member,
        "image_id": image["id"],
        "status": "pending",
        "created_at": now,
        "updated_at": now,
        "schema": "/v2/schemas/member",
    }
    _member_event(glance, image, member, "create")
    return Reply(200, image["_members"][member])


def _member(glance: "Glance", request: Request) -> Reply:
    image = _shared(glance, request)
    member = request.params["member"]
    if member not in image["_members"]:
        raise ApiError(404, f"{member} not found in the member list of the image {image['id']}.")
    if request.method == "DELETE":
        _member_event(glance, image, member, "delete")
        del image["_members"][member]
        return Reply(204)
    if request.method == "PUT":
        status = request.json().get("status")
        if status not in ("accepted", "rejected", "pending"):
            raise ApiError(400, f"Invalid member status: {status}")
        image["_members"][member] = {**image["_members"][member], "status": status}
        _member_event(glance, image, member, "update")
    return Reply(200, image["_members"][member])


def _member_event(glance: "Glance", image: Row, member: str, action: str) -> None:
    one = image["_members"][member]
    payload = {
        "image_id": image["id"],
        "member_id": member,
        "status": one["status"],
        "created_at": one["created_at"],
        "updated_at": one["updated_at"],
    }
    if action == "delete":
        payload["deleted"] = True
    glance.cloud.notify("glance", "glance", "image.localhost", f"image.member.{action}", payload, None)
