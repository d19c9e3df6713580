"""From a delivery to a stored row: bounds, signature, authority, order; then the acknowledgement, never before.

Everything that waits is stored in one transaction: no timer, whatever has come while the last commit ran.
"""

import asyncio
import hashlib
import json
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Generic, Literal

from contracts.chassis import chassis_messages
from contracts.envelope import (
    MAX_BODY_BYTES,
    Command,
    CommandEnvelope,
    CommandRejected,
    Envelope,
    EventEnvelope,
    Problem,
    Role,
)
from pydantic import ValidationError

from shared import metrics, strict_json
from shared.db import LOST, RACED
from shared.runtime import CODE_VERSION, Runtime
from shared.signing import PublicKey, Untrusted
from shared.telemetry import cleaned, logger
from shared.work import C, Work, bucket_of

MAX_ADMISSION = timedelta(minutes=5)
CLOCK_TOLERANCE = timedelta(seconds=30)
ASK_AGAIN = timedelta(seconds=5)
MAX_BATCH = 256
QUARANTINE_LIMIT = 100_000
SERVICES = frozenset({"provisioner", "network-policy", "storage", "burst-scheduler", "security-monitor"})


class Refused(Exception):
    """The delivery is no message for us; `reason` is one of InputRefused's."""

    def __init__(self, reason: str, detail: str, kid: str = "", message_id: str = "") -> None:
        super().__init__(detail)
        self.reason = reason
        self.kid = kid
        self.message_id = message_id


@dataclass
class Delivery:
    """What the broker handed over."""

    kind: Literal["event", "command"]
    body: bytes
    signature: str | None
    user_id: str | None
    stored: asyncio.Future[None] = field(default_factory=lambda: asyncio.get_running_loop().create_future())


@dataclass(frozen=True)
class _Believed:
    envelope: Envelope
    key: PublicKey
    delivery: Delivery
    problems: tuple[Problem, ...] = ()


def first_problems(error: ValidationError) -> tuple[Problem, ...]:
    """A model's complaints as problems, at most twenty of them."""
    return tuple(
        Problem(field=".".join(str(part) for part in one["loc"])[:200], reason=cleaned(one["msg"])[:500])
        for one in error.errors()[:20]
    )


