"""The recorded notification stream of a real OpenStack, as deliveries."""

import gzip
import json
from functools import lru_cache
from pathlib import Path
from typing import Any

from shared.notifications import Raw

RECORDING = Path(__file__).parents[1] / "recordings" / "openstack-2026.2.jsonl.gz"


@lru_cache(maxsize=1)
def recorded() -> tuple[Raw, ...]:
    """Every recorded delivery, in order."""
    with gzip.open(RECORDING, "rt") as lines:
        return tuple(
            Raw(said["body"].encode(), said["exchange"], said["routing_key"]) for said in map(json.loads, lines)
        )


def wrapped(message: dict[str, Any], exchange: str = "nova") -> Raw:
    """A notification as oslo.messaging's format 2 puts it on the wire."""
    body = json.dumps({"oslo.version": "2.0", "oslo.message": json.dumps(message)})
    return Raw(body.encode(), exchange, "notifications.info")


def plain(message: dict[str, Any], exchange: str = "nova") -> Raw:
    """The same in format 1."""
    return Raw(json.dumps(message).encode(), exchange, "notifications.info")


def notification(event_type: str, payload: Any, **more: Any) -> dict[str, Any]:
    """A notification's fields in oslo's order."""
    return {
        "message_id": "69ce9ca1-dafe-4715-8c02-2a9be4d585c1",
        "publisher_id": "compute.hv1",
        "event_type": event_type,
        "priority": "INFO",
        "payload": payload,
        "timestamp": "2026-11-21 02:35:38.670724",
        "_unique_id": "022f031d19d7419b97a6c60f9dc76938",
        "_context_request_id": "req-fa6ffc33-cf23-4442-b46b-ce23bfcfb5dc",
        "_context_global_request_id": None,
        "_context_project_id": "f565245913354e66b2a74639e9be4798",
        "_context_user_id": "70e2056376ce489bbc209b236c6527ec",
        **more,
    }
