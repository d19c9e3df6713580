"""The proof of isolation: broken, proven again, and asked for."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from contracts.envelope import Answer, Event, Query
from contracts.examples import WORKSPACE
from contracts.identifiers import Digest, Generation, Identifier, Text
from contracts.network_policy.rules import EXAMPLE_PACKET, Counterexample, Part


class IsolationViolated(Event):
    """A packet is possible that nobody declared; `repairing` tells whether Tresor is closing it by itself."""

    type = "network-policy.isolation.violated"

    workspace: Identifier
    generation: Generation
    counterexamples: Annotated[tuple[Counterexample, ...], Field(min_length=1, max_length=20)]
    more: Annotated[int, Field(ge=0)] = 0
    """How many were found beyond those listed."""
    repairing: bool

    example = {
        "workspace": WORKSPACE,
        "generation": 1,
        "counterexamples": [EXAMPLE_PACKET],
        "repairing": True,
    }


class IsolationProven(Event):
    """No undeclared packet is possible any more, after there was one."""

    type = "network-policy.isolation.proven"

    workspace: Identifier
    generation: Generation
    proof: Digest
    assumptions: tuple[Text, ...]

    example = {
        "workspace": WORKSPACE,
        "generation": 1,
        "proof": "sha256:" + "b" * 64,
        "assumptions": ["Neutron's answer is what its backend enforces"],
    }


class RoleReach(Part):
    """What a role can send to, or hear from."""

    source: Text
    destination: Text
    protocol: Annotated[str, StringConstraints(max_length=20)]
    ports: Annotated[str, StringConstraints(max_length=200)]


class WorkspaceIsolation(Part):
    """One workspace's verdict with what it was proven on."""

    workspace: Identifier
    verdict: Literal["isolated", "violated", "unknown"]
    """`unknown` where the state could not be observed; treat as violated."""
    generation: Generation
    proof: Digest | None = None
    proven_at: datetime | None = None
    groups: int
    rules: int
    ports: int
    counterexamples: tuple[Counterexample, ...] = ()
    reach: tuple[RoleReach, ...] = ()
    """What is permitted, role by role; only when one workspace was asked for."""
    quarantined: tuple[Text, ...] = ()
    """What of it is in quarantine: nothing passes there, whatever is declared."""
    from_outside: Annotated[str, StringConstraints(max_length=200)] = ""
    """What may come in from beyond the workspace, as `tcp 22`; empty: nothing may."""
    to_outside: Annotated[str, StringConstraints(max_length=200)] = ""
    """What may go out beyond the workspace, its own networks' DHCP and metadata aside."""


class IsolationShown(Answer):
    """The latest verdicts, and how old what they rest on can be."""

    type = "network-policy.isolation.shown"

    workspaces: tuple[WorkspaceIsolation, ...]
    staleness_seconds: Annotated[float, Field(ge=0)]
    """The bound on the age of what the verdict rests on where OpenStack is silent: the scan's period."""
    scan_age_seconds: Annotated[float, Field(ge=0)] | None = None
    """How long ago the state was listed that the last full scan rests on; None before the first."""
    truncated: bool = False
    """Whether there are more workspaces; ask again with `after` set to the last one of these."""
    assumptions: tuple[Text, ...] = ()

    example = {
        "workspaces": [
            {
                "workspace": WORKSPACE,
                "verdict": "isolated",
                "generation": 1,
                "proof": "sha256:" + "a" * 64,
                "proven_at": "2026-11-21T10:00:00Z",
                "groups": 2,
                "rules": 24,
                "ports": 6,
            }
        ],
        "staleness_seconds": 60,
        "scan_age_seconds": 17.3,
    }


class ShowIsolation(Query):
    """The verdict for one workspace, or for all."""

    type = "network-policy.isolation.show"
    answer = IsolationShown

    of: Identifier | None = None
    after: Identifier | None = None
    """Of all workspaces, only those whose names come after this one."""

    @property
    def aggregate(self) -> str:
        return self.of or "site"

    example = {"of": WORKSPACE}


MESSAGES = (IsolationViolated, IsolationProven, ShowIsolation, IsolationShown)
