"""The recorded notifications as a stream of any length: repeated, each time with a message id of its own."""

import gzip
import json
import random
import re
import uuid
from collections.abc import Iterator
from pathlib import Path

RECORDING = Path(__file__).parents[1] / "recordings" / "openstack-2026.2.jsonl.gz"
_MESSAGE_ID = re.compile(rb'(\\"message_id\\": \\")[^"\\]+')
_UNIQUE_ID = re.compile(rb'(\\"_unique_id\\": \\")[0-9a-f]+')


def templates() -> list[bytes]:
    """The recorded bodies."""
    with gzip.open(RECORDING, "rt") as lines:
        return [json.loads(line)["body"].encode() for line in lines]


def bodies(count: int, seed: int) -> Iterator[bytes]:
    """`count` bodies; the same for the same seed."""
    chance = random.Random(seed)
    recorded = []
    for body in templates():
        head, name, rest = _MESSAGE_ID.split(body, maxsplit=1)
        middle, unique, tail = _UNIQUE_ID.split(rest, maxsplit=1)
        recorded.append((head + name, middle + unique, tail))
    for number in range(count):
        head, middle, tail = recorded[number % len(recorded)]
        identity = uuid.UUID(int=chance.getrandbits(128), version=4)
        yield b"".join((head, str(identity).encode(), middle, identity.hex.encode(), tail))


def stamped(body: bytes, message_id: str) -> bytes:
    """The body with this message id."""
    return _MESSAGE_ID.sub(lambda found: found[1] + message_id.encode(), body, count=1)
