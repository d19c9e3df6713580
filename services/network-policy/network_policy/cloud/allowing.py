"""What a plan needs beside groups and rules: address groups, statefulness, and how much room the project's quota leaves."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from openstack.connection import Connection
from openstack.exceptions import raise_from_response

from network_policy.cloud import reading
from network_policy.cloud.changing import at_revision, send
from network_policy.cloud.listing import everything
from network_policy.domain.internal import internal_network_ids
from network_policy.domain.world import AddressGroup, Group
from shared.cloud import Cloud
from shared.errors import Invalid, NotFound


@dataclass(frozen=True)
class Allowance:
    """One resource's quota in a project; a negative limit is none."""

    limit: int
    used: int


class AllowingCloud:
    """Single calls."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud

    async def quota(self, project_id: str) -> Mapping[str, Allowance]:
        """Limit and use of `security_group` and `security_group_rule`. Raises CloudError."""
        return await self._cloud.call(lambda c: _quota(c, project_id))

    async def internal_network_ids(
        self, named: str | None, prefixes: tuple[str, ...], network_ids: Collection[str]
    ) -> frozenset[str]:
        """Those of the networks that OpenStack's services talk on (`domain.internal`). Raises CloudError."""
        if named is None and not prefixes:
            return frozenset()
        networks = await self._cloud.call(
            lambda c: everything(c, "/networks", "networks", reading.network, id=network_ids)
        )
        subnets = await self._cloud.call(
            lambda c: everything(c, "/subnets", "subnets", reading.subnet, network_id=network_ids)
        )
        return internal_network_ids(named, prefixes, networks, subnets)

    async def group(self, group_id: str) -> Group | None:
        """One group with its rules and revision, or None. Raises CloudError."""

        def get(connection: Connection) -> Group:
            response = connection.network.get(f"/security-groups/{group_id}")
            raise_from_response(response)
            return reading.group(response.json()["security_group"])

        try:
            return await self._cloud.call(get)
        except NotFound:
            return None

    async def set_stateful(self, group_id: str, *, stateful: bool, revision: int, request_id: str) -> None:
        """Have the group track connections or not. Raises CloudError; Conflict while a port is in it."""
        body = {"security_group": {"stateful": stateful}}
        await self._cloud.call(
            lambda c: send(c, "put", f"/security-groups/{group_id}", body, at_revision(revision)), request_id=request_id
        )

    async def address_groups(self, project_id: str) -> tuple[AddressGroup, ...]:
        """The project's address groups. Raises CloudError."""
        return await self._cloud.call(
            lambda c: everything(c, "/address-groups", "address_groups", reading.address_group, project_id=project_id)
        )

    async def create_address_group(
        self, name: str, description: str, project_id: str, addresses: Iterable[str], *, request_id: str
    ) -> str:
        """An address group with these prefixes. Returns its id. Raises CloudError."""
        body = {"name": name, "description": description, "project_id": project_id, "addresses": sorted(addresses)}
        made = await self._cloud.call(
            lambda c: send(c, "post", "/address-groups", {"address_group": body}), request_id=request_id
        )
        return str(made["address_group"]["id"])

    async def add_addresses(self, address_group_id: str, addresses: Iterable[str], *, request_id: str) -> None:
        """Put prefixes in, each by itself where some are in already. Raises CloudError."""
        await self._readdress(address_group_id, "add_addresses", addresses, request_id)

    async def remove_addresses(self, address_group_id: str, addresses: Iterable[str], *, request_id: str) -> None:
        """Take prefixes out, each by itself where some are out already. Raises CloudError."""
        await self._readdress(address_group_id, "remove_addresses", addresses, request_id)

    async def delete_address_group(self, address_group_id: str, *, request_id: str) -> None:
        """Delete an address group; one that is gone is deleted. Raises CloudError; Conflict while a rule names it."""
        try:
            await self._cloud.call(
                lambda c: send(c, "delete", f"/address-groups/{address_group_id}", None), request_id=request_id
            )
        except NotFound:
            return

    async def _readdress(self, address_group_id: str, verb: str, addresses: Iterable[str], request_id: str) -> None:
        path, wanted = f"/address-groups/{address_group_id}/{verb}", sorted(addresses)

        async def put(some: list[str]) -> None:
            await self._cloud.call(lambda c: send(c, "put", path, {"addresses": some}), request_id=request_id)

        try:
            await put(wanted)
        except (Invalid, NotFound):
            # Neutron takes all or none of a list, and says 400 or 404 when one of them is as wanted already.
            for each in wanted:
                try:
                    await put([each])
                except (Invalid, NotFound):
                    continue


def _quota(connection: Connection, project_id: str) -> Mapping[str, Allowance]:
    response = connection.network.get(f"/quotas/{project_id}/details.json")
    raise_from_response(response)
    body = response.json()["quota"]
    return {
        name: Allowance(int(body[name]["limit"]), int(body[name]["used"]) + int(body[name].get("reserved") or 0))
        for name in ("security_group", "security_group_rule")
    }
