"""What one look at the cloud means: for the record, for those who listen, and for what is to be done next."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime

from contracts.envelope import Event, Problem
from contracts.provisioner import (
    NetworkReady,
    NodeActive,
    NodeFailed,
    Progressed,
    ReadyNetwork,
    WorkspaceDeclared,
    WorkspaceDeleted,
    WorkspaceEmptied,
    WorkspaceReady,
)
from contracts.site import Site
from provisioner.domain import creation, custody, deletion, foundation, quotas
from provisioner.domain.catalog import Catalog
from provisioner.domain.life import fail
from provisioner.domain.nodes import NodeChange, assess, declared
from provisioner.domain.observed import Observed
from provisioner.domain.plan import Plan, Wanted
from provisioner.domain.record import Nodes, Record


@dataclass(frozen=True)
class Look:
    """The outcome of one look. `has_ended`: the commands of this generation are applied or failed by it."""

    record: Record
    nodes: Nodes
    events: tuple[Event, ...]
    plan: Plan
    has_ended: bool = False


def building(record: Record, nodes: Nodes, site: Site, catalog: Catalog, seen: Observed, now: datetime) -> Look:
    """A look at a workspace that is to be, or is: creating or ready."""
    if seen.project is not None and seen.project.is_ours:
        record = replace(record, project_id=seen.project.id)
    changes = _changes(record, nodes, seen, now)
    nodes = tuple(change.node for change in changes)
    events = [event for change in changes for event in _told_of_node(record, change)]
    wanted = wanted_of(record, nodes, site, catalog)
    plan = custody.withhold(creation.plan(wanted, seen), record)
    problems = (*_lost_project(record, seen), *plan.problems)
    if problems:
        decision = fail(record, problems)
        return Look(decision.record, nodes, (*events, *decision.events), plan, has_ended=True)
    record, told = _told_of_ground(record, wanted, plan, seen)
    events += told
    if plan.is_complete and record.state == "creating":
        record = replace(record, state="ready", ready_generation=record.generation)
        record, progressed = progress(record, "ready", plan.done, plan.total)
        events += [*progressed, _ready(record, len(nodes), now)]
        return Look(record, nodes, tuple(events), plan, has_ended=True)
    if plan.is_complete or plan.waits:
        step = plan.waits[0] if plan.waits else "ready"
        record, progressed = progress(record, step if plan.is_complete else f"waits for {step}", plan.done, plan.total)
        events += progressed
    return Look(record, nodes, tuple(events), plan)


def removing(record: Record, nodes: Nodes, seen: Observed) -> Look:
    """A look at a workspace that is to go."""
    if seen.project is not None and seen.project.is_ours:
        record = replace(record, project_id=seen.project.id)
    plan = deletion.plan(unwanted_of(record), seen)
    left = plan.total - plan.done
    total = max(record.total, plan.total)
    events: list[Event] = []
    if deletion.is_empty(plan) and record.emptied_generation < record.generation:
        record = replace(record, emptied_generation=record.generation)
        events.append(
            WorkspaceEmptied(workspace=record.name, generation=record.generation, project_id=record.project_id)
        )
    if plan.is_complete:
        record = replace(record, state="deleted", project_id=None, networks=())
        record, progressed = progress(record, "deleted", total, total)
        gone = WorkspaceDeleted(workspace=record.name, generation=record.generation)
        return Look(record, (), (*events, *progressed, gone), plan, has_ended=True)
    if plan.waits:
        record, progressed = progress(record, f"waits for {plan.waits[0]}", total - left, total)
        events += progressed
    return Look(record, nodes, tuple(events), plan)


def progress(record: Record, step: str, done: int, total: int) -> tuple[Record, tuple[Event, ...]]:
    """The record with its progress, and the event that tells it if there is any."""
    if (record.step, record.done, record.total) == (step, done, total):
        return record, ()
    told = Progressed(
        workspace=record.name, generation=record.generation, state=record.state, step=step[:100], done=done, total=total
    )
    return replace(record, step=step, done=done, total=total), (told,)


def wanted_of(record: Record, nodes: Nodes, site: Site, catalog: Catalog) -> Wanted:
    """What the plan of creation rests on."""
    return Wanted(
        document=record.document,
        generation=record.generation,
        site=site,
        catalog=catalog,
        gates=record.gates,
        nodes=nodes,
        network_ids={network.name: network.network_id for network in record.networks},
        is_prepared=record.prepared_generation == record.generation,
    )


def nodes_of(record: Record, nodes: Nodes) -> Nodes:
    """The record of every node that the document in force declares."""
    return declared(record.document, {node.name: node for node in nodes})


def unwanted_of(record: Record) -> deletion.Unwanted:
    """What the plan of deletion rests on."""
    return deletion.Unwanted(
        name=record.name,
        generation=record.generation,
        gates=record.gates,
        was_declared=record.declared_generation > 0,
        has_pool=record.ready_generation > 0 and record.document.burst is not None,
        quota_services=() if record.are_quotas_forgotten else quotas.SERVICES,
    )


def _changes(record: Record, nodes: Nodes, seen: Observed, now: datetime) -> tuple[NodeChange, ...]:
    groups = record.gates.groups
    return tuple(
        assess(record.document, groups, node, seen, now) or NodeChange(node) for node in nodes_of(record, nodes)
    )


def _told_of_node(record: Record, change: NodeChange) -> Iterator[Event]:
    node = change.node
    if change.failed_server_id is not None:
        yield NodeFailed(
            workspace=record.name,
            generation=record.generation,
            node=node.name,
            server_id=change.failed_server_id,
            fault=node.fault,
        )
    if change.became_active and node.server_id is not None:
        yield NodeActive(
            workspace=record.name,
            generation=record.generation,
            node=node.name,
            role=node.role,
            server_id=node.server_id,
            port_ids=node.port_ids,
            addresses=node.addresses,
            host=node.host,
        )


def _lost_project(record: Record, seen: Observed) -> Iterator[Problem]:
    if record.project_id is not None and seen.project is None:
        yield Problem(
            reason=f"the project {record.project_id} was deleted behind Tresor's back",
            remedy="delete the workspace, which clears what is left of it; then create it again",
        )


def _told_of_ground(record: Record, wanted: Wanted, plan: Plan, seen: Observed) -> tuple[Record, list[Event]]:
    events: list[Event] = []
    generation = record.generation
    if record.project_id is None:
        return record, events
    if record.declared_generation < generation and creation.is_grounded(plan):
        record = replace(record, declared_generation=generation, prepared_generation=generation)
        events.append(
            WorkspaceDeclared(
                workspace=record.name,
                generation=generation,
                project_id=str(record.project_id),
                document=record.document,
            )
        )
    if record.networked_generation < generation and creation.is_networked(plan):
        record = replace(record, networked_generation=generation, networks=tuple(_networks(wanted, seen)))
        events.append(
            NetworkReady(
                workspace=record.name,
                generation=generation,
                project_id=str(record.project_id),
                networks=record.networks,
            )
        )
    return record, events


def _networks(wanted: Wanted, seen: Observed) -> Iterator[ReadyNetwork]:
    for network in wanted.document.networks:
        network_id = foundation.network_id(wanted, seen, network)
        if network_id is not None:
            subnets = foundation.subnets(wanted, seen, network)
            yield ReadyNetwork(
                name=network.name,
                network_class=network.network_class,
                network_id=network_id,
                subnet_ids=tuple(subnet.id for subnet in subnets if subnet is not None),
                prefixes=foundation.prefixes(network),
            )


def _ready(record: Record, nodes: int, now: datetime) -> WorkspaceReady:
    return WorkspaceReady(
        workspace=record.name,
        generation=record.generation,
        project_id=str(record.project_id),
        nodes=nodes,
        duration_seconds=max(0.0, (now - record.begun_at).total_seconds()),
    )
