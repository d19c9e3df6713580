"""The declared policy stands in Neutron, or is gone with its workspace."""

from typing import Annotated

from pydantic import Field

from contracts.envelope import Event
from contracts.examples import PROJECT_ID, WORKSPACE
from contracts.identifiers import Digest, Generation, Identifier, ResourceId, Text
from contracts.network_policy.rules import Part


class PolicyEnforced(Event):
    """The declared policy is what Neutron says, and isolation is proven on it: ports may be born in the groups."""

    type = "network-policy.policy.enforced"

    workspace: Identifier
    generation: Generation
    project_id: ResourceId
    groups: dict[Identifier, ResourceId]
    """The security group of each role."""
    rules: Annotated[int, Field(ge=0)]
    proof: Digest
    """SHA-256 over the observed state that the proof was made on."""
    assumptions: tuple[Text, ...]

    example = {
        "workspace": WORKSPACE,
        "generation": 1,
        "project_id": PROJECT_ID,
        "groups": {
            "login": "3a5b7c9d-1e2f-4a3b-8c4d-5e6f7a8b9c04",
            "compute": "4b6c8d0e-2f3a-4b4c-9d5e-6f7a8b9c0d05",
        },
        "rules": 24,
        "proof": "sha256:" + "a" * 64,
        "assumptions": ["Neutron's answer is what its backend enforces"],
    }


class PolicyWithdrawn(Event):
    """A deleted workspace's groups are gone."""

    type = "network-policy.policy.withdrawn"

    workspace: Identifier
    generation: Generation

    example = {"workspace": WORKSPACE, "generation": 2}


class PortHolder(Part):
    """A port that a group can't go for, and whose it is."""

    port_id: ResourceId
    group_id: ResourceId
    project_id: Text = ""
    device_owner: Text = ""
    device_id: Text = ""


class WithdrawalHeld(Event):
    """Groups of a deleted workspace can't go, as ports are in them that are not the workspace's to take away.

    Told once for the same ports. They are looked for again, at the latest every minute, until they are gone.
    """

    type = "network-policy.withdrawal.held"

    workspace: Identifier
    generation: Generation
    holders: Annotated[tuple[PortHolder, ...], Field(min_length=1, max_length=20)]
    more: Annotated[int, Field(ge=0)] = 0
    """Ports beyond those."""

    example = {
        "workspace": WORKSPACE,
        "generation": 2,
        "holders": [
            {
                "port_id": "0f3c6a52-7d1e-4a6b-9c55-2b1f6f0c9a11",
                "group_id": "c2a9d6f0-1b7e-4e0a-8a53-9d1f4b7e6c20",
                "project_id": "7a1b2c3d4e5f60718293a4b5c6d7e8f9",
                "device_owner": "compute:nova",
                "device_id": "f3a1c9d2-5b7e-4c1a-9f0e-1d2c3b4a5f60",
            }
        ],
    }


class DeletionCleared(Event):
    """No quarantine stands in the way of a deletion: nodes and ports may go. Told at once, or when the last one ends."""

    type = "network-policy.deletion.cleared"

    workspace: Identifier
    generation: Generation
    """Of the deletion."""

    example = {"workspace": WORKSPACE, "generation": 2}


MESSAGES = (PolicyEnforced, PolicyWithdrawn, WithdrawalHeld, DeletionCleared)
