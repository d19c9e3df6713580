"""Networks."""

from typing import TYPE_CHECKING, Any

from twin.core.caller import Caller
from twin.core.errors import ApiError
from twin.core.http import Reply, Request, truth
from twin.core.table import Row
from twin.neutron.collection import Collection
from twin.neutron.errors import refused

if TYPE_CHECKING:
    from twin.neutron.service import Neutron

PROVIDER = ("provider:network_type", "provider:physical_network", "provider:segmentation_id")
TYPES = ("flat", "geneve", "vlan", "local")
PHYSICAL_NETWORK = "physnet1"
RANGES = {"vlan": (100, 1000), "geneve": (1, 65536)}
"""Of the ids that Neutron gives itself, as the lab is configured; an administrator may ask for others."""
COMMON = (
    "name",
    "admin_state_up",
    "description",
    "shared",
    "router:external",
    "port_security_enabled",
    "mtu",
    "dns_domain",
)


class Networks(Collection):
    """`/v2.0/networks`."""

    singular = "network"
    plural = "networks"
    path = "networks"
    label = "Network"
    create_attributes = frozenset(
        (*COMMON, *PROVIDER, "qos_policy_id", "availability_zone_hints", "is_default", "qinq")
    )
    update_attributes = frozenset((*COMMON, "qos_policy_id", "is_default"))
    admin_attributes = frozenset((*PROVIDER, "shared", "router:external"))
    filters = frozenset(("admin_state_up", "status", "shared", "router:external", "mtu", *PROVIDER, "is_default"))
    quota = "network"

    def __init__(self, neutron: "Neutron") -> None:
        super().__init__(neutron, "name")

    def make(self, body: dict[str, Any], caller: Caller) -> Row:
        """With the two revisions Neutron's writes take."""
        external = truth(body.get("router:external", False))
        kind = body.get("provider:network_type") or "geneve"
        segment = self._segment(body, kind)
        row: Row = {
            **self.standard(body),
            "name": body.get("name") or "",
            "admin_state_up": truth(body.get("admin_state_up", True)),
            "mtu": body.get("mtu") or (1442 if kind == "geneve" else 1500),
            "status": "ACTIVE",
            "subnets": [],
            "shared": truth(body.get("shared", False)),
            "port_security_enabled": truth(body.get("port_security_enabled", True)),
            "qos_policy_id": None,
            "router:external": external,
            "qinq": False,
            "availability_zone_hints": [],
            "availability_zones": [],
            "ipv4_address_scope": None,
            "ipv6_address_scope": None,
            "provider:network_type": kind,
            "provider:physical_network": body.get("provider:physical_network")
            or (PHYSICAL_NETWORK if kind == "vlan" else None),
            "provider:segmentation_id": segment,
            "is_default": truth(body.get("is_default", False)),
            "revision_number": 1,
        }
        self.table.add(row)
        if external:
            self.neutron.rbac.grant(row, "access_as_external", "*")
        if row["shared"]:
            self.neutron.rbac.grant(row, "access_as_shared", "*")
        return row

    def _segment(self, body: dict[str, Any], kind: str) -> int | None:
        """The segmentation id asked for, once in the cloud (or on the provider's network), or a free one."""
        asked, physical = body.get("provider:segmentation_id"), body.get("provider:physical_network")
        if asked is not None and "provider:network_type" not in body:
            raise invalid("network_type required.")
        if kind not in TYPES:
            raise invalid(f"network_type value '{kind}' not supported.")
        if kind == "flat":
            if physical is None:
                raise invalid("physical_network required for flat provider network.")
            if any(
                (row["provider:network_type"], row["provider:physical_network"]) == (kind, physical)
                for row in self.table
            ):
                message = f"Unable to create the flat network. Physical network {physical} is in use."
                raise refused(409, "FlatNetworkInUse", message)
        if kind not in RANGES:
            return None
        if kind == "vlan" and physical is None and asked is not None:
            raise invalid("segmentation_id requires physical_network for VLAN provider network.")
        if kind == "vlan" and physical not in (None, PHYSICAL_NETWORK):
            raise invalid(f"physical_network '{physical}' unknown for VLAN provider network.")
        taken = {row["provider:segmentation_id"] for row in self.table if row["provider:network_type"] == kind}
        if asked is None:
            draw = self.cloud.chance.stream("segment")
            return next(each for each in iter(lambda: draw.randrange(*RANGES[kind]), None) if each not in taken)
        if int(asked) in taken:
            what = f"VLAN {asked} on physical network {physical}" if kind == "vlan" else f"tunnel ID {asked}"
            name = "VlanIdInUse" if kind == "vlan" else "TunnelIdInUse"
            raise refused(409, name, f"Unable to create the network. The {what} is in use.")
        return int(asked)

    def change(self, row: Row, body: dict[str, Any], caller: Caller) -> None:
        """Booleans in any spelling."""
        for name in ("admin_state_up", "shared", "router:external", "port_security_enabled"):
            if name in body:
                body[name] = truth(body[name])
        if body.get("shared", row["shared"]) != row["shared"]:
            if body["shared"]:
                self.neutron.rbac.grant(row, "access_as_shared", "*")
            else:
                self.neutron.rbac.withdraw(row["id"], "access_as_shared", "*")
        self.table.change(row, **body)

    def visible(self, row: Row, caller: Caller) -> bool:
        """Its own project's, external and shared ones."""
        return super().visible(row, caller) or self.neutron.rbac.reaches("network", row["id"], caller.project_id)

    def view(self, row: Row, caller: Caller, *, single: bool = True) -> dict[str, Any]:
        """`shared` is what it is to this caller; creators do not see provider attributes without the role."""
        view = super().view(row, caller)
        view["shared"] = self.neutron.rbac.shared("network", row["id"], caller.project_id)
        view["router:external"] = row["router:external"]
        return view

    def show(self, request: Request) -> Reply:
        """`is_default` shows on external networks; on others only in the answer to their creation."""
        return _without_default(super().show(request))

    def list(self, request: Request) -> Reply:
        """As `show`."""
        return _without_default(super().list(request))

    def final_view(self, row: Row) -> dict[str, Any]:
        """With the inner attribute that a delete shows."""
        last = {**super().final_view(row), "standard_attr_id": self.neutron.serial(row["id"]), "vlan_transparent": None}
        if not row["router:external"]:
            del last["is_default"]
        return last

    def check_delete(self, row: Row, caller: Caller) -> None:
        """409 while ports are left, Neutron's own DHCP ports aside."""
        ports = self.neutron.ports.table.where(network_id=row["id"])
        left = [port["id"] for port in ports if port["device_owner"] not in ("network:dhcp", "network:distributed")]
        if left:
            raise refused(
                409,
                "NetworkInUse",
                f"Unable to complete operation on network {row['id']}. There are one or more ports still in use on the "
                f"network, id for these ports is: {', '.join(left)}.",
            )

    def drop(self, row: Row) -> None:
        """Its subnets and policies go with it, without a notification."""
        for port in self.neutron.ports.table.where(network_id=row["id"]):
            self.neutron.ports.drop(port)
        for subnet in self.neutron.subnets.table.where(network_id=row["id"]):
            self.neutron.subnets.table.remove(subnet["id"])
        self.neutron.rbac.forget(row["id"])
        self.table.remove(row["id"])


def invalid(message: str) -> ApiError:
    """The 400 of Neutron's type drivers."""
    return refused(400, "InvalidInput", f"Invalid input for operation: {message}")


def _without_default(reply: Reply) -> Reply:
    views = reply.body.get("networks") or [reply.body.get("network", {})]
    for view in views:
        if not view.get("router:external", True):
            view.pop("is_default", None)
    return reply
