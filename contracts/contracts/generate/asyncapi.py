"""The whole bus as one AsyncAPI 3.0 document: a channel for each message type, and what each service does on it."""

from typing import Any

from contracts.catalog import MESSAGES, OWNERS
from contracts.envelope import (
    COMMANDS_EXCHANGE,
    CONTENT_TYPE,
    EVENTS_EXCHANGE,
    QUERIES_EXCHANGE,
    SIGNATURE_HEADER,
    Answer,
    Command,
    Message,
    Query,
)
from contracts.generate import meanings
from contracts.generate.schemas import example_of

SCHEMA_FORMAT = "application/schema+json;version=draft-2020-12"


def exchange_of(message: type[Message]) -> str | None:
    """The exchange that the message goes over; None for an answer, which goes to the asker's own queue."""
    if issubclass(message, Answer):
        return None
    if issubclass(message, Query):
        return QUERIES_EXCHANGE
    return COMMANDS_EXCHANGE if issubclass(message, Command) else EVENTS_EXCHANGE


def asyncapi() -> dict[str, Any]:
    """The document as plain data."""
    messages = sorted(MESSAGES.items())
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Tresor",
            "version": "0.1.0",
            "description": "Commands, queries, answers and events of Tresor's services, in CloudEvents' structured mode.",
        },
        "defaultContentType": CONTENT_TYPE,
        "servers": {
            "tresor": {
                "host": "localhost:5671",
                "protocol": "amqps",
                "description": "Tresor's own RabbitMQ; one user for each service, and one for operators",
            }
        },
        "channels": {name: _channel(message) for name, message in messages},
        "operations": dict(sorted(_operations())),
        "components": {
            "messages": {name: _message(message) for name, message in messages},
            "schemas": {
                "SignedHeaders": {
                    "type": "object",
                    "required": [SIGNATURE_HEADER],
                    "properties": {
                        SIGNATURE_HEADER: {
                            "type": "string",
                            "description": "A detached JWS (Ed25519) over the exact bytes of the body",
                        }
                    },
                }
            },
        },
    }


def _channel(message: type[Message]) -> dict[str, Any]:
    exchange = exchange_of(message)
    made: dict[str, Any] = {
        "address": message.type if exchange else None,
        "messages": {message.type: {"$ref": f"#/components/messages/{message.type}"}},
    }
    if exchange:
        made["bindings"] = {
            "amqp": {"is": "routingKey", "exchange": {"name": exchange, "type": "topic", "durable": True}}
        }
    else:
        made["description"] = "The asker's own queue, which its query names in reply_to"
    return made


def _operations() -> list[tuple[str, dict[str, Any]]]:
    """What each owner sends and receives by itself; who listens to an event is each service's own affair."""
    made = []
    for owner in OWNERS:
        for message in owner.MESSAGES:
            if issubclass(message, Answer):
                continue
            is_asked = issubclass(message, Command | Query)
            operation: dict[str, Any] = {
                "action": "receive" if is_asked else "send",
                "channel": {"$ref": f"#/channels/{message.type}"},
                "summary": meanings.summary(message),
                "tags": [{"name": owner.OWNER}],
                "messages": [{"$ref": f"#/channels/{message.type}/messages/{message.type}"}],
            }
            if issubclass(message, Command | Query):
                operation["x-tresor-roles"] = sorted(message.roles)
            if issubclass(message, Command) and message.approvals:
                operation["x-tresor-approvals"] = message.approvals
            if issubclass(message, Query):
                answer = message.answer.type
                operation["reply"] = {
                    "channel": {"$ref": f"#/channels/{answer}"},
                    "messages": [{"$ref": f"#/channels/{answer}/messages/{answer}"}],
                }
            made.append((f"{operation['action']}.{message.type}", operation))
    return made


def _message(message: type[Message]) -> dict[str, Any]:
    return {
        "name": message.type,
        "title": message.__name__,
        "summary": meanings.summary(message),
        "contentType": CONTENT_TYPE,
        "headers": {"$ref": "#/components/schemas/SignedHeaders"},
        "payload": {"schemaFormat": SCHEMA_FORMAT, "schema": {"$ref": f"./schemas/{message.type}.json"}},
        "examples": [{"name": "example", "payload": example_of(message)}],
    }
