"""What the provisioner is asked and tells: workspaces, networks, nodes."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from contracts.chassis import chassis_messages
from contracts.envelope import Answer, Command, Event, Problem, Query, Role
from contracts.examples import DOCUMENT, PROJECT_ID, WORKSPACE
from contracts.identifiers import Generation, Identifier, ResourceId, Text
from contracts.workspace import NetworkClass, Workspace

OWNER = "provisioner"
CHASSIS = chassis_messages(OWNER)

WorkspaceState = Literal["creating", "ready", "failed", "deleting", "deleted"]


class Part(BaseModel):
    """A piece of a message."""

    model_config = ConfigDict(extra="forbid", frozen=True)


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


class ReadyNetwork(Part):
    """A network as Neutron has it."""

    name: Identifier
    network_class: NetworkClass
    network_id: ResourceId
    subnet_ids: tuple[ResourceId, ...]
    prefixes: tuple[str, ...]


class NetworkReady(Event):
    """The workspace's networks and routers exist; no port of a node is on them yet."""

    type = "provisioner.network.ready"

    workspace: Identifier
    generation: Generation
    project_id: ResourceId
    networks: tuple[ReadyNetwork, ...]

    example = {
        "workspace": WORKSPACE,
        "generation": 1,
        "project_id": PROJECT_ID,
        "networks": [
            {
                "name": "cluster",
                "network_class": "private",
                "network_id": "5b1f0f1e-7c1d-4f0e-8f56-2f1d6a9b7c01",
                "subnet_ids": ["0d3c7a52-19f1-4e0c-a6a6-7a5a7d0b9c02"],
                "prefixes": ["10.42.0.0/24"],
            }
        ],
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


class NodeActive(Event):
    """A node runs: Nova says ACTIVE, and all its ports are in their groups."""

    type = "provisioner.node.active"

    workspace: Identifier
    generation: Generation
    node: Identifier
    role: Identifier
    server_id: ResourceId
    port_ids: tuple[ResourceId, ...]
    addresses: tuple[str, ...]
    host: Annotated[str, StringConstraints(max_length=255)] = ""
    """The hypervisor, where Nova tells it."""

    example = {
        "workspace": WORKSPACE,
        "generation": 1,
        "node": "openhpc-login-0",
        "role": "login",
        "server_id": "f3a1c9d2-5b7e-4c1a-9f0e-1d2c3b4a5f60",
        "port_ids": ["9c0e2b6a-2f5d-4b1b-8d5c-3e1f7a9b2c03"],
        "addresses": ["10.42.0.11"],
        "host": "hv1",
    }


class NodeFailed(Event):
    """A node came to ERROR or vanished; `fault` is Nova's own text."""

    type = "provisioner.node.failed"

    workspace: Identifier
    generation: Generation
    node: Identifier
    server_id: ResourceId | None = None
    fault: Text

    example = {
        "workspace": WORKSPACE,
        "generation": 1,
        "node": "openhpc-compute-2",
        "server_id": "f3a1c9d2-5b7e-4c1a-9f0e-1d2c3b4a5f61",
        "fault": "No valid host was found.",
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
    CreateWorkspace,
    DeleteWorkspace,
    WorkspaceDeclared,
    NetworkReady,
    Progressed,
    NodeActive,
    NodeFailed,
    WorkspaceReady,
    WorkspaceFailed,
    WorkspaceDeleting,
    WorkspaceEmptied,
    WorkspaceDeleted,
    ListWorkspaces,
    WorkspaceList,
    ShowWorkspace,
    WorkspaceShown,
    PlanWorkspace,
    WorkspacePlanned,
    *CHASSIS,
)
