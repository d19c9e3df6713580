"""Cinder's API. Attachments are read and never touched: they are Nova's to end (CVE-2023-2088)."""

from collections.abc import Mapping

from openstack.connection import Connection

from storage.domain.observed import ObservedVolume
from storage.domain.steps import CreateVolume, ExtendVolume

LIMITS = ("volumes", "gigabytes")
EXTEND_IN_USE_MICROVERSION = "3.42"


def volumes(connection: Connection, project_id: str) -> list[ObservedVolume]:
    """The project's volumes."""
    listed = connection.block_storage.volumes(details=True, all_projects=True, project_id=project_id)
    return [
        ObservedVolume(
            volume_id=each.id,
            name=each.name or "",
            size_gib=int(each.size),
            volume_type=each.volume_type or "",
            status=each.status,
            created_at=each.created_at or "",
            updated_at=each.updated_at or "",
            metadata={str(key): str(value) for key, value in (each.metadata or {}).items()},
            attached_to=tuple(str(attachment.get("server_id") or "") for attachment in each.attachments or ()),
            is_blank=not (each.snapshot_id or each.source_volume_id or each.volume_image_metadata or each.is_bootable),
        )
        for each in listed
        if each.project_id in (None, project_id)
    ]


def project_of(connection: Connection, volume_id: str) -> str:
    """The project that the volume is in. Raises the SDK's NotFoundException when there is none."""
    return str(connection.block_storage.get_volume(volume_id).project_id)


def limits(connection: Connection, project_id: str) -> dict[str, int]:
    """The project's upper bounds; -1 is none."""
    quota = connection.block_storage.get_quota_set(project_id)
    return {name: int(getattr(quota, name)) for name in LIMITS if getattr(quota, name, None) is not None}


def set_limits(connection: Connection, project_id: str, wanted: Mapping[str, int]) -> None:
    """Bound the project."""
    connection.block_storage.update_quota_set(project_id, **dict(wanted))


def forget_limits(connection: Connection, project_id: str) -> None:
    """Drop Cinder's record of the project's bounds."""
    connection.block_storage.revert_quota_set(project_id)


def create(connection: Connection, step: CreateVolume) -> str:
    """Begin to make a volume; returns its id."""
    made = connection.block_storage.create_volume(
        name=step.name,
        size=step.size_gib,
        metadata=dict(step.metadata),
        **({"volume_type": step.volume_type} if step.volume_type else {}),
    )
    return str(made.id)


def extend(connection: Connection, step: ExtendVolume) -> None:
    """Begin to make the volume as large as that, attached or not."""
    connection.block_storage.default_microversion = EXTEND_IN_USE_MICROVERSION
    connection.block_storage.extend_volume(step.volume_id, step.size_gib)


def delete(connection: Connection, volume_id: str) -> None:
    """Begin to delete the volume, unforced: Cinder refuses one that is attached."""
    connection.block_storage.delete_volume(volume_id, ignore_missing=False, force=False)
