"""Which nodes of a pool are wanted: what Slurm's calls make of the ledger. Pure."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Literal, TypeVar

from burst_scheduler.domain.hostlist import Malformed, expand
from contracts.burst_scheduler import (
    MAX_JOBS,
    MAX_NAMES,
    NodeJob,
    NodesRefused,
    NodesReleased,
    NodesWanted,
    ReleasedNode,
    ReleaseReason,
    ResumeNodes,
    WantedNode,
)
from contracts.envelope import Event, Problem
from contracts.workspace import MAX_NODES, Burst

T = TypeVar("T")
State = Literal["wanted", "released", "given-up"]
_RELEASED_AS: Mapping[ReleaseReason, State] = {
    "suspended": "released",
    "gave-up": "given-up",
    "pool-removed": "released",
}
_MAX_NAMES_OF_JOBS = 8 * MAX_NODES
_NO_POOL = "give its document a burst section; a pool is registered when the workspace is ready"


@dataclass(frozen=True)
class Demand:
    """One node of the ledger."""

    name: str
    state: State
    generation: int
    since: datetime
    provider: str
    """That makes it: the pool's when it was wanted."""
    job_ids: tuple[int, ...] = ()


Ledger = Mapping[str, Demand]
"""By name."""


@dataclass(frozen=True)
class Change:
    """What becomes of the ledger, what to tell, and why all of it was refused, if it was."""

    changed: Sequence[Demand] = ()
    events: Sequence[Event] = ()
    problems: tuple[Problem, ...] = ()


def resume(
    workspace: str, pool: Burst | None, ledger: Ledger, asked: ResumeNodes, now: datetime, stale: timedelta
) -> Change:
    """Want these nodes, as far as the pool has room: whole jobs, in the order that Slurm names them.

    A node that is wanted already stays as it is, so that a call that comes twice does what it does once. What was asked
    for too long ago is refused: Slurm has given those nodes up.
    """
    try:
        names = expand(asked.nodes, MAX_NODES)
        jobs = _jobs(asked.jobs, frozenset(names))
    except Malformed as error:
        return Change(problems=(Problem(field="nodes", reason=str(error)),))
    waiting = _waiting(jobs)
    if pool is None:
        return _none(workspace, names, waiting, Problem(reason=f"workspace '{workspace}' has no pool", remedy=_NO_POOL))
    if now - asked.asked_at > stale:
        reason = f"asked for at {asked.asked_at:%Y-%m-%dT%H:%M:%SZ}, longer ago than Slurm waits ({stale})"
        return _none(workspace, names, waiting, Problem(field="asked_at", reason=reason))
    held = {name for name, one in ledger.items() if one.state == "wanted"}
    room, granted = pool.max_nodes - len(held), set(held)
    alone = [(name,) for name in names if name not in waiting]
    for group in (*(nodes for _, nodes in jobs), *alone):
        new = [name for name in group if name not in granted]
        if len(new) <= room:
            room -= len(new)
            granted.update(new)
    wanted = [
        Demand(name, "wanted", _next(ledger, name), now, pool.provider, waiting.get(name, ()))
        for name in names
        if name in granted and name not in held
    ]
    refused = [name for name in names if name not in granted]
    told: list[Event] = [
        NodesWanted(
            workspace=workspace,
            provider=pool.provider,
            role=pool.role,
            nodes=tuple(WantedNode(name=d.name, generation=d.generation, job_ids=d.job_ids) for d in part),
            asked_at=asked.asked_at,
        )
        for part in _parts(wanted)
    ]
    if not refused:
        return Change(wanted, told)
    reason = f"the pool has {pool.max_nodes} nodes, {len(held)} were wanted, {len(refused)} more do not fit"
    problem = Problem(field="nodes", reason=reason, remedy="raise burst.max_nodes, or wait until nodes are suspended")
    told += _refusals(workspace, refused, waiting, problem)
    return Change(wanted, told, (problem,) if len(refused) == len(names) else ())


def let_go(workspace: str, ledger: Ledger, nodes: str, reason: ReleaseReason, now: datetime) -> Change:
    """Want these nodes no more; those that are not wanted stay as they are. Problems when `nodes` is no list of names."""
    try:
        names = expand(nodes, MAX_NODES)
    except Malformed as error:
        return Change(problems=(Problem(field="nodes", reason=str(error)),))
    return _release(workspace, (ledger[name] for name in names if name in ledger), reason, now)


def let_all_go(workspace: str, ledger: Ledger, now: datetime) -> Change:
    """The pool is taken away: nothing stays powered on for it (row D3)."""
    return _release(workspace, ledger.values(), "pool-removed", now)


def _release(workspace: str, nodes: Iterable[Demand], reason: ReleaseReason, now: datetime) -> Change:
    changed = [replace(one, state=_RELEASED_AS[reason], since=now) for one in nodes if one.state == "wanted"]
    by_provider: dict[str, list[Demand]] = {}
    for one in changed:
        by_provider.setdefault(one.provider, []).append(one)
    return Change(
        changed,
        [
            NodesReleased(
                workspace=workspace,
                provider=provider,
                reason=reason,
                nodes=tuple(ReleasedNode(name=one.name, generation=one.generation) for one in part),
            )
            for provider, theirs in by_provider.items()
            for part in _parts(theirs)
        ],
    )


def _jobs(jobs: Sequence[NodeJob], asked_for: frozenset[str]) -> list[tuple[int, tuple[str, ...]]]:
    """Each job with those of its nodes that are asked for: it may hold others that are up already.

    Jobs past the bound are left out, and their nodes taken one by one: lists that are short to write can name very many.
    """
    found, left = [], _MAX_NAMES_OF_JOBS
    for job in jobs:
        names = expand(job.nodes, MAX_NODES)
        left -= len(names)
        if left < 0:
            break
        found.append((job.job_id, tuple(name for name in names if name in asked_for)))
    return found


def _waiting(jobs: Sequence[tuple[int, tuple[str, ...]]]) -> dict[str, tuple[int, ...]]:
    """The jobs that wait for each node."""
    found: dict[str, tuple[int, ...]] = {}
    for job_id, nodes in jobs:
        for name in nodes:
            found[name] = (*found.get(name, ()), job_id)
    return found


def _next(ledger: Ledger, name: str) -> int:
    return ledger[name].generation + 1 if name in ledger else 1


def _none(workspace: str, names: Sequence[str], waiting: Mapping[str, tuple[int, ...]], problem: Problem) -> Change:
    return Change((), _refusals(workspace, names, waiting, problem), (problem,))


def _refusals(
    workspace: str, names: Sequence[str], waiting: Mapping[str, tuple[int, ...]], problem: Problem
) -> list[Event]:
    return [
        NodesRefused(
            workspace=workspace,
            nodes=tuple(part),
            job_ids=tuple(sorted({job for name in part for job in waiting.get(name, ())})[:MAX_JOBS]),
            problem=problem,
        )
        for part in _parts(names)
    ]


def _parts(items: Sequence[T]) -> Iterator[Sequence[T]]:
    return (items[start : start + MAX_NAMES] for start in range(0, len(items), MAX_NAMES))
