"""A workspace is asked for, made, and gone."""

from typing import Annotated

from pydantic import Field, StringConstraints

from contracts.envelope import Command, Event, Problem, Role
from contracts.examples import DOCUMENT, PROJECT_ID, WORKSPACE
from contracts.identifiers import Generation, Identifier, ResourceId
from contracts.provisioner.parts import WorkspaceState
from contracts.workspace import Workspace


class CreateWorkspace(Command):
    """Make the workspace that the document describes, or finish one that was begun with the same document."""

    type = "provisioner.workspace.create"
    roles = frozenset({Role.OPERATOR})

    document: Workspace

    @property
    def aggregate(self) -> str:
        return self.document.name

    example = {"document": DOCUMENT}


class DeleteWorkspace(Command):
    """Remove the workspace with all that is in it."""

    type = "provisioner.workspace.delete"
    roles = frozenset({Role.OPERATOR})

    workspace: Identifier

    example = {"workspace": WORKSPACE}


class WorkspaceDeclared(Event):
    """A workspace's document is accepted and its project exists; from here the other services do their part."""

    type = "provisioner.workspace.declared"

    workspace: Identifier
    generation: Generation
    project_id: ResourceId
    document: Workspace

    example = {
        "workspace": WORKSPACE,
        "generation": 1,
        "project_id": PROJECT_ID,
        "document": DOCUMENT,
    }


class Progressed(Event):
    """How far the provisioner has come with a workspace; `done` of `total` steps."""

    type = "provisioner.workspace.progressed"

    workspace: Identifier
    generation: Generation
    state: WorkspaceState
    step: Annotated[str, StringConstraints(max_length=100)]
    done: Annotated[int, Field(ge=0)]
    total: Annotated[int, Field(ge=0)]

    example = {
        "workspace": WORKSPACE,
        "generation": 1,
        "state": "creating",
        "step": "compute-3 is active",
        "done": 9,
        "total": 12,
    }


class WorkspaceReady(Event):
    """Everything in the document exists, proven isolated, and every node is active."""

    type = "provisioner.workspace.ready"

    workspace: Identifier
    generation: Generation
    project_id: ResourceId
    nodes: Annotated[int, Field(ge=0)]
    duration_seconds: Annotated[float, Field(ge=0)]
    """From the command's admission."""

    example = {
        "workspace": WORKSPACE,
        "generation": 1,
        "project_id": PROJECT_ID,
        "nodes": 6,
        "duration_seconds": 41.5,
    }


class WorkspaceFailed(Event):
    """The workspace can't be finished as things are; what exists is kept until it is created again or deleted."""

    type = "provisioner.workspace.failed"

    workspace: Identifier
    generation: Generation
    problems: tuple[Problem, ...]

    example = {
        "workspace": WORKSPACE,
        "generation": 1,
        "problems": [
            {"field": "", "reason": "quota of instances exceeded", "remedy": "raise the quota, then create again"}
        ],
    }


class WorkspaceDeleting(Event):
    """A delete was accepted: others stop relying on the workspace."""

    type = "provisioner.workspace.deleting"

    workspace: Identifier
    generation: Generation
    project_id: ResourceId | None = None
    """None when the project was never made."""

    example = {"workspace": WORKSPACE, "generation": 2, "project_id": PROJECT_ID}


class WorkspaceEmptied(Event):
    """No node and no port of the workspace is left: groups, shares and volumes may go."""

    type = "provisioner.workspace.emptied"

    workspace: Identifier
    generation: Generation
    project_id: ResourceId | None = None

    example = {"workspace": WORKSPACE, "generation": 2, "project_id": PROJECT_ID}


class WorkspaceDeleted(Event):
    """Nothing of the workspace is left in the cloud."""

    type = "provisioner.workspace.deleted"

    workspace: Identifier
    generation: Generation

    example = {"workspace": WORKSPACE, "generation": 2}


MESSAGES = (
    CreateWorkspace,
    DeleteWorkspace,
    WorkspaceDeclared,
    Progressed,
    WorkspaceReady,
    WorkspaceFailed,
    WorkspaceDeleting,
    WorkspaceEmptied,
    WorkspaceDeleted,
)
