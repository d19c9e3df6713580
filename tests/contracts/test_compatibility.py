"""Which changes of a schema are incompatible, and which only add."""

from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, ConfigDict, Field, create_model

from contracts.generate.compatibility import compare, incompatibilities

S: dict[str, Any] = {"type": "string"}
I: dict[str, Any] = {"type": "integer"}  # noqa: E741 (read beside S and N)
N: dict[str, Any] = {"type": "null"}


def an_object(required: tuple[str, ...] = (), **properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": list(required), "additionalProperties": False}


ADDING = {
    "the same": (an_object(a=S), an_object(a=S)),
    "an optional field": (an_object(a=S), an_object(a=S, b=S)),
    "a field is no longer required": (an_object(("a",), a=S), an_object(a=S)),
    "a type beside the old": (an_object(a=S), an_object(a={"anyOf": [S, N]})),
    "integer becomes number": (an_object(a=I), an_object(a={"type": "number"})),
    "one more value": ({"enum": ["a"]}, {"enum": ["a", "b"]}),
    "a value becomes any of its type": ({"type": "string", "const": "a"}, S),
    "wider bounds": ({**I, "minimum": 1, "maximum": 5}, {**I, "minimum": 0, "maximum": 9}),
    "no bounds any more": ({**S, "maxLength": 5, "pattern": "^a$"}, S),
    "any name beside the known": (an_object(a=S), {**an_object(a=S), "additionalProperties": True}),
    "a definition under another name": (
        {"$ref": "#/$defs/A", "$defs": {"A": an_object(a=S)}},
        {"$ref": "#/$defs/B", "$defs": {"B": an_object(a=S)}},
    ),
    "words and titles": ({**S, "title": "A", "description": "x"}, {**S, "title": "B"}),
    "a definition that contains itself": (
        {"$ref": "#/$defs/A", "$defs": {"A": an_object(a={"anyOf": [{"$ref": "#/$defs/A"}, N]})}},
    )
    * 2,
}

BREAKING = {
    "a field removed": (an_object(a=S, b=S), an_object(a=S), ".b: removed"),
    "a new required field": (an_object(a=S), an_object(("b",), a=S, b=S), ".b: required"),
    "an old field is now required": (an_object(a=S), an_object(("a",), a=S), ".a: required"),
    "another type": (an_object(a=S), an_object(a=I), ".a: type string"),
    "number becomes integer": (an_object(a={"type": "number"}), an_object(a=I), ".a: type number"),
    "null no longer taken": (an_object(a={"anyOf": [S, N]}), an_object(a=S), ".a: type null"),
    "a value removed": ({"enum": ["a", "b"]}, {"enum": ["a"]}, "'b' is no longer taken"),
    "any becomes some values": (S, {**S, "enum": ["a"]}, "only 'a' are taken"),
    "another version": ({"const": "x:1"}, {"const": "x:2"}, "'x:1' is no longer taken"),
    "a new pattern": (S, {**S, "pattern": "^a$"}, "pattern"),
    "another pattern": ({**S, "pattern": "^a+$"}, {**S, "pattern": "^a$"}, "pattern"),
    "a new format": (S, {**S, "format": "date"}, "format"),
    "a lower maximum": ({**I, "maximum": 9}, {**I, "maximum": 5}, "maximum is 5, was 9"),
    "a first maximum": (I, {**I, "maximum": 5}, "maximum is 5, was None"),
    "a higher minimum": ({**I, "minimum": 0}, {**I, "minimum": 1}, "minimum"),
    "shorter texts": ({**S, "maxLength": 9}, {**S, "maxLength": 5}, "maxLength"),
    "items of another type": ({"type": "array", "items": S}, {"type": "array", "items": I}, "[]: type string"),
    "fewer items": ({"type": "array", "items": S}, {"type": "array", "items": S, "maxItems": 3}, "maxItems"),
    "unknown names no longer taken": ({"type": "object"}, an_object(), "additionalProperties is narrower"),
    "values of a map narrowed": (
        {"type": "object", "additionalProperties": S},
        {"type": "object", "additionalProperties": {**S, "maxLength": 3}},
        "maxLength",
    ),
    "names of a map narrowed": (
        {"type": "object", "patternProperties": {"^[a-z]+$": S}},
        {"type": "object", "patternProperties": {"^[a-z]$": S}},
        "names like ^[a-z]$",
    ),
    "deep in a definition": (
        {"$ref": "#/$defs/A", "$defs": {"A": an_object(a={"type": "array", "items": an_object(b=S)})}},
        {"$ref": "#/$defs/A", "$defs": {"A": an_object(a={"type": "array", "items": an_object()})}},
        ".a[].b: removed",
    ),
}


@pytest.mark.parametrize("name", ADDING)
def test_what_only_adds_passes(name: str) -> None:
    old, new = ADDING[name]
    assert compare(old, new) == []


@pytest.mark.parametrize("name", BREAKING)
def test_what_takes_less_is_found_and_named(name: str) -> None:
    old, new, said = BREAKING[name]
    found = compare(old, new)
    assert any(said in problem for problem in found), found


def test_a_removed_message_is_found_and_an_added_one_passes() -> None:
    assert incompatibilities({"a.b.c": S, "d.e.f": S}, {"a.b.c": S, "g.h.i": S}) == ["d.e.f: removed"]


class Frozen(BaseModel):
    model_config = ConfigDict(extra="forbid")


def model(**fields: Any) -> dict[str, Any]:
    return create_model("M", __base__=Frozen, **fields).model_json_schema()


def test_it_reads_what_pydantic_writes() -> None:
    """The forms that really occur: optional fields, literals, bounded maps, nested models."""
    inner = create_model("Inner", __base__=Frozen, a=(int, ...))
    narrower = create_model("Inner", __base__=Frozen, a=(Annotated[int, Field(ge=1)], ...))
    old = model(x=(str | None, None), y=(Literal["a", "b"], "a"), z=(dict[str, inner], {}))
    assert compare(old, model(x=(str | int | None, None), y=(str, "a"), z=(dict[str, inner], {}), w=(int, 1))) == []
    assert compare(old, model(x=(str | None, None), y=(Literal["a"], "a"), z=(dict[str, inner], {})))
    assert compare(old, model(x=(str | None, None), y=(str, "a"), z=(dict[str, narrower], {})))