class Intake(Generic[C]):
    """Stores what comes from Tresor's own bus."""

    def __init__(self, runtime: Runtime[C]) -> None:
        self._runtime = runtime
        self._waiting: list[Delivery] = []
        self._wake = asyncio.Event()

    async def store(self, delivery: Delivery) -> None:
        """Returns once the delivery is stored, or found to be of no use; it may be acknowledged then."""
        self._waiting.append(delivery)
        self._wake.set()
        await delivery.stored

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
                async with self._runtime.work() as work:
                    await self._refuse(batch[0], Refused("malformed", f"can't be stored: {type(error).__name__}"), work)
                break
        self._runtime.wakes.decide.set()
        for delivery in batch:
            if not delivery.stored.done():
                delivery.stored.set_result(None)

    async def _take(self, delivery: Delivery, work: Work[C]) -> None:
        try:
            believed = self._believe(delivery, work)
            if isinstance(believed.envelope, CommandEnvelope):
                await self._command(believed, work)
            elif believed.envelope.type.endswith(".outbox.head"):
                await self._head(believed, work)
            else:
                await self._event(believed, work)
        except Refused as refused:
            await self._refuse(delivery, refused, work)

    def _believe(self, delivery: Delivery, work: Work[C]) -> _Believed:
        """Whose it is and what it says. Raises Refused."""
        if len(delivery.body) > MAX_BODY_BYTES:
            raise Refused("too-large", f"{len(delivery.body)} octets; at most {MAX_BODY_BYTES} are taken")
        try:
            key = self._runtime.keyring.verify(delivery.body, delivery.signature, work.now)
        except Untrusted as error:
            raise Refused(error.reason, str(error), error.kid) from None
        try:
            fields = strict_json.parse(delivery.body, max_bytes=MAX_BODY_BYTES)
            envelope = self._envelope(delivery, fields)
        except strict_json.MalformedJson as error:
            raise Refused("malformed", str(error), key.kid) from None
        except ValidationError as error:
            first = first_problems(error)[0]
            raise Refused("malformed", f"{first.field}: {first.reason}", key.kid) from None
        refuse = _Refuse(key, envelope)
        if Role.SERVICE in key.roles:
            refuse.unless(
                envelope.source == f"tresor/{key.holder}", "wrong-user", f"source {envelope.source} is not {key.holder}"
            )
            refuse.unless(delivery.user_id == key.holder, "wrong-user", f"came as broker user {delivery.user_id!r}")
        else:
            source = f"tresor/operator/{key.holder}"
            refuse.unless(envelope.source == source, "wrong-user", f"source {envelope.source} is not {source}")
            refuse.unless(
                bool(delivery.user_id) and delivery.user_id not in SERVICES,
                "wrong-user",
                f"came as broker user {delivery.user_id!r}",
            )
        if isinstance(envelope, CommandEnvelope):
            return _Believed(envelope, key, delivery, self._admissible(envelope, key, work, refuse))
        refuse.unless(Role.SERVICE in key.roles, "wrong-role", f"{key.holder} is no service and tells no events")
        refuse.unless(
            envelope.type.startswith(f"{key.holder}."), "wrong-user", f"{key.holder} does not own {envelope.type}"
        )
        return _Believed(envelope, key, delivery)

    @staticmethod
    def _envelope(delivery: Delivery, fields: Any) -> Envelope:
        if delivery.kind == "command":
            return CommandEnvelope.model_validate(fields)
        if isinstance(fields, dict) and str(fields.get("type", "")).endswith(".outbox.head"):
            return Envelope.model_validate(fields)
        return EventEnvelope.model_validate(fields)

    def _admissible(
        self, envelope: CommandEnvelope, key: PublicKey, work: Work[C], refuse: "_Refuse"
    ) -> tuple[Problem, ...]:
        service = self._runtime.identity.service
        refuse.unless(
            envelope.audience == service, "wrong-audience", f"meant for {envelope.audience}, came to {service}"
        )
        kind = self._command_type(envelope.type)
        if kind is None:
            raise Refused("unknown-type", f"{service} knows no command {envelope.type}", key.kid, envelope.id)
        roles = ", ".join(sorted(kind.roles))
        refuse.unless(bool(kind.roles & key.roles), "wrong-role", f"{envelope.type} wants one of the roles {roles}")
        lifetime = envelope.expiresat - envelope.time
        refuse.unless(lifetime <= MAX_ADMISSION, "expired", f"good for {lifetime}; at most {MAX_ADMISSION} is taken")
        refuse.unless(
            envelope.notbefore <= work.now + CLOCK_TOLERANCE, "not-yet-valid", f"good from {envelope.notbefore}"
        )
        try:
            message = kind.model_validate(envelope.data)
        except ValidationError as error:
            refuse.unless(
                key.covers(envelope.subject), "wrong-workspace", f"key {key.kid} may not command {envelope.subject}"
            )
            return first_problems(error)
        if message.aggregate != envelope.subject:
            raise Refused("malformed", f"subject {envelope.subject} is not {message.aggregate}", key.kid, envelope.id)
        refuse.unless(
            key.covers(envelope.subject), "wrong-workspace", f"key {key.kid} may not command {envelope.subject}"
        )
        return ()

    def _command_type(self, name: str) -> type[Command] | None:
        resend = self._runtime.handlers.chassis.resend
        if name == resend.type:
            return resend
        found = self._runtime.handlers.messages.get(name)
        return found[0] if found and issubclass(found[0], Command) else None

    async def _command(self, believed: _Believed, work: Work[C]) -> None:
        envelope, key, body = believed.envelope, believed.key, believed.delivery.body
        assert isinstance(envelope, CommandEnvelope)
        if envelope.type == self._runtime.handlers.chassis.resend.type:
            await self._resend(envelope, work)
            return
        digest = hashlib.sha256(body).digest()
        known = await work.connection.fetchrow(
            "SELECT digest, state, problems FROM inbox WHERE source = $1 AND message_id = $2",
            envelope.source,
            envelope.id,
        )
        expired = envelope.expiresat < work.now - CLOCK_TOLERANCE
        if known is not None and (known["digest"] != digest or expired):
            why = "after it expired" if known["digest"] == digest else "with other content"
            raise Refused("replayed", f"command {envelope.id} came again {why}", key.kid, envelope.id)
        if expired:
            raise Refused("expired", f"command {envelope.id} expired at {envelope.expiresat}", key.kid, envelope.id)
        chassis = self._runtime.handlers.chassis
        outcome: dict[str, Any] = {
            "command_id": envelope.id, "command_type": envelope.type, "holder": key.holder, "subject": envelope.subject,
        }  # fmt: skip
        if known is not None:
            metrics.MESSAGES_REPEATED.labels("command").inc()
            work.correlation_id = envelope.correlationid
            self._repeat_outcome(known["state"], known["problems"], outcome, work)
            work.correlation_id = None
            return
        work.correlation_id = envelope.correlationid
        if believed.problems:
            await _insert(work, believed, digest, "rejected", believed.problems)
            work.emit(chassis.rejected(**outcome, problems=believed.problems))
        else:
            await _insert(work, believed, digest, "pending")
            work.emit(chassis.accepted(**outcome))
        work.correlation_id = None
        metrics.MESSAGES_STORED.labels("command").inc()

    def _repeat_outcome(self, state: str, problems: str | None, outcome: dict[str, Any], work: Work[C]) -> None:
        chassis = self._runtime.handlers.chassis
        said = tuple(Problem.model_validate(one) for one in json.loads(problems)) if problems else ()
        kind = {"applied": chassis.applied, "rejected": chassis.rejected, "failed": chassis.failed}.get(
            state, chassis.accepted
        )
        work.emit(
            kind(**outcome, **({"problems": said} if issubclass(kind, CommandRejected) or state == "failed" else {}))
        )

    async def _resend(self, envelope: CommandEnvelope, work: Work[C]) -> None:
        asked = self._runtime.handlers.chassis.resend.model_validate(envelope.data)
        await work.connection.execute(
            "UPDATE outbox SET sent_at = NULL WHERE aggregate = $1 AND sequence >= $2", asked.workspace, asked.first
        )

    async def _event(self, believed: _Believed, work: Work[C]) -> None:
        envelope = believed.envelope
        assert isinstance(envelope, EventEnvelope)
        producer = believed.key.holder
        heard: int = await self._heard(producer, envelope.subject, work)
        if envelope.sequence <= heard:
            metrics.MESSAGES_REPEATED.labels("event").inc()
            return
        if envelope.sequence > heard + 1:
            await self._ask(producer, envelope.subject, heard + 1, envelope.sequence, work)
            return
        await work.connection.execute(
            "UPDATE heard SET sequence = $3, asked_at = NULL WHERE producer = $1 AND aggregate = $2",
            producer, envelope.subject, envelope.sequence,
        )  # fmt: skip
        handlers = self._runtime.handlers
        if envelope.type in handlers.messages or handlers.every_event is not None:
            await _insert(work, believed, hashlib.sha256(believed.delivery.body).digest(), "pending")
        metrics.MESSAGES_STORED.labels("event").inc()

    @staticmethod
    async def _heard(producer: str, aggregate: str, work: Work[C]) -> int:
        sequence: int = await work.connection.fetchval(
            """INSERT INTO heard (producer, aggregate, sequence) VALUES ($1, $2, 0)
               ON CONFLICT (producer, aggregate) DO UPDATE SET sequence = heard.sequence RETURNING sequence""",
            producer, aggregate,
        )  # fmt: skip
        return sequence

    async def _ask(self, producer: str, aggregate: str, first: int, last: int, work: Work[C]) -> None:
        """Have the producer send again what is missing; not more often than every few seconds."""
        asked = await work.connection.fetchval(
            """UPDATE heard SET asked_at = $3 WHERE producer = $1 AND aggregate = $2
               AND (asked_at IS NULL OR asked_at < $4) RETURNING 1""",
            producer, aggregate, work.now, work.now - ASK_AGAIN,
        )  # fmt: skip
        if asked:
            metrics.SEQUENCE_GAPS.labels(producer).inc()
            logger().info("intake.gap", producer=producer, aggregate=aggregate, first=first, last=last)
            work.emit(chassis_messages(producer).resend(workspace=aggregate, first=first, last=last))

    async def _head(self, believed: _Believed, work: Work[C]) -> None:
        """A producer says how far it has come: what has not been heard of is asked for."""
        producer = believed.key.holder
        if producer == self._runtime.identity.service:
            return
        heads = self._runtime.handlers.chassis.head.model_validate(believed.envelope.data).heads
        known = {
            row["aggregate"]: row["sequence"]
            for row in await work.connection.fetch(
                "SELECT aggregate, sequence FROM heard WHERE producer = $1 AND aggregate = ANY($2)",
                producer,
                list(heads),
            )
        }
        for aggregate, last in sorted(heads.items()):
            heard = known.get(aggregate, 0)
            if last > heard:
                await self._heard(producer, aggregate, work)
                await self._ask(producer, aggregate, heard + 1, last, work)

    async def _refuse(self, delivery: Delivery, refused: Refused, work: Work[C]) -> None:
        metrics.MESSAGES_REFUSED.labels(refused.reason).inc()
        detail = str(cleaned(str(refused)))[:1000]
        digest = await quarantine(work, delivery.body, f"bus:{delivery.kind}", refused.reason, detail)
        logger().warning(
            "intake.refused", reason=refused.reason, detail=detail, kid=refused.kid, broker_user=delivery.user_id
        )
        work.emit(
            self._runtime.handlers.chassis.refused(
                reason=refused.reason,
                detail=detail,
                message_id=refused.message_id,
                kid=cleaned(refused.kid)[:255],
                broker_user=cleaned(delivery.user_id or "")[:255],
                digest=f"sha256:{digest.hex()}",
            )
        )


