"""Ironic's notifications: versioned objects on their own topic."""

from typing import TYPE_CHECKING, Any

from twin.core.caller import Caller
from twin.core.clock import zulu
from twin.core.table import Row

if TYPE_CHECKING:
    from twin.ironic.service import Ironic

COMMON = (
    "clean_step",
    "conductor_group",
    "console_enabled",
    "deploy_step",
    "description",
    "driver",
    "extra",
    "boot_mode",
    "secure_boot",
    "instance_uuid",
    "last_error",
    "maintenance",
    "maintenance_reason",
    "fault",
    "bios_interface",
    "boot_interface",
    "console_interface",
    "deploy_interface",
    "inspect_interface",
    "management_interface",
    "network_interface",
    "power_interface",
    "raid_interface",
    "rescue_interface",
    "storage_interface",
    "vendor_interface",
    "name",
    "owner",
    "lessee",
    "power_state",
    "properties",
    "protected",
    "protected_reason",
    "provision_state",
    "resource_class",
    "retired",
    "retired_reason",
    "target_power_state",
    "target_provision_state",
    "traits",
)
VERSIONS = {
    "NodeCRUDPayload": "1.15",
    "NodePayload": "1.17",
    "NodeSetPowerStatePayload": "1.17",
    "NodeSetProvisionStatePayload": "1.18",
    "PortCRUDPayload": "1.8",
}


def emit(
    ironic: "Ironic", event_type: str, kind: str, data: dict[str, Any], caller: Caller, binary: str = "api"
) -> None:
    """`baremetal.<event_type>`."""
    payload = {
        "ironic_object.name": kind,
        "ironic_object.namespace": "ironic",
        "ironic_object.version": VERSIONS[kind],
        "ironic_object.data": data,
    }
    ironic.cloud.notify(
        "ironic",
        "ironic",
        f"ironic-{binary}.ctl",
        f"baremetal.{event_type}",
        payload,
        caller,
        topic="ironic_versioned_notifications",
        extra={"auth_token_info": None},
    )


def node(ironic: "Ironic", row: Row, action: str, kind: str, caller: Caller, binary: str = "api", **more: Any) -> None:
    """`baremetal.node.<action>`."""
    data: dict[str, Any] = {**more}
    if kind == "NodeCRUDPayload":
        data.update(chassis_uuid=None, instance_info=dict(row["instance_info"]), driver_info=dict(row["driver_info"]))
    if kind == "NodeSetProvisionStatePayload":
        data.update(instance_info=dict(row["instance_info"]), driver_internal_info=dict(row["driver_internal_info"]))
    data.update({name: row[name] for name in COMMON})
    data.update(
        disable_power_off=False,
        uuid=row["id"],
        created_at=_text(row["created"]),
        updated_at=_text(row["updated"]),
        inspection_finished_at=_text(row["inspection_finished"]),
        inspection_started_at=None,
        provision_updated_at=_text(row["provision_updated"]),
    )
    emit(ironic, f"node.{action}", kind, data, caller, binary)


def port(ironic: "Ironic", row: Row, action: str, caller: Caller) -> None:
    """`baremetal.port.<action>`."""
    data = {
        "address": row["address"],
        "extra": dict(row["extra"]),
        "local_link_connection": dict(row["local_link_connection"]),
        "pxe_enabled": row["pxe_enabled"],
        "node_uuid": row["node_uuid"],
        "portgroup_uuid": None,
        "physical_network": row["physical_network"],
        "created_at": _text(row["created"]),
        "updated_at": None,
        "uuid": row["id"],
        "is_smartnic": False,
        "name": row["name"],
        "description": None,
        "vendor": None,
        "category": None,
        "available_for_dynamic_portgroup": True,
    }
    emit(ironic, f"port.{action}", "PortCRUDPayload", data, caller)


def _text(moment: Any) -> str | None:
    return zulu(moment) if moment else None
