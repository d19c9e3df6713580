"""Sigma's condition: selections with and, or, not, parentheses, `1 of` and `all of`."""

import re
from collections.abc import Mapping
from fnmatch import fnmatchcase

from security_monitor.domain.detections.matching import Matched, Path, any_of, union
from security_monitor.domain.detections.rule import BadRule

_TOKEN = re.compile(r"\s*(\(|\)|[A-Za-z0-9_*]+)")
MAX_LENGTH = 1000
MAX_DEPTH = 20


def condition(text: object, selections: Mapping[str, Matched], path: Path) -> Matched:
    """The condition's predicate, made of the selections'. Raises BadRule."""
    if not isinstance(text, str) or not 0 < len(text) <= MAX_LENGTH:
        raise BadRule(path, "the condition is a text that names selections")
    return _Parser(text, selections, path).whole()


class _Parser:
    def __init__(self, text: str, selections: Mapping[str, Matched], path: Path) -> None:
        self._selections, self._path = selections, path
        self._tokens: list[str] = []
        position = 0
        while position < len(text.rstrip()):
            found = _TOKEN.match(text, position)
            if found is None:
                raise BadRule(path, f"'{text[position:].strip()[:20]}' can't stand in a condition")
            self._tokens.append(found[1])
            position = found.end()
        self._next = 0

    def whole(self) -> Matched:
        made = self._either(0)
        if (left := self._peek()) is not None:
            raise BadRule(self._path, f"'{left}' is not expected here")
        return made

    def _peek(self) -> str | None:
        return self._tokens[self._next] if self._next < len(self._tokens) else None

    def _take(self) -> str:
        token = self._peek()
        if token is None:
            raise BadRule(self._path, "the condition ends too early")
        self._next += 1
        return token

    def _either(self, depth: int) -> Matched:
        parts = [self._both(depth)]
        while self._peek() == "or":
            self._take()
            parts.append(self._both(depth))
        return _or(parts)

    def _both(self, depth: int) -> Matched:
        parts = [self._one(depth)]
        while self._peek() == "and":
            self._take()
            parts.append(self._one(depth))
        return _and(parts)

    def _one(self, depth: int) -> Matched:
        if depth > MAX_DEPTH:
            raise BadRule(self._path, f"nested more than {MAX_DEPTH} deep")
        word = self._take()
        if word == "not":
            inner = self._one(depth + 1)
            return Matched(lambda record, resource: not inner.holds(record, resource), None)
        if word == "(":
            made = self._either(depth + 1)
            if self._take() != ")":
                raise BadRule(self._path, "a parenthesis is not closed")
            return made
        if word in ("1", "all") and self._peek() == "of":
            self._take()
            found = self._named(self._take())
            return _or(found) if word == "1" else _and(found)
        if word in self._selections:
            return self._selections[word]
        known = ", ".join(sorted(self._selections))
        raise BadRule(self._path, f"there is no selection '{word}'", f"use one of: {known}")

    def _named(self, pattern: str) -> list[Matched]:
        wanted = "*" if pattern == "them" else pattern
        found = [matched for name, matched in self._selections.items() if fnmatchcase(name, wanted)]
        if not found:
            raise BadRule(self._path, f"no selection is called like '{pattern}'")
        return found


def _or(parts: list[Matched]) -> Matched:
    return Matched(any_of([part.holds for part in parts]), union(part.types for part in parts))


def _and(parts: list[Matched]) -> Matched:
    if len(parts) == 1:
        return parts[0]
    holds = [part.holds for part in parts]
    types = next((part.types for part in parts if part.types is not None), None)
    return Matched(lambda record, resource: all(each(record, resource) for each in holds), types)
