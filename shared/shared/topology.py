"""Exchanges and queues of Tresor's own bus, declared by every service at each connection, so that a wiped broker heals.

A service's queue has a limit and rejects what is over it, which the relay sees as a nack and tries again: saturation
is public and loses nothing. There is no dead-letter exchange: nothing is ever rejected (decision record 0003).
"""

from dataclasses import dataclass

import aio_pika
from aio_pika.abc import AbstractChannel

from contracts.envelope import COMMANDS_EXCHANGE, EVENTS_EXCHANGE, QUERIES_EXCHANGE

QUEUE_MAX_LENGTH = 200_000
QUERY_TTL_MILLISECONDS = 15_000


@dataclass(frozen=True)
class Binding:
    exchange: str
    routing_key: str


@dataclass(frozen=True)
class Queue:
    """A queue with what it is bound to."""

    name: str
    bindings: tuple[Binding, ...]
    durable_store: bool = True
    """Quorum, for what must not be lost; otherwise classic with a short life, for queries."""

    @property
    def arguments(self) -> dict[str, str | int | bool]:
        if not self.durable_store:
            return {"x-message-ttl": QUERY_TTL_MILLISECONDS, "x-max-length": 1000, "x-overflow": "drop-head"}
        return {
            "x-queue-type": "quorum",
            "x-overflow": "reject-publish",
            "x-max-length": QUEUE_MAX_LENGTH,
            "x-single-active-consumer": True,
            "x-delivery-limit": 1_000_000,
        }


def service_queues(service: str, producers: frozenset[str], every_event: bool, has_queries: bool) -> tuple[Queue, ...]:
    """What the service consumes: its commands, the events it listens to, its queries."""
    heard = ("#",) if every_event else tuple(f"{producer}.#" for producer in sorted(producers))
    queues = [Queue(f"tresor.{service}.commands", (Binding(COMMANDS_EXCHANGE, f"{service}.#"),))]
    if heard:
        queues.append(Queue(f"tresor.{service}.events", tuple(Binding(EVENTS_EXCHANGE, key) for key in heard)))
    if has_queries:
        queues.append(
            Queue(f"tresor.{service}.queries", (Binding(QUERIES_EXCHANGE, f"{service}.#"),), durable_store=False)
        )
    return tuple(queues)


async def declare(channel: AbstractChannel, queues: tuple[Queue, ...]) -> dict[str, int]:
    """Make exchanges, queues and bindings exist as they are here; returns how many consumers each queue has.

    Raises when the broker has them otherwise.
    """
    consumers: dict[str, int] = {}
    for name in (EVENTS_EXCHANGE, COMMANDS_EXCHANGE, QUERIES_EXCHANGE):
        await channel.declare_exchange(name, aio_pika.ExchangeType.TOPIC, durable=True)
    for queue in queues:
        declared = await channel.declare_queue(queue.name, durable=True, arguments=dict(queue.arguments))
        consumers[queue.name] = declared.declaration_result.consumer_count or 0
        for binding in queue.bindings:
            await declared.bind(binding.exchange, binding.routing_key)
    return consumers
