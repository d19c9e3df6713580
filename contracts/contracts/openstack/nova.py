"""Nova's payloads: the unversioned ones (topic `notifications`) and the versioned (`versioned_notifications`).

Source: the usage dictionary of nova/notifications/base.py and nova's doc/notification_samples (2026.2).
"""

from typing import Annotated, Any

from pydantic import AliasChoices, Field

from contracts.openstack.payload import Count, Pairs, Part, Payload, Records, Strings, Time


class FixedIp(Part):
    """One address of a server, as the unversioned format tells it."""

    address: str | None = None
    vif_mac: str | None = None
    label: str | None = None
    version: int | None = None


class Address(Part):
    """One address of a server, as the versioned format tells it."""

    label: str | None = None
    mac: str | None = None
    port_uuid: str | None = None
    address: str | None = None
    version: int | None = None


class Fault(Part):
    """The exception that ended an action."""

    exception: str | None = None
    exception_message: str | None = None
    module_name: str | None = None
    function_name: str | None = None


class Flavor(Payload):
    """A flavor, also inside a server's payload."""

    kind = "flavor"

    flavor_id: str | None = Field(default=None, validation_alias=AliasChoices("flavorid", "flavor_id"))
    name: str | None = None
    vcpus: int | None = None
    memory_mb: int | None = None
    root_gb: int | None = None
    ephemeral_gb: int | None = None
    is_public: bool | None = None
    disabled: bool | None = None
    extra_specs: Pairs = Field(default_factory=dict)
    projects: Strings = ()

    @property
    def resource_id(self) -> str | None:
        return self.flavor_id


class Server(Payload):
    """What both formats of a server's notification tell."""

    kind = "server"

    user_id: str | None = None
    project_id: str | None = Field(default=None, validation_alias=AliasChoices("tenant_id", "project_id"))
    display_name: str | None = None
    reservation_id: str | None = None
    availability_zone: str | None = None
    host: str | None = None
    node: str | None = None
    architecture: str | None = None
    os_type: str | None = None
    state: str | None = None
    created_at: Time = None
    launched_at: Time = None
    terminated_at: Time = None
    deleted_at: Time = None
    metadata: Pairs = Field(default_factory=dict)

    @property
    def owner_project_id(self) -> str | None:
        return self.project_id


class UnversionedServer(Server):
    """`compute.instance.*`."""

    instance_id: str | None = None
    host_name: str | None = Field(default=None, validation_alias="hostname")
    flavor_name: str | None = Field(default=None, validation_alias="instance_type")
    flavor_id: str | None = Field(default=None, validation_alias="instance_flavor_id")
    vcpus: Count = None
    memory_mb: Count = None
    disk_gb: Count = None
    root_gb: Count = None
    ephemeral_gb: Count = None
    image_ref_url: str | None = None
    image_metadata: Pairs = Field(default_factory=dict, validation_alias="image_meta")
    task_state: str | None = Field(default=None, validation_alias="state_description")
    old_state: str | None = None
    old_task_state: str | None = None
    new_task_state: str | None = None
    access_ip_v4: str | None = None
    access_ip_v6: str | None = None
    fixed_ips: Annotated[tuple[FixedIp, ...], Records] = ()
    volume_id: str | None = None
    message: str | None = None
    audit_period_beginning: Time = None
    audit_period_ending: Time = None

    @property
    def resource_id(self) -> str | None:
        return self.instance_id


class VersionedServer(Server):
    """`instance.*`, with the objects' wrapping taken off."""

    uuid: str | None = None
    host_name: str | None = None
    display_description: str | None = None
    image_uuid: str | None = None
    flavor: Flavor | None = None
    task_state: str | None = None
    power_state: str | None = None
    addresses: Annotated[tuple[Address, ...], Records] = Field(default=(), validation_alias="ip_addresses")
    key_name: str | None = None
    locked: bool | None = None
    locked_reason: str | None = None
    updated_at: Time = None
    fault: Fault | None = None
    request_id: str | None = None
    action_initiator_user: str | None = None
    action_initiator_project: str | None = None
    volume_id: str | None = None
    tags: Strings = ()

    @property
    def resource_id(self) -> str | None:
        return self.uuid


