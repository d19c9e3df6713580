"""What the other services' events make of a workspace, in any order and any number."""

from collections.abc import Callable
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.provisioner import WorkspaceDeclared, WorkspaceDeleting, WorkspaceEmptied
from storage.domain import state
from storage.domain.state import Known, State
from tests.storage.samples import NAME, PROJECT, document

Seen = Callable[[Known | None], Known | None]


def declared(generation: int) -> Seen:
    seen = WorkspaceDeclared(workspace=NAME, generation=generation, project_id=PROJECT, document=document())
    return lambda known: state.declare(known, seen)


def enforced(generation: int) -> Seen:
    return lambda known: state.enforce(known, NAME, generation)


def deleting(generation: int) -> Seen:
    seen = WorkspaceDeleting(workspace=NAME, generation=generation, project_id=PROJECT)
    return lambda known: state.stop(known, seen)


def emptied(generation: int) -> Seen:
    seen = WorkspaceEmptied(workspace=NAME, generation=generation, project_id=PROJECT)
    return lambda known: state.empty(known, seen)


def after(*events: Seen, known: Known | None = None) -> Known:
    for seen in events:
        known = seen(known) or known
    assert known is not None
    return known


def test_nothing_is_made_before_the_policy_is_proven() -> None:
    assert after(declared(1)).state is State.WAITING
    assert not after(declared(1)).is_kept
    assert after(declared(1), enforced(1)).state is State.MAKING


def test_a_proof_that_overtook_its_declaration_counts() -> None:
    assert after(enforced(1), declared(1)).state is State.MAKING


def test_a_proof_of_an_older_document_opens_nothing() -> None:
    """Invariant I9."""
    assert after(declared(2), enforced(1)).state is State.WAITING
    assert after(declared(1), enforced(1), declared(2)).state is State.WAITING


def test_a_stale_declaration_changes_nothing() -> None:
    """Invariant I9."""
    assert declared(1)(after(declared(2))) is None
    assert declared(3)(after(declared(2), deleting(3))) is None


def test_creating_again_tries_again_what_had_failed() -> None:
    known = after(declared(1), enforced(1))
    failed = Known(**{**vars(known), "state": State.FAILED, "tries": 5})
    again = after(declared(1), known=failed)
    assert (again.state, again.tries) == (State.MAKING, 0)
    assert after(enforced(1), known=failed).state is State.MAKING


def test_a_delete_stops_making_and_an_emptied_workspace_is_released() -> None:
    known = after(declared(1), enforced(1))
    begun = Known(**{**vars(known), "has_begun": True})
    stopping = after(deleting(2), known=begun)
    assert stopping.state is State.STOPPING
    assert stopping.is_kept
    assert after(emptied(2), known=stopping).state is State.RELEASING
    assert after(emptied(2), known=stopping).tells_of == 2


@pytest.mark.parametrize("before", [(), (declared(1),), (declared(1), enforced(1)), (declared(1), deleting(2))])
def test_what_was_never_begun_is_released_at_once(before: tuple[Seen, ...]) -> None:
    known = after(*before, emptied(2))
    assert known.state is State.RELEASED
    assert known.tells_of == 2


def test_a_name_can_be_used_again_after_release() -> None:
    known = after(declared(1), enforced(1), deleting(2), emptied(2), declared(3), enforced(3))
    assert known.state is State.MAKING
    assert not known.has_begun


@pytest.mark.parametrize("order", permutations(range(4)))
def test_any_order_of_a_life_ends_the_same(order: tuple[int, ...]) -> None:
    """The scenario permuted: the events of two producers may cross."""
    life = (declared(1), enforced(1), deleting(2), emptied(2))
    known = after(*(life[index] for index in order))
    assert known.state is State.RELEASED
    assert known.deleting_generation == 2


@given(st.lists(st.integers(0, 5), max_size=12))
def test_repeated_and_late_events_never_bring_a_deleted_workspace_back(extra: list[int]) -> None:
    life = (declared(1), enforced(1), declared(2), enforced(2), deleting(3), emptied(3))
    known = after(*life)
    again = after(*(life[index] for index in extra), known=known)
    assert again.deleting_generation == 3
    assert again.state is State.RELEASED
