"""Glance v2: images and their members; uploaded data is measured and dropped."""

import hashlib
from typing import TYPE_CHECKING, Any

from twin.core.caller import Caller
from twin.core.clock import zulu
from twin.core.errors import TITLES, ApiError
from twin.core.http import Reply, Request
from twin.core.service import Service
from twin.core.table import Row, Table
from twin.glance import members

if TYPE_CHECKING:
    from twin.cloud import Cloud

VERSIONS = (
    "v2.17",
    "v2.16",
    "v2.15",
    "v2.13",
    "v2.12",
    "v2.11",
    "v2.10",
    "v2.9",
    "v2.7",
    "v2.6",
    "v2.5",
    "v2.4",
    "v2.3",
    "v2.2",
    "v2.1",
    "v2.0",
)
BASE = ("name", "disk_format", "container_format", "visibility", "protected", "min_ram", "min_disk", "os_hidden")
READ_ONLY = frozenset(("status", "size", "checksum", "created_at", "updated_at", "owner_id", "file", "self", "schema"))


class Glance(Service):
    """Image v2."""

    name = "glance"
    prefix = "image"
    catalog_name = "glance"
    catalog_type = "image"

    def __init__(self, cloud: "Cloud") -> None:
        super().__init__(cloud)
        self.images = Table("name", "owner")
        router = self.router
        router.add("GET", "/", self._versions)
        router.add("GET", "/versions", self._versions)
        router.add("GET", "/v2/images", self._list)
        router.add("POST", "/v2/images", self._create)
        base = "/v2/images/{id}"
        router.add("GET", base, lambda request: Reply(200, self.view(self.row(request))))
        router.add("PATCH", base, self._patch)
        router.add("DELETE", base, self._delete)
        router.add("PUT", base + "/file", self._upload)
        router.add("GET", base + "/file", self._download)
        router.add("PUT DELETE", base + "/tags/{tag}", self._tag)
        members.routes(self)
        router.add(
            "GET", "/v2/schemas/{kind}", lambda request: Reply(200, {"name": request.params["kind"], "properties": {}})
        )
        router.add("GET", "/v2/info/import", lambda request: Reply(200, {"import-methods": {"value": []}}))

    def public(self, request: Request) -> bool:
        """Version documents."""
        return request.path.rstrip("/") in ("", "/versions")

    def render(self, error: ApiError, request: Request) -> Reply:
        """Glance answers errors in HTML."""
        title = f"{error.status} {TITLES.get(error.status, 'Error')}"
        page = (
            f"<html>\n <head>\n  <title>{title}</title>\n </head>\n <body>\n  <h1>{title}</h1>\n  {error.message}"
            "<br /><br />\n\n\n\n </body>\n</html>"
        )
        return Reply(error.status, page.encode(), {"Content-Type": "text/html; charset=UTF-8", **error.headers})

    def add(self, name: str, caller: Caller, visibility: str = "shared", **properties: Any) -> Row:
        """A new image, queued."""
        now = zulu(self.cloud.clock.now())
        return self.images.add(
            {
                "id": self.cloud.chance.uuid("image"),
                "name": name,
                "disk_format": properties.pop("disk_format", None),
                "container_format": properties.pop("container_format", None),
                "visibility": visibility,
                "size": None,
                "virtual_size": None,
                "status": "queued",
                "checksum": None,
                "protected": bool(properties.pop("protected", False)),
                "min_ram": int(properties.pop("min_ram", 0) or 0),
                "min_disk": int(properties.pop("min_disk", 0) or 0),
                "owner": properties.pop("owner", None) or caller.project_id,
                "os_hidden": bool(properties.pop("os_hidden", False)),
                "os_hash_algo": None,
                "os_hash_value": None,
                "created_at": now,
                "updated_at": now,
                "tags": list(properties.pop("tags", None) or []),
                "_properties": properties,
                "_members": {},
            }
        )

    def upload(self, image: Row, data: bytes) -> None:
        """Takes the data's measure; the image is active."""
        image.update(
            size=len(data),
            virtual_size=len(data),
            status="active",
            checksum=hashlib.md5(data, usedforsecurity=False).hexdigest(),
            os_hash_algo="sha512",
            os_hash_value=hashlib.sha512(data).hexdigest(),
            updated_at=zulu(self.cloud.clock.now()),
        )
        image["disk_format"] = image["disk_format"] or "raw"
        image["container_format"] = image["container_format"] or "bare"

    def visible(self, image: Row, caller: Caller) -> bool:
        """Public, its own, or shared with it."""
        mine = caller.sees(image["owner"]) or image["visibility"] in ("public", "community")
        return mine or (image["visibility"] == "shared" and caller.project_id in image["_members"])

    def view(self, image: Row) -> dict[str, Any]:
        """As the API shows it."""
        path = f"/v2/images/{image['id']}"
        view = {**image["_properties"], **{name: value for name, value in image.items() if not name.startswith("_")}}
        view.update({"self": path, "file": f"{path}/file", "schema": "/v2/schemas/image"})
        if image["status"] == "active":
            view["stores"] = "lab"
        return view

    def emit(self, event_type: str, image: Row, *, deleted: bool = False) -> None:
        """On the exchange `glance`, without a request context."""
        now = zulu(self.cloud.clock.now())
        names = ("id", "name", "created_at", "updated_at", "min_disk", "min_ram", "protected", "checksum", "owner")
        more = ("disk_format", "container_format", "size", "virtual_size", "visibility")
        payload = {
            **{name: image[name] for name in (*names, *more)},
            "status": "deleted" if deleted else image["status"],
            "is_public": image["visibility"] == "public",
            "properties": dict(image["_properties"]),
            "tags": list(image["tags"]),
            "deleted": deleted,
            "deleted_at": now if deleted else None,
        }
        self.cloud.notify("glance", "glance", "image.localhost", event_type, payload, None)

    def row(self, request: Request, *, own: bool = False) -> Row:
        """The image of the path; ApiError 404 when it is none of the caller's business, 403 when not its own."""
        image = self.images.get(request.params["id"])
        if image is None or not self.visible(image, request.caller):
            raise ApiError(404, f"No image found with ID {request.params['id']}")
        if own and not request.caller.sees(image["owner"]):
            raise ApiError(403, f"You are not permitted to modify image {image['id']}.")
        return image

    def _versions(self, request: Request) -> Reply:
        versions = [
            {
                "id": version,
                "status": "CURRENT" if version == VERSIONS[0] else "SUPPORTED",
                "links": [{"rel": "self", "href": request.link("/v2/")}],
            }
            for version in VERSIONS
        ]
        return Reply(300 if request.path in ("", "/") else 200, {"versions": versions})

    def _list(self, request: Request) -> Reply:
        rows = [row for row in reversed(list(self.images)) if self._listed(row, request)]
        marker = request.one("marker")
        if marker:
            at = next((index for index, row in enumerate(rows) if row["id"] == marker), None)
            if at is None:
                raise ApiError(400, f"Invalid marker {marker}")
            rows = rows[at + 1 :]
        limit = int(request.one("limit")) if request.one("limit").isdigit() else 25
        page = rows[:limit]
        body: dict[str, Any] = {"images": [self.view(row) for row in page]}
        body["first"] = "/v2/images" + (f"?{request.raw_query}" if request.raw_query else "")
        body["schema"] = "/v2/schemas/images"
        if len(page) == limit and page and (request.one("limit") or len(rows) > limit):
            body["next"] = request.url_with(marker=page[-1]["id"]).removeprefix(request.base_url)
        return Reply(200, body)

    def _listed(self, image: Row, request: Request) -> bool:
        if not self.visible(image, request.caller):
            return False
        if (
            image["visibility"] == "community"
            and not request.caller.sees(image["owner"])
            and not request.one("visibility")
        ):
            return False
        for name, value in request.query:
            if name in ("limit", "marker", "sort_key", "sort_dir", "sort", "member_status"):
                continue
            actual = image["_properties"].get(name, image.get(name))
            if name == "tag":
                if value not in image["tags"]:
                    return False
            elif name == "id" and value.startswith("in:"):
                if image["id"] not in value[3:].split(","):
                    return False
            elif isinstance(actual, bool):
                if str(actual).lower() != value.lower():
                    return False
            elif str(actual) != value.removeprefix("in:").strip('"'):
                return False
        return True

    def _create(self, request: Request) -> Reply:
        body = request.json()
        for name in READ_ONLY & set(body):
            raise ApiError(403, f"Attribute '{name}' is read-only.")
        visibility = body.pop("visibility", "shared")
        if visibility == "public" and not request.caller.is_admin:
            raise ApiError(403, "You are not authorized to complete publicize_image action.")
        wanted = body.pop("id", None)
        if wanted in self.images:
            raise ApiError(409, f"Image ID {wanted} already exists!")
        image = self.add(str(body.pop("name", "") or ""), request.caller, visibility, **body)
        if wanted:
            self.images.remove(image["id"])
            image["id"] = str(wanted)
            self.images.add(image)
        self.emit("image.create", image)
        headers = {"Location": request.link(f"/v2/images/{image['id']}"), "OpenStack-image-store-ids": "lab"}
        return Reply(201, self.view(image), headers)

    def _patch(self, request: Request) -> Reply:
        image = self.row(request, own=True)
        for change in request.json():
            operation, name = change.get("op"), str(change.get("path", "")).lstrip("/").replace("~1", "/")
            if name in READ_ONLY:
                raise ApiError(403, f"Attribute '{name}' is read-only.")
            if name == "visibility" and change.get("value") == "public" and not request.caller.is_admin:
                raise ApiError(403, "You are not authorized to complete publicize_image action.")
            if name == "tags":
                image["tags"] = list(change.get("value") or [])
            elif name in BASE:
                self.images.change(image, **{name: change.get("value")})
            elif operation == "remove":
                if image["_properties"].pop(name, None) is None:
                    raise ApiError(409, f"Property {name} does not exist.")
            else:
                image["_properties"] = {**image["_properties"], name: change.get("value")}
        image["updated_at"] = zulu(self.cloud.clock.now())
        self.emit("image.update", image)
        return Reply(200, self.view(image))

    def _delete(self, request: Request) -> Reply:
        image = self.row(request, own=True)
        if image["protected"]:
            raise ApiError(403, f"Image {image['id']} is protected and cannot be deleted.")
        self.images.remove(image["id"])
        self.emit("image.delete", image, deleted=True)
        return Reply(204)

    def _upload(self, request: Request) -> Reply:
        image = self.row(request, own=True)
        if image["status"] != "queued":
            raise ApiError(409, f"Image status transition from {image['status']} to saving is not allowed")
        self.emit("image.prepare", image)
        self.upload(image, request.content)
        self.emit("image.upload", image)
        self.emit("image.activate", image)
        return Reply(204)

    def _download(self, request: Request) -> Reply:
        image = self.row(request)
        return Reply(204 if not image["size"] else 200, b"\0" * (image["size"] or 0))

    def _tag(self, request: Request) -> Reply:
        image = self.row(request, own=True)
        tags = [tag for tag in image["tags"] if tag != request.params["tag"]]
        image["tags"] = [*tags, request.params["tag"]] if request.method == "PUT" else tags
        return Reply(204)
