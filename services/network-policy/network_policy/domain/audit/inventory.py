"""What an audit read of a cloud: the world that network-policy knows, and what else tells of how safe it is."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from network_policy.domain.world import World


class Part(StrEnum):
    """A list that is read by itself, and may fail by itself."""

    GROUPS = "security groups"
    PORTS = "ports"
    NETWORKS = "networks"
    SUBNETS = "subnets"
    ROUTERS = "routers"
    FLOATING_IPS = "floating IPs"
    ADDRESS_GROUPS = "address groups"
    SHARINGS = "RBAC policies"
    TRUNKS = "trunks"
    AGENTS = "Neutron's agents"
    DEFAULT_RULES = "the template of default groups"
    PROJECTS = "projects"
    SERVERS = "servers"
    VOLUMES = "volumes"
    ATTACHMENTS = "volume attachments"
    IMAGES = "images"
    SITE = "the site file"


WORLD = frozenset(
    {Part.GROUPS, Part.PORTS, Part.NETWORKS, Part.SUBNETS, Part.ROUTERS, Part.FLOATING_IPS, Part.ADDRESS_GROUPS}
)
"""What reachability rests on."""


@dataclass(frozen=True, slots=True)
class PortFacts:
    """Of a port, beside what the world holds."""

    host: str = ""
    is_bound: bool = False
    status: str = ""
    created_at: str = ""


@dataclass(frozen=True, slots=True)
class Agent:
    """One of Neutron's agents; `is_hybrid`: its Open vSwitch filters with iptables."""

    id: str
    kind: str
    host: str
    is_alive: bool = True
    is_hybrid: bool = False


@dataclass(frozen=True, slots=True)
class DefaultRule:
    """A rule that new groups are born with."""

    id: str
    direction: str
    ethertype: str
    remote: str
    """`PARENT` for the group itself; empty for everywhere."""
    for_default_group: bool


@dataclass(frozen=True, slots=True)
class Server:
    id: str
    name: str
    project_id: str
    volume_ids: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Volume:
    id: str
    project_id: str
    status: str
    is_multiattach: bool = False


@dataclass(frozen=True, slots=True)
class Attachment:
    """As Cinder keeps it; `server_id` is empty while a volume is only reserved."""

    id: str
    volume_id: str
    server_id: str
    status: str


@dataclass(frozen=True, slots=True)
class Image:
    id: str
    name: str
    project_id: str
    disk_format: str
    visibility: str


@dataclass(frozen=True)
class Inventory:
    """Everything that was read. A part that is in `unread` is empty here and unknown there: never taken for good."""

    world: World
    unread: Mapping[Part, str] = field(default_factory=dict)
    """Why a part could not be read."""
    is_whole: bool = False
    """Whether the account sees every project's resources."""
    account: str = ""
    project_names: Mapping[str, str] = field(default_factory=dict)
    """All projects that exist, by id, where they could be read."""
    port_facts: Mapping[str, PortFacts] = field(default_factory=dict)
    agents: tuple[Agent, ...] = ()
    default_rules: tuple[DefaultRule, ...] = ()
    servers: tuple[Server, ...] = ()
    volumes: tuple[Volume, ...] = ()
    attachments: tuple[Attachment, ...] = ()
    images: tuple[Image, ...] = ()

    def project(self, project_id: str) -> str:
        """The project's name, else its id."""
        return plain(self.project_names.get(project_id) or project_id or "no project")


def plain(text: str) -> str:
    """Without characters that steer a terminal or turn the reading direction: names are whatever their owners chose."""
    return (
        text
        if text.isprintable()
        else "".join(each if each.isprintable() else "\N{REPLACEMENT CHARACTER}" for each in text)
    )
