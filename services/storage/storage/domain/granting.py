"""Access to one share: whom to deny and whom to let in."""

from contracts.envelope import Problem
from storage.domain.access import PENDING_STATES, ObservedRule
from storage.domain.desired import DesiredShare
from storage.domain.observed import ObservedShare, Recorded, printable
from storage.domain.steps import AllowAccess, DenyAccess, Plan, Step


def plan_access(
    workspace: str, wanted: DesiredShare, found: ObservedShare, record: Recorded | None, made: Plan
) -> tuple[list[Step], list[Step]]:
    """Denials and grants. A subject's level changes by denying first: Manila has one rule for a subject."""
    former = frozenset(record.access) if record is not None else frozenset()
    denials: list[Step] = []
    held: set[tuple[str, str]] = set()
    live = set()
    for each in sorted(found.rules, key=lambda each: (each.rule, each.rule_id)):
        if not each.is_live:
            held.add((each.rule.kind, each.rule.to))
            made.waits.append(f"access of {printable(str(each.rule))} to '{wanted.name}' is {each.state}")
        elif each.rule not in wanted.access or each.state == "error":
            held.add((each.rule.kind, each.rule.to))
            denials.append(_deny(workspace, wanted, found, each, is_tightening=str(each.rule) not in former))
            if each.rule in wanted.access:
                made.faults.append(
                    Problem(
                        field=f"{wanted.field}.access",
                        reason=f"Manila can't give {each.rule} access to '{wanted.name}'",
                        remedy="look at the share back end's log; then create the workspace again",
                    )
                )
        else:
            live.add(each.rule)
            if each.state in PENDING_STATES:
                made.waits.append(f"access of {each.rule} to '{wanted.name}' is {each.state}")
    grants: list[Step] = [
        AllowAccess(f"{workspace}/{wanted.name}:{rule.to}", f"{wanted.field}.access", found.share_id, rule)
        for rule in sorted(wanted.access - live)
        if (rule.kind, rule.to) not in held
    ]
    if found.status != "available" or found.size_gib < wanted.size_gib:  # Manila takes rules for a share at rest only
        return denials, []
    return denials, grants


def _deny(
    workspace: str, wanted: DesiredShare, found: ObservedShare, each: ObservedRule, *, is_tightening: bool
) -> DenyAccess:
    marker = f"{workspace}/{wanted.name}:{printable(each.rule.to)[:120]}"
    return DenyAccess(
        marker, f"{wanted.field}.access", found.share_id, each.rule_id, is_tightening and each.state != "error"
    )
