"""Ports that say the same MAC address: found, the spurious one among them named with its reasons, removed on command."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from contracts.envelope import Answer, Command, Event, Query, Role
from contracts.identifiers import Digest, Identifier, ResourceId, Text
from contracts.network_policy.rules import Part

MacAddress = Annotated[str, StringConstraints(pattern=r"^([0-9a-f]{2}:){5}[0-9a-f]{2}$")]

MAX_PORTS_TOLD = 50

_SPURIOUS = "9c0e2b6a-2f5d-4b1b-8d5c-3e1f7a9b2c03"


class DuplicatePort(Part):
    """One of the ports that say the same MAC address, as Neutron and Nova have it."""

    port_id: ResourceId
    name: Annotated[str, StringConstraints(max_length=255)] = ""
    project_id: Annotated[str, StringConstraints(max_length=255)] = ""
    network_id: ResourceId
    workspace: Identifier | None = None
    says: Literal["own", "address-pair"] = "own"
    """`address-pair`: the address is not its own, it is only allowed to send from it."""
    device_owner: Annotated[str, StringConstraints(max_length=255)] = ""
    device_id: Annotated[str, StringConstraints(max_length=255)] = ""
    has_device: bool | None = None
    """Whether its device is there; None where nobody could tell."""
    host: Annotated[str, StringConstraints(max_length=255)] = ""
    is_bound: bool
    status: Annotated[str, StringConstraints(max_length=40)] = ""
    created_at: Annotated[str, StringConstraints(max_length=40)] = ""


class SpuriousPort(Part):
    """A port that serves nobody, and why it is taken to be the spurious one."""

    port_id: ResourceId
    reasons: Annotated[tuple[Text, ...], Field(min_length=1, max_length=10)]


class Duplicate(Part):
    """One MAC address that several ports say."""

    mac_address: MacAddress
    kind: Literal["duplicate", "flapping"]
    """`flapping`: it is bound on several hosts at once, so switches see it move (row L8)."""
    hosts: tuple[Annotated[str, StringConstraints(max_length=255)], ...] = ()
    """Where it is bound."""
    ports: Annotated[tuple[DuplicatePort, ...], Field(min_length=2, max_length=MAX_PORTS_TOLD)]
    spurious: tuple[SpuriousPort, ...] = ()
    """Empty where the evidence points at nobody: a person has to choose."""
    evidence: Digest
    """SHA-256 over what was seen of the ports; a removal names it, and is refused once it has changed."""


_EXAMPLE = {
    "mac_address": "fa:16:3e:11:22:33",
    "kind": "duplicate",
    "hosts": ["hv1"],
    "ports": [
        {
            "port_id": "1b0e2b6a-2f5d-4b1b-8d5c-3e1f7a9b2c01",
            "network_id": "5b1f0f1e-7c1d-4f0e-8f56-2f1d6a9b7c01",
            "device_owner": "compute:nova",
            "device_id": "f3a1c9d2-5b7e-4c1a-9f0e-1d2c3b4a5f60",
            "has_device": True,
            "host": "hv1",
            "is_bound": True,
            "status": "ACTIVE",
        },
        {
            "port_id": _SPURIOUS,
            "network_id": "6c2f0f1e-7c1d-4f0e-8f56-2f1d6a9b7c02",
            "has_device": False,
            "is_bound": False,
            "status": "DOWN",
        },
    ],
    "spurious": [{"port_id": _SPURIOUS, "reasons": ["bound to no host", "no server has it"]}],
    "evidence": "sha256:" + "d" * 64,
}


class DuplicateFound(Event):
    """Several ports say the same MAC address, or what is known of them has changed."""

    type = "network-policy.duplicate.found"

    duplicate: Duplicate

    example = {"duplicate": _EXAMPLE}


class DuplicateResolved(Event):
    """Only one port says the MAC address any more."""

    type = "network-policy.duplicate.resolved"

    mac_address: MacAddress
    removed_port_id: ResourceId | None = None
    """The port that was removed on command; None when it ended by itself."""

    example = {"mac_address": "fa:16:3e:11:22:33", "removed_port_id": _SPURIOUS}


class RemoveDuplicate(Command):
    """Delete a spurious port, if everything that makes it one is still so."""

    type = "network-policy.port.remove-duplicate"
    roles = frozenset({Role.OPERATOR, Role.SECURITY_OFFICER})

    port_id: ResourceId
    evidence: Digest

    example = {"port_id": _SPURIOUS, "evidence": "sha256:" + "d" * 64}


class DuplicatesListed(Answer):
    """The MAC addresses that several ports said at the last scan."""

    type = "network-policy.duplicates.listed"

    duplicates: tuple[Duplicate, ...]
    scanned_at: datetime | None = None
    """None before the first scan."""
    truncated: bool = False

    example = {"duplicates": [_EXAMPLE], "scanned_at": "2026-11-21T10:00:00Z"}


class ListDuplicates(Query):
    """The MAC addresses that several ports say."""

    type = "network-policy.duplicates.list"
    answer = DuplicatesListed

    example = {}


MESSAGES = (DuplicateFound, DuplicateResolved, RemoveDuplicate, ListDuplicates, DuplicatesListed)
