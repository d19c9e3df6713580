"""The order of repairs and steps that never puts a port where something undeclared may pass (I7)."""

from collections.abc import Sequence

from network_policy.domain.drift import ProtectPort
from network_policy.domain.plan import RemoveRule, Step


def safe_order(repairs: Sequence[ProtectPort], steps: Sequence[Step]) -> tuple[ProtectPort | Step, ...]:
    """What tightens most first: ports into groups that are as declared; into any other once its surplus rules are out.

    Neutron gives a new group egress to everywhere, so a port must not come into it before that is gone.
    """
    unclean = {step.group_id for step in steps if isinstance(step, RemoveRule)}
    at_once = [each for each in repairs if not unclean & set(each.group_ids)]
    waiting = [each for each in repairs if unclean & set(each.group_ids)]
    cleaned = max((n for n, step in enumerate(steps, 1) if isinstance(step, RemoveRule)), default=0)
    return (*at_once, *steps[:cleaned], *waiting, *steps[cleaned:])
