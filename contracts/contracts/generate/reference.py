"""The messages' reference for people: every message with who says it, its fields and an example, as Markdown."""

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from pydantic import BaseModel

from contracts.catalog import OWNERS
from contracts.envelope import Answer, Command, CommandEnvelope, EventEnvelope, Message, Problem, Query
from contracts.generate import meanings
from contracts.generate.asyncapi import exchange_of
from contracts.generate.schemas import parts_of
from contracts.generate.types_text import Types, scalars_table
from contracts.outbox import OutboxHead
from contracts.site import Site
from contracts.workspace import Workspace

_INTRODUCTION = """# Messages

Generated from the models in `contracts`; change those, then run `python -m contracts.generate`.

A message's type is its routing key. *Commands* and *queries* are asked of their owner, signed by the asker; *answers* go
to the asker alone; *events* are facts, told by their owner to everybody who listens. A field without a default is
required. Schemas: `contracts/schemas/<type>.json`; the whole bus: `contracts/asyncapi.yaml`.
"""

_ON_OTHER_PAGES: list[type[BaseModel]] = [Workspace, *parts_of(Workspace)]
_ELSEWHERE = {part.__name__: "workspace-document.md" for part in _ON_OTHER_PAGES}

_ENVELOPES: tuple[type[BaseModel], ...] = (EventEnvelope, CommandEnvelope)

_SHARED_INTRODUCTION = """## Messages of every service

`<service>` stands for each of: {services}.
"""


def messages_page() -> str:
    """`docs/reference/messages.md`."""
    blocks = [_INTRODUCTION, f"## Words for scalars\n\n{scalars_table()}", "## Envelopes\n"]
    blocks += [
        f"### {envelope.__name__}\n\n{meanings.summary(envelope)}\n\n{table(envelope)}" for envelope in _ENVELOPES
    ]
    blocks.append(_SHARED_INTRODUCTION.format(services=", ".join(f"`{owner.OWNER}`" for owner in OWNERS)))
    blocks += [
        _message(message, message.type.replace(f"{OWNERS[0].OWNER}.", "<service>.", 1)) for message in OWNERS[0].CHASSIS
    ]
    seen: list[type[BaseModel]] = [Workspace, Site, Problem]
    for owner in OWNERS:
        blocks.append(f"## {owner.OWNER}\n\n{meanings.summary_of_module(owner)}\n")
        own = [message for message in owner.MESSAGES if message not in tuple(owner.CHASSIS)]
        blocks += [_message(message, message.type) for message in own]
        blocks += _parts(own, seen)
    blocks.append("## Parts of every service's messages\n")
    blocks.append(_part(Problem))
    return "\n".join(block.rstrip() + "\n" for block in blocks)


def document_page(model: type[BaseModel], title: str, beginning: str) -> str:
    """The reference of what people write by hand: the workspace document, the site file."""
    blocks = [f"# {title}\n\nGenerated from the models in `contracts`. {beginning}\n\n{table(model)}"]
    blocks += [_part(part) for part in _ordered_parts(model)]
    return "\n".join(block.rstrip() + "\n" for block in blocks)


def _ordered_parts(model: type[BaseModel]) -> list[type[BaseModel]]:
    return sorted(parts_of(model), key=lambda part: part.__name__)


def _parts(messages: Iterable[type[Message]], seen: list[type[BaseModel]]) -> Iterator[str]:
    """The parts that these messages are made of and that were not shown yet; the workspace document has its own page."""
    hidden = {*seen, *parts_of(Workspace)}
    found = {part for message in messages for part in parts_of(message)} - hidden
    for part in sorted(found, key=lambda part: part.__name__):
        seen.append(part)
        yield _part(part, _ELSEWHERE)


def _part(part: type[BaseModel], pages: Mapping[str, str] | None = None) -> str:
    return f"### {part.__name__}\n\n{meanings.summary(part)}\n\n{table(part, pages)}"


def _message(message: type[Message], name: str) -> str:
    example = json.dumps(message.example, indent=2, ensure_ascii=False)
    lines = [f"### {name}\n", f"*{_kind(message)}* · {_senders(message, name)}\n", f"{meanings.summary(message)}\n"]
    if more := meanings.remarks(message):
        lines.append(f"{more}\n")
    lines += [table(message, _ELSEWHERE), f"```json\n{example}\n```\n"]
    return "\n".join(lines)


def _kind(message: type[Message]) -> str:
    return next(
        kind.__name__.lower() for kind in message.__mro__ if kind.__name__ in ("Command", "Query", "Answer", "Event")
    )


def _senders(message: type[Message], name: str) -> str:
    """Who may say it, to whom, over which exchange."""
    owner = name.split(".", 1)[0]
    if issubclass(message, Answer):
        return f"said by `{owner}` to the asker alone"
    if issubclass(message, Command | Query):
        roles = ", ".join(f"`{role}`" for role in sorted(message.roles))
        answer = f"; answered with `{message.answer.type}`" if issubclass(message, Query) else ""
        count = message.approvals if issubclass(message, Command) else 0
        approved = f"; {count} other must approve it" if count == 1 else f"; {count} others must approve it"
        return (
            f"asked of `{owner}` by the roles {roles} over `{exchange_of(message)}`{answer}{approved if count else ''}"
        )
    stored = "; not stored, without a sequence" if issubclass(message, OutboxHead) else ""
    return f"told by `{owner}` over `{exchange_of(message)}`{stored}"


def table(model: type[BaseModel], pages: Mapping[str, str] | None = None) -> str:
    """The fields: name, type, default, meaning."""
    if not model.model_fields:
        return "No fields.\n"
    schema = model.model_json_schema(by_alias=True)
    types = Types(schema.get("$defs", {}), pages or {})
    said = meanings.of_fields(model)
    lines = ["| field | type | default | meaning |", "|---|---|---|---|"]
    for name, field in model.model_fields.items():
        shown = field.alias or name
        kind = types.text(schema["properties"][shown])
        default = "" if field.is_required() else f"`{json.dumps(_plain(field.get_default(call_default_factory=True)))}`"
        lines.append(f"| `{shown}` | {kind} | {default} | {said.get(name, '')} |")
    return "\n".join(lines) + "\n"


def _plain(value: Any) -> Any:
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json", by_alias=True, exclude_defaults=True)
    return value
