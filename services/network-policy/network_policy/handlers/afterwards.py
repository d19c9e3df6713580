"""The look's part in what was repaired at once: what failed of it becomes the look's own, what worked is explained."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from network_policy import store
from network_policy.domain.world import GroupRule, Port, World
from network_policy.handlers.context import Context
from network_policy.handlers.telling import Told, remember
from network_policy.store import Known, OpenDrift, PromptRepair
from shared.work import Work

LEFT_UNDONE_SECONDS = 2.0
"""A call that this process has not begun by then was another's: it died before, or before it wrote down the outcome."""
GIVEN_UP_SECONDS = 60.0
"""A call that this process began has ended by then, and its outcome could not be written down."""


async def take_over(tx: Work[Context], known: Known, told: Told) -> tuple[Told, tuple[PromptRepair, ...]]:
    """What was told and not repaired is open drift from here on. Returns it with the repairs that remain."""
    repairs = await store.prompt_repairs(tx.connection, known.workspace)
    left = [
        each
        for each in repairs
        if each.repaired_at is None
        and (each.failed or (tx.now - each.detected_at).total_seconds() >= _patience_seconds(each, tx.context))
    ]
    if not left:
        return told, repairs
    opened = {each.drift: OpenDrift(detected_at=each.detected_at, happened_at=each.happened_at) for each in left}
    told = Told({**told.open_drift, **opened}, told.violation)
    await remember(tx, known, told, suspect=known.suspect)
    await store.forget_prompt(tx.connection, [each.repair_id for each in left])
    return told, tuple(each for each in repairs if each not in left)


def _patience_seconds(repair: PromptRepair, context: Context) -> float:
    return GIVEN_UP_SECONDS if repair.repair_id in context.under_way else LEFT_UNDONE_SECONDS


def under_way(repairs: Iterable[PromptRepair]) -> bool:
    """Whether some call has not ended."""
    return any(each.repaired_at is None for each in repairs)


def done(repairs: Iterable[PromptRepair]) -> tuple[PromptRepair, ...]:
    """Those that worked: what they had made possible is to be explained."""
    return tuple(each for each in repairs if each.repaired_at is not None)


def former(repairs: Sequence[PromptRepair]) -> tuple[GroupRule | Port, ...]:
    """The rules and ports as they were before."""
    rules = (GroupRule(each.repair_id, each.group_id or "", each.rule) for each in repairs if each.rule is not None)
    return (*rules, *(each.port for each in repairs if each.port is not None))


def as_it_was(world: World, repairs: Sequence[PromptRepair]) -> World:
    """The world while the rules stood and the ports were out of order."""
    rules: dict[str, list[GroupRule]] = {}
    ports: dict[str, Port] = {}
    for each in former(repairs):
        if isinstance(each, GroupRule):
            rules.setdefault(each.group_id, []).append(each)
        else:
            ports[each.id] = each
    groups = tuple(
        replace(group, rules=tuple({each.id: each for each in (*group.rules, *rules[group.id])}.values()))
        if group.id in rules
        else group
        for group in world.groups
    )
    return replace(world, groups=groups, ports=tuple(ports.get(port.id, port) for port in world.ports))
