"""Which workspaces have a pool of nodes on demand, and what the provisioner's events make of it. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from contracts.burst_scheduler import PoolReady, PoolRemoved
from contracts.envelope import Command, Event
from contracts.provisioner import WorkspaceDeclared, WorkspaceDeleting, WorkspaceReady
from contracts.workspace import Burst


@dataclass(frozen=True)
class Known:
    """What burst-scheduler knows of one workspace."""

    workspace: str
    generation: int
    """Of the document; 0 before one came."""
    burst: Burst | None = None
    """The document's burst section."""
    ready_generation: int = 0
    """The latest that the provisioner called ready; the events of one producer keep their order."""
    deleted_generation: int = 0
    pool: Burst | None = None
    """The pool that takes demand; None where there is none."""
    pool_generation: int = 0


@dataclass(frozen=True)
class Decision:
    """What to know from here, and what to tell."""

    known: Known
    events: Sequence[Event | Command] = ()


def declare(known: Known | None, seen: WorkspaceDeclared) -> Decision | None:
    """Remember the burst section; a stale declaration (None) changes nothing (invariant I9).

    A pool that runs keeps running as it is until the new document is ready.
    """
    if known is None:
        return Decision(Known(seen.workspace, seen.generation, seen.document.burst))
    if seen.generation <= max(known.deleted_generation, known.generation):
        return None
    return Decision(replace(known, generation=seen.generation, burst=seen.document.burst))


def make_ready(known: Known | None, seen: WorkspaceReady) -> Decision | None:
    """Register, change or take away the pool as the document of that generation says. None: stale, or nothing to do."""
    if known is None or seen.generation != known.generation or seen.generation <= known.deleted_generation:
        return None
    ready = replace(known, ready_generation=seen.generation)
    if known.burst is None:
        if known.pool is None:
            return Decision(ready)
        removed = PoolRemoved(workspace=known.workspace, generation=seen.generation)
        return Decision(replace(ready, pool=None, pool_generation=seen.generation), (removed,))
    if known.pool == known.burst and known.pool_generation == seen.generation:
        return Decision(ready)
    told = PoolReady(
        workspace=known.workspace,
        generation=seen.generation,
        role=known.burst.role,
        provider=known.burst.provider,
        max_nodes=known.burst.max_nodes,
        budget_per_month=known.burst.budget_per_month,
    )
    return Decision(replace(ready, pool=known.burst, pool_generation=seen.generation), (told,))


def delete(known: Known | None, seen: WorkspaceDeleting) -> Decision | None:
    """Take the pool away (row D3: nothing stays powered on for a workspace that goes).

    Told wherever the document had a burst section, since the provisioner waits for it before the networks go; where
    there was neither pool nor section, nothing is told.
    """
    if known is None:
        return Decision(Known(seen.workspace, 0, deleted_generation=seen.generation))
    if seen.generation < max(known.generation, known.deleted_generation):
        return None
    is_told = known.pool is not None or known.burst is not None
    removed = PoolRemoved(workspace=known.workspace, generation=seen.generation)
    gone = replace(known, deleted_generation=seen.generation, pool=None, pool_generation=0)
    return Decision(gone, (removed,) if is_told else ())
