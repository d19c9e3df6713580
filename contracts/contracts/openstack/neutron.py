"""Neutron's payloads: one resource under its own name, or several under the plural; a delete may carry only an id.

Source: the API's notifier hook (neutron/pecan_wsgi/hooks/notifier.py) and the resources of the Networking API v2.0.
"""

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import AliasChoices, AliasPath, Field, SerializeAsAny

from contracts.openstack.payload import Count, Pairs, Part, Payload, Records, Strings, Time, Unmodelled, fit


class Resource(Part):
    """What all of Neutron's resources have; on create.start only what the caller sent."""

    id: str | None = None
    name: str | None = None
    project_id: str | None = Field(default=None, validation_alias=AliasChoices("project_id", "tenant_id"))
    description: str | None = None
    revision_number: int | None = None
    created_at: Time = None
    updated_at: Time = None
    tags: Strings = ()


class FixedIp(Part):
    subnet_id: str | None = None
    ip_address: str | None = None


class AddressPair(Part):
    ip_address: str | None = None
    mac_address: str | None = None


class Port(Resource):
    """A port; `status` in a notification may be older than the truth (11 of 13 recorded updates said DOWN)."""

    network_id: str | None = None
    mac_address: str | None = None
    admin_state_up: bool | None = None
    status: str | None = None
    device_id: str | None = None
    device_owner: str | None = None
    fixed_ips: Annotated[tuple[FixedIp, ...], Records] = ()
    allowed_address_pairs: Annotated[tuple[AddressPair, ...], Records] = ()
    extra_dhcp_opts: tuple[Any, ...] = ()
    security_groups: Strings | None = None
    """None when the payload doesn't say; empty when the port has none."""
    port_security_enabled: bool | None = None
    vnic_type: str | None = Field(default=None, validation_alias="binding:vnic_type")
    host_id: str | None = Field(default=None, validation_alias="binding:host_id")
    vif_type: str | None = Field(default=None, validation_alias="binding:vif_type")


class Network(Resource):
    admin_state_up: bool | None = None
    status: str | None = None
    shared: bool | None = None
    mtu: Count = None
    subnets: Strings = ()
    port_security_enabled: bool | None = None
    external: bool | None = Field(default=None, validation_alias="router:external")
    network_type: str | None = Field(default=None, validation_alias="provider:network_type")
    physical_network: str | None = Field(default=None, validation_alias="provider:physical_network")
    segmentation_id: Count = Field(default=None, validation_alias="provider:segmentation_id")


class Subnet(Resource):
    network_id: str | None = None
    cidr: str | None = None
    ip_version: int | None = None
    gateway_ip: str | None = None
    enable_dhcp: bool | None = None
    ipv6_ra_mode: str | None = None
    ipv6_address_mode: str | None = None
    dns_nameservers: Strings = ()


class SecurityGroupRule(Resource):
    security_group_id: str | None = None
    direction: str | None = None
    ethertype: str | None = None
    protocol: str | None = None
    """A name or a number, as the caller wrote it."""
    port_range_min: Count = None
    port_range_max: Count = None
    remote_ip_prefix: str | None = None
    remote_group_id: str | None = None
    remote_address_group_id: str | None = None
    normalized_cidr: str | None = None
    belongs_to_default_group: bool | None = Field(default=None, validation_alias="belongs_to_default_sg")


class SecurityGroup(Resource):
    stateful: bool | None = None
    shared: bool | None = None
    rules: Annotated[tuple[SecurityGroupRule, ...], Records] = Field(
        default=(), validation_alias="security_group_rules"
    )


class AddressGroup(Resource):
    addresses: Strings = ()


class FloatingIp(Resource):
    floating_ip_address: str | None = None
    fixed_ip_address: str | None = None
    floating_network_id: str | None = None
    router_id: str | None = None
    port_id: str | None = None
    device_id: str | None = Field(default=None, validation_alias=AliasPath("port_details", "device_id"))
    """Of its port: the server."""
    status: str | None = None


class Router(Resource):
    admin_state_up: bool | None = None
    status: str | None = None
    external_gateway_info: Pairs = Field(default_factory=dict)
    routes: tuple[Any, ...] = ()


class RouterInterface(Resource):
    """`id` is the router's."""

    port_id: str | None = None
    network_id: str | None = None
    subnet_id: str | None = None
    subnet_ids: Strings = ()


class RbacPolicy(Resource):
    """Who else may use a network, a group, an address group, …"""

    object_type: str | None = None
    object_id: str | None = None
    action: str | None = None
    target_project_id: str | None = Field(
        default=None, validation_alias=AliasChoices("target_project_id", "target_tenant", "target_project")
    )


