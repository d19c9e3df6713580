"""The plan of a workspace that is to be: from what the cloud says now to what the document says."""

from provisioner.domain import foundation, occupancy
from provisioner.domain.observed import Observed
from provisioner.domain.plan import Plan, Wanted


def plan(wanted: Wanted, seen: Observed) -> Plan:
    """Goals and the steps that are possible now; complete when the workspace is as declared."""
    found = (*foundation.problems(wanted, seen), *occupancy.problems(wanted, seen))
    goals = (*foundation.goals(wanted, seen), *occupancy.goals(wanted, seen))
    return Plan(goals, found)


def is_grounded(plan: Plan) -> bool:
    """Project, role and quotas are there: the other services may begin."""
    return _are_met(plan, "project", "role", "quota")


def is_networked(plan: Plan) -> bool:
    """Networks and routers are there."""
    return is_grounded(plan) and _are_met(plan, "network", "subnet", "router", "gateway", "interface", "tag")


def _are_met(plan: Plan, *kinds: str) -> bool:
    return all(goal.is_met for goal in plan.goals if goal.kind in kinds)
