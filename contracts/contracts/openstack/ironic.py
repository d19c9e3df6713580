"""Ironic's payloads, versioned objects only (topic `ironic_versioned_notifications`), the wrapping taken off.

Source: ironic/objects/node.py, port.py and the notifications chapter of Ironic's administrator guide.
"""

from pydantic import AliasChoices, Field

from contracts.openstack.payload import Pairs, Payload, Strings, Time


class Node(Payload):
    """`baremetal.node.*`."""

    kind = "node"

    uuid: str | None = None
    name: str | None = None
    instance_uuid: str | None = None
    owner: str | None = None
    lessee: str | None = None
    driver: str | None = None
    resource_class: str | None = None
    conductor_group: str | None = None
    traits: Strings = ()
    properties: Pairs = Field(default_factory=dict)
    power_state: str | None = None
    target_power_state: str | None = None
    to_power: str | None = None
    from_power: str | None = None
    provision_state: str | None = None
    target_provision_state: str | None = None
    previous_provision_state: str | None = None
    previous_target_provision_state: str | None = None
    event: str | None = None
    maintenance: bool | None = None
    maintenance_reason: str | None = None
    fault: str | None = None
    last_error: str | None = None
    network_interface: str | None = None
    clean_step: Pairs = Field(default_factory=dict)
    deploy_step: Pairs = Field(default_factory=dict)
    provision_updated_at: Time = None
    updated_at: Time = None

    @property
    def resource_id(self) -> str | None:
        return self.uuid

    @property
    def owner_project_id(self) -> str | None:
        return self.lessee or self.owner


class NodePart(Payload):
    """`baremetal.port|portgroup|chassis|volumeconnector|volumetarget|allocation|deploytemplate|runbook.*`."""

    kind = "node_part"

    uuid: str | None = None
    name: str | None = None
    node_uuid: str | None = None
    address: str | None = None
    physical_network: str | None = None
    state: str | None = None
    owner: str | None = None
    resource_class: str | None = None
    last_error: str | None = None
    node_name: str | None = Field(default=None, validation_alias=AliasChoices("node_name", "node"))

    @property
    def resource_id(self) -> str | None:
        return self.uuid

    @property
    def owner_project_id(self) -> str | None:
        return self.owner
