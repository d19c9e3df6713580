"""Keystone: its tables, its catalog and its form of errors."""

from typing import TYPE_CHECKING, Any

from twin.core.errors import TITLES, ApiError
from twin.core.http import Reply, Request
from twin.core.service import Service
from twin.core.table import Row, Table
from twin.keystone import auth, credentials, directory, grants, projects
from twin.keystone.assignments import Assignments
from twin.keystone.tokens import Tokens

if TYPE_CHECKING:
    from twin.cloud import Cloud

REGION = "RegionOne"


class Keystone(Service):
    """Identity v3."""

    name = "keystone"
    prefix = "identity"
    catalog_name = "keystone"
    catalog_type = "identity"
    catalog_path = "/v3"

    def __init__(self, cloud: "Cloud") -> None:
        super().__init__(cloud)
        self.domains = Table("name")
        self.projects = Table("name")
        self.users = Table("name")
        self.groups = Table("name")
        self.roles = Table("name")
        self.credentials = Table("user_id")
        self.catalog_services = Table("type")
        self.endpoints = Table("service_id")
        self.assignments = Assignments(self)
        self.tokens = Tokens(self)
        self.router.add("GET", "/", self._versions)
        self.router.add("GET", "/v3", self._version)
        for room in (auth, projects, directory, grants, credentials):
            room.routes(self)

    def public(self, request: Request) -> bool:
        """Version documents and authentication."""
        path = request.path.rstrip("/")
        return path in ("", "/v3") or (path == "/v3/auth/tokens" and request.method == "POST")

    def version_headers(self, request: Request) -> dict[str, str]:
        """With Vary, as Keystone sends it."""
        return {"x-openstack-request-id": request.request_id, "Vary": "X-Auth-Token"}

    def unauthorized(self) -> Reply:
        """Keystone's own 401."""
        message = "The request you have made requires authentication."
        headers = {"WWW-Authenticate": f'Keystone uri="{self.cloud.base_url}/identity/v3"'}
        return Reply(401, {"error": {"code": 401, "message": message, "title": "Unauthorized"}}, headers)

    def render(self, error: ApiError, request: Request) -> Reply:
        """`{"error": {"code", "message", "title"}}`."""
        title = error.kind or TITLES.get(error.status, "Error")
        body = {"error": {"code": error.status, "message": error.message, "title": title}}
        headers = dict(error.headers)
        if error.status == 401:
            headers["WWW-Authenticate"] = f'Keystone uri="{self.cloud.base_url}/identity/v3"'
        return Reply(error.status, body, headers)

    def service_id(self, kind: str) -> str:
        """The id of a catalog service by its type."""
        found = self.catalog_services.where(type=kind)
        return str(found[0]["id"]) if found else ""

    def catalog(self) -> list[dict[str, Any]]:
        """The catalog that a token carries."""
        entries = []
        for service in self.catalog_services:
            endpoints = [
                {
                    "id": endpoint["id"],
                    "interface": endpoint["interface"],
                    "region_id": REGION,
                    "url": self.cloud.base_url + endpoint["_path"],
                    "region": REGION,
                }
                for endpoint in self.endpoints.where(service_id=service["id"])
            ]
            entries.append(
                {"endpoints": endpoints, "id": service["id"], "type": service["type"], "name": service["name"]}
            )
        return entries

    def register(self, service: Service) -> None:
        """Puts a service into the catalog with its three endpoints."""
        chance = self.cloud.chance
        row = {
            "id": chance.hex_id("service"),
            "name": service.catalog_name,
            "type": service.catalog_type,
            "enabled": True,
        }
        self.catalog_services.add(row)
        for interface in ("public", "internal", "admin"):
            self.endpoints.add(
                {
                    "id": chance.hex_id("endpoint"),
                    "interface": interface,
                    "region_id": REGION,
                    "service_id": row["id"],
                    "_path": f"/{service.prefix}{service.catalog_path}",
                    "enabled": True,
                    "region": REGION,
                }
            )

    def listed(self, request: Request, plural: str, rows: list[Row]) -> Reply:
        """A list with links, filtered by the query's equalities."""
        kept = [row for row in rows if _matches(row, request)]
        body = {
            plural: [self.shown(plural, row) for row in kept],
            "links": {"next": None, "self": request.url_with(), "previous": None},
        }
        return Reply(200, body)

    def shown(self, plural: str, row: Row) -> dict[str, Any]:
        """A row without its private attributes, with its link."""
        view = {name: value for name, value in row.items() if not name.startswith("_")}
        if "_path" in row:
            view["url"] = self.cloud.base_url + row["_path"]
        view["links"] = {"self": f"{self.cloud.base_url}/identity/v3/{plural}/{row['id']}"}
        return view

    def need_admin(self, request: Request, action: str) -> None:
        """ApiError 403 without the admin role."""
        if not request.caller.is_admin:
            raise forbidden(action)

    def _version_document(self) -> dict[str, Any]:
        return {
            "id": "v3.14",
            "status": "stable",
            "updated": "2020-04-07T00:00:00Z",
            "links": [{"rel": "self", "href": f"{self.cloud.base_url}/identity/v3/"}],
            "media-types": [{"base": "application/json", "type": "application/vnd.openstack.identity-v3+json"}],
        }

    def _versions(self, request: Request) -> Reply:
        headers = {"Location": f"{self.cloud.base_url}/identity/v3/"}
        return Reply(300, {"versions": {"values": [self._version_document()]}}, headers)

    def _version(self, request: Request) -> Reply:
        return Reply(200, {"version": self._version_document()})


def forbidden(action: str) -> ApiError:
    """Keystone's policy refusal."""
    return ApiError(403, f"You are not authorized to perform the requested action: {action}.")


def _matches(row: Row, request: Request) -> bool:
    for name, value in request.query:
        if name in row and not name.startswith("_") and name not in ("limit", "marker"):
            actual = row[name]
            wanted: object = value.lower() in ("true", "1") if isinstance(actual, bool) else value
            if isinstance(actual, list):
                continue
            if actual != wanted:
                return False
    wanted_tags = request.one("tags")
    return not wanted_tags or set(wanted_tags.split(",")) <= set(row.get("tags", []))
