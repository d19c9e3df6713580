"""A workspace document from a file: read, checked against the model and the site, each complaint with its line."""

import difflib
import types
import typing
from ipaddress import ip_network
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from contracts import documents
from contracts.envelope import Problem
from contracts.identifiers import NAME
from contracts.site import Site
from contracts.workspace import FLOW_END, HOLDER, PORT_RANGE, Workspace
from shared.yaml_source import BadSource, Complaint, Path_, Source, dotted, read, undotted

COMMAND_PREFIX = "document."
"""Services name fields in the command's data, where the document is one of them."""

_WORDS = {
    "missing": "this field is missing",
    "string_type": "text is wanted here",
    "int_type": "a whole number is wanted here",
    "int_parsing": "a whole number is wanted here",
    "bool_parsing": "true or false is wanted here",
    "bool_type": "true or false is wanted here",
    "tuple_type": "a list is wanted here",
    "dict_type": "a mapping is wanted here",
    "model_type": "a mapping is wanted here",
}
_PATTERNS = {
    FLOW_END: (
        "no role, `site:<endpoint>` or `zone:<zone>`",
        "addresses stand in the site file, as an endpoint or a zone, and are named here",
    ),
    NAME: ("no name", "use lower case, digits and hyphens, a letter first"),
    HOLDER: ("nobody's name", "use letters, digits and _ . + @ -"),
    PORT_RANGE: ("no port", "write 22 or 6817-6819"),
}


def load(path: Path, site: Site | None = None) -> tuple[Workspace, Source]:
    """The document in the file. Raises BadSource with everything that is wrong, OSError when it can't be read."""
    source = read(path)
    try:
        document = Workspace.model_validate(source.values)
    except ValidationError as error:
        raise BadSource(source, complaints(source, Workspace, error)) from None
    if site is not None and (found := documents.problems(document, site)):
        raise BadSource(source, located(source, found))
    return document, source


def complaints(source: Source, model: type[BaseModel], error: ValidationError) -> tuple[Complaint, ...]:
    """The model's complaints in words, with their places in the file."""
    made = []
    errors = error.errors()
    for one in errors:
        path: Path_ = tuple(part for part in one["loc"] if part != "[key]")
        kind = one["type"]
        if kind == "too_short" and any(path == other["loc"][: len(path)] != other["loc"] for other in errors):
            continue  # the list only looks too short because one of its items is wrong
        reason = _WORDS.get(kind) or one["msg"].removeprefix("Value error, ")
        remedy = ""
        if kind == "extra_forbidden":
            known = _fields(model, path[:-1])
            reason = f"there is no field '{path[-1]}' here"
            close = difflib.get_close_matches(str(path[-1]), known, n=1)
            remedy = f"did you mean '{close[0]}'?" if close else f"known fields: {', '.join(sorted(known))}"
        elif kind == "missing":
            remedy = f"add `{path[-1]}:`"
        elif kind == "string_type" and isinstance(one["input"], (int, float, bool)):
            remedy = f'put it in quotes: "{one["input"]}"'
        elif kind == "string_pattern_mismatch":
            reason, remedy = _misfit(one["input"], one["ctx"]["pattern"])
        elif reason.endswith("has host bits set"):
            remedy = f"write {ip_network(one['input'], strict=False)}"
        elif kind in ("literal_error", "enum"):
            reason = f"{_quoted(one['input'])} is none of the words for this field"
            remedy = f"use one of: {one['ctx']['expected']}"
        made.append(Complaint(source.place(path, key=kind == "extra_forbidden"), dotted(path), reason, remedy))
    return tuple(made)


def located(source: Source, problems: tuple[Problem, ...]) -> tuple[Complaint, ...]:
    """A service's problems, with the places in the file of the fields that they name."""
    made = []
    for problem in problems:
        name = problem.field.removeprefix(COMMAND_PREFIX)
        place = source.place(undotted(name)) if name and name != "document" else None
        made.append(Complaint(place, name, problem.reason, problem.remedy))
    return tuple(made)


def _misfit(value: Any, pattern: str) -> tuple[str, str]:
    """What a text is not, and what would do."""
    noun, remedy = _PATTERNS.get(pattern, (None, ""))
    if noun is not None:
        return f"{_quoted(value)} is {noun}", remedy
    return f"{_quoted(value)} does not fit the pattern {pattern}", ""


def _quoted(value: Any) -> str:
    return f"'{str(value)[:60]}'"


def _fields(model: type[BaseModel], path: Path_) -> list[str]:
    """The names of the fields that may stand at that path."""
    current: Any = model
    for part in path:
        current = _inner(current, part)
        if current is None:
            return []
    if isinstance(current, type) and issubclass(current, BaseModel):
        return [field.alias or name for name, field in current.model_fields.items()]
    return []


def _inner(kind: Any, part: str | int) -> Any:
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        for name, field in kind.model_fields.items():
            if part in (name, field.alias):
                return _plain(field.annotation)
        return None
    arguments = typing.get_args(kind)
    return _plain(arguments[-1] if isinstance(part, str) else arguments[0]) if arguments else None


def _plain(kind: Any) -> Any:
    """The type without `Annotated` and `| None`."""
    if typing.get_origin(kind) is typing.Annotated:
        return _plain(typing.get_args(kind)[0])
    if typing.get_origin(kind) in (typing.Union, types.UnionType):
        return _plain(next(one for one in typing.get_args(kind) if one is not type(None)))
    return kind
