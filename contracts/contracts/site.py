"""The site file: what a workspace document may refer to by name, and the site's own defaults. One per cloud."""

from ipaddress import ip_network
from typing import Annotated, Literal

from pydantic import Field, StringConstraints, field_validator

from contracts.identifiers import Identifier
from contracts.workspace import CloudName, Document, Sensitivity

Prefix = Annotated[str, StringConstraints(max_length=43)]


class Service(Document):
    """A port that an endpoint serves."""

    protocol: Literal["tcp", "udp"] = "tcp"
    ports: Annotated[
        tuple[Annotated[str, StringConstraints(pattern=r"^[0-9]{1,5}(-[0-9]{1,5})?$")], ...], Field(min_length=1)
    ]

    @field_validator("ports", mode="before")
    @classmethod
    def _numbers_are_ports(cls, value: object) -> object:
        return tuple(str(port) for port in value) if isinstance(value, (list, tuple)) else value


class Endpoint(Document):
    """A named place outside workspaces: jumphosts, DNS, NTP, proxy, SIEM, the HIDS manager …"""

    prefixes: Annotated[tuple[Prefix, ...], Field(min_length=1, max_length=64)]
    always: tuple[Service, ...] = ()
    """Every node of every workspace may reach these ports (DNS, NTP, HIDS manager), without a flow saying so."""

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


class BurstProvider(Document):
    """Where nodes can be had on demand, and which data may go there."""

    kind: Literal["openstack", "azure", "fake"]
    accepts: tuple[Sensitivity, ...]


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
    ingress_endpoint: Identifier = "jumphosts"
    """The only endpoint that may open connections to nodes from outside (row L3)."""
    share_types: dict[Literal["CEPHFS", "NFS"], CloudName] = {"CEPHFS": "cephfs"}
    """Allowed protocols (row L18) and the Manila share type of each."""
    volume_type: CloudName | None = None
    burst_providers: dict[Identifier, BurstProvider] = {}
    domain: CloudName = "default"
    """The Keystone domain that workspaces' projects live in."""
    project_prefix: Annotated[str, StringConstraints(pattern=r"^[a-z0-9-]*$", max_length=20)] = "tre-"
    api_addresses: tuple[Prefix, ...] = ()
    """Addresses of Tresor's own services, from which API calls are expected (row L13)."""
