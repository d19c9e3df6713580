"""Quarantined workspaces: what is in quarantine is evidence, and stays until two people have released it (row L27)."""

from collections.abc import Iterator
from dataclasses import replace

from contracts.envelope import Problem
from contracts.workspace import Workspace
from provisioner.domain import names
from provisioner.domain.plan import Custody, Goal, Plan
from provisioner.domain.record import Record
from provisioner.domain.steps import DeletePort, DeleteServer, DeleteTrunk, RemoveSubports


def deletion_problems(known: Record) -> Iterator[Problem]:
    """Why the workspace can't be deleted."""
    if known.gates.custody:
        yield Problem(
            field="workspace",
            reason=f"workspace '{known.name}' is in quarantine ({_scopes(known.gates.custody)}), and what is in it is evidence",
            remedy=_remedy(known),
        )


def change_problems(known: Record, document: Workspace) -> Iterator[Problem]:
    """Nodes in quarantine that the document takes away."""
    kept = {node.name for node in names.nodes(document)}
    gone = [
        node.name
        for node in names.nodes(known.document)
        if node.name not in kept and any(each.covers(node.name, node.role) for each in known.gates.custody)
    ]
    if gone:
        shown = ", ".join(gone[:3]) + (f" and {len(gone) - 3} more" if len(gone) > 3 else "")
        yield Problem(
            field="roles",
            reason=f"{shown}: in quarantine, and what is in it is evidence; the document takes it away",
            remedy=_remedy(known),
        )


def withhold(plan: Plan, record: Record) -> Plan:
    """The plan without the steps that take away what is in quarantine: failed nodes too, which are made anew later."""
    custody = record.gates.custody
    if not custody:
        return plan
    covered = tuple(
        node.name for node in names.nodes(record.document) if any(each.covers(node.name, node.role) for each in custody)
    )
    return replace(plan, goals=tuple(_withheld(goal, covered) for goal in plan.goals))


def _withheld(goal: Goal, covered: tuple[str, ...]) -> Goal:
    is_taking = isinstance(goal.step, (DeleteServer, DeletePort, DeleteTrunk, RemoveSubports))
    if not is_taking or not any(goal.name == name or goal.name.startswith(f"{name}-") for name in covered):
        return goal
    return replace(goal, step=None, waits=f"the quarantine of {goal.name} to be released")


def _scopes(custody: tuple[Custody, ...]) -> str:
    return ", ".join(
        f"node {each.node}" if each.node else f"role {each.role}" if each.role else "all of it" for each in custody
    )


def _remedy(known: Record) -> str:
    ids = " ".join(each.quarantine_id for each in known.gates.custody)
    return (
        f"have it released by two people first: `tresor release {known.name} --reason …` and another's approval "
        f"(quarantine {ids})"
    )
