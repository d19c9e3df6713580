"""Manila: shares, access rules (silent, fact 5), types, services."""

from typing import TYPE_CHECKING, Any

from twin.core.clock import micros
from twin.core.errors import ApiError
from twin.core.http import Reply, Request
from twin.core.service import FaultService, asked_microversion
from twin.core.table import Row, Table
from twin.manila import access, share_details, shares, types
from twin.manila.quotas import Quotas

if TYPE_CHECKING:
    from twin.cloud import Cloud

LOWEST, HIGHEST = (2, 0), (2, 82)
BACKENDS = {"NFS": "labnfs", "CEPHFS": "labceph"}


class Manila(FaultService):
    """Shared file systems v2."""

    name = "manila"
    prefix = "share"
    catalog_name = "manila"
    catalog_type = "shared-file-system"
    catalog_path = "/v2"

    def __init__(self, cloud: "Cloud") -> None:
        super().__init__(cloud)
        self.types = Table("name")
        self.shares = Table("project_id", "name")
        self.rules = Table("share_id")
        self.quotas = Quotas(self)
        router = self.router
        router.add("GET", "/", self._versions)
        router.add("GET", "/v2", self._versions)
        router.add("GET", "/v2/services", self._services)
        router.add("GET", "/v2/availability-zones", self._zones)
        router.add("GET", "/v2/scheduler-stats/pools", lambda request: self._pools(request, detail=False))
        router.add("GET", "/v2/scheduler-stats/pools/detail", lambda request: self._pools(request, detail=True))
        router.add("GET", "/v2/share-networks", lambda request: Reply(200, {"share_networks": []}))
        router.add("GET", "/v2/share-networks/detail", lambda request: Reply(200, {"share_networks": []}))
        router.add("GET", "/v2/snapshots", lambda request: Reply(200, {"snapshots": []}))
        router.add("GET", "/v2/snapshots/detail", lambda request: Reply(200, {"snapshots": []}))
        for room in (types, shares, share_details, access):
            room.routes(self)

    def negotiate(self, request: Request) -> None:
        """Manila's own header; a project id in the path is dropped."""
        text = request.headers.get("x-openstack-manila-api-version", "")
        for part in request.headers.get("openstack-api-version", "").split(","):
            service, _, version = part.strip().partition(" ")
            if service in ("shared-file-system", "share") and not text:
                text = version
        request.microversion = asked_microversion(text, LOWEST, HIGHEST)
        parts = request.path.split("/")
        if len(parts) > 3 and len(parts[2]) == 32 and parts[2] in self.cloud.keystone.projects:
            request.path = "/".join([*parts[:2], *parts[3:]])

    def version_headers(self, request: Request) -> dict[str, str]:
        """The version used."""
        return {
            "X-OpenStack-Manila-API-Version": f"{request.microversion[0] or 2}.{request.microversion[1]}",
            "Vary": "X-OpenStack-Manila-API-Version",
            "x-openstack-request-id": request.request_id,
            "x-compute-request-id": request.request_id,
        }

    def share(self, request: Request) -> Row:
        """The share of the path; ApiError 404 when it is none of the caller's business."""
        row = self.shares.get(request.params["id"])
        if row is None or not (request.caller.sees(row["project_id"]) or row["is_public"]):
            raise ApiError(404, "The resource could not be found.")
        return row

    def need_admin(self, request: Request, rule: str) -> None:
        """ApiError 403 without the admin role."""
        if not request.caller.is_admin:
            raise ApiError(403, f"Policy doesn't allow {rule} to be performed.")

    def _versions(self, request: Request) -> Reply:
        version = {
            "id": "v2.0",
            "status": "CURRENT",
            "version": f"{HIGHEST[0]}.{HIGHEST[1]}",
            "min_version": "2.0",
            "updated": "2015-08-27T11:33:21Z",
            "links": [{"rel": "self", "href": f"{self.cloud.base_url}/share/v2/"}],
            "media-types": [{"base": "application/json", "type": "application/vnd.openstack.share+json;version=1"}],
        }
        return Reply(300 if request.path in ("", "/") else 200, {"versions": [version]})

    def _services(self, request: Request) -> Reply:
        self.need_admin(request, "service:index")
        now = micros(self.cloud.clock.now())
        hosts = [("manila-scheduler", "ctl"), *(("manila-share", f"ctl@{name}") for name in BACKENDS.values())]
        services = [
            {
                "id": number,
                "binary": binary,
                "host": host,
                "zone": "nova",
                "status": "enabled",
                "state": "up",
                "updated_at": now,
            }
            for number, (binary, host) in enumerate(hosts, 1)
        ]
        return Reply(200, {"services": services})

    def _zones(self, request: Request) -> Reply:
        zone_id = "a71a1e9d-83ae-4d09-b4eb-7f9071ef8afa"
        zone = {"id": zone_id, "name": "nova", "created_at": micros(self.cloud.clock.now()), "updated_at": None}
        return Reply(200, {"availability_zones": [zone]})

    def _pools(self, request: Request, *, detail: bool) -> Reply:
        self.need_admin(request, "scheduler_stats:pools:index")
        pools: list[dict[str, Any]] = []
        for protocol, backend in BACKENDS.items():
            pool: dict[str, Any] = {
                "name": f"ctl@{backend}#fake_pool_for_{backend}",
                "host": "ctl",
                "backend": backend,
                "pool": f"fake_pool_for_{backend}",
            }
            if detail:
                pool["capabilities"] = {
                    "pool_name": f"fake_pool_for_{backend}",
                    "total_capacity_gb": 1230.0,
                    "free_capacity_gb": 1210.0,
                    "reserved_percentage": 0,
                    "share_backend_name": backend,
                    "storage_protocol": protocol,
                    "driver_handles_share_servers": False,
                }
            pools.append(pool)
        return Reply(200, {"pools": pools})
