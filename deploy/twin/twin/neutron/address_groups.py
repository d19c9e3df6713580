"""Address groups; adding and removing addresses is silent (fact 4)."""

from ipaddress import ip_network
from typing import TYPE_CHECKING, Any

from twin.core.caller import Caller
from twin.core.http import Reply, Request
from twin.core.table import Row
from twin.neutron.collection import Collection
from twin.neutron.errors import bad_input, bad_request, refused

if TYPE_CHECKING:
    from twin.neutron.service import Neutron


class AddressGroups(Collection):
    """`/v2.0/address-groups`."""

    singular = "address_group"
    plural = "address_groups"
    path = "address-groups"
    label = "AddressGroup"
    title = "Address group"
    create_attributes = frozenset(("name", "description", "addresses"))
    update_attributes = frozenset(("name", "description"))
    filters = frozenset(("shared",))
    taggable = False

    def __init__(self, neutron: "Neutron") -> None:
        super().__init__(neutron, "name")
        neutron.router.add("PUT", "/v2.0/address-groups/{id}/add_addresses", self.add_addresses)
        neutron.router.add("PUT", "/v2.0/address-groups/{id}/remove_addresses", self.remove_addresses)

    def make(self, body: dict[str, Any], caller: Caller) -> Row:
        """With its first addresses."""
        addresses = _addresses(body.get("addresses") or [])
        row = {**self.standard(body), "name": body.get("name") or "", "addresses": addresses}
        row["revision_number"] = 1 if addresses else 0
        return self.table.add(row)

    def visible(self, row: Row, caller: Caller) -> bool:
        """Its own project's, and those shared with it."""
        return super().visible(row, caller) or self.neutron.rbac.reaches("address_group", row["id"], caller.project_id)

    def check_delete(self, row: Row, caller: Caller) -> None:
        """409 while a rule names it."""
        if self.neutron.rules.table.where(remote_address_group_id=row["id"]):
            message = f"Address group {row['id']} is in use on one or more security group rules."
            raise refused(409, "AddressGroupInUse", message)

    def drop(self, row: Row) -> None:
        """With its sharing."""
        self.neutron.rbac.forget(row["id"])
        self.table.remove(row["id"])

    def add_addresses(self, request: Request) -> Reply:
        """400 for those it has."""
        row, addresses = self._members(request)
        known = [address for address in addresses if address in row["addresses"]]
        if known:
            message = f"Addresses {known} already exist in the address group {row['id']}."
            raise refused(400, "AddressesAlreadyExist", message)
        return self._replace(row, [*row["addresses"], *addresses], request)

    def remove_addresses(self, request: Request) -> Reply:
        """404 for those it has not."""
        row, addresses = self._members(request)
        missing = [address for address in addresses if address not in row["addresses"]]
        if missing:
            message = f"Addresses {missing} not found in the address group {row['id']}."
            raise refused(404, "AddressesNotFound", message)
        return self._replace(row, [one for one in row["addresses"] if one not in addresses], request)

    def _members(self, request: Request) -> tuple[Row, list[str]]:
        row = self.found(request.params["id"], request.caller, own=True)
        document = request.json()
        addresses = document.get("addresses") or (document.get("address_group") or {}).get("addresses")
        if not isinstance(addresses, list):
            raise bad_request("Missing 'addresses' in request body.")
        return row, _addresses(addresses)

    def _replace(self, row: Row, addresses: list[str], request: Request) -> Reply:
        row["addresses"] = addresses
        self.touch(row)
        view = {**self.view(row, request.caller), "shared": False, "standard_attr_id": self.neutron.serial(row["id"])}
        return Reply(200, {"address_group": view})


def _addresses(asked: list[Any]) -> list[str]:
    found: list[str] = []
    for one in asked:
        try:
            address = str(ip_network(str(one), strict=False))
        except ValueError:
            raise bad_input("addresses", f"'{one}' is not a valid IP subnet.") from None
        if address not in found:
            found.append(address)
    return found
