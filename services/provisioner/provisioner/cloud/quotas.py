"""Quotas of Nova and Neutron, each with an interface of its own; limits are named as their services name them."""

from collections.abc import Mapping
from typing import Any

from openstack.connection import Connection

_FORCED = {"force": True}
"""Nova refuses a limit below the present use, which a workspace that shrinks has for a moment."""
_NEUTRON_NAMES = {
    "network": "networks",
    "subnet": "subnets",
    "router": "routers",
    "port": "ports",
    "security_group": "security_groups",
    "security_group_rule": "security_group_rules",
}
_COMPUTE_NAMES = ("instances", "cores", "ram")


def read(connection: Connection, service: str, project_id: str) -> Mapping[str, int]:
    """The project's limits of one service."""
    if service == "network":
        quota = connection.network.get_quota(project_id)
        return {name: int(getattr(quota, ours)) for name, ours in _NEUTRON_NAMES.items()}
    compute = connection.compute.get_quota_set(project_id)
    return {name: int(getattr(compute, name)) for name in _COMPUTE_NAMES}


def write(connection: Connection, service: str, project_id: str, limits: Mapping[str, Any]) -> None:
    """Set those limits; others stay."""
    if service == "network":
        connection.network.update_quota(project_id, **{_NEUTRON_NAMES[name]: limit for name, limit in limits.items()})
    else:
        connection.compute.update_quota_set(project_id, **{**limits, **_FORCED})


def forget(connection: Connection, service: str, project_id: str) -> None:
    """Have the service forget its limits of the project, so that defaults apply."""
    if service == "network":
        connection.network.delete_quota(project_id, ignore_missing=True)
    else:
        connection.compute.revert_quota_set(project_id)
