"""Who has which workspace, and how it stands."""

from datetime import datetime
from typing import Annotated

from pydantic import StringConstraints

from contracts.envelope import Answer, Problem, Query
from contracts.examples import WORKSPACE
from contracts.identifiers import Generation, Identifier, ResourceId, Text
from contracts.provisioner.nodes import ReadyNetwork
from contracts.provisioner.parts import Part, WorkspaceState
from contracts.workspace import Workspace


class NodeStatus(Part):
    """One node as Nova last told it."""

    node: Identifier
    role: Identifier
    status: Annotated[str, StringConstraints(max_length=40)]
    """Nova's server status, or `absent`."""
    server_id: ResourceId | None = None
    addresses: tuple[str, ...] = ()
    fault: Text = ""


class WorkspaceSummary(Part):
    """One line of the register."""

    workspace: Identifier
    state: WorkspaceState
    generation: Generation
    owner: str
    sensitivity: str
    affiliation: str
    expiry: str
    nodes: int
    nodes_active: int
    step: str


class RegisterEntry(Part):
    """What became of one generation of a workspace, and on whose word (row L29)."""

    generation: Generation
    state: WorkspaceState
    holder: Annotated[str, StringConstraints(max_length=120)]
    happened_at: datetime


class WorkspaceList(Answer):
    """The register of workspaces, newest first; `truncated` when there are more."""

    type = "provisioner.workspaces.listed"

    workspaces: tuple[WorkspaceSummary, ...]
    truncated: bool = False

    example = {
        "workspaces": [
            {
                "workspace": WORKSPACE,
                "state": "ready",
                "generation": 1,
                "owner": "ana@example.org",
                "sensitivity": "sensitive",
                "affiliation": "internal",
                "expiry": "2027-12-31",
                "nodes": 6,
                "nodes_active": 6,
                "step": "ready",
            }
        ]
    }


class ListWorkspaces(Query):
    """The register of workspaces, newest first; deleted ones too when asked."""

    type = "provisioner.workspaces.list"
    answer = WorkspaceList

    deleted: bool = False

    example = {"deleted": False}


class WorkspaceShown(Answer):
    """One workspace as the provisioner knows it."""

    type = "provisioner.workspace.shown"

    summary: WorkspaceSummary | None
    """None when no such workspace is known."""
    document: Workspace | None = None
    project_id: ResourceId | None = None
    networks: tuple[ReadyNetwork, ...] = ()
    nodes: tuple[NodeStatus, ...] = ()
    problems: tuple[Problem, ...] = ()
    history: tuple[RegisterEntry, ...] = ()
    """Newest first, at most a hundred."""

    example = {
        "summary": None,
        "history": [
            {
                "generation": 2,
                "state": "deleted",
                "holder": "ana@example.org",
                "happened_at": "2026-11-21T10:00:00Z",
            }
        ],
    }


class ShowWorkspace(Query):
    """One workspace with its document, networks and nodes."""

    type = "provisioner.workspace.show"
    answer = WorkspaceShown

    workspace: Identifier

    example = {"workspace": WORKSPACE}


MESSAGES = (
    ListWorkspaces,
    WorkspaceList,
    ShowWorkspace,
    WorkspaceShown,
)
