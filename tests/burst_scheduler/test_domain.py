"""Which workspaces have a pool, whatever the order and number of the provisioner's events."""

import copy
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from burst_scheduler.domain import pools as domain
from burst_scheduler.domain.pools import Known
from contracts.burst_scheduler import PoolReady, PoolRemoved
from contracts.examples import DOCUMENT, PROJECT_ID, WORKSPACE
from contracts.provisioner import WorkspaceDeclared, WorkspaceDeleting, WorkspaceReady
from contracts.workspace import Workspace

BURST = {"role": "compute", "provider": "local", "max_nodes": 20, "budget_per_month": 500.0}


def declared(generation: int, burst: dict[str, Any] | None) -> WorkspaceDeclared:
    document = {**copy.deepcopy(DOCUMENT), "burst": burst}
    return WorkspaceDeclared(
        workspace=WORKSPACE, generation=generation, project_id=PROJECT_ID, document=Workspace.model_validate(document)
    )


def ready(generation: int) -> WorkspaceReady:
    return WorkspaceReady(
        workspace=WORKSPACE, generation=generation, project_id=PROJECT_ID, nodes=6, duration_seconds=1.0
    )


def deleting(generation: int) -> WorkspaceDeleting:
    return WorkspaceDeleting(workspace=WORKSPACE, generation=generation, project_id=PROJECT_ID)


Seen = WorkspaceDeclared | WorkspaceReady | WorkspaceDeleting


def after(*events: Seen, known: Known | None = None) -> tuple[Known | None, list[Any]]:
    """What is known and was told after these."""
    told: list[Any] = []
    for seen in events:
        match seen:
            case WorkspaceDeclared():
                decision = domain.declare(known, seen)
            case WorkspaceReady():
                decision = domain.make_ready(known, seen)
            case WorkspaceDeleting():
                decision = domain.delete(known, seen)
        if decision is not None:
            known = decision.known
            told += decision.events
    return known, told


def test_a_pool_is_ready_with_its_workspace_and_not_before() -> None:
    """D3: within the budget of the document."""
    known, told = after(declared(1, BURST))
    assert told == []
    _, told = after(ready(1), known=known)
    assert told == [PoolReady(workspace=WORKSPACE, generation=1, **BURST)]


def test_without_a_burst_section_nothing_is_told_in_a_whole_life() -> None:
    _, told = after(declared(1, None), ready(1), deleting(2))
    assert told == []


def test_a_repeated_ready_is_told_once() -> None:
    _, told = after(declared(1, BURST), ready(1), ready(1))
    assert len(told) == 1


def test_a_changed_section_changes_the_pool_once_the_workspace_is_ready() -> None:
    known, told = after(declared(1, BURST), ready(1), declared(2, {**BURST, "max_nodes": 5}))
    assert len(told) == 1
    assert known is not None
    assert known.pool is not None
    assert known.pool.max_nodes == 20
    _, told = after(ready(2), known=known)
    assert told[0].max_nodes == 5
    assert told[0].generation == 2


def test_a_dropped_section_removes_the_pool() -> None:
    known, told = after(declared(1, BURST), ready(1), declared(2, None), ready(2))
    assert told[-1] == PoolRemoved(workspace=WORKSPACE, generation=2)
    _, told = after(deleting(3), known=known)
    assert told == []


def test_a_delete_removes_the_pool_and_a_late_ready_brings_none_back() -> None:
    """Invariant I9; D3: nothing stays on for a workspace that goes."""
    known, told = after(declared(1, BURST), ready(1), deleting(2))
    assert told[-1] == PoolRemoved(workspace=WORKSPACE, generation=2)
    known, told = after(ready(1), declared(1, BURST), declared(2, BURST), known=known)
    assert told == []
    assert known is not None
    assert known.pool is None


def test_a_delete_before_ready_is_told_too() -> None:
    """The provisioner waits for it wherever the document had a burst section."""
    _, told = after(declared(1, BURST), deleting(2))
    assert told == [PoolRemoved(workspace=WORKSPACE, generation=2)]


def test_a_name_can_be_used_again() -> None:
    _, told = after(declared(1, BURST), ready(1), deleting(2), declared(3, BURST), ready(3))
    assert told[-1] == PoolReady(workspace=WORKSPACE, generation=3, **BURST)


EVENTS = st.one_of(
    st.builds(declared, st.integers(1, 4), st.sampled_from([None, BURST, {**BURST, "max_nodes": 5}])),
    st.builds(ready, st.integers(1, 4)),
    st.builds(deleting, st.integers(1, 4)),
)


@given(st.lists(EVENTS, max_size=12))
def test_what_was_told_is_what_is_registered(events: list[Seen]) -> None:
    """The last of ready and removed says whether there is a pool, and every pool is of a declared, ready generation."""
    known, told = after(*events)
    registered = bool(told) and isinstance(told[-1], PoolReady)
    assert (known is not None and known.pool is not None) == registered
    if known is not None and known.pool is not None:
        assert known.pool_generation > known.deleted_generation
        assert told[-1].max_nodes == known.pool.max_nodes
