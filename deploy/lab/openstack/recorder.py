"""recorder.py OUT.jsonl.gz: writes every notification of the lab until it is stopped by SIGTERM or SIGINT.

One JSON object a line: exchange, routing_key, body (the wire body, redacted). Listens on an exclusive queue of its own, so
nobody loses a message. The lab's second topic repeats everything and is left out.
"""

import gzip
import json
import os
import signal
import sys
import time
from pathlib import Path
from types import FrameType
from typing import Any

import pika
import pika.exceptions
from redaction import redact_body

EXCHANGES = ("nova", "neutron", "keystone", "glance", "ironic", "openstack")
TOPICS = ("notifications.*", "versioned_notifications.*", "ironic_versioned_notifications.*")
BIND_AGAIN_SECONDS = 1.0


def bind(connection: Any, channel: Any, queue: str, bound: set[str]) -> None:
    """Binds the queue to the exchanges there are; a service makes its exchange with its first message."""
    for exchange in EXCHANGES:
        if exchange in bound:
            continue
        # A passive declaration of an exchange that is not there closes the channel: so it gets one of its own.
        probe = connection.channel()
        try:
            probe.exchange_declare(exchange, passive=True)
        except pika.exceptions.ChannelClosedByBroker:
            continue
        probe.close()
        for topic in TOPICS:
            channel.queue_bind(queue, exchange, topic)
        bound.add(exchange)


def main() -> None:
    """Records, and tells at the end how many messages there were."""
    out = Path(sys.argv[1])
    stopped = False

    def stop(_: int, __: FrameType | None) -> None:
        nonlocal stopped
        stopped = True

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    connection = pika.BlockingConnection(pika.URLParameters(os.environ["TRESOR_LAB_BUS_URL"]))
    channel = connection.channel()
    queue = channel.queue_declare("tresor.recorder", exclusive=True, auto_delete=True).method.queue
    bound: set[str] = set()
    count, bound_at = 0, 0.0
    # mtime=0: the same stream gives the same file.
    with gzip.GzipFile(out, "wb", mtime=0) as file:
        for method, _, body in channel.consume(queue, auto_ack=True, inactivity_timeout=0.2):
            if time.monotonic() - bound_at > BIND_AGAIN_SECONDS and len(bound) < len(EXCHANGES):
                bind(connection, channel, queue, bound)
                bound_at = time.monotonic()
            if method is not None:
                line = {"exchange": method.exchange, "routing_key": method.routing_key, "body": redact_body(body)}
                file.write(json.dumps(line).encode() + b"\n")
                count += 1
            if stopped:
                break
    connection.close()
    print(f"{count} notifications in {out}")


if __name__ == "__main__":
    main()
