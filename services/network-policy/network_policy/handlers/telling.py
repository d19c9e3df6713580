"""What the others are told of a look at a workspace: drift by who caused it, violations, repairs, proofs. Once each."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from contracts.network_policy import (
    DriftDetected,
    DriftRepaired,
    IsolationProven,
    IsolationViolated,
    PolicyEnforced,
    RuleDrift,
)
from network_policy import store
from network_policy.domain.proof import Verdict
from network_policy.domain.reach import reach
from network_policy.domain.sight import Sight, digest_of_drift
from network_policy.handlers.context import Context
from network_policy.store import Change, Known, OpenDrift
from shared.work import Work

MAX_TOLD_DRIFT = 200
MAX_TOLD_PACKETS = 20
PATIENCE_SECONDS = 3.0
"""How long a difference waits for the notification that names who made it."""
_NOBODY = Change(None, "", "")


@dataclass(frozen=True)
class Told:
    """What the others know by now; begins with what the store remembers and grows in the course of a look."""

    open_drift: Mapping[str, OpenDrift]
    violation: str

    @property
    def is_waiting(self) -> bool:
        """Whether something waits to be told."""
        return any(each.untold for each in self.open_drift.values())

    @classmethod
    def of(cls, known: Known) -> "Told":
        return cls(known.open_drift, known.violation)


async def tell_drift(tx: Work[Context], known: Known, sight: Sight, told: Told, *, repairing: bool) -> Told:
    """Tell the drift that was not told before, one event for each change by somebody.

    What no notification explains yet is kept back a moment: a look for another reason may be ahead of it. The repair
    does not wait for that.
    """
    opened = dict(told.open_drift)
    at_once = {each.drift for each in await store.prompt_repairs(tx.connection, known.workspace)}
    for drift in sight.drift:
        key = digest_of_drift(drift)
        if key in at_once:
            continue  # told when its notification was heard
        if key not in opened or (opened[key].gone_at and not opened[key].untold):
            opened[key] = OpenDrift(detected_at=tx.now, untold=drift)
    untold = {key: each.untold for key, each in opened.items() if each.untold is not None}
    if not untold:
        return told
    ids = {each for drift in untold.values() for each in (drift.rule_id, drift.port_id, drift.group_id) if each}
    changes = await store.change_of(tx.connection, known.workspace, ids)
    by_change: dict[Change, list[tuple[str, RuleDrift]]] = {}
    for key, drift in untold.items():
        change = _cause(drift, changes)
        if change is not _NOBODY or (tx.now - opened[key].detected_at).total_seconds() >= PATIENCE_SECONDS:
            by_change.setdefault(change, []).append((key, drift))
    for change, items in by_change.items():
        for start in range(0, len(items), MAX_TOLD_DRIFT):
            tx.emit(
                DriftDetected(
                    workspace=known.workspace,
                    generation=known.generation,
                    drift=tuple(drift for _, drift in items[start : start + MAX_TOLD_DRIFT]),
                    seen_by="scan" if change is _NOBODY else "notification",
                    happened_at=change.happened_at,
                    actor=change.actor,
                    request_id=change.request_id,
                    repairing=repairing,
                )
            )
        for key, _ in items:
            opened[key] = opened[key].model_copy(update={"untold": None, "happened_at": change.happened_at})
    told = Told(opened, told.violation)
    await remember(tx, known, told, suspect=known.suspect)
    return told


def _cause(drift: RuleDrift, changes: Mapping[str, Change]) -> Change:
    """Who did it: what happened to the rule or port itself, else to its group as a whole when that is what is missing."""
    own = drift.rule_id or drift.port_id or drift.group_id or ""
    return changes.get(own, _NOBODY)


def digest_of_violation(verdict: Verdict, sight: Sight) -> str:
    """The same while the same rules and ports of the workspace let packets pass, whoever else could send them."""
    own = {rule.id for rule in sight.rules} | {port.id for port in sight.ports}
    ways = sorted({tuple(sorted(own & set(each.rule_ids)) or each.rule_ids) for each in verdict.counterexamples})
    return hashlib.sha256(repr(ways).encode()).hexdigest()[:16] if ways else ""


async def tell_violation(
    tx: Work[Context], known: Known, sight: Sight, verdict: Verdict, told: Told, *, repairing: bool
) -> Told:
    """Tell the undeclared packets, unless exactly these were told before."""
    digest = digest_of_violation(verdict, sight)
    if not digest or digest == told.violation:
        return told
    tx.emit(
        IsolationViolated(
            workspace=known.workspace,
            generation=known.generation,
            counterexamples=verdict.counterexamples[:MAX_TOLD_PACKETS],
            more=max(0, len(verdict.counterexamples) - MAX_TOLD_PACKETS),
            repairing=repairing,
        )
    )
    told = Told(told.open_drift, digest)
    await remember(tx, known, told, suspect=known.suspect)
    return told


async def tell_outcome(
    tx: Work[Context], known: Known, sight: Sight, verdict: Verdict, told: Told, *, observed_at: datetime
) -> Told:
    """Remember what was seen and proven; tell what is repaired, proven and enforced."""
    groups_before = {**known.group_ids, **({"": known.default_group_id} if known.default_group_id else {})}
    if sight.group_ids != groups_before or {each.id for each in sight.rules} != known.rules.keys():
        await store.save_seen(tx.connection, known.workspace, sight.group_ids, sight.rules)
    await save_proof(tx, known.workspace, sight, verdict, observed_at)
    told = _tell_repaired(tx, known, sight, told)
    enforced_generation, enforced_groups = known.enforced_generation, known.enforced_groups
    if verdict.holds:
        if told.violation:
            tx.emit(
                IsolationProven(
                    workspace=known.workspace,
                    generation=known.generation,
                    proof=verdict.digest,
                    assumptions=verdict.assumptions,
                )
            )
            told = Told(told.open_drift, "")
        groups = sight.birth_groups
        is_news = enforced_generation != known.generation or dict(enforced_groups) != groups
        if is_news and not sight.todo and known.state == "declared":
            tx.emit(
                PolicyEnforced(
                    workspace=known.workspace,
                    generation=known.generation,
                    project_id=sight.project_id,
                    groups=groups,
                    rules=sum(len(group.rules) for group in sight.actual.managed.values()),
                    proof=verdict.digest,
                    assumptions=verdict.assumptions,
                )
            )
            enforced_generation, enforced_groups = known.generation, groups
    await store.save_told(
        tx.connection,
        known.workspace,
        open_drift=told.open_drift,
        violation=told.violation,
        suspect=not verdict.holds,
        enforced_generation=enforced_generation,
        enforced_groups=enforced_groups,
    )
    return told


def _tell_repaired(tx: Work[Context], known: Known, sight: Sight, told: Told) -> Told:
    """Tell what was told before and is seen no more."""
    still = {digest_of_drift(drift) for drift in sight.drift}
    opened = {
        key: each if key in still or each.gone_at else each.model_copy(update={"gone_at": tx.now})
        for key, each in told.open_drift.items()
    }
    closed = [each for each in opened.values() if each.gone_at and not each.untold]
    if closed:
        changed = [each for each in closed if each.happened_at is not None]
        tx.emit(
            DriftRepaired(
                workspace=known.workspace,
                generation=known.generation,
                steps=len(closed),
                seconds_since_change=max(map(_since_change, changed)) if changed else None,
                seconds_since_detection=max(map(_since_detection, closed)),
            )
        )
    return Told({key: each for key, each in opened.items() if not each.gone_at or each.untold}, told.violation)


def _since_change(drift: OpenDrift) -> float:
    assert drift.gone_at is not None
    assert drift.happened_at is not None
    # OpenStack's clock may be ahead of ours.
    return max(0.0, (drift.gone_at - drift.happened_at).total_seconds())


def _since_detection(drift: OpenDrift) -> float:
    assert drift.gone_at is not None
    return max(0.0, (drift.gone_at - drift.detected_at).total_seconds())


async def save_proof(tx: Work[Context], workspace: str, sight: Sight, verdict: Verdict, observed_at: datetime) -> None:
    """Keep the verdict for those who ask."""
    await store.save_verdict(
        tx.connection,
        workspace,
        verdict="isolated" if verdict.holds else "violated",
        proof=verdict.digest,
        observed_at=observed_at,
        groups=len(sight.actual.managed),
        rules=len(sight.rules),
        ports=sight.node_ports,
        counterexamples=verdict.counterexamples[:MAX_TOLD_PACKETS],
        reach=reach(sight.actual),
        assumptions=verdict.assumptions,
    )


async def remember(tx: Work[Context], known: Known, told: Told, *, suspect: bool) -> None:
    """Keep what the others know."""
    await store.save_told(
        tx.connection,
        known.workspace,
        open_drift=told.open_drift,
        violation=told.violation,
        suspect=suspect,
        enforced_generation=known.enforced_generation,
        enforced_groups=known.enforced_groups,
    )
