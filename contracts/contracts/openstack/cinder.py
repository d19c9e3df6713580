"""Cinder's payloads, published on the exchange `openstack`.

Source: the usage dictionaries of cinder/volume/volume_utils.py and of the transfer and type APIs.
"""

from typing import Annotated

from pydantic import AliasChoices, Field

from contracts.openstack.payload import Count, Pairs, Part, Payload, Records, Time


class Attachment(Part):
    """Where a volume is attached."""

    attachment_id: str | None = Field(default=None, validation_alias=AliasChoices("attachment_id", "id"))
    instance_uuid: str | None = None
    attached_host: str | None = None
    mountpoint: str | None = None
    attach_status: str | None = None


class _Owned(Payload):
    user_id: str | None = None
    project_id: str | None = Field(default=None, validation_alias=AliasChoices("tenant_id", "project_id"))
    availability_zone: str | None = None
    display_name: str | None = Field(default=None, validation_alias=AliasChoices("display_name", "name"))
    status: str | None = None
    created_at: Time = None

    @property
    def owner_project_id(self) -> str | None:
        return self.project_id


class Volume(_Owned):
    """`volume.*`."""

    kind = "volume"

    volume_id: str | None = None
    volume_type: str | None = None
    host: str | None = None
    size_gib: Count = Field(default=None, validation_alias="size")
    snapshot_id: str | None = None
    launched_at: Time = None
    replication_status: str | None = None
    metadata: Pairs = Field(default_factory=dict)
    attachments: Annotated[tuple[Attachment, ...], Records] = Field(default=(), validation_alias="volume_attachment")

    @property
    def resource_id(self) -> str | None:
        return self.volume_id


class Snapshot(_Owned):
    """`snapshot.*`."""

    kind = "snapshot"

    snapshot_id: str | None = None
    volume_id: str | None = None
    size_gib: Count = Field(default=None, validation_alias="volume_size")

    @property
    def resource_id(self) -> str | None:
        return self.snapshot_id


class Backup(_Owned):
    """`backup.*`."""

    kind = "backup"

    backup_id: str | None = None
    volume_id: str | None = None
    host: str | None = None
    size_gib: Count = Field(default=None, validation_alias="size")
    fail_reason: str | None = None
    is_incremental: bool | None = None

    @property
    def resource_id(self) -> str | None:
        return self.backup_id


class Group(_Owned):
    """`group.*`, `consistencygroup.*`, `group_snapshot.*`, `cgsnapshot.*`."""

    kind = "group"

    group_id: str | None = Field(default=None, validation_alias=AliasChoices("group_id", "consistencygroup_id"))
    group_snapshot_id: str | None = Field(
        default=None, validation_alias=AliasChoices("group_snapshot_id", "cgsnapshot_id")
    )

    @property
    def resource_id(self) -> str | None:
        return self.group_snapshot_id or self.group_id


class Capacity(Payload):
    """`capacity.backend.*` and `capacity.pool.*`."""

    kind = "pool"

    name: str | None = Field(default=None, validation_alias="name_to_id")
    total: float | str | None = None
    free: float | str | None = None
    allocated: float | str | None = None
    provisioned: float | str | None = None

    @property
    def resource_id(self) -> str | None:
        return self.name
