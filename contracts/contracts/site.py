"""The site file: what a workspace document may refer to by name, and the site's own defaults. One per cloud."""

from datetime import datetime
from ipaddress import ip_network
from itertools import combinations
from typing import Annotated, Literal, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import ConfigDict, Field, StringConstraints, field_validator, model_validator

from contracts.identifiers import Identifier
from contracts.workspace import MAX_VLAN, CloudName, Document, NumberRange, PortRange, Sensitivity, bounds

Prefix = Annotated[str, StringConstraints(max_length=43)]
UserName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.@:-]+$", min_length=1, max_length=255)]
_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
VlanRange = NumberRange
"""`317` or `300-399`, written like ports."""
IPSEC_OVERHEAD_BYTES = 101
"""The most that ESP in tunnel mode over IPv4 adds to a packet: outer header 20, UDP 8, ESP 8, IV 16, padding and trailer 17,
integrity check 32 (RFC 4303, RFC 3948, RFC 4868; AES-CBC with HMAC-SHA-512-256). `contracts.tunnel` knows the proposals."""


class Service(Document):
    """A port that an endpoint serves."""

    protocol: Literal["tcp", "udp"] = "tcp"
    ports: Annotated[tuple[PortRange, ...], Field(min_length=1)]


class Endpoint(Document):
    """A named place outside workspaces: jumphosts, DNS, NTP, proxy, SIEM, the HIDS manager …"""

    prefixes: Annotated[tuple[Prefix, ...], Field(min_length=1, max_length=64)]
    always: tuple[Service, ...] = ()
    """Every node of every workspace may reach these ports (DNS, NTP, HIDS manager), without a flow saying so."""
    zone: Identifier | None = None
    """The zone it lies in, so that flows with it need the zone matrix; None: a flow alone is enough."""

    @field_validator("prefixes")
    @classmethod
    def _canonical(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for prefix in value:
            ip_network(prefix, strict=True)
        return value


class Zone(Document):
    """A network zone; traffic between zones not listed is denied (row L4)."""

    prefixes: Annotated[tuple[Prefix, ...], Field(min_length=1, max_length=64)]

    @field_validator("prefixes")
    @classmethod
    def _canonical(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for prefix in value:
            ip_network(prefix, strict=True)
        return value


class Passage(Document):
    """One pair of zones that may talk, in one direction; what no passage lists is denied (row L4)."""

    from_: Identifier = Field(alias="from")
    to: Identifier
    protocol: Literal["tcp", "udp", "icmp", "any"] = "any"
    ports: Annotated[tuple[PortRange, ...], Field(max_length=64)] = ()
    """Of tcp and udp; none: all of them."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    @model_validator(mode="after")
    def _ports_fit_protocol(self) -> Self:
        if self.ports and self.protocol not in ("tcp", "udp"):
            raise ValueError(f"{self.protocol} takes no ports")
        return self

    def port_ranges(self) -> tuple[tuple[int, int], ...]:
        """The ports as inclusive pairs."""
        return tuple(map(bounds, self.ports))


class Tunnel(Document):
    """A site-to-site tunnel (row D4); its far side is a zone of the tunnel's name."""

    peers: Annotated[tuple[Prefix, ...], Field(min_length=1, max_length=8)]
    """The far gateways' own addresses."""
    far_prefixes: Annotated[tuple[Prefix, ...], Field(min_length=1, max_length=64)]
    """What lies behind them; no workspace and no other tunnel may overlap it (row D7)."""
    path_mtu_bytes: Annotated[int, Field(ge=1280, le=9216)] = 1500
    """The largest packet that the way between the gateways takes."""

    @field_validator("peers", "far_prefixes")
    @classmethod
    def _canonical(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for prefix in value:
            ip_network(prefix, strict=True)
        return value

    @property
    def inner_mtu_bytes(self) -> int:
        """The largest packet that passes through it unbroken."""
        return self.path_mtu_bytes - IPSEC_OVERHEAD_BYTES


class BurstProvider(Document):
    """Where nodes can be had on demand, and which data may go there."""

    kind: Literal["openstack", "azure", "fake"]
    accepts: tuple[Sensitivity, ...]


class WorkingHours(Document):
    """When operators are expected to give commands."""

    timezone: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_+/-]+$", max_length=64)] = "UTC"
    """A name of the IANA database: Europe/Zurich."""
    days: Annotated[tuple[Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"], ...], Field(min_length=1)] = (
        "mon",
        "tue",
        "wed",
        "thu",
        "fri",
    )
    from_hour: Annotated[int, Field(ge=0, le=23)] = 7
    to_hour: Annotated[int, Field(ge=1, le=24)] = 19
    """The first hour that is none of them."""

    @field_validator("timezone")
    @classmethod
    def _is_known(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (ValueError, OSError, ZoneInfoNotFoundError):
            raise ValueError(f"there is no timezone '{value}'") from None
        return value

    @model_validator(mode="after")
    def _begins_before_it_ends(self) -> Self:
        if self.from_hour >= self.to_hour:
            raise ValueError("from_hour lies before to_hour")
        return self

    def has(self, at: datetime) -> bool:
        """Whether that instant is one of them."""
        local = at.astimezone(ZoneInfo(self.timezone))
        return _DAYS[local.weekday()] in self.days and self.from_hour <= local.hour < self.to_hour


class Site(Document):
    """See `docs/site-file.md` and `deploy/demo/site.yaml`."""

    name: Identifier
    external_network: CloudName | None = None
    """The provider network behind which routed networks go out; None leaves workspaces without a way out."""
    networks: dict[Identifier, CloudName] = {}
    """Existing networks that a document of an external or shared class may use, and their names in Neutron."""
    reserved_prefixes: tuple[Prefix, ...] = ()
    """Prefixes that no workspace may overlap: the site's own, the other ends of tunnels."""
    endpoints: dict[Identifier, Endpoint] = {}
    zones: dict[Identifier, Zone] = {}
    default_zone: Identifier = "workspaces"
    """The zone of a document's network that names none."""
    zone_matrix: Annotated[tuple[Passage, ...], Field(max_length=512)] = ()
    """Which zone may open what to which; a flow between two zones has to be in it, or it is denied (row L4)."""
    tunnels: dict[Identifier, Tunnel] = {}
    """Tunnels to other sites; a flow names the far side as `zone:<tunnel>`."""
    ingress_endpoint: Identifier = "jumphosts"
    """The only endpoint that may open connections to nodes from outside (row L3)."""
    api_proxy_endpoint: Identifier | None = None
    """The only place outside a workspace from which its Kubernetes API can be reached (row L26)."""
    internal_api_network: CloudName | None = None
    """Neutron's name or id of the network that OpenStack's services talk on; a tenant's port on it is critical (row C3)."""
    internal_api_prefixes: Annotated[tuple[Prefix, ...], Field(max_length=64)] = ()
    """Addresses that OpenStack's services talk on: a network with a subnet among them is such a network too (row C3)."""
    backend: Literal["ovn", "agent"] = "ovn"
    """What enforces security groups: OVN, or agents on the hosts (Open vSwitch, Linux bridge)."""
    far_ends: Literal["group", "address-group", "prefix"] | None = None
    """How rules name a role at their far end. None takes `group` for OVN, and `address-group` for agents, each of which has to
    learn every change of a remote group's members. `prefix` wants a network of its own for each role that flows name."""
    vlan_physical_network: CloudName | None = None
    """The provider network that VLANs of workspaces lie on; None: no document may ask for a VLAN."""
    vlan_ids: Annotated[tuple[VlanRange, ...], Field(max_length=64)] = ()
    """Ids on it that a document may choose itself; Neutron's own choice is always allowed."""
    direct_flavors: tuple[CloudName, ...] = ()
    """Flavors whose hosts offer virtual functions on that provider network: the ones that direct ports may have (row C4)."""
    share_types: dict[Literal["CEPHFS", "NFS"], CloudName] = {"CEPHFS": "cephfs"}
    """Allowed protocols (row L18) and the Manila share type of each."""
    volume_type: CloudName | None = None
    burst_providers: dict[Identifier, BurstProvider] = {}
    domain: CloudName = "default"
    """The Keystone domain that workspaces' projects live in."""
    project_prefix: Annotated[str, StringConstraints(pattern=r"^[a-z0-9-]*$", max_length=20)] = "tre-"
    api_addresses: Annotated[tuple[Prefix, ...], Field(max_length=256)] = ()
    """Addresses from which OpenStack's API is expected to be called: Tresor's and OpenStack's own services, operators'
    machines. A login from elsewhere is a finding (row L13); none: logins are not judged by their address."""
    api_users: Annotated[tuple[UserName, ...], Field(max_length=256)] = ()
    """Names or ids of the users that services call OpenStack's API with. Whoever else makes something there is a finding
    (row L13); none: calls are not judged by their user."""
    image_ids: Annotated[tuple[CloudName, ...], Field(max_length=256)] = ()
    """Ids in Glance of the images that servers may be made from; none: any."""
    image_formats: Annotated[tuple[Identifier, ...], Field(max_length=32)] = ("raw", "qcow2")
    """Disk formats that an image may have (CVE-2026-24708)."""
    working_hours: WorkingHours | None = None
    """When operators work; a command outside is a finding. None: at any time."""

    @field_validator("vlan_ids")
    @classmethod
    def _are_vlans(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for each in value:
            first, last = bounds(each)
            if not 1 <= first <= last <= MAX_VLAN:
                raise ValueError(f"vlan_ids {each}: from 1 to {MAX_VLAN}, the lower first")
        return value

    def is_working_time(self, at: datetime) -> bool | None:
        """Whether operators work at that instant; None where the file does not say."""
        return None if self.working_hours is None else self.working_hours.has(at)

    def may_choose_vlan(self, vlan: int | None) -> bool:
        """Whether a document may ask for that VLAN id; None leaves it to Neutron."""
        if vlan is None:
            return True
        return any(first <= vlan <= last for first, last in map(bounds, self.vlan_ids))

    @property
    def far_end_kind(self) -> Literal["group", "address-group", "prefix"]:
        """How rules name a role at their far end."""
        return self.far_ends or ("group" if self.backend == "ovn" else "address-group")

    def place(self, end: str) -> tuple[str, ...] | None:
        """The prefixes of a flow's end `site:<endpoint>` or `zone:<zone or tunnel>`; None where there is none of that name."""
        kind, _, name = end.partition(":")
        if kind == "site":
            endpoint = self.endpoints.get(name)
            return endpoint.prefixes if endpoint else None
        zone, tunnel = self.zones.get(name), self.tunnels.get(name)
        return zone.prefixes if zone else tunnel.far_prefixes if tunnel else None

    @model_validator(mode="after")
    def _tunnels_are_apart(self) -> Self:
        for name in self.tunnels:
            if name in self.zones or name == self.default_zone:
                raise ValueError(f"'{name}' is a tunnel and a zone: call one of them otherwise")
        far = [(name, ip_network(each)) for name, tunnel in self.tunnels.items() for each in tunnel.far_prefixes]
        for (one, mine), (other, theirs) in combinations(far, 2):
            if mine.version == theirs.version and mine.overlaps(theirs):
                raise ValueError(f"far prefixes overlap: {mine} of tunnel '{one}', {theirs} of tunnel '{other}'")
        for name, tunnel in self.tunnels.items():
            for peer in map(ip_network, tunnel.peers):
                for owner, prefix in far:
                    if peer.version == prefix.version and peer.overlaps(prefix):
                        raise ValueError(
                            f"the gateway {peer} of tunnel '{name}' lies in {prefix}, behind tunnel '{owner}'"
                        )
        return self

    @model_validator(mode="after")
    def _names_are_known(self) -> Self:
        zones = {*self.zones, *self.tunnels, self.default_zone}
        for position, passage in enumerate(self.zone_matrix):
            for name in (passage.from_, passage.to):
                if name not in zones:
                    raise ValueError(f"zone_matrix.{position}: no zone '{name}'; there are {', '.join(sorted(zones))}")
        for name, endpoint in self.endpoints.items():
            if endpoint.zone is not None and endpoint.zone not in zones:
                raise ValueError(
                    f"endpoints.{name}.zone: no zone '{endpoint.zone}'; there are {', '.join(sorted(zones))}"
                )
        if self.api_proxy_endpoint is not None and self.api_proxy_endpoint not in self.endpoints:
            raise ValueError(f"api_proxy_endpoint: no endpoint '{self.api_proxy_endpoint}'")
        return self
