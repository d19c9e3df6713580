"""The recorded notifications as a stream of any length: repeated, each time with a message id of its own."""

import gzip
import json
import re
import uuid
from collections.abc import Iterator
from pathlib import Path

RECORDING = Path(__file__).parents[1] / "recordings" / "openstack-2026.2.jsonl.gz"
_MESSAGE_ID = re.compile(rb'(\\"message_id\\": \\")[^"\\]+')


def templates() -> list[bytes]:
    """The recorded bodies."""
    with gzip.open(RECORDING, "rt") as lines:
        return [json.loads(line)["body"].encode() for line in lines]


def bodies(count: int, seed: int) -> Iterator[bytes]:
    """`count` bodies; the same for the same seed."""
    recorded = [_MESSAGE_ID.split(body, maxsplit=1) for body in templates()]
    for number in range(count):
        head, name, tail = recorded[number % len(recorded)]
        yield b"".join((head, name, str(uuid.UUID(int=(seed << 64) + number, version=4)).encode(), tail))


def stamped(body: bytes, message_id: str) -> bytes:
    """The body with this message id."""
    return _MESSAGE_ID.sub(lambda found: found[1] + message_id.encode(), body, count=1)
