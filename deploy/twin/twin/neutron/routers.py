"""Routers, their interfaces and external gateways."""

from ipaddress import ip_network
from typing import TYPE_CHECKING, Any

from twin.core.caller import Caller
from twin.core.http import Reply, Request, truth
from twin.core.table import Row
from twin.neutron.collection import Collection
from twin.neutron.errors import bad_request, refused

if TYPE_CHECKING:
    from twin.neutron.service import Neutron

COMMON = (
    "name",
    "description",
    "admin_state_up",
    "external_gateway_info",
    "routes",
    "distributed",
    "ha",
    "enable_ndp_proxy",
)


class Routers(Collection):
    """`/v2.0/routers`."""

    singular = "router"
    plural = "routers"
    path = "routers"
    label = "Router"
    create_attributes = frozenset((*COMMON, "flavor_id", "availability_zone_hints"))
    update_attributes = frozenset(COMMON)
    admin_attributes = frozenset(("distributed", "ha"))
    filters = frozenset(("admin_state_up", "status", "external_gateway_info", "flavor_id"))
    quota = "router"

    def __init__(self, neutron: "Neutron") -> None:
        super().__init__(neutron, "name")
        base = "/v2.0/routers/{id}"
        neutron.router.add("PUT", base + "/add_router_interface", self.add_interface)
        neutron.router.add("PUT", base + "/remove_router_interface", self.remove_interface)
        neutron.router.add("PUT", base + "/add_extraroutes", self.extra_routes)
        neutron.router.add("PUT", base + "/remove_extraroutes", self.extra_routes)

    def make(self, body: dict[str, Any], caller: Caller) -> Row:
        """With its gateway port, where one is asked for."""
        row: Row = {
            **self.standard(body),
            "name": body.get("name") or "",
            "admin_state_up": truth(body.get("admin_state_up", True)),
            "status": "ACTIVE",
            "enable_snat": True,
            "external_gateway_info": None,
            "availability_zones": [],
            "availability_zone_hints": [],
            "enable_default_route_ecmp": False,
            "enable_default_route_bfd": False,
            "external_gateways": [],
            "routes": list(body.get("routes") or []),
            "flavor_id": body.get("flavor_id"),
            "revision_number": 1,
        }
        self.table.add(row)
        if body.get("external_gateway_info"):
            try:
                self._set_gateway(row, body["external_gateway_info"], caller)
            except Exception:
                self.table.remove(row["id"])
                raise
            self.touch(row)
        return row

    def change(self, row: Row, body: dict[str, Any], caller: Caller) -> None:
        """A new gateway replaces the old one."""
        if "external_gateway_info" in body:
            wanted = body.pop("external_gateway_info") or {}
            current = row["external_gateway_info"] or {}
            if wanted.get("network_id") != current.get("network_id"):
                self._clear_gateway(row)
                if wanted:
                    self._set_gateway(row, wanted, caller)
            elif wanted and "enable_snat" in wanted:
                row["external_gateway_info"] = {**current, "enable_snat": truth(wanted["enable_snat"])}
        if "admin_state_up" in body:
            body["admin_state_up"] = truth(body["admin_state_up"])
        self.table.change(row, **body)

    def _set_gateway(self, row: Row, info: dict[str, Any], caller: Caller) -> None:
        network = self.neutron.networks.found(str(info.get("network_id")), caller)
        if not network["router:external"]:
            message = f"Bad router request: Network {network['id']} is not an external network."
            raise refused(400, "BadRequest", message)
        fixed_ips = info.get("external_fixed_ips") or None
        port = self.neutron.ports.make(
            {
                "network_id": network["id"],
                "project_id": "",
                "device_id": row["id"],
                "device_owner": "network:router_gateway",
                "fixed_ips": fixed_ips,
                "port_security_enabled": False,
                "security_groups": [],
            },
            caller.elevated(),
        )
        addresses = [dict(ip) for ip in port["fixed_ips"]]
        snat = truth(info.get("enable_snat", True))
        row["external_gateway_info"] = {
            "network_id": network["id"],
            "external_fixed_ips": addresses,
            "enable_snat": snat,
        }
        row["enable_snat"] = snat
        row["external_gateways"] = [{"network_id": network["id"], "external_fixed_ips": addresses}]

    def _clear_gateway(self, row: Row) -> None:
        if self.neutron.floating_ips.table.where(router_id=row["id"]):
            raise refused(
                409,
                "RouterExternalGatewayInUseByFloatingIp",
                f"Gateway cannot be updated for router {row['id']}, since a gateway to external network "
                f"{row['external_gateway_info']['network_id']} is required by one or more floating IPs.",
            )
        for port in self._ports(row, "network:router_gateway"):
            self.neutron.ports.drop(port)
        row["external_gateway_info"] = None
        row["external_gateways"] = []

    def _ports(self, row: Row, owner: str) -> list[Row]:
        return self.neutron.ports.table.where(device_id=row["id"], device_owner=owner)

    def check_delete(self, row: Row, caller: Caller) -> None:
        """409 while interfaces are left."""
        ports = self._ports(row, "network:router_interface")
        if ports:
            attached = ",".join(port["id"] for port in ports)
            raise refused(409, "RouterInUse", f"Router {row['id']} has ports still attached: {attached}")

    def drop(self, row: Row) -> None:
        """Its gateway port goes with it."""
        for port in self._ports(row, "network:router_gateway"):
            self.neutron.ports.drop(port)
        self.table.remove(row["id"])

    def router_of(self, subnet_ids: set[str], external_network_id: str) -> Row | None:
        """The router that joins one of the subnets with the external network."""
        for row in self.table:
            if (row["external_gateway_info"] or {}).get("network_id") != external_network_id:
                continue
            for port in self._ports(row, "network:router_interface"):
                if any(ip["subnet_id"] in subnet_ids for ip in port["fixed_ips"]):
                    return row
        return None

    def add_interface(self, request: Request) -> Reply:
        """By subnet (its gateway address) or by port."""
        row = self.found(request.params["id"], request.caller, own=True)
        body = request.json()
        if body.get("port_id"):
            port = self.neutron.ports.found(body["port_id"], request.caller)
            if port["device_id"]:
                raise refused(
                    409,
                    "PortInUse",
                    f"Unable to complete operation on port {port['id']} for network {port['network_id']}. Port already has "
                    f"an attached device {port['device_id']}.",
                )
            subnets = [self.neutron.subnets.found(ip["subnet_id"], request.caller) for ip in port["fixed_ips"]]
            if not subnets:
                raise refused(400, "BadRequest", "Bad router request: Router port must have at least one fixed IP.")
            self._check_overlap(row, subnets)
            self.neutron.ports.table.change(port, device_id=row["id"], device_owner="network:router_interface")
            port.update(security_groups=[], port_security_enabled=False)
        elif body.get("subnet_id"):
            subnet = self.neutron.subnets.found(body["subnet_id"], request.caller)
            if not subnet["gateway_ip"]:
                message = "Bad router request: Subnet for router interface must have a gateway IP."
                raise refused(400, "BadRequest", message)
            subnets = [subnet]
            self._check_overlap(row, subnets)
            port = self.neutron.ports.make(
                {
                    "network_id": subnet["network_id"],
                    "project_id": row["project_id"],
                    "device_id": row["id"],
                    "device_owner": "network:router_interface",
                    "fixed_ips": [{"subnet_id": subnet["id"], "ip_address": subnet["gateway_ip"]}],
                    "port_security_enabled": False,
                    "security_groups": [],
                },
                request.caller.elevated(),
            )
        else:
            raise refused(400, "BadRequest", "Bad router request: Either subnet_id or port_id must be specified.")
        self.touch(row)
        self.cloud.later(port["id"], "up", 0.05, 0.3, lambda: self._up(port["id"]))
        return self._interface(row, port, subnets, "create", request)

    def _up(self, port_id: str) -> None:
        port = self.neutron.ports.table.get(port_id)
        if port is not None:
            port["status"] = "ACTIVE"
            self.neutron.ports.touch(port)

    def _check_overlap(self, row: Row, subnets: list[Row]) -> None:
        for port in self._ports(row, "network:router_interface"):
            for ip in port["fixed_ips"]:
                other = self.neutron.subnets.table.get(ip["subnet_id"])
                for subnet in subnets:
                    if other is not None and ip_network(other["cidr"]).overlaps(ip_network(subnet["cidr"])):
                        raise refused(
                            400,
                            "BadRequest",
                            f"Bad router request: Cidr {subnet['cidr']} of subnet {subnet['id']} overlaps with cidr "
                            f"{other['cidr']} of subnet {other['id']}.",
                        )

    def remove_interface(self, request: Request) -> Reply:
        """By subnet or by port; 409 while a floating IP needs it."""
        row = self.found(request.params["id"], request.caller, own=True)
        body = request.json()
        subnet_id = body.get("subnet_id")
        found = [
            port
            for port in self._ports(row, "network:router_interface")
            if port["id"] == body.get("port_id")
            or (subnet_id and any(ip["subnet_id"] == subnet_id for ip in port["fixed_ips"]))
        ]
        if not found:
            if subnet_id:
                message = f"Router {row['id']} has no interface on subnet {subnet_id}"
                raise refused(404, "RouterInterfaceNotFoundForSubnet", message)
            message = f"Router {row['id']} does not have an interface with id {body.get('port_id')}"
            raise refused(404, "RouterInterfaceNotFound", message)
        port = found[0]
        subnets = [one for one in (self.neutron.subnets.table.get(ip["subnet_id"]) for ip in port["fixed_ips"]) if one]
        for subnet in subnets:
            if self.neutron.floating_ips.needs(row["id"], subnet["id"]):
                raise refused(
                    409,
                    "RouterInterfaceInUseByFloatingIP",
                    f"Router interface for subnet {subnet['id']} on router {row['id']} cannot be deleted, as it is "
                    "required by one or more floating IPs.",
                )
        self.neutron.ports.drop(port)
        self.touch(row)
        return self._interface(row, port, subnets, "delete", request)

    def _interface(self, row: Row, port: Row, subnets: list[Row], action: str, request: Request) -> Reply:
        answer = {
            "id": row["id"],
            "tenant_id": row["project_id"],
            "project_id": row["project_id"],
            "port_id": port["id"],
            "network_id": port["network_id"],
            "subnet_id": subnets[0]["id"],
            "subnet_ids": [subnet["id"] for subnet in subnets],
        }
        del answer["tenant_id"]
        self.neutron.emit(f"router.interface.{action}", {"router_interface": answer}, request.caller)
        return Reply(200, answer)

    def extra_routes(self, request: Request) -> Reply:
        """Adds or removes routes."""
        row = self.found(request.params["id"], request.caller, own=True)
        routes = (request.json().get("router") or {}).get("routes")
        if not isinstance(routes, list):
            raise bad_request("Invalid input for routes.")
        if request.path.endswith("/add_extraroutes"):
            row["routes"] = [*row["routes"], *(route for route in routes if route not in row["routes"])]
        else:
            row["routes"] = [route for route in row["routes"] if route not in routes]
        self.touch(row)
        return Reply(200, {"router": self.view(row, request.caller)})
