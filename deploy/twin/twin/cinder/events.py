"""Cinder's notifications, on the exchange `openstack`."""

from typing import TYPE_CHECKING, Any

from twin.core.caller import Caller
from twin.core.clock import micros
from twin.core.table import Row

if TYPE_CHECKING:
    from twin.cinder.service import Cinder


def context(cinder: "Cinder", caller: Caller) -> dict[str, object]:
    """Cinder's (and Manila's) own fields of the context."""
    return {
        "user_id": caller.user_id,
        "project_name": caller.project_name or None,
        "domain_id": None,
        "read_deleted": "no",
        "remote_address": None,
        "timestamp": micros(cinder.cloud.clock.now()),
        "quota_class": None,
        "service_catalog": [],
        "message_resource_id": None,
        "message_resource_type": None,
        "message_action": None,
    }


def volume(cinder: "Cinder", row: Row, event: str, caller: Caller, publisher: str = "volume.ctl@lab") -> None:
    """`volume.<event>`."""
    launched = row["launched"].strftime("%Y-%m-%dT%H:%M:%S+00:00") if row["launched"] else None
    payload = {
        "tenant_id": row["project_id"],
        "host": row["host"],
        "user_id": row["user_id"],
        "availability_zone": "nova",
        "volume_id": row["id"],
        "volume_type": row["type_id"],
        "display_name": row["name"],
        "launched_at": launched,
        "created_at": row["created"].strftime("%Y-%m-%dT%H:%M:%S+00:00"),
        "status": row["status"],
        "snapshot_id": row["snapshot_id"],
        "size": row["size"],
        "replication_status": None,
        "replication_extended_status": None,
        "replication_driver_data": None,
        "metadata": [{"key": key, "value": value} for key, value in row["metadata"].items()],
        "volume_attachment": [_attachment(row, one) for one in cinder.attachments.where(volume_id=row["id"])],
    }
    _emit(cinder, publisher, f"volume.{event}", payload, caller)


def _attachment(row: Row, one: Row) -> dict[str, Any]:
    return {
        "id": one["id"],
        "volume_id": row["id"],
        "instance_uuid": one["instance_id"],
        "attached_host": one["host"],
        "mountpoint": one["device"] if one["host"] else None,
        "attach_time": micros(one["attached"]) if one["attached"] else None,
        "detach_time": None,
        "attach_status": one["status"],
        "attach_mode": "rw" if one["host"] else "null",
        "connection_info": "{}",
        "connector": None,
        "deleted_at": None,
        "deleted": False,
        "created_at": micros(one["created"]),
        "updated_at": micros(one["created"]),
        "volume": _inner(row),
    }


def _inner(row: Row) -> dict[str, Any]:
    """The volume as its attachment holds it."""
    unset = (
        "_name_id",
        "ec2_id",
        "snapshot_id",
        "cluster_name",
        "migration_status",
        "terminated_at",
        "provider_location",
    )
    more = ("provider_auth", "provider_geometry", "provider_id", "source_volid", "encryption_key_id", "previous_status")
    rest = ("consistencygroup_id", "group_id", "replication_status", "replication_extended_status", "deleted_at")
    return {
        **dict.fromkeys((*unset, *more, *rest, "replication_driver_data", "service_uuid")),
        "id": row["id"],
        "use_quota": True,
        "user_id": row["user_id"],
        "project_id": row["project_id"],
        "host": row["host"],
        "size": row["size"],
        "availability_zone": "nova",
        "status": row["status"],
        "attach_status": "attached" if row["status"] in ("in-use", "detaching") else "detached",
        "scheduled_at": micros(row["created"]),
        "launched_at": micros(row["launched"]) if row["launched"] else None,
        "display_name": row["name"],
        "display_description": row["description"],
        "volume_type_id": row["type_id"],
        "bootable": False,
        "multiattach": row["multiattach"],
        "shared_targets": False,
        "deleted": False,
        "created_at": micros(row["created"]),
        "updated_at": micros(row["updated"]) if row["updated"] else None,
    }


def snapshot(cinder: "Cinder", row: Row, event: str, caller: Caller) -> None:
    """`snapshot.<event>`."""
    payload = {
        "tenant_id": row["project_id"],
        "user_id": row["user_id"],
        "availability_zone": "nova",
        "volume_id": row["volume_id"],
        "volume_size": row["size"],
        "snapshot_id": row["id"],
        "display_name": row["name"],
        "created_at": row["created"].strftime("%Y-%m-%dT%H:%M:%S+00:00"),
        "status": row["status"],
        "deleted": "True" if row["status"] == "deleted" else "",
        "metadata": "",
    }
    _emit(cinder, "snapshot.ctl@lab", f"snapshot.{event}", payload, caller)


def _emit(cinder: "Cinder", publisher: str, event_type: str, payload: dict[str, Any], caller: Caller) -> None:
    elevated = caller.elevated()
    cinder.cloud.notify(
        "cinder", "openstack", publisher, event_type, payload, elevated, extra=context(cinder, elevated)
    )
