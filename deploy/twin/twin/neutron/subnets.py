"""Subnets and the addresses they hand out."""

from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import TYPE_CHECKING, Any

from twin.core.caller import Caller
from twin.core.http import truth
from twin.core.table import Row
from twin.neutron.collection import Collection
from twin.neutron.errors import bad_input, bad_request, refused

if TYPE_CHECKING:
    from twin.neutron.service import Neutron

RANDOM_TRIES = 16
MAX_SCAN = 65_536
"""Addresses looked through one by one when the random tries meet taken ones only."""
COMMON = ("name", "description", "gateway_ip", "enable_dhcp", "allocation_pools", "dns_nameservers", "host_routes")
FIXED = ("network_id", "ip_version", "cidr", "subnetpool_id", "prefixlen", "ipv6_ra_mode", "ipv6_address_mode")


class Subnets(Collection):
    """`/v2.0/subnets`."""

    singular = "subnet"
    plural = "subnets"
    path = "subnets"
    label = "Subnet"
    create_attributes = frozenset((*COMMON, *FIXED, "service_types", "segment_id", "dns_publish_fixed_ip"))
    update_attributes = frozenset((*COMMON, "service_types", "segment_id", "dns_publish_fixed_ip"))
    filters = frozenset(
        ("network_id", "ip_version", "cidr", "gateway_ip", "enable_dhcp", "subnetpool_id", "ipv6_ra_mode")
    )
    quota = "subnet"

    def __init__(self, neutron: "Neutron") -> None:
        super().__init__(neutron, "network_id")

    def make(self, body: dict[str, Any], caller: Caller) -> Row:
        """Checks the prefix against the network's other subnets."""
        network = self.neutron.networks.found(str(body.get("network_id")), caller)
        prefix = self._prefix(body, network)
        gateway = body.get("gateway_ip", str(prefix[1]) if prefix.num_addresses > 1 else None)
        pools = body.get("allocation_pools") or self._pools(prefix, gateway)
        row: Row = {
            **self.standard(body),
            "name": body.get("name") or "",
            "network_id": network["id"],
            "ip_version": prefix.version,
            "subnetpool_id": None,
            "enable_dhcp": truth(body.get("enable_dhcp", True)),
            "ipv6_ra_mode": body.get("ipv6_ra_mode"),
            "ipv6_address_mode": body.get("ipv6_address_mode"),
            "gateway_ip": gateway,
            "cidr": str(prefix),
            "allocation_pools": pools,
            "host_routes": list(body.get("host_routes") or []),
            "dns_nameservers": list(body.get("dns_nameservers") or []),
            "router:external": network["router:external"],
            "service_types": [],
        }
        self.table.add(row)
        network["subnets"] = [*network["subnets"], row["id"]]
        self.neutron.networks.touch(network)
        return row

    def _prefix(self, body: dict[str, Any], network: Row) -> IPv4Network | IPv6Network:
        cidr = str(body.get("cidr") or "")
        try:
            prefix = ip_network(cidr, strict=False)
            if "/" not in cidr:
                raise ValueError
        except ValueError:
            raise refused(
                400, "InvalidInput", f"Invalid input for operation: {cidr} is not in a CIDR format."
            ) from None
        if int(body.get("ip_version") or 4) != prefix.version:
            raise refused(
                400,
                "InvalidInput",
                f"Invalid input for operation: cidr '{cidr}' does not match the ip_version '{body.get('ip_version')}'.",
            )
        for other in self.table.where(network_id=network["id"]):
            if ip_network(other["cidr"]).overlaps(prefix):
                raise refused(
                    400,
                    "InvalidInput",
                    f"Invalid input for operation: Requested subnet with cidr: {prefix} for network: {network['id']} "
                    "overlaps with another subnet.",
                )
        return prefix

    @staticmethod
    def _pools(prefix: IPv4Network | IPv6Network, gateway: str | None) -> list[dict[str, str]]:
        address = type(prefix.network_address)
        first = int(prefix.network_address) + 1
        last = int(prefix.broadcast_address) - (1 if prefix.version == 4 else 0)
        if gateway is None:
            return [{"start": str(address(first)), "end": str(address(last))}]
        middle = int(ip_address(gateway))
        ranges = ((first, min(middle - 1, last)), (max(middle + 1, first), last))
        return [{"start": str(address(low)), "end": str(address(high))} for low, high in ranges if low <= high]

    def visible(self, row: Row, caller: Caller) -> bool:
        """As its network."""
        network = self.neutron.networks.table.get(row["network_id"])
        external = network is not None and network["router:external"] and network["project_id"] != caller.project_id
        if external and not caller.is_admin:
            return False
        return super().visible(row, caller) or (network is not None and self.neutron.networks.visible(network, caller))

    def check_delete(self, row: Row, caller: Caller) -> None:
        """409 while an address of it is in use."""
        for port in self.neutron.ports.table.where(network_id=row["network_id"]):
            used = any(ip["subnet_id"] == row["id"] for ip in port["fixed_ips"])
            if used and port["device_owner"] not in ("network:dhcp", "network:distributed"):
                raise refused(
                    409,
                    "SubnetInUse",
                    f"Unable to complete operation on subnet {row['id']}: One or more ports have an IP allocation from "
                    "this subnet.",
                )

    def drop(self, row: Row) -> None:
        """Leaves its network."""
        network = self.neutron.networks.table.get(row["network_id"])
        if network is not None:
            network["subnets"] = [one for one in network["subnets"] if one != row["id"]]
            self.neutron.networks.touch(network)
        self.table.remove(row["id"])

    def allocate(self, network: Row, asked: Any) -> list[dict[str, str]]:
        """Fixed addresses for a port: those asked for, or one of each address family."""
        subnets = self.table.where(network_id=network["id"])
        if asked == [] or not subnets:
            return []
        if asked is None:
            chosen: dict[int, Row] = {}
            for subnet in subnets:
                chosen.setdefault(subnet["ip_version"], subnet)
            return [{"subnet_id": one["id"], "ip_address": self._free(one)} for one in chosen.values()]
        return [self._asked(network, subnets, one) for one in asked]

    def _asked(self, network: Row, subnets: list[Row], asked: dict[str, Any]) -> dict[str, str]:
        address = asked.get("ip_address")
        subnet = next((one for one in subnets if one["id"] == asked.get("subnet_id")), None)
        if asked.get("subnet_id") and subnet is None:
            raise refused(
                400,
                "InvalidInput",
                f"Invalid input for operation: Failed to create port on network {network['id']}, because fixed_ips "
                f"included invalid subnet {asked['subnet_id']}.",
            )
        if not address:
            if subnet is None:
                raise bad_request("IP allocation requires subnet_id or ip_address.")
            return {"subnet_id": subnet["id"], "ip_address": self._free(subnet)}
        try:
            parsed = ip_address(str(address))
        except ValueError:
            raise bad_input("fixed_ips", f"'{address}' is not a valid IP address.") from None
        subnet = subnet or next((one for one in subnets if parsed in ip_network(one["cidr"])), None)
        if subnet is None or parsed not in ip_network(subnet["cidr"]):
            raise refused(
                400,
                "InvalidIpForNetwork",
                f"IP address {address} is not a valid IP for any of the subnets on the specified network.",
            )
        if str(parsed) in self.neutron.addresses.get(subnet["id"], set()):
            raise refused(
                409, "IpAddressAlreadyAllocated", f"IP address {parsed} already allocated in subnet {subnet['id']}"
            )
        return {"subnet_id": subnet["id"], "ip_address": str(parsed)}

    def _free(self, subnet: Row) -> str:
        used = self.neutron.addresses.setdefault(subnet["id"], set())
        stream = self.cloud.chance.stream(f"addresses:{subnet['id']}")
        for pool in subnet["allocation_pools"]:
            first = ip_address(pool["start"])
            start, address_type = int(first), type(first)
            width = int(ip_address(pool["end"])) - start + 1
            for _ in range(RANDOM_TRIES):
                address = str(address_type(start + stream.randrange(width)))
                if address not in used:
                    return address
            if width - len(used) > 0 or width <= MAX_SCAN:
                for number in range(start, start + min(width, MAX_SCAN)):
                    address = str(address_type(number))
                    if address not in used:
                        return address
        raise refused(
            409, "IpAddressGenerationFailure", f"No more IP addresses available on network {subnet['network_id']}."
        )
