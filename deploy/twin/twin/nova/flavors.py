"""Flavors and their extra specs."""

from typing import TYPE_CHECKING, Any

from twin.core.errors import ApiError
from twin.core.http import Reply, Request
from twin.core.table import Row
from twin.nova.paging import paged
from twin.nova.views import flavor_view

if TYPE_CHECKING:
    from twin.nova.service import Nova


def routes(nova: "Nova") -> None:
    """Registers this room's paths."""
    router = nova.router
    router.add("GET", "/v2.1/flavors", lambda request: _list(nova, request, detail=False))
    router.add("GET", "/v2.1/flavors/detail", lambda request: _list(nova, request, detail=True))
    router.add("POST", "/v2.1/flavors", lambda request: _create(nova, request))
    router.add("GET", "/v2.1/flavors/{id}", lambda request: _show(nova, request))
    router.add("PUT", "/v2.1/flavors/{id}", lambda request: _update(nova, request))
    router.add("DELETE", "/v2.1/flavors/{id}", lambda request: _delete(nova, request))
    specs = "/v2.1/flavors/{id}/os-extra_specs"
    router.add(
        "GET", specs, lambda request: Reply(200, {"extra_specs": flavor(nova, request.params["id"])["extra_specs"]})
    )
    router.add("POST", specs, lambda request: _set_specs(nova, request))
    router.add("GET PUT DELETE", specs + "/{key}", lambda request: _spec(nova, request))
    router.add("GET", "/v2.1/flavors/{id}/os-flavor-access", lambda request: _access(nova, request))


def add_flavor(nova: "Nova", values: dict[str, Any]) -> Row:
    """A new flavor."""
    return nova.flavors.add(
        {
            "id": values.get("id") or nova.cloud.chance.uuid("flavor"),
            "number": len(nova.flavors) + 1,
            "name": values["name"],
            "ram": int(values["ram"]),
            "disk": int(values["disk"]),
            "vcpus": int(values["vcpus"]),
            "swap": int(values.get("swap") or 0),
            "ephemeral": int(values.get("OS-FLV-EXT-DATA:ephemeral") or 0),
            "is_public": values.get("os-flavor-access:is_public", True),
            "description": values.get("description"),
            "extra_specs": dict(values.get("extra_specs") or {}),
        }
    )


def flavor(nova: "Nova", flavor_id: str) -> Row:
    """The flavor; ApiError 404 without it."""
    row = nova.flavors.get(flavor_id)
    if row is None:
        raise ApiError(404, f"Flavor {flavor_id} could not be found.")
    return row


def _list(nova: "Nova", request: Request, *, detail: bool) -> Reply:
    rows = list(nova.flavors)
    if not request.caller.is_admin:
        rows = [row for row in rows if row["is_public"]]
    for name, key in (("minRam", "ram"), ("minDisk", "disk")):
        if request.one(name).isdigit():
            rows = [row for row in rows if row[key] >= int(request.one(name))]
    rows, more = paged(nova, rows, request, "flavors")
    return Reply(200, {"flavors": [flavor_view(nova, row, request, detail=detail) for row in rows], **more})


def _create(nova: "Nova", request: Request) -> Reply:
    nova.need_admin(request, "os_compute_api:os-flavor-manage:create")
    body = request.body("flavor")
    for name in ("name", "ram", "disk", "vcpus"):
        if name not in body:
            message = f"Invalid input for field/attribute flavor. Value: {body}. '{name}' is a required property"
            raise ApiError(400, message)
    if nova.flavors.where(name=body["name"]):
        raise ApiError(409, f"Flavor with name {body['name']} already exists.")
    if body.get("id") == "auto":
        body["id"] = None
    if body.get("id") in nova.flavors:
        raise ApiError(409, f"Flavor with ID {body['id']} already exists.")
    row = add_flavor(nova, body)
    return Reply(200, {"flavor": flavor_view(nova, row, request)})


def _show(nova: "Nova", request: Request) -> Reply:
    return Reply(200, {"flavor": flavor_view(nova, flavor(nova, request.params["id"]), request)})


def _update(nova: "Nova", request: Request) -> Reply:
    nova.need_admin(request, "os_compute_api:os-flavor-manage:update")
    row = flavor(nova, request.params["id"])
    row["description"] = request.body("flavor").get("description")
    return Reply(200, {"flavor": flavor_view(nova, row, request)})


def _delete(nova: "Nova", request: Request) -> Reply:
    nova.need_admin(request, "os_compute_api:os-flavor-manage:delete")
    nova.flavors.remove(flavor(nova, request.params["id"])["id"])
    return Reply(202)


def _set_specs(nova: "Nova", request: Request) -> Reply:
    nova.need_admin(request, "os_compute_api:os-flavor-extra-specs:create")
    row = flavor(nova, request.params["id"])
    row["extra_specs"] = {**row["extra_specs"], **request.body("extra_specs")}
    return Reply(200, {"extra_specs": row["extra_specs"]})


def _spec(nova: "Nova", request: Request) -> Reply:
    row = flavor(nova, request.params["id"])
    key = request.params["key"]
    if request.method == "PUT":
        nova.need_admin(request, "os_compute_api:os-flavor-extra-specs:update")
        row["extra_specs"] = {**row["extra_specs"], **request.json()}
    elif key not in row["extra_specs"]:
        raise ApiError(404, f"Flavor {row['id']} has no extra specs with key {key}.")
    elif request.method == "DELETE":
        nova.need_admin(request, "os_compute_api:os-flavor-extra-specs:delete")
        row["extra_specs"] = {name: value for name, value in row["extra_specs"].items() if name != key}
        return Reply(200)
    return Reply(200, {key: row["extra_specs"][key]})


def _access(nova: "Nova", request: Request) -> Reply:
    row = flavor(nova, request.params["id"])
    if row["is_public"]:
        raise ApiError(404, "Access list not available for public flavors.")
    return Reply(200, {"flavor_access": []})
