"""JSON Schema types in words, short enough for a cell of a table."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import TypeAdapter

from contracts.envelope import MessageId, MessageType, TraceParent
from contracts.identifiers import Digest, Generation, Identifier, ResourceId, Text
from contracts.site import Prefix
from contracts.workspace import CloudName, Holder

Schema = Mapping[str, Any]

SCALARS: dict[str, tuple[Any, str]] = {
    "identifier": (Identifier, "a name that a person chose: safe in routing, SQL, file names and OpenStack names"),
    "resource id": (ResourceId, "an identifier that OpenStack gave, opaque to Tresor"),
    "counter": (Generation, "counts from 1: a generation (the accepted changes of one workspace), a sequence"),
    "text": (Text, "words for a person, without control or bidirectional characters"),
    "digest": (Digest, "a SHA-256 in hexadecimal, with the algorithm's name before it"),
    "message id": (MessageId, "a UUID"),
    "message type": (MessageType, "`<owner>.<noun>.<verb>`, which is the routing key too"),
    "traceparent": (TraceParent, "W3C Trace Context"),
    "cloud name": (CloudName, "the name of a flavor, an image or a type in OpenStack"),
    "holder": (Holder, "a person, as the keyring names them"),
    "address": (Prefix, "an IP address, or a prefix without host bits, as text"),
}
"""The bounded scalars that many fields share, by the word that tables use for them."""

_BOUNDS = ("type", "pattern", "minimum", "maximum", "minLength", "maxLength", "format")


def _bounds_of(schema: Schema) -> dict[str, Any]:
    return {word: schema[word] for word in _BOUNDS if word in schema}


_KNOWN = {name: _bounds_of(TypeAdapter(kind).json_schema()) for name, (kind, _) in SCALARS.items()}


def scalars_table() -> str:
    """What the words for scalars mean."""
    lines = ["| word | meaning | form |", "|---|---|---|"]
    for name, (kind, meaning) in SCALARS.items():
        form = Types().plain(TypeAdapter(kind).json_schema())
        lines.append(f"| {name} | {meaning} | {form} |")
    return "\n".join(lines) + "\n"


@dataclass(frozen=True)
class Types:
    """Says types of one schema, whose references lead to `definitions`; `pages` says on which other page a part is."""

    definitions: Mapping[str, Schema] = field(default_factory=dict)
    pages: Mapping[str, str] = field(default_factory=dict)

    def text(self, schema: Schema) -> str:
        """The type in words, safe in a cell of a table."""
        known = next((name for name, bounds in _KNOWN.items() if bounds == _bounds_of(schema)), None)
        if known is not None:
            return known
        if "$ref" in schema:
            return self._reference(schema["$ref"].rsplit("/", 1)[1])
        if "anyOf" in schema:
            return " or ".join(self.text(each) for each in schema["anyOf"])
        if schema.get("type") == "array":
            counts = _between(schema, "minItems", "maxItems", "")
            return f"list of {self.text(schema.get('items', {}))}{' (' + counts[2:] + ')' if counts else ''}"
        if schema.get("type") == "object":
            return self._map(schema)
        return self.plain(schema)

    def _reference(self, name: str) -> str:
        target = self.definitions.get(name, {})
        if "enum" in target or "const" in target:
            return self.plain(target)
        return f"[{name}]({self.pages.get(name, '')}#{name.lower()})"

    def _map(self, schema: Schema) -> str:
        keys = schema.get("propertyNames", {})
        patterns = schema.get("patternProperties", {})
        inner = next(iter(patterns.values()), schema.get("additionalProperties"))
        if patterns:
            keys = {"type": "string", "pattern": next(iter(patterns)), **keys}
        value = self.text(inner) if isinstance(inner, Mapping) else "anything"
        return f"map of {self.text(keys) if keys else 'names'} to {value}"

    def plain(self, schema: Schema) -> str:
        """A scalar with its bounds, whether it has a word of its own or not."""
        if "const" in schema:
            return f"`{json.dumps(schema['const'])}`"
        if "enum" in schema:
            return ", ".join(f"`{value}`" for value in schema["enum"])
        kind = str(schema.get("type", "anything"))
        text = {"date": "date", "date-time": "time"}.get(str(schema.get("format")), kind)
        text += _between(schema, "minimum", "maximum", "") + _between(schema, "minLength", "maxLength", " characters")
        if "pattern" in schema:
            text += ", `" + schema["pattern"].replace("|", "\\|") + "`"
        return text


def _between(schema: Schema, lower: str, upper: str, unit: str) -> str:
    low, high = schema.get(lower), schema.get(upper)
    if low is None and high is None:
        return ""
    if low is None:
        return f", at most {high}{unit}"
    return f", at least {low}{unit}" if high is None else f", {low} to {high}{unit}"
