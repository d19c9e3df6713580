"""Cinder: volumes, snapshots, types, attachments, services."""

from typing import TYPE_CHECKING, Any

from twin.cinder import attachments, events, snapshots, types, volumes
from twin.cinder.quotas import Quotas
from twin.core.caller import Caller
from twin.core.clock import micros, whole
from twin.core.errors import ApiError
from twin.core.http import Reply, Request
from twin.core.service import FaultService, asked_microversion
from twin.core.table import Row, Table

if TYPE_CHECKING:
    from twin.cloud import Cloud

LOWEST, HIGHEST = (3, 0), (3, 71)


class Cinder(FaultService):
    """Block storage v3."""

    name = "cinder"
    prefix = "volume"
    catalog_name = "cinder"
    catalog_type = "block-storage"
    catalog_path = "/v3"

    def __init__(self, cloud: "Cloud") -> None:
        super().__init__(cloud)
        self.types = Table("name")
        self.volumes = Table("project_id", "name")
        self.snapshots = Table("project_id", "volume_id")
        self.attachments = Table("volume_id", "instance_id")
        self.quotas = Quotas(self)
        self.service_uuid = cloud.chance.uuid("cinder_service")
        self.router.add("GET", "/", self._versions)
        self.router.add("GET", "/v3", self._versions)
        self.both("GET", "/os-services", self._services)
        self.both("GET", "/scheduler-stats/get_pools", self._pools)
        self.both("GET", "/extensions", lambda request: Reply(200, {"extensions": []}))
        self.both("GET", "/os-availability-zone", self._zones)
        for room in (types, volumes, snapshots, attachments):
            room.routes(self)

    def both(self, methods: str, path: str, handler: Any) -> None:
        """A path with and without the project in it; Cinder takes both."""
        self.router.add(methods, "/v3" + path, handler)

    def public(self, request: Request) -> bool:
        """Version documents."""
        return request.path in ("", "/")

    def negotiate(self, request: Request) -> None:
        """`OpenStack-API-Version: volume X`; a project id in the path is dropped."""
        for part in request.headers.get("openstack-api-version", "").split(","):
            service, _, version = part.strip().partition(" ")
            if service in ("volume", "block-storage"):
                request.microversion = asked_microversion(version, LOWEST, HIGHEST)
        if request.microversion == (0, 0):
            request.microversion = LOWEST
        parts = request.path.split("/")
        if len(parts) > 3 and len(parts[2]) == 32 and parts[2] in self.cloud.keystone.projects:
            request.path = "/".join([*parts[:2], *parts[3:]])

    def version_headers(self, request: Request) -> dict[str, str]:
        """The version used and the request id, twice."""
        return {
            "OpenStack-API-Version": f"volume {request.microversion[0] or 3}.{request.microversion[1]}",
            "Vary": "OpenStack-API-Version",
            "x-openstack-request-id": request.request_id,
            "x-compute-request-id": request.request_id,
        }

    def volume(self, volume_id: str, caller: Caller) -> Row:
        """The volume; ApiError 404 when it is none of the caller's business."""
        row = self.volumes.get(volume_id)
        if row is None or not caller.sees(row["project_id"]):
            raise ApiError(404, f"Volume {volume_id} could not be found.")
        return row

    def links(self, kind: str, row_id: str) -> list[dict[str, str]]:
        """Self and bookmark."""
        base = f"{self.cloud.base_url}/volume"
        return [
            {"rel": "self", "href": f"{base}/v3/{kind}/{row_id}"},
            {"rel": "bookmark", "href": f"{base}/{kind}/{row_id}"},
        ]

    # Nova's side of attachments.

    def reserve(self, volume_id: str, server: Row, device: str, caller: Caller) -> str:
        """An attachment in the state reserved; ApiError as Nova passes it on."""
        row = self.volume(volume_id, caller)
        if row["status"] != "available" and not row["multiattach"]:
            raise ApiError(
                400,
                f"Invalid volume: Invalid input received: Invalid volume: Volume {volume_id} status must be available or "
                f"downloading to reserve, but the current status is {row['status']}.",
            )
        attachment = self.attachments.add(
            {
                "id": self.cloud.chance.uuid("attachment"),
                "volume_id": volume_id,
                "instance_id": server["id"],
                "host": None,
                "device": device,
                "status": "reserved",
                "created": whole(self.cloud.clock.now()),
                "attached": None,
            }
        )
        row["status"] = "reserved"
        return str(attachment["id"])

    def attach(self, volume_id: str, attachment_id: str, server: Row) -> None:
        """The host connected it: in-use."""
        row, attachment = self.volumes.get(volume_id), self.attachments.get(attachment_id)
        if row is None or attachment is None:
            return
        inner = server["initiator"].onward(self.cloud.chance.request_id())
        events.volume(self, row, "attach.start", inner)
        attachment.update(host=server["host"], status="attached", attached=whole(self.cloud.clock.now()))
        self.touch(row, status="in-use")
        events.volume(self, row, "attach.end", inner, "volume.ctl")

    def begin_detach(self, volume_id: str) -> None:
        """Detaching."""
        row = self.volumes.get(volume_id)
        if row is not None:
            self.touch(row, status="detaching")

    def detach(self, volume_id: str, attachment_id: str, caller: Caller) -> None:
        """Available again."""
        row = self.volumes.get(volume_id)
        if row is None:
            return
        inner = caller.onward(self.cloud.chance.request_id())
        events.volume(self, row, "detach.start", inner)
        if attachment_id in self.attachments:
            self.attachments.remove(attachment_id)
        self.touch(row, status="in-use" if self.attachments.where(volume_id=volume_id) else "available")
        events.volume(self, row, "detach.end", inner, "volume.ctl")

    def detach_all(self, server: Row) -> None:
        """The server is going; volumes marked so go with it."""
        for one in server["volumes"]:
            self.detach(one["volume_id"], one["attachment_id"], server["initiator"])
            row = self.volumes.get(one["volume_id"])
            if row is not None and one["delete_on_termination"]:
                volumes.begin_delete(self, row, server["initiator"])
        server["volumes"] = []

    def touch(self, row: Row, **values: Any) -> None:
        """A change now."""
        row.update(values, updated=whole(self.cloud.clock.now()))

    def _versions(self, request: Request) -> Reply:
        version = {
            "id": "v3.0",
            "status": "CURRENT",
            "version": f"{HIGHEST[0]}.{HIGHEST[1]}",
            "min_version": "3.0",
            "updated": "2023-08-31T00:00:00Z",
            "links": [{"rel": "self", "href": f"{self.cloud.base_url}/volume/v3/"}],
            "media-types": [{"base": "application/json", "type": "application/vnd.openstack.volume+json;version=3"}],
        }
        return Reply(300 if request.path in ("", "/") else 200, {"versions": [version]})

    def _services(self, request: Request) -> Reply:
        if not request.caller.is_admin:
            raise ApiError(403, "Policy doesn't allow volume_extension:services:index to be performed.")
        now = micros(whole(self.cloud.clock.now()))
        common = {
            "zone": "nova",
            "status": "enabled",
            "state": "up",
            "updated_at": now,
            "cluster": None,
            "disabled_reason": None,
        }
        volume = {"backend_state": "up", "replication_status": "disabled", "active_backend_id": None, "frozen": False}
        services = [
            {"binary": "cinder-scheduler", "host": "ctl", **common},
            {"binary": "cinder-volume", "host": "ctl@lab", **common, **volume},
        ]
        return Reply(200, {"services": services})

    def _pools(self, request: Request) -> Reply:
        if not request.caller.is_admin:
            raise ApiError(403, "Policy doesn't allow scheduler_extension:scheduler_stats:get_pools to be performed.")
        capabilities = {
            "pool_name": "fake",
            "total_capacity_gb": "infinite",
            "free_capacity_gb": "infinite",
            "volume_backend_name": "fake",
            "storage_protocol": "fake",
            "vendor_name": "Open Source",
            "driver_version": "3.0.0",
        }
        pool: dict[str, Any] = {"name": "ctl@lab#fake"}
        if request.flag("detail"):
            pool["capabilities"] = capabilities
        return Reply(200, {"pools": [pool]})

    def _zones(self, request: Request) -> Reply:
        return Reply(200, {"availabilityZoneInfo": [{"zoneName": "nova", "zoneState": {"available": True}}]})
