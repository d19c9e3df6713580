"""YAML as people write it, with the place of every field, so that a complaint names its line.

Read as YAML 1.2's core schema: `no`, `on`, `22:30` and dates stay text. One document a file; bounded in size, depth and
number of values; no tags, no repeated key.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

MAX_FILE_BYTES = 200 * 1024
"""A command's body is at most 256 KiB, the document in it included."""
MAX_DEPTH = 32
MAX_VALUES = 10_000

Path_ = tuple[str | int, ...]

_INTEGER = re.compile(r"[-+]?[0-9]{1,18}")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_WORDS: dict[str, bool | None] = {"": None, "~": None, "null": None, "Null": None, "NULL": None} | {
    word: word.lower() == "true" for word in ("true", "True", "TRUE", "false", "False", "FALSE")
}
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(frozen=True)
class Place:
    """A place in a file, counted from 1."""

    line: int
    column: int


@dataclass(frozen=True)
class Complaint:
    """One thing wrong in a file."""

    place: Place | None
    field: str
    reason: str
    remedy: str = ""


class BadSource(Exception):
    """The file can't be used; `complaints` say why, in the order of its lines."""

    def __init__(self, source: "Source", complaints: tuple[Complaint, ...]) -> None:
        super().__init__(f"{len(complaints)} problem(s) in {source.name}")
        self.source = source
        self.complaints = tuple(sorted(complaints, key=lambda one: one.place.line if one.place else 0))


@dataclass
class Source:
    """A file's values, and where each stands."""

    name: str
    text: str = ""
    values: dict[str, Any] = field(default_factory=dict)
    places: dict[Path_, Place] = field(default_factory=dict)
    keys: dict[Path_, Place] = field(default_factory=dict)
    """Where the key of a field stands, rather than its value."""

    def place(self, path: Path_, *, key: bool = False) -> Place | None:
        """Where that field stands, or the nearest thing around it."""
        if key and path in self.keys:
            return self.keys[path]
        for end in range(len(path), -1, -1):
            if path[:end] in self.places:
                return self.places[path[:end]]
        return None

    def line(self, place: Place) -> str:
        """The text of that line."""
        lines = self.text.splitlines()
        return lines[place.line - 1] if place.line <= len(lines) else ""


def dotted(path: Path_) -> str:
    """A path as people and services write it: `roles.0.flavor`."""
    return ".".join(str(part) for part in path)


def undotted(text: str) -> Path_:
    """The path that a dotted field names."""
    return tuple(int(part) if part.isdecimal() else part for part in text.split(".")) if text else ()


def read(path: Path) -> Source:
    """The file's values with their places. Raises BadSource; OSError when it can't be read."""
    source = Source(str(path))
    with path.open("rb") as file:
        body = file.read(MAX_FILE_BYTES + 1)
    if len(body) > MAX_FILE_BYTES:
        raise _bad(source, None, f"the file is larger than {MAX_FILE_BYTES // 1024} KiB")
    try:
        source.text = body.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = body[: error.start].count(b"\n") + 1
        raise _bad(source, Place(line, 1), "this is no UTF-8 text", "save the file as UTF-8") from None
    return parse(source)


def parse(source: Source) -> Source:
    """Fill in the values and places of the source's text. Raises BadSource."""
    reader = _Reader(source)
    try:
        reader.document(yaml.parse(source.text, Loader=_LOADER))
    except yaml.reader.ReaderError as error:
        line = source.text[: error.position].count("\n") + 1
        raise _bad(source, Place(line, 1), "there is a control character here", "remove it") from None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = _place(mark) if mark else None
        if place is not None and "\t" in source.line(place)[: place.column + 1]:
            raise _bad(source, place, "a tab stands here", "indent with spaces: YAML takes no tabs") from None
        reason = " ".join(part for part in (error.context, error.problem) if part)
        raise _bad(source, place, f"this is no YAML: {reason}", "check the indentation, colons and quotes") from None
    return source


def _place(mark: Any) -> Place:
    return Place(mark.line + 1, mark.column + 1)


