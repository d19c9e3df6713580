"""From a delivery to a stored row: believed, in order, once; then the acknowledgement, never before.

Everything that waits is stored in one transaction: no timer, whatever has come while the last commit ran.
"""

import asyncio
import hashlib
import json
from dataclasses import dataclass, field
from typing import Any, Generic, Literal

from contracts.envelope import CommandEnvelope, Envelope, EventEnvelope, Problem
from shared import metrics, sequences
from shared.admission import CLOCK_TOLERANCE, HEAD_SUFFIX, Admission, Asked, Input, Refused
from shared.db import INTERRUPTED, LOST, RACED
from shared.outbox import bucket_of
from shared.quarantine import refuse
from shared.runtime import Runtime
from shared.signing import PublicKey
from shared.telemetry import logger
from shared.work import C, Work

MAX_BATCH = 256

_ACKNOWLEDGED = """
UPDATE stream SET acknowledged = LEAST(stream.sequence, told.sequence)
FROM unnest($1::text[], $2::bigint[]) AS told (aggregate, sequence)
WHERE stream.aggregate = told.aggregate AND stream.acknowledged < told.sequence
"""


@dataclass
class Delivery:
    """What the broker handed over; `stored` is set once it may be acknowledged."""

    kind: Literal["event", "command"]
    given: Input
    aggregate: str | None = None
    """Whose message it was stored as, once it is."""
    stored: asyncio.Future[None] = field(default_factory=lambda: asyncio.get_running_loop().create_future())


