"""What a quarantine needs of Neutron: a project's ports with all that is known of them, and what cuts them off."""

import asyncio
from collections.abc import Iterable, Mapping
from typing import Any

from network_policy.cloud import reading
from network_policy.cloud.changing import send
from network_policy.cloud.listing import everything, trunks
from network_policy.domain.custody import Custody, CustodyFloatingIp, CustodyPort, CustodyTrunk
from shared.cloud import Cloud
from shared.errors import Invalid, NotFound

Body = Mapping[str, Any]


def _port(body: Body) -> CustodyPort:
    return CustodyPort(reading.port(body), body.get("admin_state_up") is not False, dict(body))


def _floating_ip(body: Body) -> CustodyFloatingIp:
    return CustodyFloatingIp(
        str(body["id"]),
        str(body.get("floating_ip_address") or ""),
        body.get("port_id"),
        str(body.get("fixed_ip_address") or ""),
        dict(body),
    )


def _trunk(body: Body) -> CustodyTrunk:
    return CustodyTrunk(reading.trunk(body), dict(body))


class CustodyCloud:
    """Reads and writes of quarantine."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud

    async def custody(self, project_id: str) -> Custody:
        """The project's ports, floating IPs and trunks, and of whatever project what else is plugged into its servers: ports
        and subports, whoever made the trunk."""
        ports, floating, carrying = await asyncio.gather(
            self._cloud.call(lambda c: everything(c, "/ports", "ports", _port, project_id=project_id)),
            self._cloud.call(
                lambda c: everything(c, "/floatingips", "floatingips", _floating_ip, project_id=project_id)
            ),
            self._cloud.call(lambda c: trunks(c, _trunk)),
        )
        found = {each.port.id: each for each in ports}
        servers = {each.port.device_id for each in ports if each.port.device_id and not each.port.is_trusted}
        plugged = await self._cloud.call(lambda c: everything(c, "/ports", "ports", _port, device_id=servers))
        found |= {each.port.id: each for each in plugged if each.port.is_bound}
        carrying = tuple(
            each for each in carrying if each.trunk.port_id in found or each.trunk.project_id == project_id
        )
        strange = {port_id for each in carrying for port_id in each.trunk.subport_ids} - found.keys()
        more = await self._cloud.call(lambda c: everything(c, "/ports", "ports", _port, id=strange))
        found |= {each.port.id: each for each in more}
        return Custody(tuple(sorted(found.values(), key=lambda each: each.port.id)), floating, carrying)

    async def raw_groups(self, group_ids: Iterable[str]) -> tuple[Body, ...]:
        """These groups with their rules in Neutron's own words."""
        wanted = tuple(group_ids)
        return await self._cloud.call(lambda c: everything(c, "/security-groups", "security_groups", dict, id=wanted))

    async def enclose_port(
        self, port_id: str, group_ids: Iterable[str], *, down: bool, is_filtered: bool, request_id: str
    ) -> None:
        """Put the port into these groups alone, filtered, with no address but its own; `down`: and out of service.

        A port that Neutron filters not at all, or that can have no group, is put out of service and nothing else. One
        that is gone is cut off. Raises CloudError.
        """
        body: dict[str, Any] = {
            "security_groups": sorted(group_ids),
            "port_security_enabled": True,
            "allowed_address_pairs": [],
        }
        whole = {**body, "admin_state_up": False} if down else body
        try:
            if is_filtered:
                await self._put_port(port_id, whole, request_id)
            else:
                await self._put_port(port_id, {"admin_state_up": False}, request_id)
        except Invalid:
            await self._put_port(port_id, {"admin_state_up": False}, request_id)
        except NotFound:
            return

    async def free_port(self, port_id: str, group_ids: Iterable[str], *, request_id: str) -> None:
        """Put the port into these groups alone. One that is gone is free. Raises CloudError."""
        try:
            await self._put_port(port_id, {"security_groups": sorted(group_ids)}, request_id)
        except NotFound:
            return

    async def raise_port(self, port_id: str, *, request_id: str) -> None:
        """Put the port into service. One that is gone is left. Raises CloudError."""
        try:
            await self._put_port(port_id, {"admin_state_up": True}, request_id)
        except NotFound:
            return

    async def place_floating_ip(
        self, floating_ip_id: str, port_id: str | None, fixed_address: str = "", *, request_id: str
    ) -> None:
        """Have the floating IP stand for the port's address, or for none. Raises CloudError."""
        body: dict[str, Any] = {"port_id": port_id}
        if port_id is not None and fixed_address:
            body["fixed_ip_address"] = fixed_address
        await self._cloud.call(
            lambda c: send(c, "put", f"/floatingips/{floating_ip_id}", {"floatingip": body}), request_id=request_id
        )

    async def _put_port(self, port_id: str, body: Body, request_id: str) -> None:
        await self._cloud.call(lambda c: send(c, "put", f"/ports/{port_id}", {"port": body}), request_id=request_id)
