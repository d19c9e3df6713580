"""What the cloud offers to every workspace: flavors, images, networks, keypairs, bare metal."""

from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict


class Entry(BaseModel):
    """A piece of the catalog; stored as JSON between readings."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Flavor(Entry):
    id: str
    name: str
    cores: int
    ram_mib: int
    disk_gib: int
    resource_class: str | None = None
    """Ironic's resource class where the flavor is of bare metal (`CUSTOM_…`)."""


class Image(Entry):
    id: str
    name: str
    min_ram_mib: int = 0
    min_disk_gib: int = 0


class ExistingNetwork(Entry):
    """A network outside workspaces: the external one, or one that the site file names."""

    id: str
    name: str
    is_external: bool
    is_shared: bool
    subnets: dict[str, str] = {}
    """Prefix by subnet id."""


class Catalog(Entry):
    flavors: tuple[Flavor, ...] = ()
    images: tuple[Image, ...] = ()
    networks: tuple[ExistingNetwork, ...] = ()
    keypairs: tuple[str, ...] = ()
    bare_metal: dict[str, int] = {}
    """How many nodes of each bare-metal resource class are free."""

    def flavor(self, name: str) -> Flavor | None:
        """The flavor of that name."""
        return next((flavor for flavor in self.flavors if flavor.name == name), None)

    def image(self, name: str) -> Image | None:
        """The image of that name; the newest, as they are listed newest first."""
        return next((image for image in self.images if image.name == name), None)

    def network(self, name: str) -> ExistingNetwork | None:
        """The network of that name in Neutron."""
        return next((network for network in self.networks if network.name == name), None)


@dataclass(frozen=True)
class CatalogReading:
    """A catalog and how old it is."""

    catalog: Catalog
    age_seconds: float
