"""Nova's notification payloads, in both formats."""

from datetime import datetime
from typing import TYPE_CHECKING, Any

from twin.core.clock import micros, zulu
from twin.core.table import Row

if TYPE_CHECKING:
    from twin.nova.service import Nova

PayloadKind = tuple[str, str]
ACTION: PayloadKind = ("InstanceActionPayload", "1.9")
KINDS: dict[str, PayloadKind] = {
    "create": ("InstanceCreatePayload", "1.13"),
    "update": ("InstanceUpdatePayload", "2.1"),
    "exists": ("InstanceExistsPayload", "2.1"),
    "rebuild": ("InstanceActionRebuildPayload", "1.10"),
    "volume": ("InstanceActionVolumePayload", "1.7"),
    "snapshot": ("InstanceActionSnapshotPayload", "1.10"),
    "resize_prep": ("InstanceActionResizePrepPayload", "1.4"),
}
POWER = {0: "pending", 1: "running", 3: "paused", 4: "shutdown", 7: "suspended"}


def wrap(name: str, version: str, data: dict[str, Any]) -> dict[str, Any]:
    """The envelope of a versioned object."""
    return {
        "nova_object.name": name,
        "nova_object.namespace": "nova",
        "nova_object.version": version,
        "nova_object.data": data,
    }


def flavor_payload(flavor: Row) -> dict[str, Any]:
    """FlavorPayload 1.4."""
    data = {
        "flavorid": flavor["id"],
        "memory_mb": flavor["ram"],
        "vcpus": flavor["vcpus"],
        "root_gb": flavor["disk"],
        "ephemeral_gb": flavor["ephemeral"],
        "name": flavor["name"],
        "swap": flavor["swap"],
        "rxtx_factor": 1.0,
        "vcpu_weight": 0,
        "disabled": False,
        "is_public": flavor["is_public"],
        "extra_specs": dict(flavor["extra_specs"]),
        "projects": None,
        "description": flavor["description"],
    }
    return wrap("FlavorPayload", "1.4", data)


def keypair_payload(keypair: Row, *, fingerprint: bool = True) -> dict[str, Any]:
    """KeypairPayload 1.0."""
    data = {
        "user_id": keypair["user_id"],
        "name": keypair["name"],
        "fingerprint": keypair["fingerprint"] if fingerprint else None,
        "public_key": keypair["public_key"],
        "type": keypair["type"],
    }
    return wrap("KeypairPayload", "1.0", data)


def _text(moment: datetime | None) -> str | None:
    return zulu(moment) if moment else None


def versioned(nova: "Nova", server: Row, kind: str, more: dict[str, Any] | None = None) -> dict[str, Any]:
    """An instance payload of the versioned format; `more` goes into its data."""
    name, version = KINDS.get(kind, ACTION)
    data: dict[str, Any] = {
        "uuid": server["id"],
        "user_id": server["user_id"],
        "tenant_id": server["project_id"],
        "reservation_id": server["reservation_id"],
        "display_name": server["name"],
        "display_description": server["description"],
        "host_name": server["hostname"],
        "host": server["host"],
        "node": server["node"],
        "os_type": None,
        "architecture": None,
        "availability_zone": server["zone"],
        "flavor": flavor_payload(server["flavor"]),
        "image_uuid": server["image_id"],
        "key_name": server["key_name"],
        "kernel_id": "",
        "ramdisk_id": "",
        "created_at": _text(server["created"]),
        "launched_at": _text(server["launched"]),
        "terminated_at": _text(server["terminated"]),
        "deleted_at": _text(server["deleted"]),
        "updated_at": _text(server["updated"]),
        "state": server["vm_state"],
        "power_state": POWER[server["power_state"]],
        "task_state": server["task_state"],
        "progress": 0,
        "ip_addresses": _addresses(nova, server),
        "block_devices": [_block_device(one) for one in server["volumes"]],
        "metadata": dict(server["metadata"]),
        "locked": server["locked"],
        "auto_disk_config": "MANUAL",
        "action_initiator_user": server["initiator"].user_id,
        "action_initiator_project": server["initiator"].project_id,
        "locked_reason": server["locked_reason"],
        "shares": [],
        "request_id": server["initiator"].request_id,
    }
    if kind not in ("update", "exists"):
        data["fault"] = None
    if kind == "create":
        pair = nova.keypair(server["user_id"], server["key_name"]) if server["key_name"] else None
        data["keypairs"] = [keypair_payload(pair)] if pair else []
        data["tags"] = list(server["tags"])
        data["trusted_image_certificates"] = None
        data["instance_name"] = server["instance_name"]
    if kind == "rebuild":
        data["trusted_image_certificates"] = None
    data.update(more or {})
    return wrap(name, version, data)


