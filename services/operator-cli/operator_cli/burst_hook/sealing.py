"""A call as a signed command, as the services check it (see contracts.envelope and shared.signing)."""

import base64
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from operator_cli.burst_hook.settings import Unusable

AUDIENCE = "burst-scheduler"
LIFETIME_SECONDS = 240
"""How long it may be admitted; it is signed anew each time that it is sent."""
EXECUTION_SECONDS = 1800


def stamp(seconds: float) -> str:
    """A moment in seconds since 1970 as RFC 3339, UTC."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))


@dataclass(frozen=True)
class Sealed:
    """What is sent."""

    id: str
    type: str
    body: bytes
    signature: str


class Sealer:
    """Signs as the holder of one key."""

    def __init__(self, holder: str, jwk: str) -> None:
        self._source = f"tresor/operator/{holder}"
        try:
            fields = json.loads(jwk)
            header = {"alg": "Ed25519", "kid": fields["kid"]}
            self._key = Ed25519PrivateKey.from_private_bytes(_decoded(fields["d"]))
        except (ValueError, KeyError, TypeError) as error:
            raise Unusable(f"the signing key is no Ed25519 JWK with a 'kid' ({type(error).__name__})") from None
        self._header = _encoded(json.dumps(header).encode())

    def seal(self, kind: str, data: dict[str, Any], now: float, random_octets: Callable[[int], bytes]) -> Sealed:
        """The command, good from `now` (seconds since 1970) on."""
        octets = bytearray(random_octets(16))
        octets[6], octets[8] = octets[6] & 0x0F | 0x40, octets[8] & 0x3F | 0x80  # a UUID of version 4, RFC 9562
        digits = octets.hex()
        message_id = "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))
        envelope = {
            "specversion": "1.0",
            "id": message_id,
            "type": kind,
            "source": self._source,
            "subject": data["workspace"],
            "time": stamp(now),
            "datacontenttype": "application/json",
            "dataschema": f"tresor:{kind}:1",
            "correlationid": message_id,
            "data": data,
            "audience": AUDIENCE,
            "notbefore": stamp(now),
            "expiresat": stamp(now + LIFETIME_SECONDS),
            "executeby": stamp(now + EXECUTION_SECONDS),
        }
        body = json.dumps(envelope, separators=(",", ":")).encode()
        signature = self._key.sign(f"{self._header}.{_encoded(body)}".encode())
        return Sealed(message_id, kind, body, f"{self._header}..{_encoded(signature)}")


def _encoded(octets: bytes) -> str:
    return base64.urlsafe_b64encode(octets).rstrip(b"=").decode()


def _decoded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