class Keypair(Payload):
    """`keypair.*`, both formats."""

    kind = "keypair"

    user_id: str | None = None
    name: str | None = Field(default=None, validation_alias=AliasChoices("name", "key_name"))
    fingerprint: str | None = None
    type: str | None = None

    @property
    def resource_id(self) -> str | None:
        return self.name


class ComputeService(Payload):
    """`service.create|update|delete`: a nova service on a host."""

    kind = "service"

    uuid: str | None = None
    host: str | None = None
    binary: str | None = None
    disabled: bool | None = None
    disabled_reason: str | None = None
    forced_down: bool | None = None
    last_seen_up: Time = None
    version: int | None = None
    availability_zone: str | None = None

    @property
    def resource_id(self) -> str | None:
        return self.uuid or self.host


class Aggregate(Payload):
    """`aggregate.*`, both formats."""

    kind = "aggregate"

    aggregate_id: str | None = Field(default=None, validation_alias=AliasChoices("id", "aggregate_id"))
    uuid: str | None = None
    name: str | None = None
    hosts: Strings = ()
    host: str | None = None
    metadata: Pairs = Field(default_factory=dict, validation_alias=AliasChoices("metadata", "meta_data"))

    @property
    def resource_id(self) -> str | None:
        return self.uuid or self.aggregate_id


class ServerGroup(Payload):
    """`server_group.*` and the unversioned `servergroup.*`."""

    kind = "server_group"

    uuid: str | None = Field(default=None, validation_alias=AliasChoices("uuid", "server_group_id"))
    name: str | None = None
    project_id: str | None = None
    user_id: str | None = None
    policy: str | None = None
    members: Strings = ()

    @property
    def resource_id(self) -> str | None:
        return self.uuid

    @property
    def owner_project_id(self) -> str | None:
        return self.project_id


class VolumeUsage(Payload):
    """`volume.usage`: what a server read from and wrote to a volume."""

    kind = "volume"

    volume_id: str | None = None
    instance_id: str | None = Field(default=None, validation_alias=AliasChoices("instance_uuid", "instance_id"))
    project_id: str | None = Field(default=None, validation_alias=AliasChoices("project_id", "tenant_id"))
    user_id: str | None = None
    reads: Count = None
    writes: Count = None
    read_bytes: Count = None
    write_bytes: Count = None

    @property
    def resource_id(self) -> str | None:
        return self.volume_id

    @property
    def owner_project_id(self) -> str | None:
        return self.project_id


class Scheduling(Payload):
    """`scheduler.select_destinations.*`: which servers a host was sought for."""

    kind = "server"

    instance_id: str | None = None
    request_spec: Pairs = Field(default_factory=dict)
    instance_uuid: str | None = None
    project_id: str | None = None
    num_instances: int | None = None

    @property
    def resource_id(self) -> str | None:
        properties = self.request_spec.get("instance_properties")
        found = properties.get("uuid") if isinstance(properties, dict) else None
        return self.instance_uuid or self.instance_id or (found if isinstance(found, str) else None)

    @property
    def owner_project_id(self) -> str | None:
        properties = self.request_spec.get("instance_properties")
        found = properties.get("project_id") if isinstance(properties, dict) else None
        return self.project_id or (found if isinstance(found, str) else None)


class ComputeTask(Payload):
    """`compute_task.*`: an action that the conductor gave up."""

    kind = "server"

    instance_uuid: str | None = Field(default=None, validation_alias=AliasChoices("instance_uuid", "instance_id"))
    method: str | None = None
    state: str | None = None
    reason: Any = None

    @property
    def resource_id(self) -> str | None:
        return self.instance_uuid
