"""Sets of intervals against Python's own sets."""

from hypothesis import given
from hypothesis import strategies as st

from network_policy.domain.intervals import Intervals, contains, intersect, meets, normalise, subtract, union

pieces = st.lists(st.tuples(st.integers(0, 30), st.integers(0, 30)), max_size=6)


def members(intervals: Intervals) -> set[int]:
    return {number for low, high in intervals for number in range(low, high + 1)}


@given(pieces, pieces)
def test_every_operation_is_that_of_sets(left: list[tuple[int, int]], right: list[tuple[int, int]]) -> None:
    a, b = normalise(left), normalise(right)
    assert members(union(a, b)) == members(a) | members(b)
    assert members(intersect(a, b)) == members(a) & members(b)
    assert members(subtract(a, b)) == members(a) - members(b)
    assert meets(a, b) == bool(members(a) & members(b))
    assert contains(a, b) == (members(b) <= members(a))


@given(pieces, pieces)
def test_equal_sets_are_equal_values(left: list[tuple[int, int]], right: list[tuple[int, int]]) -> None:
    a, b = normalise(left), normalise(right)
    assert (a == b) == (members(a) == members(b))
    for made in (union(a, b), intersect(a, b), subtract(a, b)):
        assert made == normalise(made)
