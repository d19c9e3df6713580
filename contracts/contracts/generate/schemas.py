"""A JSON Schema (2020-12) for each message with its envelope, and for what people write: documents, sites, policy tests."""

from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel

from contracts.catalog import MESSAGES
from contracts.envelope import Answer, Command, CommandEnvelope, Envelope, EventEnvelope, Message, Query
from contracts.generate import meanings
from contracts.outbox import OutboxHead
from contracts.policy_tests import PolicyTests
from contracts.site import Site
from contracts.workspace import Workspace

DIALECT = "https://json-schema.org/draft/2020-12/schema"
DOCUMENTS: dict[str, type[BaseModel]] = {
    "workspace-document": Workspace,
    "site-file": Site,
    "policy-tests": PolicyTests,
}
"""What people write by hand, by the name of its schema."""

Schema = dict[str, Any]


def schemas() -> dict[str, Schema]:
    """Every schema by its name: a message's type, or a document's name."""
    made = {name: _message(message) for name, message in sorted(MESSAGES.items())}
    for name, model in DOCUMENTS.items():
        made[name] = {"$schema": DIALECT, "$id": f"urn:tresor:schema:{name}", **_described(model)}
    return made


def envelope_of(message: type[Message]) -> type[Envelope] | None:
    """What goes around the message; None for an answer, which goes to the asker alone and says its type only."""
    if issubclass(message, Answer):
        return None
    if issubclass(message, Command | Query):
        return CommandEnvelope
    return Envelope if issubclass(message, OutboxHead) else EventEnvelope


def _message(message: type[Message]) -> Schema:
    envelope = envelope_of(message)
    data = _described(message)
    definitions = data.pop("$defs", {})
    if envelope is None:
        around: Schema = {
            "type": "object",
            "properties": {"type": {"type": "string"}, "data": {}},
            "required": ["type", "data"],
            "additionalProperties": False,
        }
    else:
        around = _described(envelope)
        around["properties"]["dataschema"] = {"const": f"tresor:{message.type}:{message.version}", "type": "string"}
        around["required"] = sorted({*around["required"], "specversion", "datacontenttype"})
    around["properties"]["type"] = {"const": message.type, "type": "string"}
    around["properties"]["data"] = data
    return {
        "$schema": DIALECT,
        "$id": f"urn:tresor:schema:{message.type}:{message.version}",
        **around,
        "title": message.type,
        "description": meanings.summary(message),
        **({"$defs": definitions} if definitions else {}),
    }


def _described(model: type[BaseModel]) -> Schema:
    """The model's schema with the meaning of its fields and of its parts' fields."""
    schema = model.model_json_schema(by_alias=True)
    parts = {part.__name__: part for part in parts_of(model)}
    _describe(schema, model)
    for name, definition in schema.get("$defs", {}).items():
        if name in parts:
            _describe(definition, parts[name])
    return schema


def _describe(schema: Schema, model: type[BaseModel]) -> None:
    said = meanings.of_fields(model)
    if model.__doc__:
        schema["description"] = meanings.summary(model)
    for name, field in model.model_fields.items():
        shown = schema.get("properties", {}).get(field.alias or name)
        if shown is None:
            continue
        if "$ref" not in shown:
            shown.pop("title", None)
        if name in said:
            shown["description"] = said[name]


def parts_of(model: type[BaseModel]) -> Iterator[type[BaseModel]]:
    """The models that the model's fields are made of, at any depth, each once."""
    seen: set[type[BaseModel]] = set()
    waiting: list[Any] = [model]
    while waiting:
        one = waiting.pop()
        if isinstance(one, type) and issubclass(one, BaseModel):
            if one in seen:
                continue
            seen.add(one)
            if one is not model:
                yield one
            waiting += [field.annotation for field in one.model_fields.values()]
        else:
            waiting += [inner for inner in getattr(one, "__args__", ()) if inner is not None]


def example_of(message: type[Message]) -> dict[str, Any]:
    """The message's example as it goes over the bus, its envelope included."""
    read = message.model_validate(message.example)
    envelope = envelope_of(message)
    data = read.model_dump(mode="json", by_alias=True, exclude_unset=True)
    if envelope is None:
        return {"type": message.type, "data": data}
    is_asked = issubclass(message, Command | Query)
    said: dict[str, Any] = {
        "specversion": "1.0",
        "id": "0198c0de-0000-7000-8000-000000000001",
        "type": message.type,
        "source": "tresor/operator/ana@example.org" if is_asked else f"tresor/{message.owner()}",
        "subject": read.aggregate,
        "time": "2026-11-21T10:00:00Z",
        "datacontenttype": "application/json",
        "dataschema": f"tresor:{message.type}:{message.version}",
        "correlationid": "0198c0de-0000-7000-8000-000000000001",
    }
    if is_asked:
        said |= {
            "audience": message.owner(),
            "notbefore": "2026-11-21T10:00:00Z",
            "expiresat": "2026-11-21T10:05:00Z",
            "executeby": "2026-11-21T10:05:00Z",
        }
    elif envelope is EventEnvelope:
        said["sequence"] = 7
    return {**said, "data": data}
