"""Neutron: its collections, its read-only lists, its notifications and its form of errors."""

from ipaddress import ip_network
from typing import TYPE_CHECKING, Any

from twin.core.caller import Caller
from twin.core.errors import ApiError
from twin.core.http import Reply, Request
from twin.core.service import Service
from twin.neutron.address_groups import AddressGroups
from twin.neutron.collection import Collection
from twin.neutron.default_rules import DefaultRules
from twin.neutron.errors import disallowed
from twin.neutron.extensions import ALIASES
from twin.neutron.floating_ips import FloatingIps
from twin.neutron.groups import SecurityGroups
from twin.neutron.networks import Networks
from twin.neutron.ports import Ports
from twin.neutron.quotas import Quotas
from twin.neutron.rbac import RbacPolicies
from twin.neutron.routers import Routers
from twin.neutron.rules import SecurityGroupRules
from twin.neutron.subnets import Subnets
from twin.neutron.trunks import Trunks

if TYPE_CHECKING:
    from twin.cloud import Cloud

PUBLISHER = "network.ctl"
KINDS = {
    400: "HTTPBadRequest",
    404: "HTTPNotFound",
    405: "HTTPMethodNotAllowed",
    409: "HTTPConflict",
    429: "HTTPTooManyRequests",
    500: "HTTPInternalServerError",
    503: "HTTPServiceUnavailable",
}


