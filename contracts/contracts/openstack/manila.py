"""Manila's payloads, published on the exchange `openstack`. Access rules emit nothing at all: ask the API.

Source: manila/share/utils.py.
"""

from pydantic import AliasChoices, Field

from contracts.openstack.payload import Count, Payload


class Share(Payload):
    """`share.*`."""

    kind = "share"

    share_id: str | None = None
    share_instance_id: str | None = None
    user_id: str | None = None
    project_id: str | None = Field(default=None, validation_alias=AliasChoices("project_id", "tenant_id"))
    snapshot_id: str | None = None
    share_group_id: str | None = None
    name: str | None = None
    description: str | None = None
    protocol: str | None = Field(default=None, validation_alias="proto")
    size_gib: Count = Field(default=None, validation_alias="size")
    is_public: bool | None = None
    availability_zone: str | None = None
    host: str | None = None
    status: str | None = None
    share_type_id: str | None = None
    share_type: str | None = None

    @property
    def resource_id(self) -> str | None:
        return self.share_id

    @property
    def owner_project_id(self) -> str | None:
        return self.project_id
