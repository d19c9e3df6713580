"""Servers and flavors as the API shows them, by microversion."""

import hashlib
from typing import TYPE_CHECKING, Any

from twin.core.clock import micros, zulu
from twin.core.http import Request
from twin.core.table import Row

if TYPE_CHECKING:
    from twin.nova.service import Nova

STATUSES = {
    "active": "ACTIVE",
    "building": "BUILD",
    "stopped": "SHUTOFF",
    "paused": "PAUSED",
    "suspended": "SUSPENDED",
    "resized": "VERIFY_RESIZE",
    "error": "ERROR",
    "deleted": "DELETED",
    "shelved": "SHELVED",
    "shelved_offloaded": "SHELVED_OFFLOADED",
}
TASK_STATUSES = {
    ("active", "rebooting"): "REBOOT",
    ("active", "reboot_pending"): "REBOOT",
    ("active", "reboot_started"): "REBOOT",
    ("active", "rebooting_hard"): "HARD_REBOOT",
    ("active", "rebuilding"): "REBUILD",
    ("active", "rebuild_block_device_mapping"): "REBUILD",
    ("active", "rebuild_spawning"): "REBUILD",
    ("active", "migrating"): "MIGRATING",
    ("active", "resize_prep"): "RESIZE",
    ("active", "resize_migrating"): "RESIZE",
    ("active", "resize_migrated"): "RESIZE",
    ("active", "resize_finish"): "RESIZE",
    ("resized", "resize_reverting"): "REVERT_RESIZE",
    ("stopped", "rebuilding"): "REBUILD",
}


def status(server: Row) -> str:
    """The API's status of a server."""
    return TASK_STATUSES.get((server["vm_state"], server["task_state"]), STATUSES[server["vm_state"]])


def links(nova: "Nova", path: str) -> list[dict[str, str]]:
    """Self and bookmark."""
    base = f"{nova.cloud.base_url}/compute"
    return [{"rel": "self", "href": f"{base}/v2.1/{path}"}, {"rel": "bookmark", "href": f"{base}/{path}"}]


def flavor_view(nova: "Nova", flavor: Row, request: Request, *, detail: bool = True) -> dict[str, Any]:
    """A flavor."""
    view: dict[str, Any] = {"id": flavor["id"], "name": flavor["name"]}
    if detail:
        view.update(
            {
                "ram": flavor["ram"],
                "disk": flavor["disk"],
                "swap": flavor["swap"] if request.microversion >= (2, 75) or flavor["swap"] else "",
                "OS-FLV-EXT-DATA:ephemeral": flavor["ephemeral"],
                "OS-FLV-DISABLED:disabled": False,
                "vcpus": flavor["vcpus"],
                "os-flavor-access:is_public": flavor["is_public"],
                "rxtx_factor": 1.0,
            }
        )
    view["links"] = links(nova, f"flavors/{flavor['id']}")
    if request.microversion >= (2, 55):
        view["description"] = flavor["description"]
    if detail and request.microversion >= (2, 61):
        view["extra_specs"] = dict(flavor["extra_specs"])
    return view


def server_brief(nova: "Nova", server: Row) -> dict[str, Any]:
    """A server in the short list."""
    return {"id": server["id"], "name": server["name"], "links": links(nova, f"servers/{server['id']}")}


