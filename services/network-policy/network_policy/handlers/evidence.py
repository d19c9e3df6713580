"""What stood before a quarantine changed anything: kept in the database, told to the audit log."""

import asyncio
from collections.abc import Iterable

from contracts.network_policy import EvidenceKept
from contracts.network_policy.quarantine import MAX_EVIDENCE_PART_CHARACTERS, MAX_EVIDENCE_PARTS
from network_policy import store
from network_policy.domain.compile import Policy
from network_policy.domain.custody import Custody, CustodyPort, evidence, parts
from network_policy.handlers.context import Context
from network_policy.store import HeldFloatingIp, HeldPort, Known
from shared.handlers import Turn

MAX_CHANGES_KEPT = 500


async def keep_evidence(turn: Turn[Context], known: Known, policy: Policy) -> None:
    """What stands, before anything is changed."""
    ordered = [held for held in known.quarantines if held.state == "ordered"]
    if not ordered:
        return
    cloud, project_id = turn.context.cloud, str(known.project_id)
    custody, groups = await asyncio.gather(cloud.custody(project_id), cloud.groups(project_id))
    group_ids = {group.id for group in groups} | {one for each in custody.ports for one in each.port.group_ids}
    bodies = await cloud.raw_groups(group_ids)
    for held in ordered:
        covered = custody.covered(held.scope, policy, known.nodes, frozenset())
        async with turn.transaction() as tx:
            heading = {
                "quarantine_id": held.quarantine_id,
                "workspace": known.workspace,
                "generation": known.generation,
                "role": held.role,
                "node": held.node,
                "kept_at": turn.now.isoformat(),
            }
            changes = await store.last_changes(tx.connection, known.workspace, MAX_CHANGES_KEPT)
            text, digest = evidence(
                custody, covered, bodies, changes, heading, MAX_EVIDENCE_PARTS * MAX_EVIDENCE_PART_CHARACTERS
            )
            await store.keep_found(
                tx.connection, held.quarantine_id, map(held_port, covered), _floating_on(custody, covered)
            )
            await store.keep_evidence(tx.connection, held.quarantine_id, text, digest)
            pieces = parts(text, MAX_EVIDENCE_PART_CHARACTERS)
            tx.emit(
                *(
                    EvidenceKept(
                        workspace=known.workspace,
                        generation=known.generation,
                        quarantine_id=held.quarantine_id,
                        part=number,
                        parts=len(pieces),
                        digest=digest,
                        content=piece,
                    )
                    for number, piece in enumerate(pieces, 1)
                )
            )


def held_port(each: CustodyPort) -> HeldPort:
    return HeldPort(each.port.id, each.port.device_id, each.admin_up, each.port.group_ids)


def _floating_on(custody: Custody, covered: Iterable[CustodyPort]) -> list[HeldFloatingIp]:
    port_ids = frozenset(each.port.id for each in covered)
    return [
        HeldFloatingIp(each.id, each.address, str(each.port_id), each.fixed_address)
        for each in custody.floating_on(port_ids)
    ]
