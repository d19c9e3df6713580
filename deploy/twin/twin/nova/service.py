"""Nova: its tables, its helpers for the rooms, its form of errors."""

from typing import TYPE_CHECKING, Any

from twin.core.caller import Caller
from twin.core.errors import ApiError
from twin.core.http import Reply, Request
from twin.core.service import FaultService, asked_microversion
from twin.core.table import Row, Table
from twin.nova import (
    actions,
    flavors,
    hosts,
    interfaces,
    keypairs,
    moves,
    quotas,
    server_details,
    server_groups,
    servers,
    volumes,
)
from twin.nova.ledger import ServerTable

if TYPE_CHECKING:
    from twin.cloud import Cloud

LOWEST = (2, 1)
HIGHEST = (2, 96)


class Nova(FaultService):
    """Compute v2.1."""

    name = "nova"
    prefix = "compute"
    catalog_name = "nova"
    catalog_type = "compute"
    catalog_path = "/v2.1"

    def __init__(self, cloud: "Cloud") -> None:
        super().__init__(cloud)
        self.flavors = Table("name")
        self.servers = ServerTable()
        self.keypairs = Table("user_id")
        self.server_groups = Table("project_id")
        self.hosts = Table("host")
        self.quotas = quotas.Quotas(self)
        self.router.add("GET", "/", self._versions)
        self.router.add("GET", "/v2.1", self._version)
        self.router.add("GET", "/v2.1/extensions", lambda request: Reply(200, {"extensions": []}))
        for room in (
            flavors,
            servers,
            server_details,
            actions,
            moves,
            interfaces,
            volumes,
            keypairs,
            server_groups,
            hosts,
        ):
            room.routes(self)

    def public(self, request: Request) -> bool:
        """Version documents."""
        return request.path.rstrip("/") in ("", "/v2.1")

    def negotiate(self, request: Request) -> None:
        """`OpenStack-API-Version: compute X` or Nova's own header."""
        text = ""
        for part in request.headers.get("openstack-api-version", "").split(","):
            service, _, version = part.strip().partition(" ")
            if service == "compute":
                text = version
        text = text or request.headers.get("x-openstack-nova-api-version", "")
        request.microversion = asked_microversion(text, LOWEST, HIGHEST)

    def version_headers(self, request: Request) -> dict[str, str]:
        """The version used and the request id, twice."""
        version = f"{request.microversion[0]}.{request.microversion[1]}" if request.microversion != (0, 0) else "2.1"
        return {
            "OpenStack-API-Version": f"compute {version}",
            "X-OpenStack-Nova-API-Version": version,
            "Vary": "OpenStack-API-Version, X-OpenStack-Nova-API-Version",
            "x-openstack-request-id": request.request_id,
            "x-compute-request-id": request.request_id,
        }

    def need_admin(self, request: Request, rule: str) -> None:
        """ApiError 403 without the admin role."""
        if not request.caller.is_admin:
            raise ApiError(403, f"Policy doesn't allow {rule} to be performed.")

    def server(self, request: Request, caller: Caller | None = None) -> Row:
        """The server of the path; ApiError 404 when it is none of the caller's business."""
        server_id = request.params["id"]
        row = self.servers.get(server_id)
        if row is None or not (caller or request.caller).sees(row["project_id"]):
            raise ApiError(404, f"Instance {server_id} could not be found.")
        return row

    def ports_of(self, server: Row) -> list[Row]:
        """The server's ports, in the order they were attached."""
        table = self.cloud.neutron.ports.table
        return [port for port in (table.get(port_id) for port_id in server["ports"]) if port is not None]

    def addresses(self, server: Row) -> dict[str, list[dict[str, Any]]]:
        """As the API shows them, by network name."""
        found: dict[str, list[dict[str, Any]]] = {}
        neutron = self.cloud.neutron
        for port in self.ports_of(server):
            network = neutron.networks.table.get(port["network_id"])
            label = network["name"] if network else ""
            for ip in port["fixed_ips"]:
                found.setdefault(label, []).append(_address(port, ip["ip_address"], "fixed"))
            for floating in neutron.floating_ips.table.where(port_id=port["id"]):
                found.setdefault(label, []).append(_address(port, floating["floating_ip_address"], "floating"))
        return found

    def group_names(self, server: Row) -> list[str]:
        """Names of the security groups on the server's ports."""
        table = self.cloud.neutron.groups.table
        names: dict[str, None] = {}
        for port in self.ports_of(server):
            for group_id in port["security_groups"]:
                group = table.get(group_id)
                if group is not None:
                    names[group["name"]] = None
        return list(names)

    def keypair(self, user_id: str, name: str | None) -> Row | None:
        """A user's key pair by its name."""
        found = self.keypairs.where(user_id=user_id, name=name)
        return found[0] if found else None

    def host_names(self) -> list[str]:
        """The hypervisors that are virtual machines' hosts."""
        return [host["host"] for host in self.hosts if host["kind"] == "hypervisor"]

    def host_status(self, name: str | None) -> str:
        """UP, DOWN, MAINTENANCE, or empty without a host."""
        found = self.hosts.where(host=name) if name else []
        if not found:
            return ""
        if found[0]["disabled"]:
            return "MAINTENANCE"
        return "DOWN" if found[0]["forced_down"] else "UP"

    def service_caller(self, user: str, caller: Caller) -> Caller:
        """A service's own account in a call that serves the caller's request."""
        row = self.cloud.keystone.users.where(name=user)[0]
        project = self.cloud.keystone.projects.where(name="service")[0]
        return Caller(
            user_id=row["id"],
            user_name=user,
            project_id=project["id"],
            project_name="service",
            roles=("reader", "member", "service", "manager", "admin"),
            request_id=self.cloud.chance.request_id(),
            global_request_id=caller.global_request_id or caller.request_id,
        )

    def _version_document(self) -> dict[str, Any]:
        return {
            "id": "v2.1",
            "status": "CURRENT",
            "version": f"{HIGHEST[0]}.{HIGHEST[1]}",
            "min_version": "2.1",
            "updated": "2013-07-23T11:33:21Z",
            "links": [{"rel": "self", "href": f"{self.cloud.base_url}/compute/v2.1/"}],
        }

    def _versions(self, request: Request) -> Reply:
        return Reply(200, {"versions": [self._version_document()]})

    def _version(self, request: Request) -> Reply:
        media = [{"base": "application/json", "type": "application/vnd.openstack.compute+json;version=2.1"}]
        return Reply(200, {"version": {**self._version_document(), "media-types": media}})


def _address(port: Row, address: str, kind: str) -> dict[str, Any]:
    return {
        "version": 6 if ":" in address else 4,
        "addr": address,
        "OS-EXT-IPS:type": kind,
        "OS-EXT-IPS-MAC:mac_addr": port["mac_address"],
    }