def _bad(source: Source, place: Place | None, reason: str, remedy: str = "", path: Path_ = ()) -> BadSource:
    return BadSource(source, (Complaint(place, dotted(path), reason, remedy),))


class _Reader:
    """Builds values from YAML's events, so that nothing is built that isn't wanted."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._anchored: dict[str, Any] = {}
        self._count = 0

    def document(self, events: Iterator[Any]) -> None:
        documents = 0
        for event in events:
            if isinstance(event, yaml.DocumentStartEvent):
                documents += 1
                if documents > 1:
                    raise self._wrong(event, (), "a second document begins here", "one document a file")
            elif isinstance(event, yaml.NodeEvent):
                value = self._value(event, events, ())
                if not isinstance(value, dict):
                    raise self._wrong(event, (), "the document is no mapping", "begin with `kind: Workspace`")
                self._source.values = value
        if not documents:
            raise _bad(self._source, Place(1, 1), "the file is empty")

    def _wrong(self, event: Any, path: Path_, reason: str, remedy: str = "") -> BadSource:
        return _bad(self._source, _place(event.start_mark), reason, remedy, path)

    def _value(self, event: Any, events: Iterator[Any], path: Path_) -> Any:
        self._source.places[path] = _place(event.start_mark)
        self._add(event, path, 1)
        if len(path) > MAX_DEPTH:
            raise self._wrong(event, (), f"nested more than {MAX_DEPTH} deep")
        if isinstance(event, yaml.AliasEvent):
            if event.anchor not in self._anchored:
                raise self._wrong(event, path, f"no anchor '&{event.anchor}' stands before this")
            value = self._anchored[event.anchor]
            self._add(event, path, _size(value))
            return value
        if event.tag not in (None, "!"):
            raise self._wrong(event, path, f"a tag ({event.tag}) stands here", "remove it")
        if isinstance(event, yaml.ScalarEvent):
            value = self._scalar(event, path)
        elif isinstance(event, yaml.SequenceStartEvent):
            value = self._sequence(events, path)
        else:
            value = self._mapping(events, path)
        if event.anchor:
            self._anchored[event.anchor] = value
        return value

    def _add(self, event: Any, path: Path_, values: int) -> None:
        self._count += values
        if self._count > MAX_VALUES:
            raise self._wrong(event, path, f"more than {MAX_VALUES} values")

    def _scalar(self, event: Any, path: Path_) -> Any:
        text: str = event.value
        if event.style:  # quoted, or a block
            return text
        if text in _WORDS:
            return _WORDS[text]
        if _INTEGER.fullmatch(text):
            return int(text)
        if text.lstrip("+-").isdecimal():
            raise self._wrong(event, path, "an integer of more than 18 digits")
        return float(text) if _FLOAT.fullmatch(text) else text

    def _sequence(self, events: Iterator[Any], path: Path_) -> list[Any]:
        values: list[Any] = []
        for event in events:
            if isinstance(event, yaml.SequenceEndEvent):
                break
            values.append(self._value(event, events, (*path, len(values))))
        return values

    def _mapping(self, events: Iterator[Any], path: Path_) -> dict[str, Any]:
        values: dict[str, Any] = {}
        for event in events:
            if isinstance(event, yaml.MappingEndEvent):
                break
            if not isinstance(event, yaml.ScalarEvent):
                raise self._wrong(event, path, "a field's name must be plain text")
            key = event.value
            inner = (*path, key)
            if key in values:
                first = self._source.keys[inner]
                raise self._wrong(
                    event, inner, f"'{key}' stands twice here; the first is on line {first.line}", "keep one of them"
                )
            self._source.keys[inner] = _place(event.start_mark)
            values[key] = self._value(next(events), events, inner)
        return values


def _size(value: Any) -> int:
    if isinstance(value, dict):
        return 1 + sum(_size(inner) for inner in value.values())
    if isinstance(value, list):
        return 1 + sum(_size(inner) for inner in value)
    return 1
