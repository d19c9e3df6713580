"""Queries: verified like commands, changing nothing, answered to the asker's own queue alone."""

import json
from typing import Any, Generic

import aio_pika
from aio_pika.abc import AbstractIncomingMessage

from contracts.envelope import CONTENT_TYPE, QUERY_REFUSED_TYPE, SIGNATURE_HEADER, Answer, Problem
from shared.admission import Admission, Asked, Input, Refused
from shared.db import transaction
from shared.errors import Rejected
from shared.quarantine import refuse
from shared.runtime import Runtime
from shared.telemetry import cleaned, logger, span
from shared.work import C, Work


class Queries(Generic[C]):
    """Answers a service's queries."""

    def __init__(self, runtime: Runtime[C]) -> None:
        self._runtime = runtime
        self._admission = Admission(runtime.identity.service, runtime.handlers, runtime.keyring)

    async def take(self, message: AbstractIncomingMessage) -> None:
        """Answer one query. Whatever comes of it, it may be acknowledged: the asker asks again."""
        said: Answer | tuple[Problem, ...]
        try:
            self._runtime.keyring.refresh()
            asked = self._admission.query(self._given(message), self._runtime.clock.now())
            with span(asked.envelope.type, asked.envelope.traceparent):
                said = await self._answer(asked)
        except Refused as refused:
            async with self._runtime.work() as work:
                kind = self._runtime.handlers.chassis.refused
                await refuse(work, self._given(message), "bus:query", refused, kind)
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
        await self._reply(message, said)

    def _given(self, message: AbstractIncomingMessage) -> Input:
        signature = message.headers.get(SIGNATURE_HEADER)
        return Input(message.body, signature if isinstance(signature, str) else None, message.user_id)

    async def _answer(self, asked: Asked) -> Answer | tuple[Problem, ...]:
        if asked.problems:
            return asked.problems
        _, handler = self._runtime.handlers.queries[asked.envelope.type]
        identity, context = self._runtime.identity, self._runtime.context
        async with transaction(self._runtime.pool, readonly=True) as connection:
            work = Work(connection, identity, context, asked.envelope, asked.key.holder, coverage=asked.key.coverage)
            return await handler(asked.message, work)

    async def _reply(self, message: AbstractIncomingMessage, said: Answer | tuple[Problem, ...]) -> None:
        if not message.reply_to:
            return
        if isinstance(said, Answer):
            content: dict[str, Any] = {"type": said.type, "data": said.model_dump(mode="json", by_alias=True)}
        else:
            content = {"type": QUERY_REFUSED_TYPE, "data": {"problems": [problem.model_dump() for problem in said]}}
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
    "bad-signature": "the keyring has another key under this id: have yours added under an id of its own, `tresor keys add`",
    "wrong-user": "sign as the key's own holder, with the broker's user for people: see TRESOR_HOLDER and TRESOR_AMQP_URL",
    "unknown-key": "have the public key added to the services' keyring: `tresor keys add`",
    "revoked-key": "make a new key with `tresor keys generate` and have it added",
    "wrong-role": "ask somebody whose key has the role, or have the role added to yours",
    "wrong-workspace": "ask somebody whose key covers the workspace",
    "expired": "ask again; check that this machine's clock is right",
    "not-yet-valid": "check that this machine's clock is right",
}
