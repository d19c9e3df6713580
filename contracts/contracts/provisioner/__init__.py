"""What the provisioner is asked and tells: workspaces, networks, nodes."""

from contracts.chassis import chassis_messages
from contracts.provisioner import nodes, plans, register, workspaces
from contracts.provisioner.nodes import NetworkReady, NodeActive, NodeFailed, ReadyNetwork
from contracts.provisioner.parts import Part, WorkspaceState
from contracts.provisioner.plans import PlannedChange, PlanWorkspace, WorkspacePlanned
from contracts.provisioner.register import (
    ListWorkspaces,
    NodeStatus,
    RegisterEntry,
    ShowWorkspace,
    WorkspaceList,
    WorkspaceShown,
    WorkspaceSummary,
)
from contracts.provisioner.workspaces import (
    CreateWorkspace,
    DeleteWorkspace,
    Progressed,
    WorkspaceDeclared,
    WorkspaceDeleted,
    WorkspaceDeleting,
    WorkspaceEmptied,
    WorkspaceFailed,
    WorkspaceReady,
)

OWNER = "provisioner"
CHASSIS = chassis_messages(OWNER)
MESSAGES = (*workspaces.MESSAGES, *nodes.MESSAGES, *register.MESSAGES, *plans.MESSAGES, *CHASSIS)

__all__ = [
    "CHASSIS",
    "MESSAGES",
    "OWNER",
    "CreateWorkspace",
    "DeleteWorkspace",
    "ListWorkspaces",
    "NetworkReady",
    "NodeActive",
    "NodeFailed",
    "NodeStatus",
    "Part",
    "PlanWorkspace",
    "PlannedChange",
    "Progressed",
    "ReadyNetwork",
    "RegisterEntry",
    "ShowWorkspace",
    "WorkspaceDeclared",
    "WorkspaceDeleted",
    "WorkspaceDeleting",
    "WorkspaceEmptied",
    "WorkspaceFailed",
    "WorkspaceList",
    "WorkspacePlanned",
    "WorkspaceReady",
    "WorkspaceShown",
    "WorkspaceState",
    "WorkspaceSummary",
]
