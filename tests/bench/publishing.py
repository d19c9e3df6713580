"""The publisher's side, in a process of its own: `python -m tests.bench.publishing fill|pace …`."""

import sys
import time

import pika

from tests.bench.stream import bodies, stamped, templates

EXCHANGE = "nova"
KEY = "notifications.info"


def _channel(url: str) -> tuple[pika.BlockingConnection, pika.adapters.blocking_connection.BlockingChannel]:
    connection = pika.BlockingConnection(pika.URLParameters(url))
    return connection, connection.channel()


def prepare(url: str, queue: str, *, durable: bool) -> None:
    """An empty queue, bound to the exchange as oslo.messaging declares it."""
    connection, channel = _channel(url)
    channel.exchange_declare(EXCHANGE, "topic", durable=False, auto_delete=False)
    channel.queue_delete(queue)
    channel.queue_declare(queue, durable=durable, auto_delete=False)
    channel.queue_bind(queue, EXCHANGE, KEY)
    connection.close()


def fill(url: str, queue: str, count: int, seed: int) -> None:
    """Put `count` notifications into the queue; returns when they are there."""
    connection, channel = _channel(url)
    properties = pika.BasicProperties(
        content_type="application/json", content_encoding="utf-8", delivery_mode=2, priority=0
    )
    for body in bodies(count, seed):
        channel.basic_publish(EXCHANGE, KEY, body, properties)
    while channel.queue_declare(queue, passive=True).method.message_count < count:
        connection.sleep(0.05)
    connection.close()


def pace(url: str, per_second: int, seconds: float) -> None:
    """Publish at an even rate; each message id begins with the nanosecond of its publishing."""
    connection, channel = _channel(url)
    properties = pika.BasicProperties(content_type="application/json", delivery_mode=2)
    recorded = templates()
    begin = time.perf_counter()
    for number in range(int(per_second * seconds)):
        due = begin + number / per_second
        while (left := due - time.perf_counter()) > 0:
            time.sleep(left)
        body = stamped(recorded[number % len(recorded)], f"{time.time_ns()}-{number}")
        channel.basic_publish(EXCHANGE, KEY, body, properties)
    connection.close()


def main() -> None:
    what, url, *rest = sys.argv[1:]
    if what == "fill":
        fill(url, rest[0], int(rest[1]), int(rest[2]))
    else:
        pace(url, int(rest[0]), float(rest[1]))


if __name__ == "__main__":
    main()
