"""Trunks and their subports, as ML2/OVN has them. Of subports that join or leave a trunk Neutron tells nothing."""

from typing import TYPE_CHECKING, Any

from twin.core.caller import Caller
from twin.core.http import Reply, Request, truth
from twin.core.table import Row
from twin.neutron.collection import Collection
from twin.neutron.errors import refused

if TYPE_CHECKING:
    from twin.neutron.service import Neutron

MAX_VLAN = 4094


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
        """Its parent must be free. It is ACTIVE at once with subports, DOWN without, whatever its parent is."""
        port = self.neutron.ports.found(str(body.get("port_id")), caller)
        if port["device_id"] or self._of_parent(port["id"]):
            message = f"Port {port['id']} is currently in use and is not eligible for use as a parent port."
            raise refused(409, "ParentPortInUse", message)
        self._check_unused(port["id"])
        row: Row = {
            **self.standard(body),
            "name": body.get("name") or "",
            "admin_state_up": truth(body.get("admin_state_up", True)),
            "port_id": port["id"],
            "status": "ACTIVE" if body.get("sub_ports") else "DOWN",
            "sub_ports": [],
            "revision_number": 1 if body.get("sub_ports") else 0,
        }
        self._join(row, body.get("sub_ports") or [], caller)
        return self.table.add(row)

    def details(self, port_id: str) -> dict[str, Any] | None:
        """What the parent's port shows of its trunk; None for other ports."""
        trunk = self._of_parent(port_id)
        if trunk is None:
            return None
        ports = self.neutron.ports.table
        subports = [(one, ports.get(one["port_id"])) for one in trunk["sub_ports"]]
        return {
            "trunk_id": trunk["id"],
            "sub_ports": [{**one, "mac_address": port["mac_address"] if port else ""} for one, port in subports],
        }

    def follow(self, port_id: str) -> None:
        """Trunk and subports go up and down with the parent, without a notification."""
        trunk = self._of_parent(port_id)
        parent = self.neutron.ports.table.get(port_id)
        if trunk is None or parent is None:
            return
        trunk["status"] = parent["status"]
        self.touch(trunk)
        for one in trunk["sub_ports"]:
            port = self.neutron.ports.table.get(one["port_id"])
            if port is not None and port["status"] != parent["status"]:
                port["status"] = parent["status"]
                self.neutron.ports.touch(port)

    def _of_parent(self, port_id: str) -> Row | None:
        return next(iter(self.table.where(port_id=port_id)), None)

    def _row(self, request: Request) -> Row:
        return self.found(request.params["id"], request.caller)

    def check_port(self, port_id: str) -> None:
        """409 for deleting the port when it is a trunk's parent or subport."""
        for trunk in self.table:
            if trunk["port_id"] == port_id:
                message = f"Port {port_id} is currently a parent port for trunk {trunk['id']}."
                raise refused(409, "PortInUseAsTrunkParent", message)
            if any(one["port_id"] == port_id for one in trunk["sub_ports"]):
                message = f"Port {port_id} is currently a subport for trunk {trunk['id']}."
                raise refused(409, "PortInUseAsSubPort", message)

    def _check_unused(self, port_id: str) -> None:
        if any(one["port_id"] == port_id for trunk in self.table for one in trunk["sub_ports"]):
            raise refused(409, "TrunkPortInUse", f"Port {port_id} is in use by another trunk.")

    def _join(self, row: Row, asked: list[dict[str, Any]], caller: Caller) -> None:
        """All of them, or none."""
        joined: list[tuple[Row, dict[str, Any]]] = []
        tags = {(have["segmentation_type"], have["segmentation_id"]) for have in row["sub_ports"]}
        for one in asked:
            port, carried = self._checked_subport(row, one, caller)
            tag = (carried["segmentation_type"], carried["segmentation_id"])
            if tag in tags:
                message = (
                    f"segmentation_type {tag[0]} and segmentation_id {tag[1]} already in use on trunk {row['id']}."
                )
                raise refused(409, "DuplicateSubPort", message)
            tags.add(tag)
            joined.append((port, carried))
        for port, carried in joined:
            row["sub_ports"] = [*row["sub_ports"], carried]
            profile = {"parent_name": row["port_id"], "tag": carried["segmentation_id"]}
            self.neutron.ports.carry(port, profile)
            self.neutron.ports.touch(port)

    def _checked_subport(self, row: Row, one: dict[str, Any], caller: Caller) -> tuple[Row, dict[str, Any]]:
        if "segmentation_id" not in one or "segmentation_type" not in one:
            message = f"Invalid subport details '{one}': missing segmentation information."
            raise refused(400, "InvalidInput", f"Invalid input for operation: {message}")
        if not 1 <= int(one["segmentation_id"]) <= MAX_VLAN:
            message = f"Segmentation ID '{one['segmentation_id']}' is not in range."
            raise refused(400, "InvalidInput", f"Invalid input for operation: {message}")
        port = self.neutron.ports.found(str(one.get("port_id")), caller)
        self._check_unused(port["id"])
        if port["id"] == row["port_id"] or self._of_parent(port["id"]):
            raise refused(409, "TrunkPortInUse", f"Port {port['id']} is in use by another trunk.")
        mine, largest = self._mtu(port), self._mtu(self.neutron.ports.table.get(row["port_id"]) or {})
        if mine > largest:
            message = (
                f"MTU {mine} of subport {port['id']} cannot be greater than MTU {largest} of trunk {row['port_id']}."
            )
            raise refused(409, "SubPortMtuGreaterThanTrunkPortMtu", message)
        return port, {name: one[name] for name in ("port_id", "segmentation_type", "segmentation_id")}

    def _mtu(self, port: Row) -> int:
        network = self.neutron.networks.table.get(port.get("network_id", ""))
        return int(network["mtu"]) if network is not None else 0

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
            self.neutron.ports.carry(port, {})

    def drop(self, row: Row) -> None:
        """Its subports are free again."""
        for one in row["sub_ports"]:
            self._leave(one["port_id"])
        self.table.remove(row["id"])
