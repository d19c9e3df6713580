"""Trunks and their subports."""

from typing import TYPE_CHECKING, Any

from twin.core.caller import Caller
from twin.core.http import Reply, Request, truth
from twin.core.table import Row
from twin.neutron.collection import Collection
from twin.neutron.errors import refused

if TYPE_CHECKING:
    from twin.neutron.service import Neutron


class Trunks(Collection):
    """`/v2.0/trunks`."""

    singular = "trunk"
    plural = "trunks"
    path = "trunks"
    label = "Trunk"
    create_attributes = frozenset(("name", "description", "admin_state_up", "port_id", "sub_ports"))
    update_attributes = frozenset(("name", "description", "admin_state_up"))
    filters = frozenset(("port_id", "status", "admin_state_up"))
    quota = "trunk"

    def __init__(self, neutron: "Neutron") -> None:
        super().__init__(neutron, "port_id")
        base = "/v2.0/trunks/{id}"
        neutron.router.add("PUT", base + "/add_subports", self.add_subports)
        neutron.router.add("PUT", base + "/remove_subports", self.remove_subports)
        neutron.router.add(
            "GET", base + "/get_subports", lambda request: Reply(200, {"sub_ports": self._row(request)["sub_ports"]})
        )

    def make(self, body: dict[str, Any], caller: Caller) -> Row:
        """Its parent must be free."""
        port = self.neutron.ports.found(str(body.get("port_id")), caller)
        self.check_port(port["id"])
        row: Row = {
            **self.standard(body),
            "name": body.get("name") or "",
            "admin_state_up": truth(body.get("admin_state_up", True)),
            "port_id": port["id"],
            "status": "ACTIVE",
            "sub_ports": [],
            "revision_number": 1,
        }
        self._join(row, body.get("sub_ports") or [], caller)
        return self.table.add(row)

    def _row(self, request: Request) -> Row:
        return self.found(request.params["id"], request.caller)

    def check_port(self, port_id: str) -> None:
        """409 when the port is a trunk's parent or subport."""
        for trunk in self.table:
            if trunk["port_id"] == port_id:
                message = f"Port {port_id} is currently a parent port for trunk {trunk['id']}."
                raise refused(409, "PortInUseAsTrunkParent", message)
            if any(one["port_id"] == port_id for one in trunk["sub_ports"]):
                message = f"Port {port_id} is currently a subport for trunk {trunk['id']}."
                raise refused(409, "PortInUseAsSubPort", message)

    def _join(self, row: Row, asked: list[dict[str, Any]], caller: Caller) -> None:
        for one in asked:
            port = self.neutron.ports.found(str(one.get("port_id")), caller)
            self.check_port(port["id"])
            tag = {
                "segmentation_id": one.get("segmentation_id"),
                "segmentation_type": one.get("segmentation_type", "vlan"),
            }
            if any({name: have[name] for name in tag} == tag for have in row["sub_ports"]):
                message = (
                    f"segmentation_type {tag['segmentation_type']} and segmentation_id {tag['segmentation_id']} already in "
                    f"use on trunk {row['id']}."
                )
                raise refused(409, "DuplicateSubPort", message)
            row["sub_ports"] = [*row["sub_ports"], {"port_id": port["id"], **tag}]
            self.neutron.ports.table.change(port, device_owner="trunk:subport")

    def add_subports(self, request: Request) -> Reply:
        """Several at once."""
        row = self.found(request.params["id"], request.caller, own=True)
        self._join(row, request.json().get("sub_ports") or [], request.caller)
        self.touch(row)
        return Reply(200, self.view(row, request.caller))

    def remove_subports(self, request: Request) -> Reply:
        """404 for those it has not."""
        row = self.found(request.params["id"], request.caller, own=True)
        for one in request.json().get("sub_ports") or []:
            if not any(have["port_id"] == one.get("port_id") for have in row["sub_ports"]):
                message = f"SubPort on trunk {row['id']} with parent port {one.get('port_id')} could not be found."
                raise refused(404, "SubPortNotFound", message)
            row["sub_ports"] = [have for have in row["sub_ports"] if have["port_id"] != one.get("port_id")]
            self._leave(one.get("port_id"))
        self.touch(row)
        return Reply(200, self.view(row, request.caller))

    def _leave(self, port_id: str) -> None:
        port = self.neutron.ports.table.get(port_id)
        if port is not None:
            self.neutron.ports.table.change(port, device_owner="")

    def drop(self, row: Row) -> None:
        """Its subports are free again."""
        for one in row["sub_ports"]:
            self._leave(one["port_id"])
        self.table.remove(row["id"])
