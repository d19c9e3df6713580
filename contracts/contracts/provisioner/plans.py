"""What a create would do."""

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from contracts.envelope import Answer, Problem, Query
from contracts.examples import DOCUMENT, WORKSPACE
from contracts.identifiers import Identifier, Text
from contracts.provisioner.parts import Part
from contracts.workspace import Workspace


class PlannedChange(Part):
    """One thing that would be made, changed, deleted or left as it is."""

    action: Literal["create", "change", "delete", "keep"]
    kind: Annotated[str, StringConstraints(max_length=60)]
    """OpenStack's word: project, network, subnet, router, server, share …"""
    name: Annotated[str, StringConstraints(max_length=255)]
    detail: Text = ""


class WorkspacePlanned(Answer):
    """What a create with this document would do, and what speaks against it; nothing was changed."""

    type = "provisioner.workspace.planned"

    workspace: Identifier
    generation: Annotated[int, Field(ge=0)]
    """Where the workspace stands; give it as the expected generation to apply exactly this plan."""
    changes: tuple[PlannedChange, ...]
    problems: tuple[Problem, ...]

    example = {
        "workspace": WORKSPACE,
        "generation": 0,
        "changes": [{"action": "create", "kind": "server", "name": "openhpc-login-0", "detail": "tre.small, tiny"}],
        "problems": [],
    }


class PlanWorkspace(Query):
    """What a create with this document would do, and everything that speaks against it."""

    type = "provisioner.workspace.plan"
    answer = WorkspacePlanned

    document: Workspace

    @property
    def aggregate(self) -> str:
        return self.document.name

    example = {"document": DOCUMENT}


MESSAGES = (
    PlanWorkspace,
    WorkspacePlanned,
)
