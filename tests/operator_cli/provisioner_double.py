"""A provisioner of the tests' own on the real chassis: the command line can't tell it from the real one."""

from dataclasses import dataclass, field

from contracts import provisioner
from contracts.envelope import Problem
from contracts.workspace import Workspace
from shared.errors import Rejected
from shared.handlers import Handlers
from shared.work import Work


@dataclass
class Register:
    """What it knows."""

    documents: dict[str, Workspace] = field(default_factory=dict)


def make_handlers() -> Handlers[Register]:
    """`huge` flavors are rejected, `stuck` workspaces are never done, `doomed` ones fail."""
    handlers: Handlers[Register] = Handlers(provisioner)

    @handlers.on(provisioner.CreateWorkspace)
    async def create(command: provisioner.CreateWorkspace, tx: Work[Register]) -> None:
        name = command.document.name
        if found := problems(command.document, "document."):
            raise Rejected(found)
        tx.context.documents[name] = command.document
        step = {"workspace": name, "generation": 1, "state": "creating", "total": 3}
        tx.emit(provisioner.Progressed(**step, step="project made", done=1))
        tx.emit(provisioner.Progressed(**step, step="networks made", done=2))
        if name == "stuck":
            tx.hold()
        elif name == "doomed":
            tx.hold()
            assert tx.cause is not None
            await tx.failed(tx.cause.id, [Problem(field="document.roles.0", reason="no valid host")])
        else:
            tx.emit(
                provisioner.WorkspaceReady(workspace=name, generation=1, project_id="p", nodes=6, duration_seconds=1.5)
            )

    @handlers.on(provisioner.DeleteWorkspace)
    async def delete(command: provisioner.DeleteWorkspace, tx: Work[Register]) -> None:
        if command.workspace not in tx.context.documents:
            raise Rejected("there is no such workspace", "see the list")
        del tx.context.documents[command.workspace]
        tx.emit(provisioner.WorkspaceDeleted(workspace=command.workspace, generation=2))

    @handlers.answer(provisioner.ListWorkspaces)
    async def listed(query: provisioner.ListWorkspaces, tx: Work[Register]) -> provisioner.WorkspaceList:
        return provisioner.WorkspaceList(workspaces=tuple(map(summary, tx.context.documents.values())))

    @handlers.answer(provisioner.ShowWorkspace)
    async def shown(query: provisioner.ShowWorkspace, tx: Work[Register]) -> provisioner.WorkspaceShown:
        document = tx.context.documents.get(query.workspace)
        held = [Problem(field="security-groups", reason="port p-1 of project x is in group g-1", remedy="have it go")]
        return provisioner.WorkspaceShown(
            summary=document and summary(document),
            document=document,
            problems=tuple(held) if query.workspace == "held" else (),
        )

    @handlers.answer(provisioner.PlanWorkspace)
    async def planned(query: provisioner.PlanWorkspace, tx: Work[Register]) -> provisioner.WorkspacePlanned:
        change = provisioner.PlannedChange(action="create", kind="server", name=f"{query.document.name}-login-0")
        return provisioner.WorkspacePlanned(
            workspace=query.document.name,
            generation=0,
            changes=(change,),
            problems=problems(query.document, "document."),
        )

    return handlers


def problems(document: Workspace, prefix: str) -> tuple[Problem, ...]:
    """Flavors that this cloud has not."""
    return tuple(
        Problem(field=f"{prefix}roles.{position}.flavor", reason=f"no flavor '{role.flavor}'", remedy="tre.small")
        for position, role in enumerate(document.roles)
        if role.flavor == "tre.huge"
    )


def summary(document: Workspace) -> provisioner.WorkspaceSummary:
    """The register's line."""
    return provisioner.WorkspaceSummary(
        workspace=document.name, state="ready", generation=1, owner=document.owner, sensitivity=document.sensitivity,
        affiliation=document.affiliation, expiry=str(document.expiry), nodes=6, nodes_active=6, step="ready",
    )  # fmt: skip


async def make_context(*_: object) -> Register:
    """An empty register."""
    return Register()
