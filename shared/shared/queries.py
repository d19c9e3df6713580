"""Queries: verified like commands, changing nothing, answered to the asker's own queue alone."""

import json
from typing import Any, Generic

import aio_pika
from aio_pika.abc import AbstractIncomingMessage
from contracts.envelope import CONTENT_TYPE, MAX_BODY_BYTES, SIGNATURE_HEADER, Answer, CommandEnvelope, Problem
from pydantic import ValidationError

from shared import metrics, strict_json
from shared.db import transaction
from shared.errors import Rejected
from shared.intake import CLOCK_TOLERANCE, SERVICES, Refused, first_problems, quarantine
from shared.runtime import Runtime
from shared.signing import PublicKey, Untrusted
from shared.telemetry import cleaned, logger, span
from shared.work import C, Work

REFUSED_TYPE = "tresor.query.refused"


class Queries(Generic[C]):
    """Answers a service's queries."""

    def __init__(self, runtime: Runtime[C]) -> None:
        self._runtime = runtime

    async def take(self, message: AbstractIncomingMessage) -> None:
        """Answer one query. It's acknowledged whatever comes of it: the asker asks again."""
        said: Answer | tuple[Problem, ...]
        try:
            query, envelope, key = self._believe(message)
            with span(envelope.type, envelope.traceparent):
                said = await self._answer(query, envelope, key)
        except Refused as refused:
            await self._refuse(message, refused)
            said = (Problem(reason=cleaned(str(refused))[:1000], remedy=_REMEDIES.get(refused.reason, "")),)
        except Rejected as rejected:
            said = rejected.problems
        except Exception as error:
            logger().exception("query.failed")
            said = (
                Problem(
                    reason=f"the service could not answer: {type(error).__name__}", remedy="ask again; see its log"
                ),
            )
        try:
            await self._reply(message, said)
        finally:
            await message.ack()

    def _believe(self, message: AbstractIncomingMessage) -> tuple[Any, CommandEnvelope, PublicKey]:
        body = message.body
        signature = message.headers.get(SIGNATURE_HEADER)
        now = self._runtime.clock.now()
        service = self._runtime.identity.service
        if len(body) > MAX_BODY_BYTES:
            raise Refused("too-large", f"{len(body)} octets; at most {MAX_BODY_BYTES} are taken")
        self._runtime.keyring.refresh()
        try:
            key = self._runtime.keyring.verify(body, signature if isinstance(signature, str) else None, now)
            envelope = CommandEnvelope.model_validate(strict_json.parse(body, max_bytes=MAX_BODY_BYTES))
        except Untrusted as error:
            raise Refused(error.reason, str(error), error.kid) from None
        except strict_json.MalformedJson as error:
            raise Refused("malformed", str(error), key.kid) from None
        except ValidationError as error:
            raise Refused("malformed", first_problems(error)[0].reason, key.kid) from None
        found = self._runtime.handlers.queries.get(envelope.type)
        if found is None:
            raise Refused("unknown-type", f"{service} knows no query {envelope.type}", key.kid, envelope.id)
        checks = (
            (
                bool(message.user_id) and message.user_id not in SERVICES,
                "wrong-user",
                f"came as user {message.user_id!r}",
            ),
            (
                envelope.source == f"tresor/operator/{key.holder}",
                "wrong-user",
                f"source {envelope.source} is not {key.holder}",
            ),
            (envelope.audience == service, "wrong-audience", f"meant for {envelope.audience}, came to {service}"),
            (bool(found[0].roles & key.roles), "wrong-role", f"{key.holder} may not ask {envelope.type}"),
            (
                envelope.expiresat >= now - CLOCK_TOLERANCE,
                "expired",
                f"query {envelope.id} expired at {envelope.expiresat}",
            ),
            (
                key.covers(envelope.subject) or envelope.subject == "site",
                "wrong-workspace",
                f"not for {envelope.subject}",
            ),
        )
        for good, reason, detail in checks:
            if not good:
                raise Refused(reason, detail, key.kid, envelope.id)
        try:
            query = found[0].model_validate(envelope.data)
        except ValidationError as error:
            raise Rejected(first_problems(error)) from None
        if query.aggregate != envelope.subject:
            raise Refused("malformed", f"subject {envelope.subject} is not {query.aggregate}", key.kid, envelope.id)
        return query, envelope, key

    async def _answer(self, query: Any, envelope: CommandEnvelope, key: PublicKey) -> Answer:
        _, handler = self._runtime.handlers.queries[envelope.type]
        async with transaction(self._runtime.pool, readonly=True) as connection:
            identity = self._runtime.identity
            return await handler(query, Work(connection, identity, self._runtime.context, envelope, key.holder))

    async def _refuse(self, message: AbstractIncomingMessage, refused: Refused) -> None:
        metrics.MESSAGES_REFUSED.labels(refused.reason).inc()
        async with self._runtime.work() as work:
            digest = await quarantine(
                work, message.body, "bus:query", refused.reason, str(cleaned(str(refused)))[:1000]
            )
            work.emit(
                self._runtime.handlers.chassis.refused(
                    reason=refused.reason,
                    detail=cleaned(str(refused))[:1000],
                    message_id=refused.message_id,
                    kid=cleaned(refused.kid)[:255],
                    broker_user=cleaned(message.user_id or "")[:255],
                    digest=f"sha256:{digest.hex()}",
                )
            )

    async def _reply(self, message: AbstractIncomingMessage, said: Answer | tuple[Problem, ...]) -> None:
        if not message.reply_to:
            return
        if isinstance(said, Answer):
            content: dict[str, Any] = {"type": said.type, "data": said.model_dump(mode="json", by_alias=True)}
        else:
            content = {"type": REFUSED_TYPE, "data": {"problems": [problem.model_dump() for problem in said]}}
        service = self._runtime.identity.service
        body = json.dumps(content).encode()
        signature = self._runtime.identity.signer.sign(body)
        channel = message.channel
        await channel.basic_publish(
            body,
            exchange="",
            routing_key=message.reply_to,
            properties=aio_pika.Message(
                body,
                content_type=CONTENT_TYPE,
                correlation_id=message.correlation_id,
                user_id=service,
                headers={SIGNATURE_HEADER: signature},
            ).properties,
        )


_REMEDIES = {
    "unsigned": "sign it: set TRESOR_SIGNING_KEY_PATH or give --key",
    "unknown-key": "have the public key added to the services' keyring: `tresor keys add`",
    "revoked-key": "make a new key with `tresor keys generate` and have it added",
    "wrong-role": "ask somebody whose key has the role, or have the role added to yours",
    "wrong-workspace": "ask somebody whose key covers the workspace",
    "expired": "ask again; check that this machine's clock is right",
    "not-yet-valid": "check that this machine's clock is right",
}
