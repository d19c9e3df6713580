"""Every event of every service: into the audit log, and some of them findings."""

from contracts.audit import TRESOR
from contracts.envelope import Envelope
from contracts.provisioner import NodeActive, WorkspaceDeclared
from contracts.security_monitor import FindingRaised, FindingResolved
from security_monitor.domain.entries import entry_of_message
from security_monitor.domain.findings import Resolution, from_message
from security_monitor.handlers.register import Context, handlers
from security_monitor.store import audit
from security_monitor.store import detections as detection_store
from security_monitor.store import findings as finding_store
from shared.work import Work


@handlers.on_every_event
async def record(seen: Envelope, tx: Work[Context]) -> None:
    """The event into the log, in its producer's order."""
    await audit.append(tx.connection, TRESOR, [entry_of_message(seen)], tx.now)
    project_id, workspace = seen.data.get("project_id"), seen.data.get("workspace")
    if isinstance(project_id, str) and isinstance(workspace, str):
        await finding_store.remember_project(tx.connection, project_id, workspace)
    if seen.type == WorkspaceDeclared.type:
        document = WorkspaceDeclared.model_validate(seen.data).document
        sensitive = [role.name for role in document.roles if role.sensitive]
        await detection_store.remember_document(tx.connection, document.name, document.sensitivity, sensitive)
    elif seen.type == NodeActive.type:
        node = NodeActive.model_validate(seen.data)
        await detection_store.remember_node(tx.connection, node.server_id, node.workspace, node.role)
    found = from_message(seen)
    if isinstance(found, Resolution):
        about = None if found.workspace == "site" else found.workspace
        for finding in await finding_store.resolve(tx.connection, found.rules, about, found.at, found.key):
            tx.emit(FindingResolved(finding=finding))
    elif found is not None and await finding_store.add(tx.connection, found):
        tx.emit(FindingRaised(finding=found))
