"""The calls that change the cloud, as values. `verb` names the call in intents, `marker` the thing it is about."""

from dataclasses import dataclass
from typing import ClassVar

_TOLD = {
    "project.create": "project.created",
    "role.grant": "role.granted",
    "quota.set": "quota.set",
    "network.create": "network.created",
    "subnet.create": "subnet.created",
    "router.create": "router.created",
    "router.gateway": "router.joined to the outside",
    "router.interface": "router.joined to a subnet",
    "tag.set": "tag.set",
    "port.create": "port.created",
    "trunk.create": "trunk.created",
    "trunk.add": "subports.joined to a trunk",
    "trunk.remove": "subports.parted from a trunk",
    "trunk.delete": "trunk.deleted",
    "server.create": "server.created",
    "server.start": "server.started",
    "volume.attach": "volume.attached",
    "server.delete": "server.being deleted",
    "port.delete": "port.deleted",
    "router.interface-remove": "router.parted from a subnet",
    "router.delete": "router.deleted",
    "network.delete": "network.deleted",
    "quota.delete": "quota.forgotten",
    "project.delete": "project.deleted",
}


@dataclass(frozen=True)
class Step:
    """One call; `marker` is unique to the thing within the cloud, so that two of it are never under way."""

    verb: ClassVar[str]
    marker: str

    @property
    def told(self) -> str:
        """The step in words once it is done, for people who watch."""
        noun, _, done = _TOLD.get(self.verb, self.verb).partition(".")
        return f"{noun} {getattr(self, 'name', '')}".rstrip() + f" {done}"

    @property
    def is_repeatable(self) -> bool:
        """Made twice, it does what it does once: an unknown outcome need not be waited for."""
        return not self.verb.endswith((".create", ".attach", ".interface"))


@dataclass(frozen=True)
class CreateProject(Step):
    verb = "project.create"
    name: str
    workspace: str


@dataclass(frozen=True)
class GrantRole(Step):
    """Gives the service's own user its role in the project, without which no server can be created there."""

    verb = "role.grant"
    project_id: str


@dataclass(frozen=True)
class SetQuota(Step):
    verb = "quota.set"
    project_id: str
    service: str
    limits: tuple[tuple[str, int], ...]


@dataclass(frozen=True)
class CreateNetwork(Step):
    verb = "network.create"
    project_id: str
    name: str
    tag: str
    segmentation: str = "any"
    """`vlan`, `vxlan`, `geneve`; `any` leaves it to the cloud."""
    segmentation_id: int | None = None
    physical_network: str | None = None


@dataclass(frozen=True)
class CreateSubnet(Step):
    verb = "subnet.create"
    project_id: str
    name: str
    tag: str
    network_id: str
    cidr: str
    version: int
    is_routed: bool
    nameservers: tuple[str, ...] = ()


@dataclass(frozen=True)
class CreateRouter(Step):
    verb = "router.create"
    project_id: str
    name: str
    tag: str
    gateway_network_id: str | None


@dataclass(frozen=True)
class SetGateway(Step):
    verb = "router.gateway"
    router_id: str
    gateway_network_id: str


@dataclass(frozen=True)
class AddInterface(Step):
    verb = "router.interface"
    router_id: str
    subnet_id: str


@dataclass(frozen=True)
class SetTag(Step):
    """Marks what lost its tag, or never got it because the call after its creation failed."""

    verb = "tag.set"
    kind: str
    resource_id: str
    tag: str


@dataclass(frozen=True)
class CreatePort(Step):
    """A port that is born in its role's group, with port security on."""

    verb = "port.create"
    project_id: str
    name: str
    tag: str
    network_id: str
    subnet_ids: tuple[str, ...]
    group_id: str
    vnic_type: str = "normal"


@dataclass(frozen=True)
class CreateTrunk(Step):
    """A trunk that is born with all its subports, on ports that nothing uses yet."""

    verb = "trunk.create"
    project_id: str
    name: str
    tag: str
    parent_id: str
    subports: tuple[tuple[str, int], ...]
    """Port id and VLAN tag of each."""


@dataclass(frozen=True)
class AddSubports(Step):
    verb = "trunk.add"
    trunk_id: str
    subports: tuple[tuple[str, int], ...]


@dataclass(frozen=True)
class RemoveSubports(Step):
    verb = "trunk.remove"
    trunk_id: str
    port_ids: tuple[str, ...]


@dataclass(frozen=True)
class CreateServer(Step):
    verb = "server.create"
    project_id: str
    name: str
    flavor_id: str
    image_id: str
    port_ids: tuple[str, ...]
    keypair: str | None
    user_data: str
    metadata: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class StartServer(Step):
    verb = "server.start"
    server_id: str


@dataclass(frozen=True)
class AttachVolume(Step):
    verb = "volume.attach"
    project_id: str
    server_id: str
    volume_id: str


@dataclass(frozen=True)
class DeleteServer(Step):
    verb = "server.delete"
    server_id: str


@dataclass(frozen=True)
class DeletePort(Step):
    verb = "port.delete"
    port_id: str


@dataclass(frozen=True)
class DeleteTrunk(Step):
    """Deletes the trunk; its ports stay, free again."""

    verb = "trunk.delete"
    trunk_id: str


@dataclass(frozen=True)
class RemoveInterface(Step):
    verb = "router.interface-remove"
    router_id: str
    subnet_id: str


@dataclass(frozen=True)
class DeleteRouter(Step):
    verb = "router.delete"
    router_id: str


@dataclass(frozen=True)
class DeleteNetwork(Step):
    """Deletes a network with its subnets."""

    verb = "network.delete"
    network_id: str


@dataclass(frozen=True)
class ForgetQuota(Step):
    """Removes a service's record of the project's limits, which would outlive the project."""

    verb = "quota.delete"
    project_id: str
    service: str


@dataclass(frozen=True)
class DeleteProject(Step):
    verb = "project.delete"
    project_id: str
