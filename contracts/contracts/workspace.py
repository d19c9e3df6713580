"""The workspace document: what a project's enclave is to be. Written as YAML by people, carried as JSON on the bus."""

from datetime import date
from enum import StrEnum
from ipaddress import ip_network
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, field_validator, model_validator

from contracts.identifiers import Identifier, Text

Holder = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.+@-]+$", min_length=1, max_length=120)]
CloudName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.:()/ -]+$", min_length=1, max_length=255)]
"""A flavor's, image's or type's name in OpenStack."""

MAX_NODES = 4096


class Document(BaseModel):
    """A part of the document: unknown fields are errors, so that a misspelt rule is never silently dropped."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Sensitivity(StrEnum):
    """How bad a leak would be; it decides which networks, stores and places are allowed."""

    OPEN = "open"
    INTERNAL = "internal"
    SENSITIVE = "sensitive"
    RESTRICTED = "restricted"


class NetworkClass(StrEnum):
    """IRIS's four kinds of network (row I5)."""

    PRIVATE = "private"
    EXTERNAL = "external"
    SHARED_INTERNAL = "shared-internal"
    SHARED_EXTERNAL = "shared-external"


ALLOWED_NETWORK_CLASSES: dict[Sensitivity, frozenset[NetworkClass]] = {
    Sensitivity.OPEN: frozenset(NetworkClass),
    Sensitivity.INTERNAL: frozenset({NetworkClass.PRIVATE, NetworkClass.EXTERNAL, NetworkClass.SHARED_INTERNAL}),
    Sensitivity.SENSITIVE: frozenset({NetworkClass.PRIVATE}),
    Sensitivity.RESTRICTED: frozenset({NetworkClass.PRIVATE}),
}
"""Row I5: sensitive workspaces never sit on shared networks."""


class Network(Document):
    """One network of the workspace with its prefixes; a private one is made, the others must exist in the site."""

    name: Identifier
    network_class: NetworkClass = Field(default=NetworkClass.PRIVATE, alias="class")
    cidr: str
    """IPv4 prefix, canonical (no host bits)."""
    cidr6: str | None = None
    """IPv6 prefix; without it IPv6 stays off (CVE-2021-20267)."""
    routed: bool = True
    """Behind a router of the workspace's own, with the site's external network as its gateway."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    @field_validator("cidr", "cidr6")
    @classmethod
    def _canonical(cls, value: str | None) -> str | None:
        if value is not None:
            ip_network(value, strict=True)
        return value

    @model_validator(mode="after")
    def _versions(self) -> Self:
        if ip_network(self.cidr).version != 4:
            raise ValueError("cidr is the IPv4 prefix; put an IPv6 prefix in cidr6")
        if self.cidr6 is not None and ip_network(self.cidr6).version != 6:
            raise ValueError("cidr6 is the IPv6 prefix; put an IPv4 prefix in cidr")
        if not 16 <= ip_network(self.cidr).prefixlen <= 29:
            raise ValueError("an IPv4 prefix from /16 to /29 is needed")
        return self


class NodeRole(Document):
    """A group of like nodes: login, compute, GPU …; its name is what flows and stores refer to."""

    name: Identifier
    count: Annotated[int, Field(ge=0, le=1024)] = 1
    hardware: Literal["vm", "baremetal"] = "vm"
    """The same document serves both (row I1); `baremetal` wants a flavor of Ironic's resource class."""
    flavor: CloudName
    image: CloudName
    networks: Annotated[tuple[Identifier, ...], Field(min_length=1, max_length=8)]
    keypair: CloudName | None = None
    sensitive: bool = False
    """Wants a NIDS beside the HIDS (row L15)."""
    user_data: Annotated[str, StringConstraints(max_length=16_384)] = ""
    """cloud-init; no secrets: it can be read from the metadata service."""


PORT_RANGE = r"^[0-9]{1,5}(-[0-9]{1,5})?$"


