"""Ports: addresses, groups, port security, bindings."""

import re
from ipaddress import ip_network
from typing import TYPE_CHECKING, Any

from twin.core.caller import Caller
from twin.core.http import truth
from twin.core.table import Row
from twin.neutron.binding import BINDING, SUBPORT_OWNER, bind
from twin.neutron.collection import Collection
from twin.neutron.errors import bad_input, refused

if TYPE_CHECKING:
    from twin.neutron.service import Neutron

COMMON = (
    "name",
    "description",
    "admin_state_up",
    "device_id",
    "device_owner",
    "fixed_ips",
    "security_groups",
    "port_security_enabled",
    "allowed_address_pairs",
    "extra_dhcp_opts",
    "binding:host_id",
    "binding:profile",
    "binding:vnic_type",
    "dns_name",
    "dns_domain",
    "mac_address",
    "qos_policy_id",
    "numa_affinity_policy",
)
SERVICE_OWNERS = (
    "network:router_interface",
    "network:router_gateway",
    "network:floatingip",
    "network:ha_router_replicated",
)
NEEDS_SECURITY = "Port security must be enabled and port must have an IP address in order to use security groups."
MAC = re.compile(r"^([0-9a-f]{2}:){5}[0-9a-f]{2}$")


class Ports(Collection):
    """`/v2.0/ports`."""

    singular = "port"
    plural = "ports"
    path = "ports"
    label = "Port"
    create_attributes = frozenset((*COMMON, "network_id", "tags"))
    update_attributes = frozenset(COMMON)
    admin_attributes = frozenset((*BINDING, "resource_request"))
    filters = frozenset(
        (
            "network_id",
            "device_id",
            "device_owner",
            "mac_address",
            "status",
            "admin_state_up",
            "fixed_ips",
            "security_groups",
            "binding:host_id",
            "binding:vnic_type",
            "port_security_enabled",
        )
    )
    quota = "port"

    def __init__(self, neutron: "Neutron") -> None:
        super().__init__(neutron, "network_id", "device_id", "mac_address")

    def make(self, body: dict[str, Any], caller: Caller) -> Row:
        """Allocates a MAC and addresses; the project's default group where none is asked for."""
        network = self.neutron.networks.found(str(body.get("network_id")), caller)
        owner = str(body.get("device_owner") or "")
        secured = body.get("port_security_enabled")
        trusted = owner.startswith("network:")
        port_security = (network["port_security_enabled"] and not trusted) if secured is None else truth(secured)
        mac = self._mac(network["id"], body.get("mac_address"))
        fixed_ips = self.neutron.subnets.allocate(network, body.get("fixed_ips"))
        groups = self._groups(body, caller, port_security and bool(fixed_ips or not network["subnets"]), trusted)
        pairs = self._pairs(body.get("allowed_address_pairs"), mac)
        if not port_security and groups:
            raise refused(400, "PortSecurityAndIPRequiredForSecurityGroups", NEEDS_SECURITY)
        row: Row = {
            **self.standard(body),
            "name": body.get("name") or "",
            "network_id": network["id"],
            "mac_address": mac,
            "admin_state_up": truth(body.get("admin_state_up", True)),
            "status": "DOWN",
            "device_id": body.get("device_id") or "",
            "device_owner": owner,
            "fixed_ips": fixed_ips,
            "allowed_address_pairs": pairs,
            "extra_dhcp_opts": self._options(body.get("extra_dhcp_opts"), []),
            "security_groups": groups,
            "binding:vnic_type": body.get("binding:vnic_type") or "normal",
            "binding:profile": body.get("binding:profile") or {},
            "binding:host_id": body.get("binding:host_id") or "",
            "binding:vif_type": "unbound",
            "binding:vif_details": {},
            "port_security_enabled": port_security,
            "qos_policy_id": None,
            "qos_network_policy_id": None,
            "resource_request": None,
            "revision_number": 1,
        }
        self.table.add(row)
        self._take(row)
        bind(row, self.neutron.networks.table.get(row["network_id"]) or {})
        return row

    def change(self, row: Row, body: dict[str, Any], caller: Caller) -> None:
        """Neutron refuses an unsecured port with groups; a new host binds anew."""
        if body.get("binding:host_id", "") is None:
            body["binding:host_id"] = ""
        network = self.neutron.networks.table.get(row["network_id"]) or {}
        for name in ("admin_state_up", "port_security_enabled"):
            if name in body:
                body[name] = truth(body[name])
        if body.get("security_groups") is not None:
            body["security_groups"] = self._known_groups(body["security_groups"], caller)
        elif "security_groups" in body:
            body["security_groups"] = []
        secured = bool(body.get("port_security_enabled", row["port_security_enabled"]))
        groups: list[str] = body["security_groups"] if "security_groups" in body else row["security_groups"]
        if "allowed_address_pairs" in body:
            body["allowed_address_pairs"] = self._pairs(body["allowed_address_pairs"], row["mac_address"])
        if "extra_dhcp_opts" in body:
            body["extra_dhcp_opts"] = self._options(body["extra_dhcp_opts"], row["extra_dhcp_opts"])
        self._check_security(row, body, secured, groups)
        if body.get("mac_address") and body["mac_address"] != row["mac_address"]:
            body["mac_address"] = self._mac(row["network_id"], body["mac_address"])
        if "fixed_ips" in body:
            self._readdress(row, network, body)
        bound_before = row["binding:host_id"]
        self.table.change(row, **body)
        if row["binding:host_id"] != bound_before:
            bind(row, self.neutron.networks.table.get(row["network_id"]) or {})
            self.touch(row)
            self.neutron.trunks.follow(row["id"])

    @staticmethod
    def _check_security(row: Row, body: dict[str, Any], secured: bool, groups: list[str]) -> None:
        if not secured and body.get("security_groups"):
            raise refused(400, "PortSecurityAndIPRequiredForSecurityGroups", NEEDS_SECURITY)
        if not secured and groups:
            raise refused(
                409,
                "PortSecurityPortHasSecurityGroup",
                "Port has security group associated. Cannot disable port security or IP address until security group "
                "is removed.",
            )
        pairs = body.get("allowed_address_pairs", row["allowed_address_pairs"])
        if not secured and pairs:
            raise refused(
                409,
                "AddressPairAndPortSecurityRequired",
                "Port Security must be enabled in order to have allowed address pairs on a port.",
            )

    def _readdress(self, row: Row, network: Row, body: dict[str, Any]) -> None:
        kept = [ip for ip in row["fixed_ips"] if ip in (body["fixed_ips"] or [])]
        fresh = [ip for ip in body["fixed_ips"] or [] if ip not in kept]
        self._give(row)
        for ip in kept:
            self.neutron.addresses.setdefault(ip["subnet_id"], set()).add(ip["ip_address"])
        body["fixed_ips"] = kept + (self.neutron.subnets.allocate(network, fresh) if fresh else [])
        self._give({**row, "fixed_ips": kept})
        self._take({**row, "fixed_ips": body["fixed_ips"]})

    def view(self, row: Row, caller: Caller, *, single: bool = True) -> dict[str, Any]:
        """With the subports where it is a trunk's parent."""
        view = super().view(row, caller)
        details = self.neutron.trunks.details(row["id"])
        return view if details is None else {**view, "trunk_details": details}

    def carry(self, row: Row, profile: dict[str, Any]) -> None:
        """On a trunk, with its place there as its profile, or off it with none; it stays on no host of its own."""
        self.table.change(row, **{"device_owner": SUBPORT_OWNER if profile else "", "binding:profile": profile})
        bind(row, self.neutron.networks.table.get(row["network_id"]) or {})

    def plugged(self, port_id: str) -> None:
        """The interface is up: ACTIVE, without a notification of its own."""
        row = self.table.get(port_id)
        if row is not None and row["binding:host_id"]:
            row["status"] = "ACTIVE"
            self.touch(row)
            self.neutron.trunks.follow(port_id)

    def _mac(self, network_id: str, asked: Any) -> str:
        mac = str(asked).lower() if asked else self.cloud.chance.mac()
        if not MAC.match(mac):
            raise bad_input("mac_address", f"'{mac}' is not a valid MAC address.")
        while self.table.where(mac_address=mac, network_id=network_id):
            if asked:
                raise refused(
                    409,
                    "MacAddressInUse",
                    f"Unable to complete operation for network {network_id}. The mac address {mac} is in use.",
                )
            mac = self.cloud.chance.mac()
        return mac

    def _groups(self, body: dict[str, Any], caller: Caller, secured: bool, trusted: bool) -> list[str]:
        asked = body.get("security_groups")
        if asked is not None:
            return self._known_groups(asked, caller)
        if trusted or not secured:
            return []
        return [self.neutron.groups.default_of(body["project_id"])["id"]]

    def _known_groups(self, asked: list[str], caller: Caller) -> list[str]:
        groups: list[str] = []
        for group_id in asked:
            row = self.neutron.groups.table.get(group_id)
            if row is None or not self.neutron.groups.visible(row, caller):
                raise refused(404, "SecurityGroupNotFound", f"Security group {group_id} does not exist")
            if group_id not in groups:
                groups.append(group_id)
        return groups

    @staticmethod
    def _pairs(asked: Any, mac: str) -> list[dict[str, str]]:
        pairs: list[dict[str, str]] = []
        for one in asked or []:
            address = one.get("ip_address")
            if not address:
                raise refused(400, "AllowedAddressPairsMissingIP", "AllowedAddressPair must contain ip_address")
            try:
                ip_network(address, strict=False)
            except ValueError:
                raise bad_input("allowed_address_pairs", f"'{address}' is not a valid IP address.") from None
            pair = {"mac_address": one.get("mac_address") or mac, "ip_address": address}
            if pair in pairs:
                raise bad_input("allowed_address_pairs", f"Request contains duplicate address pair: {pair}.")
            pairs.append(pair)
        return pairs

    @staticmethod
    def _options(asked: Any, had: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """An option without a value goes, the others are added to those there were (CVE-2021-40085: no line breaks)."""
        options = {(one["opt_name"], one["ip_version"]): one for one in had}
        for one in asked or []:
            name, value, version = one.get("opt_name"), one.get("opt_value"), one.get("ip_version", 4)
            if not name or version not in (4, 6) or "\n" in str(value):
                message = f"Invalid input for operation: No valid key specs matched for: {one}."
                raise refused(400, "InvalidInput", message)
            options.pop((name, version), None)
            if value is not None:
                options[name, version] = {"opt_name": name, "opt_value": value, "ip_version": version}
        return list(options.values())

    def _take(self, row: Row) -> None:
        for ip in row["fixed_ips"]:
            self.neutron.addresses.setdefault(ip["subnet_id"], set()).add(ip["ip_address"])

    def _give(self, row: Row) -> None:
        for ip in row["fixed_ips"]:
            self.neutron.addresses.get(ip["subnet_id"], set()).discard(ip["ip_address"])

    def visible(self, row: Row, caller: Caller) -> bool:
        """Its own project's, and those on its own networks."""
        if super().visible(row, caller):
            return True
        network = self.neutron.networks.table.get(row["network_id"])
        return network is not None and caller.sees(network["project_id"])

    def found(self, row_id: str, caller: Caller, *, own: bool = False) -> Row:
        """Who would change a port must see its network: it is that which is not found."""
        row = super().found(row_id, caller, own=own)
        if own:
            self.neutron.networks.found(row["network_id"], caller)
        return row

    def final_view(self, row: Row) -> dict[str, Any]:
        """With the inner attribute that a delete shows."""
        return {**super().final_view(row), "standard_attr_id": self.neutron.serial(row["id"])}

    def check_delete(self, row: Row, caller: Caller) -> None:
        """409 for ports of routers and parents of trunks."""
        if row["device_owner"] in SERVICE_OWNERS:
            raise refused(
                409,
                "ServicePortInUse",
                f"Port {row['id']} cannot be deleted directly via the port API: has device owner {row['device_owner']}.",
            )
        self.neutron.trunks.check_port(row["id"])

    def drop(self, row: Row) -> None:
        """Gives its addresses back; floating IPs lose it."""
        self._give(row)
        self.neutron.floating_ips.port_gone(row["id"])
        self.table.remove(row["id"])
