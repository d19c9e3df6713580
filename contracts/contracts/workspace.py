"""The workspace document: what a project's enclave is to be. Written as YAML by people, carried as JSON on the bus."""

from datetime import date
from enum import StrEnum
from ipaddress import ip_network
from typing import Annotated, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    field_validator,
    model_validator,
)

from contracts.identifiers import Identifier, Text

HOLDER = r"^[A-Za-z0-9_.+@-]+$"
Holder = Annotated[str, StringConstraints(pattern=HOLDER, min_length=1, max_length=120)]
CloudName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.:()/ -]+$", min_length=1, max_length=255)]
"""A flavor's, image's or type's name in OpenStack."""

MAX_NODES = 4096
MAX_VLAN = 4094
KUBERNETES_API_PORT = 6443


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
    zone: Identifier | None = None
    """A zone of the site file; None is the site's default. Flows between zones have to be in the site's matrix (row L4)."""
    segmentation: Literal["any", "vlan", "vxlan", "geneve"] = "any"
    """How the network is kept apart on the wire (row C10); `any` leaves it to the cloud."""
    segmentation_id: Annotated[int, Field(ge=1, le=16_777_214)] | None = None
    """VLAN id or VNI; None lets Neutron choose a free one."""

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
        if self.segmentation_id is not None and self.segmentation == "any":
            raise ValueError("segmentation_id needs segmentation: vlan, vxlan or geneve")
        if self.segmentation == "vlan" and not 1 <= (self.segmentation_id or 1) <= MAX_VLAN:
            raise ValueError(f"a VLAN id is from 1 to {MAX_VLAN}")
        if self.segmentation != "any" and self.network_class is not NetworkClass.PRIVATE:
            raise ValueError("segmentation is chosen for private networks; the others exist already")
        return self


class Subport(Document):
    """A further network of a node, tagged on the trunk of its first network (row C11)."""

    network: Identifier
    vlan: Annotated[int, Field(ge=1, le=MAX_VLAN)]
    """The tag that the guest uses; nothing to do with how the network is kept apart on the wire."""


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
    vnic_type: Literal["normal", "direct"] = "normal"
    """`direct` is SR-IOV: a virtual function of the host's adapter, on VLAN networks only (row C4)."""
    subports: Annotated[tuple[Subport, ...], Field(max_length=7)] = ()
    """Further networks, tagged on the port of the first of `networks`, which becomes a trunk's parent."""
    stateless: bool = False
    """Its rules are applied to each packet by itself, without connection tracking: faster, but what replies come in by is
    open to connections from the same far end too. Not for roles that people log in to."""
    kubernetes_api: bool = False
    """It serves a Kubernetes API (tcp/6443): from outside the workspace only the site's API proxy reaches it (row L26)."""
    tunnels: Annotated[tuple[Identifier, ...], Field(max_length=8)] = ()
    """It is the near gateway of these tunnels of the site file: IKE and ESP with their peers are open (row D4)."""

    @property
    def all_networks(self) -> tuple[str, ...]:
        """The networks that its nodes have ports on, subports included."""
        return (*self.networks, *(each.network for each in self.subports))


FLOW_END = r"^((site|zone):)?[a-z][a-z0-9-]*$"
PORT_RANGE = r"^[0-9]{1,5}(-[0-9]{1,5})?$"


def bounds(number_range: str) -> tuple[int, int]:
    """The first and the last of what a range such as `22` or `6817-6819` names."""
    first, _, last = number_range.partition("-")
    return int(first), int(last or first)


def _in_order(text: str) -> str:
    first, last = bounds(text)
    if not 1 <= first <= last <= 65535:
        raise ValueError(f"ports {text}: from 1 to 65535, the lower first")
    return text


NumberRange = Annotated[
    str,
    StringConstraints(pattern=PORT_RANGE),
    BeforeValidator(lambda value: str(value) if type(value) is int else value),
]
PortRange = Annotated[NumberRange, AfterValidator(_in_order)]
"""`22` or `6817-6819`; YAML's bare number is taken for the one port that it names."""


class Flow(Document):
    """One permitted direction of traffic; everything that no flow permits is denied, inside the workspace too.

    An end is a role's name, `site:<endpoint>` or `zone:<zone>` of the site file, or `self` in `to` for the same role.
    """

    from_: str = Field(alias="from", max_length=60, pattern=FLOW_END)
    to: str = Field(max_length=60, pattern=FLOW_END)
    protocol: Literal["tcp", "udp", "icmp", "any"] = "tcp"
    ports: Annotated[tuple[PortRange, ...], Field(max_length=32)] = ()
    """`22` or `6817-6819`; tcp and udp want at least one, icmp and any take none."""
    icmp_types: Annotated[tuple[Annotated[int, Field(ge=0, le=255)], ...], Field(max_length=32)] = ()
    """Of ICMP for IPv4, such as 8 for echo requests. With neither list, all types of both; with one, only that."""
    icmpv6_types: Annotated[tuple[Annotated[int, Field(ge=0, le=255)], ...], Field(max_length=32)] = ()
    """Of ICMP for IPv6, such as 128 for echo requests."""
    note: Text = ""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    @model_validator(mode="after")
    def _ports_fit_protocol(self) -> Self:
        if self.protocol in ("tcp", "udp"):
            if not self.ports:
                raise ValueError(f"{self.protocol} wants ports, such as [22] or ['6817-6819']; write 1-65535 for all")
        elif self.ports:
            raise ValueError(f"{self.protocol} takes no ports")
        if (self.icmp_types or self.icmpv6_types) and self.protocol != "icmp":
            raise ValueError("icmp_types and icmpv6_types go with protocol icmp")
        if self.from_.partition(":")[1] and self.to.partition(":")[1]:
            raise ValueError("one end must be a role of this workspace")
        return self

    def port_ranges(self) -> tuple[tuple[int, int], ...]:
        """The ports as inclusive pairs."""
        return tuple(map(bounds, self.ports))


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
