"""What is known of ports that say one MAC address: where they are bound, since when, and whether their device is there."""

import asyncio
from collections.abc import Iterable, Mapping
from typing import Any

from openstack.connection import Connection

from contracts.network_policy import DuplicatePort
from network_policy.cloud.changing import send
from network_policy.cloud.listing import everything
from shared.cloud import Cloud
from shared.errors import CloudError, NotFound

Body = Mapping[str, Any]

_UNBOUND = ("", "unbound", "binding_failed")
_GONE = ("DELETED", "SOFT_DELETED")
_ROUTERS = "network:router"


class SayersCloud:
    """Reads them, and deletes one."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud

    async def sayers(self, mac_address: str, says: Mapping[str, str]) -> tuple[DuplicatePort, ...]:
        """The ports that have the address, and those of `says` that may send from it, with what Nova knows of them.

        Raises CloudError when Neutron can't be asked; what Nova does not say is not known.
        """
        own, others = await asyncio.gather(
            self._cloud.call(lambda c: everything(c, "/ports", "ports", dict, mac_address=mac_address)),
            self._cloud.call(lambda c: everything(c, "/ports", "ports", dict, id=list(says))),
        )
        bodies = {str(body["id"]): body for body in (*own, *others)}
        told = {port_id: said for port_id, body in bodies.items() if (said := _says(body, mac_address))}
        devices = await asyncio.gather(*(self._has_device(bodies[port_id]) for port_id in told))
        return tuple(
            _sayer(bodies[port_id], said, has_device)
            for (port_id, said), has_device in zip(told.items(), devices, strict=True)
        )

    async def _has_device(self, body: Body) -> bool | None:
        device, owner = str(body.get("device_id") or ""), str(body.get("device_owner") or "")
        if not device:
            return None if owner else False  # a trunk's subport has an owner and no device
        try:
            if owner.startswith("compute:") or not owner:
                return await self._cloud.call(lambda c: _server_is_there(c, device))
            if owner.startswith(_ROUTERS):
                return await self._cloud.call(lambda c: _is_there(c, f"/routers/{device}"))
        except CloudError:
            return None
        return None

    async def delete_port(self, port_id: str, *, revision: int, request_id: str) -> None:
        """Delete the port; one that is gone is deleted. Raises CloudError; Conflict when it has changed since then."""
        headers = {"If-Match": f"revision_number={revision}"}
        try:
            await self._cloud.call(
                lambda c: send(c, "delete", f"/ports/{port_id}", None, headers), request_id=request_id
            )
        except NotFound:
            return

    async def revision_of(self, port_id: str) -> int | None:
        """The port's revision; None when there is no such port."""
        found = await self._cloud.call(lambda c: everything(c, "/ports", "ports", dict, id=[port_id]))
        return int(found[0].get("revision_number") or 0) if found else None


def _says(body: Body, mac_address: str) -> str | None:
    if str(body.get("mac_address") or "").lower() == mac_address:
        return "own"
    pairs: Iterable[Body] = body.get("allowed_address_pairs") or ()
    is_paired = any(str(pair.get("mac_address") or "").lower() == mac_address for pair in pairs)
    return "address-pair" if is_paired else None


def _sayer(body: Body, said: str, has_device: bool | None) -> DuplicatePort:
    vif_type = str(body.get("binding:vif_type") or "")
    return DuplicatePort.model_validate(
        {
            "port_id": str(body["id"]),
            "name": _plain(body.get("name")),
            "project_id": str(body.get("project_id") or body.get("tenant_id") or ""),
            "network_id": str(body.get("network_id") or ""),
            "says": said,
            "device_owner": str(body.get("device_owner") or "")[:255],
            "device_id": str(body.get("device_id") or "")[:255],
            "has_device": has_device,
            "host": str(body.get("binding:host_id") or "")[:255],
            "is_bound": vif_type not in _UNBOUND,
            "status": str(body.get("status") or "")[:40],
            "created_at": str(body.get("created_at") or "")[:40],
        }
    )


def _plain(text: object) -> str:
    return "".join(each for each in str(text or "")[:255] if each.isprintable())


def _server_is_there(connection: Connection, server_id: str) -> bool:
    response = connection.compute.get(f"/servers/{server_id}")
    if response.status_code in (400, 404):  # an id that Nova can't have is no server's
        return False
    if response.status_code != 200:
        raise CloudError(f"Nova answered {response.status_code}", status=response.status_code)
    return str(response.json()["server"].get("status")) not in _GONE


def _is_there(connection: Connection, path: str) -> bool:
    response = connection.network.get(path)
    if response.status_code not in (200, 404):
        raise CloudError(f"Neutron answered {response.status_code}", status=response.status_code)
    return bool(response.status_code == 200)
