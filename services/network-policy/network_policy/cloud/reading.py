"""Neutron's JSON as values of the domain; whatever a release or driver leaves out has its safest reading."""

from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any

from network_policy.domain.hygiene.unclear import UNCLEAR_BY, unclear
from network_policy.domain.rule import read_rule
from network_policy.domain.world import (
    AddressGroup,
    AddressPair,
    FloatingIp,
    Group,
    GroupRule,
    Network,
    Port,
    Router,
    Sharing,
    Subnet,
    Trunk,
)

Body = Mapping[str, Any]


def _project(body: Body) -> str:
    return str(body.get("project_id") or body.get("tenant_id") or "")


def group_rule(body: Body) -> GroupRule:
    """A rule of `/security-group-rules`, or of a group's list."""
    return GroupRule(
        id=str(body["id"]),
        group_id=str(body["security_group_id"]),
        rule=read_rule(
            direction=str(body["direction"]),
            ethertype=body.get("ethertype"),
            protocol=body.get("protocol"),
            port_range_min=body.get("port_range_min"),
            port_range_max=body.get("port_range_max"),
            remote_ip_prefix=body.get("normalized_cidr") or body.get("remote_ip_prefix"),
            remote_group_id=body.get("remote_group_id"),
            remote_address_group_id=body.get("remote_address_group_id"),
        ),
        unclear=_unclear(*map(body.get, UNCLEAR_BY)),
    )


@lru_cache(maxsize=16_384)
def _unclear(*values: Any) -> str:
    """Each look reads much the same rules as the one before."""
    return unclear(dict(zip(UNCLEAR_BY, values, strict=True)))


def group(body: Body) -> Group:
    """A group of `/security-groups`, with its rules."""
    return Group(
        id=str(body["id"]),
        name=str(body.get("name") or ""),
        project_id=_project(body),
        rules=tuple(
            sorted((group_rule(rule) for rule in body.get("security_group_rules") or ()), key=lambda each: each.id)
        ),
        stateful=body.get("stateful") is not False,
        revision=int(body.get("revision_number") or 0),
        created_at=str(body.get("created_at") or ""),
    )


def port(body: Body) -> Port:
    """A port of `/ports`. Where the port security extension is off, ports are filtered and the field is missing."""
    return Port(
        id=str(body["id"]),
        name=str(body.get("name") or ""),
        project_id=_project(body),
        network_id=str(body.get("network_id") or ""),
        addresses=tuple(str(each["ip_address"]) for each in body.get("fixed_ips") or () if each.get("ip_address")),
        mac_address=str(body.get("mac_address") or ""),
        group_ids=tuple(sorted(str(each) for each in body.get("security_groups") or ())),
        port_security=body.get("port_security_enabled") is not False,
        device_owner=str(body.get("device_owner") or ""),
        device_id=str(body.get("device_id") or ""),
        address_pairs=tuple(
            AddressPair(str(pair.get("ip_address") or ""), str(pair.get("mac_address") or ""))
            for pair in body.get("allowed_address_pairs") or ()
        ),
        vnic_type=str(body.get("binding:vnic_type") or "normal"),
        revision=int(body.get("revision_number") or 0),
        dhcp_options=tuple(
            sorted(f"{each.get('opt_name')}={each.get('opt_value')}" for each in body.get("extra_dhcp_opts") or ())
        ),
        is_bound=bool(body.get("binding:host_id", True)),
    )


def network(body: Body) -> Network:
    segments = tuple(_segments(body))
    return Network(
        id=str(body["id"]),
        name=str(body.get("name") or ""),
        project_id=_project(body),
        external=bool(body.get("router:external")),
        shared=bool(body.get("shared")),
        physical_network=next((name for _, name, _ in segments if name), ""),
        wires=tuple(sorted(" ".join(each) for each in segments if each[1] or each[2])),
    )


def _segments(body: Body) -> Iterator[tuple[str, str, str]]:
    """Type, physical network and id of each segment; one network may have several (the multi-provider extension)."""
    for each in body.get("segments") or (body,):
        number = each.get("provider:segmentation_id")
        yield (
            str(each.get("provider:network_type") or ""),
            str(each.get("provider:physical_network") or ""),
            "" if number is None else str(number),
        )


def subnet(body: Body) -> Subnet:
    return Subnet(id=str(body["id"]), network_id=str(body["network_id"]), cidr=str(body["cidr"]))


def router(body: Body) -> Router:
    gateway = body.get("external_gateway_info") or {}
    return Router(
        id=str(body["id"]),
        project_id=_project(body),
        external_network_id=gateway.get("network_id"),
        external_addresses=tuple(
            str(each["ip_address"]) for each in gateway.get("external_fixed_ips") or () if each.get("ip_address")
        ),
    )


def floating_ip(body: Body) -> FloatingIp:
    return FloatingIp(
        id=str(body["id"]),
        project_id=_project(body),
        address=str(body.get("floating_ip_address") or ""),
        port_id=body.get("port_id"),
    )


def address_group(body: Body) -> AddressGroup:
    return AddressGroup(
        id=str(body["id"]),
        project_id=_project(body),
        prefixes=tuple(str(each) for each in body.get("addresses") or ()),
        name=str(body.get("name") or ""),
    )


def trunk(body: Body) -> Trunk:
    return Trunk(
        id=str(body["id"]),
        project_id=_project(body),
        port_id=str(body.get("port_id") or ""),
        subport_ids=tuple(sorted(str(each["port_id"]) for each in body.get("sub_ports") or ())),
    )


def sharing(body: Body) -> Sharing:
    return Sharing(
        id=str(body["id"]),
        object_type=str(body.get("object_type") or ""),
        object_id=str(body.get("object_id") or ""),
        target_project_id=str(body.get("target_tenant") or body.get("target_project_id") or ""),
        action=str(body.get("action") or ""),
    )
