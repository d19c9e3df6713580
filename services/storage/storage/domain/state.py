"""Where storage stands with a workspace, and what the other services' events make of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum

from contracts.envelope import Problem
from contracts.provisioner import WorkspaceDeclared, WorkspaceDeleting, WorkspaceEmptied
from contracts.workspace import Workspace

MAX_TRIES = 5
"""How often what went wrong is tried again before a workspace's storage is told to have failed."""


class State(StrEnum):
    """In the order of a workspace's life."""

    WAITING = "waiting"
    """Declared; network-policy has not proven this generation yet: nothing may be made."""
    MAKING = "making"
    READY = "ready"
    FAILED = "failed"
    STOPPING = "stopping"
    """Being deleted; servers may still use what there is."""
    RELEASING = "releasing"
    RELEASED = "released"


@dataclass(frozen=True)
class ShareDrift:
    """Drift that was told and is not gone yet."""

    added: tuple[str, ...]
    removed: tuple[str, ...]
    since: datetime


@dataclass(frozen=True)
class Known:
    """All that storage knows of one workspace, but for the shares and volumes on record."""

    workspace: str
    state: State
    generation: int
    """Of the document; 0 before one came."""
    project_id: str | None = None
    document: Workspace | None = None
    enforced_generation: int = 0
    deleting_generation: int = 0
    has_begun: bool = False
    """Whether something may have been made in the cloud."""
    tries: int = 0
    problems: tuple[Problem, ...] = ()
    drift: Mapping[str, ShareDrift] = field(default_factory=dict)
    """By share, as the document names it."""
    since: datetime | None = None
    """When the present state began."""
    version: int = 0
    """Counts what was saved, so that two writers never overwrite each other."""

    @property
    def is_kept(self) -> bool:
        """Whether shares may exist that nodes use, so that access to them is watched."""
        return self.state is State.MAKING or (self.has_begun and self.state not in (State.RELEASING, State.RELEASED))

    @property
    def tells_of(self) -> int:
        """The generation that events carry."""
        return max(self.generation, self.deleting_generation)


def declare(known: Known | None, seen: WorkspaceDeclared) -> Known | None:
    """What to know after a declaration; None when it is stale or says nothing new (invariant I9)."""
    if known is None:
        return Known(seen.workspace, State.WAITING, seen.generation, seen.project_id, seen.document)
    if seen.generation <= known.deleting_generation or seen.generation < known.generation:
        return None
    if seen.generation == known.generation:
        return replace(known, state=State.MAKING, tries=0, problems=()) if known.state is State.FAILED else None
    fresh = known.state is State.RELEASED
    return replace(
        known,
        state=State.MAKING if known.enforced_generation == seen.generation else State.WAITING,
        generation=seen.generation,
        project_id=seen.project_id,
        document=seen.document,
        has_begun=known.has_begun and not fresh,
        tries=0,
        problems=(),
    )


def enforce(known: Known | None, workspace: str, generation: int) -> Known | None:
    """What to know once the policy of that generation is proven; None when that changes nothing.

    Events of two producers can cross: a proof may come before the declaration that it belongs to.
    """
    if known is None:
        return Known(workspace, State.WAITING, 0, enforced_generation=generation)
    if generation <= known.deleting_generation or generation < known.enforced_generation:
        return None
    known = replace(known, enforced_generation=generation)
    if generation == known.generation and known.state in (State.WAITING, State.FAILED):
        return replace(known, state=State.MAKING, tries=0, problems=())
    return known


def stop(known: Known | None, seen: WorkspaceDeleting) -> Known | None:
    """What to know once a delete was accepted: nothing more is made, access is still watched."""
    if known is None:
        return Known(seen.workspace, State.STOPPING, 0, seen.project_id, deleting_generation=seen.generation)
    if seen.generation < known.tells_of:
        return None
    settled = known.state in (State.RELEASING, State.RELEASED) and known.deleting_generation == seen.generation
    state = known.state if settled else State.STOPPING
    return replace(known, state=state, deleting_generation=seen.generation, tries=0)


def empty(known: Known | None, seen: WorkspaceEmptied) -> Known | None:
    """What to know once no server is left; released at once where nothing was ever begun. None when it is stale."""
    if known is None:
        return Known(seen.workspace, State.RELEASED, 0, seen.project_id, deleting_generation=seen.generation)
    if seen.generation < known.tells_of:
        return None
    project_id = seen.project_id or known.project_id
    done = project_id is None or not known.has_begun
    settled = known.state is State.RELEASED and known.deleting_generation == seen.generation
    return replace(
        known,
        state=State.RELEASED if done or settled else State.RELEASING,
        project_id=project_id,
        deleting_generation=seen.generation,
        tries=0,
        problems=(),
        drift={},
    )
