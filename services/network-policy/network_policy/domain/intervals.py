"""Sets of integers as sorted, disjoint, non-adjacent closed intervals: addresses and traffic are such sets."""

from collections.abc import Iterable

Interval = tuple[int, int]
Intervals = tuple[Interval, ...]

EMPTY: Intervals = ()


def normalise(pieces: Iterable[Interval]) -> Intervals:
    """The set that the pieces make together; an upside-down piece is empty."""
    kept = [piece for piece in pieces if piece[0] <= piece[1]]
    if len(kept) < 2:
        return tuple(kept)
    merged: list[Interval] = []
    for low, high in sorted(kept):
        if merged and low <= merged[-1][1] + 1:
            if high > merged[-1][1]:
                merged[-1] = (merged[-1][0], high)
        else:
            merged.append((low, high))
    return tuple(merged)


def union(*sets: Intervals) -> Intervals:
    """What is in any of the sets."""
    return normalise(piece for each in sets for piece in each)


def intersect(left: Intervals, right: Intervals) -> Intervals:
    """What is in both."""
    found: list[Interval] = []
    i = j = 0
    while i < len(left) and j < len(right):
        low, high = max(left[i][0], right[j][0]), min(left[i][1], right[j][1])
        if low <= high:
            found.append((low, high))
        if left[i][1] < right[j][1]:
            i += 1
        else:
            j += 1
    return tuple(found)


def meets(left: Intervals, right: Intervals) -> bool:
    """Whether anything is in both."""
    i = j = 0
    while i < len(left) and j < len(right):
        if left[i][0] <= right[j][1] and right[j][0] <= left[i][1]:
            return True
        if left[i][1] < right[j][1]:
            i += 1
        else:
            j += 1
    return False


def subtract(left: Intervals, right: Intervals) -> Intervals:
    """What is in the left set and not in the right one."""
    if not left or not right:
        return left
    left_over: list[Interval] = []
    for low, high in left:
        start = low
        for taken_low, taken_high in right:
            if taken_high < start:
                continue
            if taken_low > high:
                break
            if taken_low > start:
                left_over.append((start, taken_low - 1))
            start = taken_high + 1
            if start > high:
                break
        if start <= high:
            left_over.append((start, high))
    return tuple(left_over)


def contains(outer: Intervals, inner: Intervals) -> bool:
    """Whether all of `inner` is in `outer`."""
    return not subtract(inner, outer)
