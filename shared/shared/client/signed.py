"""Commands and queries as bytes that are sent, and sent again."""

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta

from contracts.envelope import Command, CommandEnvelope, Query
from shared.clock import Clock, Ids
from shared.signing import Signer

LIFETIME = timedelta(minutes=4)
"""How long a command may be admitted; the services take five minutes at most."""
EXECUTION = timedelta(minutes=30)
"""How long an admitted command may wait to be begun."""


@dataclass(frozen=True)
class Signed:
    """A command or query ready to be sent, and to be sent again: always the very same bytes."""

    id: str
    type: str
    body: bytes
    signature: str
    expires_at: datetime

    @property
    def digest(self) -> str:
        """SHA-256 of the bytes, as a refusal names it."""
        return f"sha256:{hashlib.sha256(self.body).hexdigest()}"


def sign(
    message: Command | Query,
    *,
    signer: Signer,
    holder: str,
    clock: Clock,
    ids: Ids,
    expected_generation: int | None = None,
) -> Signed:
    """The message in its envelope, signed by `holder`'s key; good from the clock's time on."""
    now = clock.now()
    message_id = ids.uuid()
    envelope = CommandEnvelope(
        id=message_id,
        type=message.type,
        source=f"tresor/operator/{holder}",
        subject=message.aggregate,
        time=now,
        dataschema=f"tresor:{message.type}:{message.version}",
        traceparent=f"00-{ids.trace_id()}-{ids.span_id()}-01",
        correlationid=message_id,
        data=message.model_dump(mode="json", by_alias=True),
        audience=message.owner(),
        expectedgeneration=expected_generation,
        notbefore=now,
        expiresat=now + LIFETIME,
        executeby=now + EXECUTION,
    )
    body = envelope.model_dump_json(exclude_none=True).encode()
    return Signed(message_id, message.type, body, signer.sign(body), envelope.expiresat)
