"""Quotas of four services, each with an interface of its own; limits are named as their services name them."""

from collections.abc import Mapping
from typing import Any

from openstack import exceptions
from openstack.connection import Connection

MANILA_MICROVERSION = "2.40"
"""The first versions with `/quota-sets` (2.7) and with limits on groups (2.40) are old enough to be everywhere."""
_MANILA_HEADERS = {"X-OpenStack-Manila-API-Version": MANILA_MICROVERSION}
_FORCED = {"force": True}
"""Nova and Manila refuse a limit below the present use, which a workspace that shrinks has for a moment."""
_NEUTRON_NAMES = {
    "network": "networks",
    "subnet": "subnets",
    "router": "routers",
    "port": "ports",
    "security_group": "security_groups",
    "security_group_rule": "security_group_rules",
}
_LIMITS = {
    "compute": ("instances", "cores", "ram"),
    "volume": ("volumes", "gigabytes"),
    "share": ("shares", "gigabytes"),
}


def read(connection: Connection, service: str, project_id: str) -> Mapping[str, int]:
    """The project's limits of one service."""
    if service == "network":
        quota = connection.network.get_quota(project_id)
        return {name: int(getattr(quota, ours)) for name, ours in _NEUTRON_NAMES.items()}
    body = _quota_set(connection, service, project_id)
    return {name: int(body[name]) for name in _LIMITS[service]}


def write(connection: Connection, service: str, project_id: str, limits: Mapping[str, Any]) -> None:
    """Set those limits; others stay."""
    if service == "network":
        connection.network.update_quota(project_id, **{_NEUTRON_NAMES[name]: limit for name, limit in limits.items()})
    elif service == "compute":
        connection.compute.update_quota_set(project_id, **{**limits, **_FORCED})
    elif service == "volume":
        connection.block_storage.update_quota_set(project_id, **limits)
    else:
        response = connection.shared_file_system.put(
            f"/quota-sets/{project_id}", json={"quota_set": {**limits, **_FORCED}}, headers=_MANILA_HEADERS
        )
        _checked(response)


def forget(connection: Connection, service: str, project_id: str) -> None:
    """Have the service forget its limits of the project, so that defaults apply."""
    if service == "network":
        connection.network.delete_quota(project_id, ignore_missing=True)
    elif service == "compute":
        connection.compute.revert_quota_set(project_id)
    elif service == "volume":
        connection.block_storage.revert_quota_set(project_id)
    else:
        _checked(connection.shared_file_system.delete(f"/quota-sets/{project_id}", headers=_MANILA_HEADERS))


def _quota_set(connection: Connection, service: str, project_id: str) -> Mapping[str, Any]:
    if service == "compute":
        quota: Any = connection.compute.get_quota_set(project_id)
    elif service == "volume":
        quota = connection.block_storage.get_quota_set(project_id)
    else:
        response = connection.shared_file_system.get(f"/quota-sets/{project_id}", headers=_MANILA_HEADERS)
        _checked(response)
        return dict(response.json()["quota_set"])
    return {name: getattr(quota, name) for name in _LIMITS[service]}


def _checked(response: Any) -> None:
    exceptions.raise_from_response(response)