def _addresses(nova: "Nova", server: Row) -> list[dict[str, Any]]:
    if server["power_state"] == 0:
        return []
    found = []
    for port in nova.ports_of(server):
        network = nova.cloud.neutron.networks.table.get(port["network_id"])
        for ip in port["fixed_ips"]:
            data = {
                "label": network["name"] if network else "",
                "mac": port["mac_address"],
                "meta": {},
                "port_uuid": port["id"],
                "version": 6 if ":" in ip["ip_address"] else 4,
                "address": ip["ip_address"],
                "device_name": "tap" + port["id"][:11],
            }
            found.append(wrap("IpPayload", "1.0", data))
    return found


def _block_device(volume: dict[str, Any]) -> dict[str, Any]:
    data = {
        "device_name": volume["device"],
        "boot_index": None,
        "delete_on_termination": volume["delete_on_termination"],
        "volume_id": volume["volume_id"],
        "tag": None,
    }
    return wrap("BlockDevicePayload", "1.0", data)


def state_update(old_state: str, state: str, old_task: str | None, new_task: str | None) -> dict[str, Any]:
    """InstanceStateUpdatePayload 1.0."""
    data = {"old_state": old_state, "state": state, "old_task_state": old_task, "new_task_state": new_task}
    return wrap("InstanceStateUpdatePayload", "1.0", data)


def audit_period(now: datetime) -> dict[str, Any]:
    """AuditPeriodPayload 1.0: the hour so far."""
    begin = now.replace(minute=0, second=0, microsecond=0)
    return wrap("AuditPeriodPayload", "1.0", {"audit_period_beginning": zulu(begin), "audit_period_ending": zulu(now)})


def unversioned(nova: "Nova", server: Row, *, addresses: bool = False) -> dict[str, Any]:
    """`info_from_instance`: what the unversioned notifications carry."""
    flavor = server["flavor"]
    image = nova.cloud.glance.images.get(server["image_id"]) if server["image_id"] else None
    payload: dict[str, Any] = {
        "tenant_id": server["project_id"],
        "user_id": server["user_id"],
        "instance_id": server["id"],
        "display_name": server["name"],
        "reservation_id": server["reservation_id"],
        "hostname": server["hostname"],
        "instance_type": flavor["name"],
        "instance_type_id": flavor["number"],
        "instance_flavor_id": flavor["id"],
        "architecture": None,
        "memory_mb": flavor["ram"],
        "disk_gb": flavor["disk"] + flavor["ephemeral"],
        "vcpus": flavor["vcpus"],
        "root_gb": flavor["disk"],
        "ephemeral_gb": flavor["ephemeral"],
        "host": server["host"],
        "node": server["node"],
        "availability_zone": server["zone"],
        "cell_name": "",
        "created_at": server["created"].strftime("%Y-%m-%d %H:%M:%S+00:00"),
        "terminated_at": micros(server["terminated"]) if server["terminated"] else "",
        "deleted_at": micros(server["deleted"]) if server["deleted"] else "",
        "launched_at": micros(server["launched"]) if server["launched"] else "",
        "image_ref_url": f"{nova.cloud.base_url}/image/images/{server['image_id']}",
        "os_type": None,
        "kernel_id": "",
        "ramdisk_id": "",
        "state": server["vm_state"],
        "state_description": server["task_state"] or "",
        "progress": "",
        "access_ip_v4": None,
        "access_ip_v6": None,
        "image_meta": _image_meta(server, image),
        "metadata": dict(server["metadata"]),
    }
    if addresses:
        payload["fixed_ips"] = [
            {
                "address": ip["ip_address"],
                "type": "fixed",
                "version": 6 if ":" in ip["ip_address"] else 4,
                "meta": {},
                "floating_ips": [
                    {"address": one["floating_ip_address"], "type": "floating", "version": 4, "meta": {}}
                    for one in nova.cloud.neutron.floating_ips.table.where(port_id=port["id"])
                ],
                "label": (nova.cloud.neutron.networks.table.get(port["network_id"]) or {"name": ""})["name"],
                "vif_mac": port["mac_address"],
            }
            for port in nova.ports_of(server)
            for ip in port["fixed_ips"]
        ]
    return payload


def _image_meta(server: Row, image: Row | None) -> dict[str, str]:
    if image is None:
        return {}
    return {
        **{key: str(value) for key, value in image["_properties"].items()},
        "min_ram": str(image["min_ram"]),
        "min_disk": str(server["flavor"]["disk"]),
        "disk_format": str(image["disk_format"]),
        "container_format": str(image["container_format"]),
        "base_image_ref": image["id"],
    }
