"""Slurm's lists of names: as Slurm itself takes them, and bounded."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from burst_scheduler.domain.hostlist import Malformed, expand


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("cloud1", ("cloud1",)),
        ("cloud[1-3]", ("cloud1", "cloud2", "cloud3")),
        ("n[08-10,12],gpu1", ("n08", "n09", "n10", "n12", "gpu1")),
        ("r[1-2]n[1-2]", ("r1n1", "r1n2", "r2n1", "r2n2")),
        ("a[1]-ib,a1-ib", ("a1-ib",)),
        ("x[099-101]", ("x099", "x100", "x101")),
    ],
)
def test_what_a_list_stands_for(text: str, names: tuple[str, ...]) -> None:
    assert expand(text, 100) == names


@pytest.mark.parametrize(
    "text",
    [
        "",
        ",",
        "a,",
        "a[",
        "a]",
        "a[1-",
        "a[1-2",
        "a[]",
        "a[2-1]",
        "a[1,]",
        "a[[1]]",
        "a[x]",
        "-a",
        "a b",
        "a/b",
        "é[1]",
    ],
)
def test_what_is_no_list_is_refused(text: str) -> None:
    with pytest.raises(Malformed):
        expand(text, 100)


@pytest.mark.parametrize(
    "text", ["a[1-1000000000000]", "a[1-99]b[1-99]", "a[" + "9" * 5000 + "]", "a[1-60],b[1-60]", "[1-9]" * 40]
)
def test_a_short_text_never_becomes_a_long_list(text: str) -> None:
    """Refused before it is written out."""
    began = time.process_time()
    with pytest.raises(Malformed):
        expand(text, 100)
    assert time.process_time() - began < 0.5


@given(st.integers(0, 9999), st.integers(0, 50), st.integers(1, 5))
def test_a_range_is_as_wide_as_it_is_written(first: int, more: int, width: int) -> None:
    low = f"{first:0{width}d}"
    expected = tuple(f"n{number:0{len(low)}d}" for number in range(first, first + more + 1))
    assert expand(f"n[{low}-{first + more}]", 100) == expected
