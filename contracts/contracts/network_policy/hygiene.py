"""Hygiene of the groups that the last full scan saw, all projects': what says nothing, too much, or the same again."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field

from contracts.envelope import Answer, Query
from contracts.examples import PROJECT_ID, WORKSPACE
from contracts.identifiers import Digest, Identifier, ResourceId, Text
from contracts.network_policy.rules import Part

MAX_GROUPS = 200
MAX_REMARKS = 12
MAX_RULES_OF_A_REMARK = 20


class HygieneRemark(Part):
    """One thing about a group."""

    kind: Literal[
        "rule-repeated",
        "rule-shadowed",
        "rule-unclear",
        "rule-without-members",
        "rule-over-broad",
        "rule-ipv6-leftover",
        "group-unused",
        "group-of-no-project",
        "group-not-least",
    ]
    rule_ids: Annotated[tuple[ResourceId, ...], Field(max_length=MAX_RULES_OF_A_REMARK)] = ()
    words: Text


class GroupHygiene(Part):
    """A group as it is and as it could be."""

    group_id: ResourceId
    name: Text
    project_id: Text
    workspace: Identifier | None = None
    """Whose project it is; None for projects that are no workspace."""
    rules: Annotated[int, Field(ge=0)]
    least_rules: Annotated[int, Field(ge=0)]
    """How many rules would permit exactly the same packets."""
    is_fewest: bool
    """Whether no set of fewer rules does."""
    ports: Annotated[int, Field(ge=0)]
    remarks: Annotated[tuple[HygieneRemark, ...], Field(max_length=MAX_REMARKS)]
    more_remarks: Annotated[int, Field(ge=0)] = 0
    """How many there are beyond those listed."""


class HygieneShown(Answer):
    """The groups about which there is something to say, those with the most rules to spare first."""

    type = "network-policy.hygiene.shown"

    groups: Annotated[tuple[GroupHygiene, ...], Field(max_length=MAX_GROUPS)]
    more_groups: Annotated[int, Field(ge=0)] = 0
    """How many there are beyond those listed."""
    observed_at: datetime | None = None
    """When the groups were seen; None before the first full scan."""
    digest: Digest | None = None
    """SHA-256 over the groups and their members as they were seen."""
    projects_known: bool = False
    """Whether Keystone told of all projects, so that groups of missing ones are among the groups."""
    all_groups: Annotated[int, Field(ge=0)] = 0
    all_rules: Annotated[int, Field(ge=0)] = 0
    all_least_rules: Annotated[int, Field(ge=0)] = 0

    example = {
        "groups": [
            {
                "group_id": "3a5b7c9d-1e2f-4a3b-8c4d-5e6f7a8b9c04",
                "name": "secure",
                "project_id": PROJECT_ID,
                "rules": 65,
                "least_rules": 56,
                "is_fewest": True,
                "ports": 12,
                "remarks": [
                    {
                        "kind": "rule-repeated",
                        "rule_ids": ["7d2e0c52-3d5e-4b6e-9a8a-0b1c2d3e4f05"],
                        "words": "says the same as 8e3f1d63-4e6f-4c7f-8b9b-1c2d3e4f5a06",
                    }
                ],
            }
        ],
        "observed_at": "2026-11-21T10:00:00Z",
        "digest": "sha256:" + "c" * 64,
        "projects_known": True,
        "all_groups": 40,
        "all_rules": 900,
        "all_least_rules": 640,
    }


class ShowHygiene(Query):
    """What is to be said of the groups of one workspace, or of all projects."""

    type = "network-policy.hygiene.show"
    answer = HygieneShown

    of: Identifier | None = None

    @property
    def aggregate(self) -> str:
        return self.of or "site"

    example = {"of": WORKSPACE}


MESSAGES = (ShowHygiene, HygieneShown)
