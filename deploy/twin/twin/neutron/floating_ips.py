"""Floating IPs."""

from typing import TYPE_CHECKING, Any

from twin.core.caller import Caller
from twin.core.table import Row
from twin.neutron.collection import Collection
from twin.neutron.errors import refused

if TYPE_CHECKING:
    from twin.neutron.service import Neutron


class FloatingIps(Collection):
    """`/v2.0/floatingips`."""

    singular = "floatingip"
    plural = "floatingips"
    path = "floatingips"
    label = "FloatingIP"
    create_attributes = frozenset(
        (
            "floating_network_id",
            "floating_ip_address",
            "port_id",
            "fixed_ip_address",
            "subnet_id",
            "description",
            "dns_name",
            "dns_domain",
            "qos_policy_id",
        )
    )
    update_attributes = frozenset(("port_id", "fixed_ip_address", "description", "qos_policy_id"))
    filters = frozenset(
        ("floating_network_id", "floating_ip_address", "port_id", "router_id", "fixed_ip_address", "status")
    )
    quota = "floatingip"
    title = "Floating IP"

    def __init__(self, neutron: "Neutron") -> None:
        super().__init__(neutron, "port_id", "router_id")

    def make(self, body: dict[str, Any], caller: Caller) -> Row:
        """An address of the external network's, on a port of Neutron's own."""
        network = self.neutron.networks.found(str(body.get("floating_network_id")), caller)
        if not network["router:external"]:
            message = f"Bad floatingip request: Network {network['id']} is not a valid external network."
            raise refused(400, "BadRequest", message)
        row_id = self.cloud.chance.uuid(self.singular)
        asked = body.get("floating_ip_address")
        carrier = self.neutron.ports.make(
            {
                "network_id": network["id"],
                "project_id": "",
                "device_id": row_id,
                "device_owner": "network:floatingip",
                "fixed_ips": [{"ip_address": asked}] if asked else None,
                "port_security_enabled": False,
                "security_groups": [],
            },
            caller.elevated(),
        )
        row: Row = {
            **self.standard(body),
            "id": row_id,
            "floating_ip_address": carrier["fixed_ips"][0]["ip_address"],
            "floating_network_id": network["id"],
            "router_id": None,
            "port_id": None,
            "fixed_ip_address": None,
            "status": "DOWN",
            "qos_policy_id": None,
            "dns_domain": body.get("dns_domain") or "",
            "dns_name": body.get("dns_name") or "",
            "port_forwardings": [],
            "_carrier": carrier["id"],
        }
        self.table.add(row)
        if body.get("port_id"):
            try:
                self._associate(row, body["port_id"], body.get("fixed_ip_address"), caller)
            except Exception:
                self.drop(row)
                raise
        return row

    def change(self, row: Row, body: dict[str, Any], caller: Caller) -> None:
        """Associates with a port, or dissociates."""
        if "port_id" in body:
            port_id = body.pop("port_id")
            fixed = body.pop("fixed_ip_address", None)
            if port_id:
                self._associate(row, port_id, fixed, caller)
            else:
                self.table.change(row, port_id=None, router_id=None, fixed_ip_address=None)
        row.update(body)

    def _associate(self, row: Row, port_id: str, fixed: str | None, caller: Caller) -> None:
        port = self.neutron.ports.found(port_id, caller)
        addresses = [ip for ip in port["fixed_ips"] if fixed in (None, ip["ip_address"])]
        if not addresses:
            message = (
                f"Bad floatingip request: Cannot add floating IP to port {port_id} that has no fixed IPv4 addresses."
            )
            raise refused(400, "BadRequest", message)
        router = self.neutron.routers.router_of({ip["subnet_id"] for ip in addresses}, row["floating_network_id"])
        if router is None:
            raise refused(
                404,
                "ExternalGatewayForFloatingIPNotFound",
                f"External network {row['floating_network_id']} is not reachable from subnet "
                f"{addresses[0]['subnet_id']}.  Therefore, cannot associate Port {port_id} with a Floating IP.",
            )
        self.table.change(
            row, port_id=port_id, router_id=router["id"], fixed_ip_address=addresses[0]["ip_address"], status="DOWN"
        )

        def active() -> None:
            if row["id"] in self.table and row["port_id"] is not None:
                row["status"] = "ACTIVE"
                self.touch(row)

        self.cloud.later(row["id"], "active", 0.05, 0.2, active)

    def view(self, row: Row, caller: Caller, *, single: bool = True) -> dict[str, Any]:
        """With the port's details."""
        view = super().view(row, caller)
        port = self.neutron.ports.table.get(row["port_id"]) if row["port_id"] else None
        names = ("name", "network_id", "mac_address", "admin_state_up", "status", "device_id", "device_owner")
        view["port_details"] = {name: port[name] for name in names} if port is not None else None
        return view

    def needs(self, router_id: str, subnet_id: str) -> bool:
        """Whether a floating IP goes through the router to a port on the subnet."""
        for row in self.table.where(router_id=router_id):
            port = self.neutron.ports.table.get(row["port_id"])
            if port is not None and any(ip["subnet_id"] == subnet_id for ip in port["fixed_ips"]):
                return True
        return False

    def port_gone(self, port_id: str) -> None:
        """The port was deleted."""
        for row in self.table.where(port_id=port_id):
            self.table.change(row, port_id=None, router_id=None, fixed_ip_address=None)

    def drop(self, row: Row) -> None:
        """With the port that carries its address."""
        self.table.remove(row["id"])
        carrier = self.neutron.ports.table.get(row["_carrier"])
        if carrier is not None:
            self.neutron.ports.drop(carrier)
