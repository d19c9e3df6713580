"""Glance's payloads; they carry no request context.

Source: glance/notifier.py.
"""

from pydantic import AliasChoices, Field

from contracts.openstack.payload import Count, Pairs, Payload, Strings, Time


class Image(Payload):
    """`image.create|update|prepare|upload|activate|delete`."""

    kind = "image"

    id: str | None = None
    name: str | None = None
    status: str | None = None
    owner: str | None = None
    visibility: str | None = None
    is_public: bool | None = None
    protected: bool | None = None
    disk_format: str | None = None
    container_format: str | None = None
    checksum: str | None = None
    size_bytes: Count = Field(default=None, validation_alias="size")
    properties: Pairs = Field(default_factory=dict)
    tags: Strings = ()
    deleted: bool | None = None
    created_at: Time = None
    updated_at: Time = None

    @property
    def resource_id(self) -> str | None:
        return self.id

    @property
    def owner_project_id(self) -> str | None:
        return self.owner


class ImageSent(Payload):
    """`image.send`: somebody fetched an image's bytes."""

    kind = "image"

    image_id: str | None = None
    owner_id: str | None = None
    bytes_sent: Count = None
    receiver_project_id: str | None = Field(default=None, validation_alias="receiver_tenant_id")
    receiver_user_id: str | None = None
    destination_ip: str | None = None

    @property
    def resource_id(self) -> str | None:
        return self.image_id

    @property
    def owner_project_id(self) -> str | None:
        return self.owner_id


class ImageMember(Payload):
    """`image.member.*`: who else may use an image."""

    kind = "image"

    image_id: str | None = None
    member_id: str | None = Field(default=None, validation_alias=AliasChoices("member_id", "member"))
    status: str | None = None

    @property
    def resource_id(self) -> str | None:
        return self.image_id
