"""Ironic: nodes and ports, with the fake-hardware driver."""

from typing import TYPE_CHECKING, Any

import orjson

from twin.core.caller import Caller
from twin.core.errors import ApiError
from twin.core.http import Reply, Request
from twin.core.service import Service, asked_microversion
from twin.core.table import Row, Table
from twin.ironic import nodes, ports, states

if TYPE_CHECKING:
    from twin.cloud import Cloud

LOWEST, HIGHEST = (1, 1), (1, 90)


class Ironic(Service):
    """Bare metal v1."""

    name = "ironic"
    prefix = "baremetal"
    catalog_name = "ironic"
    catalog_type = "baremetal"

    def __init__(self, cloud: "Cloud") -> None:
        super().__init__(cloud)
        self.nodes = Table("name", "instance_uuid")
        self.ports = Table("node_uuid", "address")
        router = self.router
        router.add("GET", "/", self._root)
        router.add("GET", "/v1", self._version)
        router.add("GET", "/v1/drivers", self._drivers)
        router.add("GET", "/v1/conductors", self._conductors)
        for room in (nodes, states, ports):
            room.routes(self)

    def public(self, request: Request) -> bool:
        """Version documents."""
        return request.path.rstrip("/") in ("", "/v1")

    def negotiate(self, request: Request) -> None:
        """Ironic's own header, or the common one."""
        text = request.headers.get("x-openstack-ironic-api-version", "")
        for part in request.headers.get("openstack-api-version", "").split(","):
            service, _, version = part.strip().partition(" ")
            if service == "baremetal" and not text:
                text = version
        request.microversion = asked_microversion(text, LOWEST, HIGHEST)

    def version_headers(self, request: Request) -> dict[str, str]:
        """The version used and the bounds."""
        version = request.microversion if request.microversion != (0, 0) else LOWEST
        return {
            "X-OpenStack-Ironic-API-Minimum-Version": "1.1",
            "X-OpenStack-Ironic-API-Maximum-Version": f"{HIGHEST[0]}.{HIGHEST[1]}",
            "X-OpenStack-Ironic-API-Version": f"{version[0]}.{version[1]}",
            "x-openstack-request-id": request.request_id,
            "openstack-request-id": request.request_id,
        }

    def render(self, error: ApiError, request: Request) -> Reply:
        """`{"error_message": "<JSON text>"}`."""
        code = "Client" if error.status < 500 else "Server"
        inner = orjson.dumps({"faultcode": code, "faultstring": error.message, "debuginfo": None}).decode()
        return Reply(error.status, {"error_message": inner}, dict(error.headers))

    def need_system(self, request: Request, rule: str) -> None:
        """A project-scoped token fails with 500, as observed; others get 403."""
        if request.caller.system and request.caller.is_admin:
            return
        if "service" in request.caller.roles:
            return
        if request.caller.project_id:
            message = (
                f'"{rule}": "(role:reader and system_scope:all) or (role:service and system_scope:all) or '
                "rule:service_role\" requires a scope of ['system'], request was made with project scope."
            )
            raise ApiError(500, message)
        raise ApiError(403, f"Access was denied to the following resource: {rule}")

    def sees(self, row: Row, caller: Caller) -> bool:
        """System scope sees all, projects the nodes they own or lease."""
        if caller.system or "service" in caller.roles:
            return True
        return bool(caller.project_id) and caller.project_id in (row["owner"], row["lessee"])

    def node(self, request: Request) -> Row:
        """The node of the path, by id or name; ApiError 404."""
        wanted = request.params["id"]
        row = self.nodes.get(wanted) or next(iter(self.nodes.where(name=wanted)), None)
        if row is None or not self.sees(row, request.caller):
            raise ApiError(404, f"Node {wanted} could not be found.")
        return row

    # Nova's side.

    def claim(self, resource_class: str, server_id: str) -> str | None:
        """An available node of the class (normalised as in placement), taken for a server."""
        for row in self.nodes:
            own = str(row["resource_class"] or "").upper().replace("-", "_")
            free = row["provision_state"] == "available" and not row["instance_uuid"] and not row["maintenance"]
            if free and own == resource_class:
                self.nodes.change(row, instance_uuid=server_id)
                return str(row["id"])
        return None

    def deploy(self, node_id: str, server: Row) -> None:
        """Nova deploys its server on the node."""
        row = self.nodes.get(node_id)
        if row is not None:
            caller = self.cloud.nova.service_caller("ironic", server["initiator"])
            row["instance_info"] = {"image_source": server["image_id"], "display_name": server["name"]}
            states.transit(self, row, "active", caller, at_once=True)

    def undeploy(self, node_id: str, server: Row) -> None:
        """Nova gives the node back; it is cleaned."""
        row = self.nodes.get(node_id)
        if row is not None:
            caller = self.cloud.nova.service_caller("ironic", server["initiator"])
            states.transit(self, row, "deleted", caller)

    def _version_document(self) -> dict[str, Any]:
        return {
            "id": "v1",
            "links": [{"href": f"{self.cloud.base_url}/baremetal/v1/", "rel": "self"}],
            "status": "CURRENT",
            "min_version": "1.1",
            "version": f"{HIGHEST[0]}.{HIGHEST[1]}",
        }

    def _root(self, request: Request) -> Reply:
        version = self._version_document()
        body = {"name": "OpenStack Ironic API", "default_version": version, "versions": [version], "description": ""}
        return Reply(200, body)

    def _version(self, request: Request) -> Reply:
        version = self._version_document()
        media = {"base": "application/json", "type": "application/vnd.openstack.ironic.v1+json"}
        return Reply(200, {"id": "v1", "links": version["links"], "media_types": media, "version": version})

    def _drivers(self, request: Request) -> Reply:
        self.need_system(request, "baremetal:driver:get")
        base = f"{self.cloud.base_url}/baremetal/v1/drivers/fake-hardware"
        driver = {
            "name": "fake-hardware",
            "hosts": ["ctl"],
            "links": [{"href": base, "rel": "self"}],
            "type": "dynamic",
        }
        return Reply(200, {"drivers": [driver]})

    def _conductors(self, request: Request) -> Reply:
        self.need_system(request, "baremetal:conductor:get")
        return Reply(200, {"conductors": [{"hostname": "ctl", "conductor_group": "", "alive": True, "links": []}]})