def server_view(nova: "Nova", server: Row, request: Request, *, single: bool = True) -> dict[str, Any]:
    """A server in full."""
    version = request.microversion
    admin = request.caller.is_admin
    flavor = server["flavor"]
    image = {
        "id": server["image_id"],
        "links": [{"rel": "bookmark", "href": f"{nova.cloud.base_url}/compute/images/{server['image_id']}"}],
    }
    view: dict[str, Any] = {
        "accessIPv4": "",
        "accessIPv6": "",
        "addresses": nova.addresses(server),
        "created": zulu(server["created"]),
        "flavor": _flavor(nova, flavor, version),
        "hostId": _host_id(server),
        "id": server["id"],
        "image": image if server["image_id"] else "",
        "links": links(nova, f"servers/{server['id']}"),
        "metadata": dict(server["metadata"]),
        "name": server["name"],
        "status": status(server),
        "tenant_id": server["project_id"],
        "user_id": server["user_id"],
        "updated": zulu(server["updated"] or server["created"]),
        "OS-DCF:diskConfig": "MANUAL",
        "OS-EXT-AZ:availability_zone": server["zone"] if server["host"] else "",
        "config_drive": "True" if server["config_drive"] else "",
        "key_name": server["key_name"],
        "OS-SRV-USG:launched_at": micros(server["launched"]) if server["launched"] else None,
        "OS-SRV-USG:terminated_at": micros(server["terminated"]) if server["terminated"] else None,
        "OS-EXT-STS:task_state": server["task_state"],
        "OS-EXT-STS:vm_state": server["vm_state"],
        "OS-EXT-STS:power_state": server["power_state"],
        "os-extended-volumes:volumes_attached": [
            {"id": one["volume_id"], "delete_on_termination": one["delete_on_termination"]} for one in server["volumes"]
        ],
    }
    names = nova.group_names(server)
    if names:
        view["security_groups"] = [{"name": name} for name in names]
    if server["vm_state"] == "error":
        view["fault"] = {key: value for key, value in server["fault"].items() if admin or key != "details"}
    else:
        view["progress"] = 0
    if admin:
        view.update(_for_administrators(server, nova, version))
    _by_version(view, server, version, single)
    return view


def _flavor(nova: "Nova", flavor: Row, version: tuple[int, int]) -> dict[str, Any]:
    if version < (2, 47):
        return {"id": flavor["id"], "links": links(nova, f"flavors/{flavor['id']}")[1:]}
    return {
        "vcpus": flavor["vcpus"],
        "ram": flavor["ram"],
        "disk": flavor["disk"],
        "ephemeral": flavor["ephemeral"],
        "swap": flavor["swap"],
        "original_name": flavor["name"],
        "extra_specs": dict(flavor["extra_specs"]),
    }


def _host_id(server: Row) -> str:
    if not server["host"]:
        return ""
    return hashlib.sha224((server["project_id"] + server["host"]).encode()).hexdigest()


def _for_administrators(server: Row, nova: "Nova", version: tuple[int, int]) -> dict[str, Any]:
    view = {
        "OS-EXT-SRV-ATTR:host": server["host"],
        "OS-EXT-SRV-ATTR:instance_name": server["instance_name"] if server["host"] else "",
        "OS-EXT-SRV-ATTR:hypervisor_hostname": server["node"],
    }
    if version >= (2, 3):
        view.update(
            {
                "OS-EXT-SRV-ATTR:kernel_id": "",
                "OS-EXT-SRV-ATTR:launch_index": server["launch_index"],
                "OS-EXT-SRV-ATTR:ramdisk_id": "",
                "OS-EXT-SRV-ATTR:reservation_id": server["reservation_id"],
                "OS-EXT-SRV-ATTR:root_device_name": "/dev/sda" if server["launched"] else None,
                "OS-EXT-SRV-ATTR:user_data": server["user_data"],
                "OS-EXT-SRV-ATTR:hostname": server["hostname"],
            }
        )
    if version >= (2, 16):
        view["host_status"] = nova.host_status(server["host"])
    return view


def _by_version(view: dict[str, Any], server: Row, version: tuple[int, int], single: bool) -> None:
    if version >= (2, 9):
        view["locked"] = server["locked"]
    if version >= (2, 19):
        view["description"] = server["description"]
    if version >= (2, 26):
        view["tags"] = list(server["tags"])
    if version >= (2, 63):
        view["trusted_image_certificates"] = None
    if version >= (2, 71) and single:
        view["server_groups"] = [server["group_id"]] if server["group_id"] else []
    if version >= (2, 73):
        view["locked_reason"] = server["locked_reason"]
    if version >= (2, 90):
        view["OS-EXT-SRV-ATTR:hostname"] = server["hostname"]
    if version >= (2, 96):
        view["pinned_availability_zone"] = server["pinned_zone"]