class Trunk(Resource):
    port_id: str | None = None
    admin_state_up: bool | None = None
    status: str | None = None
    sub_ports: tuple[Any, ...] = ()


class IpsecSiteConnection(Resource):
    peer_address: str | None = None
    peer_cidrs: Strings = ()
    mtu: Count = None
    initiator: str | None = None
    status: str | None = None
    vpnservice_id: str | None = None
    ikepolicy_id: str | None = None
    ipsecpolicy_id: str | None = None


class Proposal(Resource):
    """An IKE or IPsec policy."""

    auth_algorithm: str | None = None
    encryption_algorithm: str | None = None
    pfs: str | None = None
    ike_version: str | None = None


RESOURCES: dict[str, type[Resource]] = {
    "port": Port,
    "network": Network,
    "subnet": Subnet,
    "security_group": SecurityGroup,
    "security_group_rule": SecurityGroupRule,
    "default_security_group_rule": SecurityGroupRule,
    "address_group": AddressGroup,
    "floatingip": FloatingIp,
    "router": Router,
    "router_interface": RouterInterface,
    "rbac_policy": RbacPolicy,
    "trunk": Trunk,
    "ipsec_site_connection": IpsecSiteConnection,
    "ikepolicy": Proposal,
    "ipsecpolicy": Proposal,
}
"""By the name under which a payload carries them; any other resource is read as a plain `Resource`."""


class NetworkPayload(Payload):
    """One or several resources of one kind, and the id where the payload gives it apart."""

    resource_kind: str = ""
    deleted_id: str | None = None
    """The `<kind>_id` beside or instead of the resource, on a delete."""
    resources: tuple[SerializeAsAny[Resource], ...] = ()

    @property
    def resource(self) -> Resource | None:
        """The one resource; None when there is none or several."""
        return self.resources[0] if len(self.resources) == 1 else None

    @property
    def resource_ids(self) -> tuple[str, ...]:
        """All ids that the payload names; empty on create.start."""
        found = [self.deleted_id, *(resource.id for resource in self.resources)]
        return tuple(dict.fromkeys(identity for identity in found if identity))

    @property
    def resource_id(self) -> str | None:
        return ids[0] if len(ids := self.resource_ids) == 1 else None

    @property
    def owner_project_id(self) -> str | None:
        projects = {resource.project_id for resource in self.resources if resource.project_id}
        return projects.pop() if len(projects) == 1 else None


class Tagging(Payload):
    """`tag.*`: tags of any resource were set; they are never authority (CVE-2024-53916)."""

    kind = "tag"

    resource_plural: str | None = Field(default=None, validation_alias=AliasChoices("obj_resource", "parent_resource"))
    tagged_id: str | None = Field(default=None, validation_alias=AliasChoices("obj_resource_id", "parent_resource_id"))
    tags: Strings = ()

    @property
    def resource_id(self) -> str | None:
        return self.tagged_id


def kind_of(event_type: str) -> str:
    """The resource's name under which the payload carries it: `router.interface.create` → `router_interface`."""
    words = event_type.split(".")
    return "router_interface" if words[:2] == ["router", "interface"] else words[0]


def plural_of(kind: str) -> str:
    """Neutron's plural: policies, but `security_groups`."""
    return f"{kind[:-1]}ies" if kind.endswith("y") else f"{kind}s"


def read_network_payload(event_type: str, data: Mapping[str, Any]) -> Payload:
    """The payload of one of Neutron's events; `Unmodelled` when it carries neither resource nor id."""
    kind = kind_of(event_type)
    model = RESOURCES.get(kind, Resource)
    found = data.get(kind)
    carried = [found] if isinstance(found, Mapping) else []
    several = data.get(plural_of(kind))
    if isinstance(several, list | tuple):
        carried.extend(item for item in several if isinstance(item, Mapping))
    deleted_id = data.get(f"{kind}_id")
    resources: list[Resource] = []
    misfits: tuple[str, ...] = ()
    for item in carried:
        resource, left_out = fit(model, item)
        misfits += left_out
        if resource is not None:
            resources.append(resource)
    if not resources and not isinstance(deleted_id, str):
        return Unmodelled(data=dict(data), misfits=misfits)
    return NetworkPayload(
        resource_kind=kind,
        deleted_id=deleted_id if isinstance(deleted_id, str) else None,
        resources=tuple(resources),
        misfits=misfits,
    )