class Neutron(Service):
    """Networking v2.0."""

    name = "neutron"
    prefix = "network"
    catalog_name = "neutron"
    catalog_type = "network"

    def __init__(self, cloud: "Cloud") -> None:
        super().__init__(cloud)
        self.addresses: dict[str, set[str]] = {}
        """Addresses in use, by subnet."""
        self._serials: dict[str, int] = {}
        self.router.add("GET", "/", self._versions)
        self.router.add("GET", "/v2.0", self._resources)
        self.router.add("GET", "/v2.0/extensions", self._extensions)
        self.router.add("GET", "/v2.0/extensions/{alias}", self._extension)
        self.router.add("GET", "/v2.0/agents", self._agents)
        self.router.add("GET", "/v2.0/availability_zones", lambda request: Reply(200, {"availability_zones": []}))
        self.router.add("GET", "/v2.0/service-providers", self._providers)
        self.router.add("GET", "/v2.0/network-ip-availabilities", self._availabilities)
        self.router.add("GET", "/v2.0/network-ip-availabilities/{id}", self._availabilities)
        self.quotas = Quotas(self)
        self.default_rules = DefaultRules(self)
        self.rbac = RbacPolicies(self)
        self.networks = Networks(self)
        self.subnets = Subnets(self)
        self.ports = Ports(self)
        self.groups = SecurityGroups(self)
        self.rules = SecurityGroupRules(self)
        self.address_groups = AddressGroups(self)
        self.routers = Routers(self)
        self.floating_ips = FloatingIps(self)
        self.trunks = Trunks(self)

    @property
    def collections(self) -> tuple[Collection, ...]:
        """All of them."""
        return (
            self.networks,
            self.subnets,
            self.ports,
            self.groups,
            self.rules,
            self.address_groups,
            self.routers,
            self.floating_ips,
            self.rbac,
            self.trunks,
        )

    def render(self, error: ApiError, request: Request) -> Reply:
        """`{"NeutronError": {"type", "message", "detail"}}`."""
        kind = error.kind or KINDS.get(error.status, "HTTPError")
        body = {"NeutronError": {"type": kind, "message": error.message, "detail": ""}}
        return Reply(error.status, body, dict(error.headers))

    def emit(self, event_type: str, payload: dict[str, Any], caller: Caller) -> None:
        """On the exchange `neutron`, in Neutron's context."""
        extra: dict[str, object] = {
            "user_id": caller.user_id,
            "timestamp": self.cloud.clock.now().strftime("%Y-%m-%d %H:%M:%S.%f"),
            "project_name": caller.project_name or None,
            "user_name": caller.user_name,
            "has_global_access": caller.is_admin,
            "can_set_project_id": caller.is_admin,
        }
        self.cloud.notify("neutron", "neutron", PUBLISHER, event_type, payload, caller, extra=extra)

    def serial(self, row_id: str) -> int:
        """The inner `standard_attr_id` of a row."""
        if row_id not in self._serials:
            if len(self._serials) > 100_000:
                self._serials.clear()
            self._serials[row_id] = len(self._serials) + 1
        return self._serials[row_id]

    def _versions(self, request: Request) -> Reply:
        version = {"id": "v2.0", "status": "CURRENT", "links": [{"rel": "self", "href": request.link("/v2.0/")}]}
        return Reply(200, {"versions": [version]})

    def _resources(self, request: Request) -> Reply:
        resources = [
            {
                "links": [{"rel": "self", "href": request.link(f"/v2.0/{one.path}")}],
                "name": one.singular,
                "collection": one.plural,
            }
            for one in self.collections
        ]
        return Reply(200, {"resources": resources})

    def _extensions(self, request: Request) -> Reply:
        return Reply(200, {"extensions": [_extension(alias) for alias in ALIASES]})

    def _extension(self, request: Request) -> Reply:
        alias = request.params["alias"]
        if alias not in ALIASES:
            raise ApiError(404, f"Extension with alias {alias} does not exist", "HTTPNotFound")
        return Reply(200, {"extension": _extension(alias)})

    def _agents(self, request: Request) -> Reply:
        if not request.caller.is_admin:
            return Reply(200, {"agents": []})  # policy filters lists: nobody is told that something is hidden
        beat = self.cloud.clock.now().strftime("%Y-%m-%d %H:%M:%S")
        agents = [
            {
                "binary": "ovn-controller",
                "host": host,
                "heartbeat_timestamp": beat,
                "availability_zone": "",
                "topic": "n/a",
                "description": "",
                "configurations": {"chassis_name": host, "bridge-mappings": "physnet1:br-ex"},
                "agent_type": "OVN Controller Gateway agent",
                "id": host,
                "alive": True,
                "admin_state_up": True,
            }
            for host in self.cloud.nova.host_names()
        ]
        wanted = [(name, value) for name, value in request.query if name in ("host", "binary", "agent_type", "id")]
        kept = [agent for agent in agents if all(agent[name] == value for name, value in wanted)]
        return Reply(200, {"agents": kept})

    def _providers(self, request: Request) -> Reply:
        return Reply(200, {"service_providers": [{"service_type": "L3_ROUTER_NAT", "name": "ovn", "default": True}]})

    def _availabilities(self, request: Request) -> Reply:
        if not request.caller.is_admin:
            raise disallowed("rule:get_network_ip_availability")
        only = request.params.get("id") or request.one("network_id")
        rows = [self._availability(network) for network in self.networks.table if only in ("", network["id"])]
        if "id" in request.params:
            if not rows:
                raise self.networks.missing(only)
            return Reply(200, {"network_ip_availability": rows[0]})
        return Reply(200, {"network_ip_availabilities": rows})

    def _availability(self, network: dict[str, Any]) -> dict[str, Any]:
        subnets = []
        for subnet in self.subnets.table.where(network_id=network["id"]):
            total = ip_network(subnet["cidr"]).num_addresses - 3
            subnets.append(
                {
                    "subnet_id": subnet["id"],
                    "ip_version": subnet["ip_version"],
                    "cidr": subnet["cidr"],
                    "subnet_name": subnet["name"],
                    "used_ips": len(self.addresses.get(subnet["id"], ())),
                    "total_ips": total,
                }
            )
        return {
            "network_id": network["id"],
            "network_name": network["name"],
            "project_id": network["project_id"],
            "tenant_id": network["project_id"],
            "subnet_ip_availability": subnets,
            "used_ips": sum(subnet["used_ips"] for subnet in subnets),
            "total_ips": sum(subnet["total_ips"] for subnet in subnets),
        }


def _extension(alias: str) -> dict[str, Any]:
    name = alias.replace("-", " ").replace("_", " ").capitalize()
    return {"name": name, "alias": alias, "description": name, "updated": "2020-01-01T00:00:00-00:00", "links": []}
