"""Keystone's payloads: CADF (DSP0262), and the basic format with little more than an id.

Keystone sends CADF for authenticate and role assignments whichever format is set.
"""

from collections.abc import Mapping
from typing import Any

from pydantic import AliasChoices, Field

from contracts.openstack.payload import Part, Payload, Time


class Host(Part):
    address: str | None = None
    agent: str | None = None


class Party(Part):
    """Who did it, to what, or who saw it."""

    id: str | None = None
    type_uri: str | None = Field(default=None, validation_alias="typeURI")
    name: str | None = Field(default=None, validation_alias=AliasChoices("username", "name"))
    user_id: str | None = None
    project_id: str | None = None
    domain_id: str | None = None
    request_id: str | None = None
    global_request_id: str | None = None
    host: Host | None = None


class Reason(Part):
    code: str | None = Field(default=None, validation_alias="reasonCode")
    type: str | None = Field(default=None, validation_alias="reasonType")


class Cadf(Payload):
    """A CADF event: an initiator did an action to a target, with an outcome."""

    kind = "identity"

    id: str | None = None
    event_kind: str | None = Field(default=None, validation_alias="eventType")
    event_time: Time = Field(default=None, validation_alias="eventTime")
    action: str | None = None
    outcome: str | None = None
    initiator: Party | None = None
    target: Party | None = None
    observer: Party | None = None
    reason: Reason | None = None
    resource_info: str | None = None
    role: str | None = None
    user: str | None = None
    group: str | None = None
    project: str | None = None
    domain: str | None = None
    inherited_to_projects: bool | None = None

    @property
    def resource_id(self) -> str | None:
        return self.resource_info or (self.target.id if self.target else None)

    @property
    def owner_project_id(self) -> str | None:
        return self.project


class Basic(Payload):
    """Keystone's basic format: the resource's id, and the actor's where there is one (a group's member)."""

    kind = "identity"

    resource_info: str | None = None
    actor_id: str | None = None
    actor_operation: str | None = None

    @property
    def resource_id(self) -> str | None:
        return self.resource_info


def identity_model(data: Mapping[str, Any]) -> type[Payload]:
    """Which of the two formats a payload has."""
    return Cadf if "typeURI" in data or "initiator" in data else Basic
