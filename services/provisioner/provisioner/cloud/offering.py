"""Reads what the cloud offers to every workspace."""

import asyncio
from typing import Any

from openstack.connection import Connection

from provisioner.domain.catalog import Catalog, ExistingNetwork, Flavor, Image
from shared.cloud import Cloud
from shared.errors import Invalid, NotFound

MOST_CANDIDATES = 1000
CANDIDATES_MICROVERSION = "1.29"


class Offering:
    """The catalog, read in a handful of calls."""

    def __init__(self, cloud: Cloud, networks: tuple[str, ...]) -> None:
        self._cloud = cloud
        self._networks = networks

    async def catalog(self) -> Catalog:
        """Flavors, active images (newest first), the site's networks, the service user's keypairs, free bare metal."""
        flavors, images, networks, keypairs = await asyncio.gather(
            self._cloud.call(_flavors),
            self._cloud.call(_images),
            self._cloud.call(lambda connection: _networks(connection, self._networks)),
            self._cloud.call(lambda connection: tuple(str(pair.name) for pair in connection.compute.keypairs())),
        )
        classes = sorted({flavor.resource_class for flavor in flavors if flavor.resource_class})
        free = await asyncio.gather(*(self._free(resource_class) for resource_class in classes))
        return Catalog(
            flavors=flavors,
            images=images,
            networks=networks,
            keypairs=keypairs,
            bare_metal=dict(zip(classes, free, strict=True)),
        )

    async def _free(self, resource_class: str) -> int:
        """How many nodes of the class Placement would give now; none where it does not know the class."""
        try:
            return await self._cloud.call(lambda connection: _candidates(connection, resource_class))
        except (NotFound, Invalid):
            return 0


def _flavors(connection: Connection) -> tuple[Flavor, ...]:
    return tuple(
        Flavor(
            id=flavor.id,
            name=flavor.name,
            cores=flavor.vcpus,
            ram_mib=flavor.ram,
            disk_gib=flavor.disk,
            resource_class=_resource_class(flavor.extra_specs or {}),
        )
        for flavor in connection.compute.flavors(get_extra_specs=True)
    )


def _resource_class(extra_specs: dict[str, Any]) -> str | None:
    """A flavor of bare metal asks for exactly one unit of a custom resource class."""
    asked = (key.removeprefix("resources:") for key, value in extra_specs.items() if str(value) == "1")
    return next((name for name in asked if name.startswith("CUSTOM_")), None)


def _images(connection: Connection) -> tuple[Image, ...]:
    return tuple(
        Image(id=image.id, name=image.name, min_ram_mib=image.min_ram or 0, min_disk_gib=image.min_disk or 0)
        for image in connection.image.images(status="active", sort="created_at:desc")
        if image.name
    )


def _networks(connection: Connection, wanted: tuple[str, ...]) -> tuple[ExistingNetwork, ...]:
    found = []
    for name in wanted:
        for network in connection.network.networks(name=name):
            subnets = connection.network.subnets(network_id=network.id)
            found.append(
                ExistingNetwork(
                    id=network.id,
                    name=network.name,
                    is_external=bool(network.is_router_external),
                    is_shared=bool(network.is_shared),
                    subnets={subnet.id: subnet.cidr for subnet in subnets},
                )
            )
            break
    return tuple(found)


def _candidates(connection: Connection, resource_class: str) -> int:
    response = connection.placement.get(
        "/allocation_candidates",
        params={"resources": f"{resource_class}:1", "limit": MOST_CANDIDATES},
        microversion=CANDIDATES_MICROVERSION,
        raise_exc=True,
    )
    return len(response.json()["allocation_requests"])
