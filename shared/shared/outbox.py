"""What a transaction tells, numbered, signed and written to the outbox, from which the relay publishes it."""

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from contracts.chassis import ChassisMessages
from contracts.envelope import (
    COMMANDS_EXCHANGE,
    EVENTS_EXCHANGE,
    Command,
    CommandEnvelope,
    Envelope,
    EventEnvelope,
    Message,
)
from shared.clock import Clock, Ids
from shared.db import Connection
from shared.signing import Keyring, Signer

BUCKETS = 64
COMMAND_LIFETIME = timedelta(minutes=5)

_NUMBER = """
INSERT INTO stream (aggregate, sequence) SELECT * FROM unnest($1::text[], $2::bigint[])
ON CONFLICT (aggregate) DO UPDATE SET sequence = stream.sequence + excluded.sequence
RETURNING aggregate, sequence
"""

_TELL = """
INSERT INTO outbox (aggregate, sequence, event_id, bucket, type, exchange, body, signature, created_at)
SELECT * FROM unnest($1::text[], $2::bigint[], $3::uuid[], $4::smallint[], $5::text[], $6::text[], $7::bytea[],
                     $8::text[], $9::timestamptz[])
"""


def bucket_of(key: str) -> int:
    """The lane that a key belongs to, the same in every process."""
    return zlib.crc32(key.encode()) % BUCKETS


def stream_of(message: Message) -> str:
    """Where the message's number comes from; commands have numbers of their own, so that events have no gaps."""
    return f"!{message.aggregate}" if isinstance(message, Command) else message.aggregate


@dataclass(frozen=True)
class Identity:
    """Who a service is on the bus: its name, its own messages, its signature, and whom it believes."""

    service: str
    messages: ChassisMessages
    signer: Signer
    clock: Clock
    ids: Ids
    keyring: Keyring

    @property
    def source(self) -> str:
        return f"tresor/{self.service}"


@dataclass(frozen=True)
class Told:
    """Something to be told, and what it follows from."""

    message: Message
    correlation_id: str | None
    causation_id: str | None
    traceparent: str | None


async def tell(connection: Connection, identity: Identity, told: Sequence[Told]) -> None:
    """Give each its number and write it. Locks the aggregates' numbers until the commit."""
    groups: dict[str, list[Told]] = {}
    for one in told:
        groups.setdefault(stream_of(one.message), []).append(one)
    rows: list[tuple[Any, ...]] = []
    streams = sorted(groups)  # always in the same order, so that two transactions never lock crosswise
    numbered = await connection.fetch(_NUMBER, streams, [len(groups[stream]) for stream in streams])
    for stream, last in numbered:
        group = groups[stream]
        rows += [_outbox_row(identity, one, stream, last - len(group) + 1 + index) for index, one in enumerate(group)]
    await connection.execute(_TELL, *(list(column) for column in zip(*rows, strict=True)))


def _outbox_row(identity: Identity, told: Told, stream: str, sequence: int) -> tuple[Any, ...]:
    """The event or command as it stands in the outbox, signed."""
    now = identity.clock.now()
    event_id = identity.ids.uuid()
    message = told.message
    shared: dict[str, Any] = {
        "id": event_id,
        "type": message.type,
        "source": identity.source,
        "subject": message.aggregate,
        "time": now,
        "dataschema": f"tresor:{message.type}:{message.version}",
        "traceparent": told.traceparent,
        "correlationid": told.correlation_id or event_id,
        "causationid": told.causation_id,
        "data": message.model_dump(mode="json", by_alias=True),
    }
    envelope: Envelope
    if isinstance(message, Command):
        envelope = CommandEnvelope(
            **shared,
            audience=message.owner(),
            notbefore=now,
            expiresat=now + COMMAND_LIFETIME,
            executeby=now + COMMAND_LIFETIME,
        )
        exchange = COMMANDS_EXCHANGE
    else:
        envelope = EventEnvelope(**shared, sequence=sequence)
        exchange = EVENTS_EXCHANGE
    body = envelope.model_dump_json(exclude_none=True).encode()
    signature = identity.signer.sign(body)
    return stream, sequence, event_id, bucket_of(stream), message.type, exchange, body, signature, now