class Intake(Generic[C]):
    """Stores what comes from Tresor's own bus."""

    def __init__(self, runtime: Runtime[C]) -> None:
        self._runtime = runtime
        self._admission = Admission(runtime.identity.service, runtime.handlers, runtime.keyring)
        self._waiting: list[Delivery] = []
        self._wake = asyncio.Event()

    def store(self, delivery: Delivery) -> asyncio.Future[None]:
        """Done once the delivery is stored, or found to be of no use; it may be acknowledged then."""
        self._waiting.append(delivery)
        self._wake.set()
        return delivery.stored

    async def run(self) -> None:
        """Store what waits, for ever."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._waiting:
                batch, self._waiting = self._waiting[:MAX_BATCH], self._waiting[MAX_BATCH:]
                await self._store_batch(batch)

    async def _store_batch(self, batch: list[Delivery]) -> None:
        self._runtime.keyring.refresh()
        while True:
            try:
                async with self._runtime.work() as work:
                    for delivery in batch:
                        await self._take(delivery, work)
                break
            except RACED:
                continue
            except LOST as error:
                logger().warning("intake.database-lost", error=str(error) or type(error).__name__)
                await self._runtime.clock.sleep(0.5)
            except Exception as error:
                if len(batch) > 1:  # one of them is at fault: the others must not suffer for it
                    for delivery in batch:
                        await self._store_batch([delivery])
                    return
                logger().exception("intake.unstorable")
                await self._set_aside(batch[0], error)
                break
        self._runtime.wakes.stored.update(delivery.aggregate for delivery in batch if delivery.aggregate)
        self._runtime.wakes.decide.set()
        for delivery in batch:
            if not delivery.stored.done():
                delivery.stored.set_result(None)

    async def _set_aside(self, delivery: Delivery, error: Exception) -> None:
        while True:
            try:
                async with self._runtime.work() as work:
                    await self._refuse(delivery, Refused("malformed", f"can't be stored: {type(error).__name__}"), work)
                return
            except INTERRUPTED:
                await self._runtime.clock.sleep(0.5)

    async def _refuse(self, delivery: Delivery, refused: Refused, work: Work[C]) -> None:
        await refuse(work, delivery.given, f"bus:{delivery.kind}", refused, self._runtime.handlers.chassis.refused)

    async def _take(self, delivery: Delivery, work: Work[C]) -> None:
        try:
            if delivery.kind == "command":
                await self._command(self._admission.command(delivery.given, work.now), delivery, work)
                return
            envelope, key = self._admission.event(delivery.given, work.now)
            if isinstance(envelope, EventEnvelope):
                await self._event(envelope, key, delivery, work)
            elif envelope.type.endswith(HEAD_SUFFIX):
                await self._head(envelope, key.holder, work)
        except Refused as refused:
            await self._refuse(delivery, refused, work)

    async def _command(self, asked: Asked, delivery: Delivery, work: Work[C]) -> None:
        envelope, key = asked.envelope, asked.key
        if asked.kind is self._runtime.handlers.chassis.resend:
            await self._resend(asked, work)
            return
        if asked.kind is self._runtime.handlers.chassis.acknowledge:
            await self._acknowledged(asked, work)
            return
        digest = hashlib.sha256(delivery.given.body).digest()
        expired = envelope.expiresat < work.now - CLOCK_TOLERANCE
        state = "rejected" if asked.problems else "pending"
        if not expired and await _insert(work, envelope, key, delivery, digest, state, asked.problems):
            self._tell_outcome(asked, state, asked.problems, work)
            metrics.MESSAGES_STORED.labels("command").inc()
            return
        known = await work.connection.fetchrow(
            "SELECT digest, state, problems FROM inbox WHERE source = $1 AND message_id = $2",
            envelope.source,
            envelope.id,
        )
        if known is None and expired:
            raise Refused("expired", f"command {envelope.id} expired at {envelope.expiresat}", key.kid, envelope.id)
        if known is None:
            raise Refused("replayed", f"the id {envelope.id} is another's command's", key.kid, envelope.id)
        if known["digest"] != digest or expired:
            why = "after it expired" if known["digest"] == digest else "with other content"
            raise Refused("replayed", f"command {envelope.id} came again {why}", key.kid, envelope.id)
        metrics.MESSAGES_REPEATED.labels("command").inc()
        self._tell_outcome(asked, known["state"], _problems(known["problems"]), work)

    def _tell_outcome(self, asked: Asked, state: str, problems: tuple[Problem, ...], work: Work[C]) -> None:
        chassis = self._runtime.handlers.chassis
        ends = {"applied": chassis.applied, "rejected": chassis.rejected, "failed": chassis.failed}
        kind = ends.get(state, chassis.accepted)
        fields: dict[str, Any] = {
            "command_id": asked.envelope.id,
            "command_type": asked.envelope.type,
            "holder": asked.key.holder,
            "subject": asked.envelope.subject,
        }
        if "problems" in kind.model_fields:
            fields["problems"] = problems
        work.correlation_id = asked.envelope.correlationid
        work.emit(kind(**fields))
        work.correlation_id = None

    @staticmethod
    async def _resend(asked: Asked, work: Work[C]) -> None:
        await work.connection.execute(
            "UPDATE outbox SET sent_at = NULL WHERE aggregate = $1 AND sequence >= $2 AND sent_at IS NOT NULL",
            asked.message.workspace,
            asked.message.first,
        )

    @staticmethod
    async def _acknowledged(asked: Asked, work: Work[C]) -> None:
        if asked.key.holder != asked.message.giver:
            raise Refused("wrong-role", f"{asked.key.holder} keeps no audit log", asked.key.kid, asked.envelope.id)
        heads: dict[str, int] = asked.message.heads
        await work.connection.execute(_ACKNOWLEDGED, sorted(heads), [heads[aggregate] for aggregate in sorted(heads)])

    async def _event(self, envelope: EventEnvelope, key: PublicKey, delivery: Delivery, work: Work[C]) -> None:
        if not await sequences.is_next(key.holder, envelope.subject, envelope.sequence, work):
            return
        handlers = self._runtime.handlers
        if envelope.type in handlers.messages or handlers.every_event is not None:
            digest = hashlib.sha256(delivery.given.body).digest()
            await _insert(work, envelope, key, delivery, digest, "pending")
        metrics.MESSAGES_STORED.labels("event").inc()

    async def _head(self, envelope: Envelope, producer: str, work: Work[C]) -> None:
        """A producer says how far it has come."""
        if producer != self._runtime.identity.service:
            told = self._runtime.handlers.chassis.head.model_validate(envelope.data)
            await sequences.compare(producer, told.heads, told.thinned, work)


def _problems(stored: str | None) -> tuple[Problem, ...]:
    return tuple(Problem.model_validate(one) for one in json.loads(stored)) if stored else ()


async def _insert(
    work: Work[C],
    envelope: CommandEnvelope | EventEnvelope,
    key: PublicKey,
    delivery: Delivery,
    digest: bytes,
    state: str,
    problems: tuple[Problem, ...] = (),
) -> bool:
    """Whether it is new."""
    said = await work.connection.execute(
        """INSERT INTO inbox (source, message_id, kind, type, aggregate, bucket, sequence, digest, body, holder, state,
                              problems, next_attempt_at, received_at, finished_at)
           VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $13, $14) ON CONFLICT DO NOTHING""",
        envelope.source,
        envelope.id,
        delivery.kind,
        envelope.type,
        envelope.subject,
        bucket_of(envelope.subject),
        envelope.sequence if isinstance(envelope, EventEnvelope) else None,
        digest,
        delivery.given.body,
        key.holder,
        state,
        json.dumps([problem.model_dump() for problem in problems]) if problems else None,
        work.now,
        work.now if state == "rejected" else None,
    )
    is_new = said == "INSERT 0 1"
    if is_new:
        delivery.aggregate = envelope.subject
    return is_new
