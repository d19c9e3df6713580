"""What was refused or could not be handled, byte for byte, in the service's own database."""

import hashlib
from typing import Any

from contracts.outcome import InputRefused
from shared import metrics
from shared.admission import Input, Refused
from shared.telemetry import cleaned, logger
from shared.work import Work

CODE_VERSION = "0.1.0"
QUARANTINE_LIMIT = 100_000

_KEEP = """
INSERT INTO quarantine (digest, source, reason, detail, body, code_version, received_at)
SELECT $1, $2, $3, $4, $5, $6, $7 WHERE (SELECT count(*) FROM (SELECT 1 FROM quarantine LIMIT $8) AS kept) < $8
ON CONFLICT (digest, reason) DO UPDATE SET times = quarantine.times + 1
"""


async def quarantine(work: Work[Any], body: bytes, source: str, reason: str, detail: str) -> bytes:
    """Keep bytes that could not be used, once each; beyond the limit they are only counted. Returns their digest."""
    digest = hashlib.sha256(body).digest()
    await work.connection.execute(_KEEP, digest, source, reason, detail, body, CODE_VERSION, work.now, QUARANTINE_LIMIT)
    return digest


async def refuse(work: Work[Any], given: Input, source: str, refused: Refused, message: type[InputRefused]) -> None:
    """Keep the bytes, and tell of them with one event."""
    metrics.MESSAGES_REFUSED.labels(refused.reason).inc()
    detail = str(cleaned(str(refused)))[:1000]
    digest = await quarantine(work, given.body, source, refused.reason, detail)
    logger().warning("input.refused", reason=refused.reason, detail=detail, kid=refused.kid, broker_user=given.user_id)
    work.emit(
        message.model_validate(
            {
                "reason": refused.reason,
                "detail": detail,
                "message_id": refused.message_id,
                "kid": cleaned(refused.kid)[:255],
                "broker_user": cleaned(given.user_id or "")[:255],
                "digest": f"sha256:{digest.hex()}",
            }
        )
    )