@dataclass(frozen=True)
class _Refuse:
    key: PublicKey
    envelope: Envelope

    def unless(self, good: bool, reason: str, detail: str) -> None:
        if not good:
            raise Refused(reason, detail, self.key.kid, self.envelope.id)


async def _insert(
    work: Work[C], believed: _Believed, digest: bytes, state: str, problems: tuple[Problem, ...] = ()
) -> None:
    envelope = believed.envelope
    ended = work.now if state == "rejected" else None
    await work.connection.execute(
        """INSERT INTO inbox (source, message_id, kind, type, aggregate, bucket, sequence, digest, body, holder, state, problems,
                              next_attempt_at, received_at, finished_at)
           VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $13, $14) ON CONFLICT DO NOTHING""",
        envelope.source, envelope.id, believed.delivery.kind, envelope.type, envelope.subject, bucket_of(envelope.subject),
        getattr(envelope, "sequence", None), digest, believed.delivery.body, believed.key.holder, state,
        json.dumps([problem.model_dump() for problem in problems]) if problems else None, work.now, ended,
    )  # fmt: skip


async def quarantine(work: Work[C], body: bytes, source: str, reason: str, detail: str) -> bytes:
    """Keep bytes that could not be used, once each; beyond the limit they are only counted. Returns their digest."""
    digest = hashlib.sha256(body).digest()
    await work.connection.execute(
        """INSERT INTO quarantine (digest, source, reason, detail, body, code_version, received_at)
           SELECT $1, $2, $3, $4, $5, $6, $7
           WHERE (SELECT count(*) FROM (SELECT 1 FROM quarantine LIMIT $8) AS kept) < $8
           ON CONFLICT (digest, reason) DO UPDATE SET times = quarantine.times + 1""",
        digest, source, reason, detail, body, CODE_VERSION, work.now, QUARANTINE_LIMIT,
    )  # fmt: skip
    return digest
