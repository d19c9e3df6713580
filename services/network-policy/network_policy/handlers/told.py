"""Resources as notifications tell them, as values of the domain; None where one does not say enough of itself."""

from contracts.openstack.neutron import Port as ToldPort
from contracts.openstack.neutron import SecurityGroupRule
from network_policy.domain.rule import Rule, read_rule
from network_policy.domain.world import AddressPair, Port


def rule_of(told: SecurityGroupRule) -> Rule | None:
    """The rule."""
    if not told.direction or not told.ethertype:
        return None
    try:
        return read_rule(
            direction=told.direction,
            ethertype=told.ethertype,
            protocol=told.protocol,
            port_range_min=told.port_range_min,
            port_range_max=told.port_range_max,
            remote_ip_prefix=told.normalized_cidr or told.remote_ip_prefix,
            remote_group_id=told.remote_group_id,
            remote_address_group_id=told.remote_address_group_id,
        )
    except ValueError:
        return None


def port_of(told: ToldPort) -> Port | None:
    """The port. Its groups and its revision must be told."""
    if not told.id or not told.project_id or told.security_groups is None or told.revision_number is None:
        return None
    return Port(
        id=told.id,
        name=told.name or "",
        project_id=told.project_id,
        network_id=told.network_id or "",
        addresses=tuple(each.ip_address for each in told.fixed_ips if each.ip_address),
        mac_address=told.mac_address or "",
        group_ids=tuple(sorted(told.security_groups)),
        port_security=told.port_security_enabled is not False,
        device_owner=told.device_owner or "",
        device_id=told.device_id or "",
        address_pairs=tuple(
            AddressPair(pair.ip_address or "", pair.mac_address or "") for pair in told.allowed_address_pairs
        ),
        vnic_type=told.vnic_type or "normal",
        revision=told.revision_number,
        is_bound=told.host_id != "",
    )
