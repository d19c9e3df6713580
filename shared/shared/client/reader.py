"""What comes off the bus, read: believed where its owner has signed it."""

from typing import TypeVar

from aio_pika.abc import AbstractIncomingMessage
from pydantic import ValidationError

from contracts.envelope import (
    MAX_BODY_BYTES,
    QUERY_REFUSED_TYPE,
    SIGNATURE_HEADER,
    Answer,
    Envelope,
    EventEnvelope,
    Problem,
    Role,
)
from shared import strict_json
from shared.client.errors import Declined, Unanswered
from shared.client.heard import Heard
from shared.clock import Clock
from shared.signing import Keyring, Untrusted

A = TypeVar("A", bound=Answer)

MAX_ANSWER_BYTES = 8 * 1024 * 1024


class Reader:
    """Reads answers and events. With a keyring it takes only those whose owner has signed them; without, all."""

    def __init__(self, keyring: Keyring | None, clock: Clock) -> None:
        self._keyring = keyring
        self._clock = clock
        self.forged = 0
        """How many events were dropped because their owner had not signed them."""

    def answer(self, message: AbstractIncomingMessage, answer: type[A]) -> A:
        """What a reply says. Raises Declined, or Unanswered when it is no such answer or not its owner's."""
        if self._keyring is not None and not self._signed_by(answer.owner(), message):
            raise Unanswered(f"an answer came for {answer.type} that {answer.owner()} has not signed")
        try:
            fields = strict_json.parse(message.body, max_bytes=MAX_ANSWER_BYTES, max_nodes=1_000_000)
            kind, data = fields["type"], fields["data"]
            if kind == QUERY_REFUSED_TYPE:
                raise Declined(tuple(Problem.model_validate(problem) for problem in data["problems"]))
            if kind != answer.type:
                raise Unanswered(f"expected {answer.type}, but was answered with {str(kind)[:100]}")
            return answer.model_validate(data)
        except (strict_json.MalformedJson, ValidationError, KeyError, TypeError) as error:
            raise Unanswered(
                f"the answer {answer.type} can't be read ({type(error).__name__}): versions may differ"
            ) from None

    def event(self, message: AbstractIncomingMessage) -> Heard | None:
        """The event; None for what is none, or is not its owner's."""
        if len(message.body) > MAX_BODY_BYTES:
            return None
        try:
            fields = strict_json.parse(message.body, max_bytes=MAX_BODY_BYTES)
            kind = EventEnvelope if isinstance(fields, dict) and "sequence" in fields else Envelope
            envelope = kind.model_validate(fields)
        except (strict_json.MalformedJson, ValidationError):
            self.forged += 1
            return None
        verified = self._signed_by(envelope.type.partition(".")[0], message)
        if self._keyring is not None and not verified:
            self.forged += 1
            return None
        return Heard(envelope, verified)

    def _signed_by(self, owner: str, message: AbstractIncomingMessage) -> bool:
        """Whether the message is signed with a good key of that service. Without a keyring nothing is."""
        if self._keyring is None:
            return False
        self._keyring.refresh()
        signature = message.headers.get(SIGNATURE_HEADER)
        try:
            key = self._keyring.verify(
                message.body, signature if isinstance(signature, str) else None, self._clock.now()
            )
        except Untrusted:
            return False
        return Role.SERVICE in key.roles and key.holder == owner