class Flow(Document):
    """One permitted direction of traffic; everything that no flow permits is denied, inside the workspace too.

    An end is a role's name, `site:<endpoint>` or `zone:<zone>` of the site file, or `self` in `to` for the same role.
    """

    from_: str = Field(alias="from", max_length=60, pattern=r"^((site|zone):)?[a-z][a-z0-9-]*$")
    to: str = Field(max_length=60, pattern=r"^((site|zone):)?[a-z][a-z0-9-]*$")
    protocol: Literal["tcp", "udp", "icmp", "any"] = "tcp"
    ports: Annotated[tuple[Annotated[str, StringConstraints(pattern=PORT_RANGE)], ...], Field(max_length=32)] = ()
    """`22` or `6817-6819`; tcp and udp want at least one, icmp and any take none."""
    note: Text = ""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    @field_validator("ports", mode="before")
    @classmethod
    def _numbers_are_ports(cls, value: Any) -> Any:
        return tuple(str(port) for port in value) if isinstance(value, (list, tuple)) else value

    @model_validator(mode="after")
    def _ports_fit_protocol(self) -> Self:
        if self.protocol in ("tcp", "udp"):
            if not self.ports:
                raise ValueError(f"{self.protocol} wants ports, such as [22] or ['6817-6819']; write 1-65535 for all")
        elif self.ports:
            raise ValueError(f"{self.protocol} takes no ports")
        for first, last in self.port_ranges():
            if not 1 <= first <= last <= 65535:
                raise ValueError(f"ports {first}-{last}: from 1 to 65535, the lower first")
        if self.from_.partition(":")[1] and self.to.partition(":")[1]:
            raise ValueError("one end must be a role of this workspace")
        return self

    def port_ranges(self) -> tuple[tuple[int, int], ...]:
        """The ports as inclusive pairs."""
        pairs = (port.partition("-") for port in self.ports)
        return tuple((int(first), int(last or first)) for first, _, last in pairs)


class Share(Document):
    """A shared file system, mounted by the roles that `access` names."""

    name: Identifier
    size_gib: Annotated[int, Field(ge=1, le=10_000_000)]
    protocol: Literal["CEPHFS", "NFS"] = "CEPHFS"
    share_type: CloudName | None = None
    """None takes the site's default for the protocol."""
    access: dict[Identifier, Literal["rw", "ro"]]


class Volume(Document):
    """Block storage, one volume for each node of a role."""

    name: Identifier
    size_gib: Annotated[int, Field(ge=1, le=1_000_000)]
    volume_type: CloudName | None = None
    role: Identifier


class Storage(Document):
    """What the nodes share and what each has for itself."""

    shares: Annotated[tuple[Share, ...], Field(max_length=64)] = ()
    volumes: Annotated[tuple[Volume, ...], Field(max_length=64)] = ()


class Burst(Document):
    """Nodes on demand elsewhere, for the role named, within a budget."""

    role: Identifier
    provider: Identifier
    max_nodes: Annotated[int, Field(ge=1, le=MAX_NODES)]
    budget_per_month: Annotated[float, Field(ge=0)]
    """In the site's currency."""
    idle_minutes: Annotated[int, Field(ge=1, le=1440)] = 15


class Quotas(Document):
    """Upper bounds on the project; None leaves what the document's own content needs plus nothing."""

    cores: Annotated[int, Field(ge=0)] | None = None
    ram_gib: Annotated[int, Field(ge=0)] | None = None
    instances: Annotated[int, Field(ge=0)] | None = None
    volumes_gib: Annotated[int, Field(ge=0)] | None = None
    shares_gib: Annotated[int, Field(ge=0)] | None = None


class Workspace(Document):
    """A whole enclave. See `docs/workspace-document.md` and `deploy/demo/openhpc.yaml`."""

    api_version: Literal["tresor/v1"] = Field(default="tresor/v1", alias="apiVersion")
    kind: Literal["Workspace"] = "Workspace"
    name: Identifier
    owner: Holder
    affiliation: Literal["internal", "external"] = "internal"
    sensitivity: Sensitivity
    expiry: date
    description: Text = ""
    networks: Annotated[tuple[Network, ...], Field(min_length=1, max_length=16)]
    roles: Annotated[tuple[NodeRole, ...], Field(min_length=1, max_length=32)]
    flows: Annotated[tuple[Flow, ...], Field(max_length=512)] = ()
    storage: Storage = Storage()
    burst: Burst | None = None
    quotas: Quotas = Quotas()

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    def role(self, name: str) -> NodeRole | None:
        """The role of that name, or None."""
        return next((role for role in self.roles if role.name == name), None)
