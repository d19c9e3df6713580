"""The declared policy stands in Neutron, or is gone with its workspace."""

from typing import Annotated

from pydantic import Field

from contracts.envelope import Event
from contracts.examples import PROJECT_ID, WORKSPACE
from contracts.identifiers import Digest, Generation, Identifier, ResourceId, Text


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


class DeletionCleared(Event):
    """No quarantine stands in the way of a deletion: nodes and ports may go. Told at once, or when the last one ends."""

    type = "network-policy.deletion.cleared"

    workspace: Identifier
    generation: Generation
    """Of the deletion."""

    example = {"workspace": WORKSPACE, "generation": 2}


MESSAGES = (PolicyEnforced, PolicyWithdrawn, DeletionCleared)
