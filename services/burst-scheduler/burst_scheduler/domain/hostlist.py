"""Slurm's compressed lists of node names, and what they stand for (source: Slurm's guide on hostlist expressions)."""

import re
from collections.abc import Iterator

_RANGES = re.compile(r"[0-9]+(-[0-9]+)?(,[0-9]+(-[0-9]+)?)*")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")


class Malformed(ValueError):
    """This is no list of node names, or one of too many."""


def expand(text: str, most: int) -> tuple[str, ...]:
    """The names in their order, each once: `n[08-10],gpu1` is n08, n09, n10, gpu1. Raises Malformed.

    `most`: how many names are taken; a list is refused before it is made longer than that, however short its text is.
    """
    names: dict[str, None] = {}
    for word in _words(text):
        found = [""]
        for piece in re.split(r"(\[[^\]]*\])", word):
            if not piece.startswith("["):
                found = [name + piece for name in found]
                continue
            inner = piece[1:-1]
            if not _RANGES.fullmatch(inner):
                raise Malformed(f"'{piece}' is no range of numbers")
            numbers = list(_numbers(inner, most))
            if len(found) * len(numbers) > most:
                raise Malformed(f"more than {most} names")
            found = [name + number for name in found for number in numbers]
        for name in found:
            if not _NAME.fullmatch(name):
                raise Malformed(f"'{name[:80]}' is no name of a node")
            names[name] = None
        if len(names) > most:
            raise Malformed(f"more than {most} names")
    return tuple(names)


def _words(text: str) -> Iterator[str]:
    """The parts between the commas that are not in brackets."""
    depth, start = 0, 0
    for position, character in enumerate(text):
        if character == "[":
            depth += 1
        elif character == "]":
            depth -= 1
        elif character == "," and depth == 0:
            yield text[start:position]
            start = position + 1
        if depth not in (0, 1):
            raise Malformed("its brackets do not fit")
    if depth:
        raise Malformed("its brackets do not fit")
    yield text[start:]


def _numbers(ranges: str, most: int) -> Iterator[str]:
    """`08-10,12` as 08, 09, 10, 12: as wide as the lower end is written."""
    left = most
    for each in ranges.split(","):
        low, _, high = each.partition("-")
        if max(len(low), len(high)) > 18:
            raise Malformed(f"'{each[:40]}' has too many digits")
        first, last = int(low), int(high or low)
        left -= last - first + 1
        if last < first or left < 0:
            raise Malformed(f"'{each}' is no range, or of more than {most} names")
        yield from (f"{number:0{len(low)}d}" for number in range(first, last + 1))
