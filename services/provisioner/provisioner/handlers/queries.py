"""The register, one workspace, and what a document would do."""

from contracts.provisioner import (
    ListWorkspaces,
    NodeStatus,
    PlannedChange,
    PlanWorkspace,
    RegisterEntry,
    ShowWorkspace,
    WorkspaceList,
    WorkspacePlanned,
    WorkspaceShown,
    WorkspaceSummary,
)
from contracts.workspace import Workspace
from provisioner import store
from provisioner.domain import admission, change, creation, life, looking
from provisioner.domain.catalog import Catalog
from provisioner.domain.observed import Observed
from provisioner.domain.record import Proposal, Record
from provisioner.handlers.context import Context, handlers
from shared.work import Work

MOST_LISTED = 1000
MOST_HISTORY = 100
MOST_NODES_SHOWN = 4096


@handlers.answer(ListWorkspaces)
async def on_list(query: ListWorkspaces, tx: Work[Context]) -> WorkspaceList:
    """The register (row L29), as far as the asker's key goes."""
    found = await store.listed(tx.connection, deleted=query.deleted, limit=MOST_LISTED + 1, coverage=tx.coverage)
    summaries = tuple(_summary(*row) for row in found[:MOST_LISTED])
    return WorkspaceList(workspaces=summaries, truncated=len(found) > MOST_LISTED)


@handlers.answer(ShowWorkspace)
async def on_show(query: ShowWorkspace, tx: Work[Context]) -> WorkspaceShown:
    """One workspace with everything that is stored of it."""
    record = await store.load(tx.connection, query.workspace)
    if record is None:
        return WorkspaceShown(summary=None)
    nodes = await store.load_nodes(tx.connection, record.name)
    history = await store.history_of(tx.connection, record.name, MOST_HISTORY)
    active = sum(node.is_active and node.status == "ACTIVE" for node in nodes)
    return WorkspaceShown(
        summary=_summary(record, len(nodes), active),
        document=record.document,
        project_id=record.project_id,
        networks=record.networks,
        nodes=tuple(
            NodeStatus(
                node=node.name,
                role=node.role,
                status=node.status,
                server_id=node.server_id,
                addresses=node.addresses,
                fault=node.fault,
            )
            for node in nodes[:MOST_NODES_SHOWN]
        ),
        problems=record.problems,
        history=tuple(
            RegisterEntry(
                generation=row.generation,
                state=row.state,
                holder=row.holder,
                happened_at=row.happened_at,
            )
            for row in history
        ),
    )


@handlers.answer(PlanWorkspace)
async def on_plan(query: PlanWorkspace, tx: Work[Context]) -> WorkspacePlanned:
    """What a create with this document would do; the cloud's side of it as last read."""
    document, site = query.document, tx.context.site
    known = await store.load(tx.connection, document.name)
    reading = await store.load_catalog(tx.connection, tx.now)
    catalog = reading.catalog if reading is not None else Catalog()
    found = life.objections(known, document, site)
    if reading is not None:
        neighbours = await store.documents_present(tx.connection)
        found = (*found, *admission.problems(document, site, catalog, neighbours))
    changes = (
        tuple(_first_changes(document, catalog, tx))
        if known is None or not known.is_present
        else (*change.nodes(known.document, document), *change.sections(known.document, document))
    )
    return WorkspacePlanned(
        workspace=document.name,
        generation=life.stands_at(known),
        changes=changes,
        problems=life.in_document(found),
    )


def _first_changes(document: Workspace, catalog: Catalog, tx: Work[Context]) -> list[PlannedChange]:
    """Everything that is made for a new workspace, in the order of its making."""
    record = life.accept(None, Proposal(document.name, document, "", tx.holder, tx.now))
    nodes = looking.nodes_of(record, ())
    plan = creation.plan(looking.wanted_of(record, nodes, tx.context.site, catalog), Observed())
    kinds = ("project", "quota", "network", "subnet", "router", "gateway", "interface", "port", "server")
    return [
        PlannedChange(action="create", kind=goal.kind, name=goal.name, detail=goal.detail)
        for goal in plan.goals
        if goal.kind in kinds
    ]


def _summary(record: Record, nodes: int, active: int) -> WorkspaceSummary:
    document = record.document
    return WorkspaceSummary(
        workspace=record.name,
        state=record.state,
        generation=record.generation,
        owner=document.owner,
        sensitivity=document.sensitivity,
        affiliation=document.affiliation,
        expiry=document.expiry.isoformat(),
        nodes=nodes,
        nodes_active=active,
        step=record.step,
    )
