"""Who said it, and may they: bounds, signature, broker user, audience, role, time and workspace, before anything is stored."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Generic, TypeVar

from pydantic import ValidationError

from contracts.envelope import (
    MAX_BODY_BYTES,
    Command,
    CommandEnvelope,
    Envelope,
    EventEnvelope,
    Message,
    Problem,
    Query,
    Role,
)
from contracts.services import SERVICES
from shared import strict_json
from shared.handlers import Handlers
from shared.signing import Keyring, PublicKey, Untrusted
from shared.telemetry import cleaned
from shared.work import C

E = TypeVar("E", bound=Envelope)

MAX_ADMISSION = timedelta(minutes=5)
CLOCK_TOLERANCE = timedelta(seconds=30)
HEAD_SUFFIX = ".outbox.head"


class Refused(Exception):
    """What came is no message for us; `reason` is one of InputRefused's."""

    def __init__(self, reason: str, detail: str, kid: str = "", message_id: str = "") -> None:
        super().__init__(detail)
        self.reason = reason
        self.kid = kid
        self.message_id = message_id


@dataclass(frozen=True)
class Input:
    """What the broker handed over, and as whom it came."""

    body: bytes
    signature: str | None
    user_id: str | None


@dataclass(frozen=True)
class Asked:
    """A command or query whose sender may give it. With problems its content is wrong, and there is no message."""

    envelope: CommandEnvelope
    key: PublicKey
    kind: type[Message]
    message: Any
    problems: tuple[Problem, ...] = ()


def first_problems(error: ValidationError) -> tuple[Problem, ...]:
    """A model's complaints as problems, at most twenty of them."""
    return tuple(
        Problem(field=".".join(str(part) for part in one["loc"])[:200], reason=cleaned(one["msg"])[:500])
        for one in error.errors()[:20]
    )


@dataclass(frozen=True)
class Admission(Generic[C]):
    """What one service believes, of whom."""

    service: str
    handlers: Handlers[C]
    keyring: Keyring

    def event(self, given: Input, now: datetime) -> tuple[Envelope, PublicKey]:
        """An event's envelope (a head's is without a number) and its producer's key. Raises Refused."""
        key, fields = self._opened(given, now)
        is_head = isinstance(fields, dict) and str(fields.get("type", "")).endswith(HEAD_SUFFIX)
        envelope = _envelope(Envelope if is_head else EventEnvelope, fields, key)
        refuse = _Refuse(key, envelope)
        refuse.unless(Role.SERVICE in key.roles, "wrong-role", f"{key.holder} is no service and tells no events")
        self._check_sender(given, refuse)
        owns = envelope.type.startswith(f"{key.holder}.")
        refuse.unless(owns, "wrong-user", f"{key.holder} does not own {envelope.type}")
        return envelope, key

    def command(self, given: Input, now: datetime) -> Asked:
        """A command and who gives it; that it has expired is for whoever knows its id. Raises Refused."""
        asked = self._asked(given, now, self._command_type)
        lifetime = asked.envelope.expiresat - asked.envelope.time
        refuse = _Refuse(asked.key, asked.envelope)
        refuse.unless(lifetime <= MAX_ADMISSION, "expired", f"good for {lifetime}; at most {MAX_ADMISSION} is taken")
        return asked

    def query(self, given: Input, now: datetime) -> Asked:
        """A query and who asks it. Raises Refused."""
        asked = self._asked(given, now, self._query_type)
        envelope = asked.envelope
        expired = envelope.expiresat < now - CLOCK_TOLERANCE
        _Refuse(asked.key, envelope).unless(
            not expired, "expired", f"query {envelope.id} expired at {envelope.expiresat}"
        )
        return asked

    def _opened(self, given: Input, now: datetime) -> tuple[PublicKey, Any]:
        if len(given.body) > MAX_BODY_BYTES:
            raise Refused("too-large", f"{len(given.body)} octets; at most {MAX_BODY_BYTES} are taken")
        try:
            key = self.keyring.verify(given.body, given.signature, now)
        except Untrusted as error:
            raise Refused(error.reason, str(error), error.kid) from None
        try:
            return key, strict_json.parse(given.body, max_bytes=MAX_BODY_BYTES)
        except strict_json.MalformedJson as error:
            raise Refused("malformed", str(error), key.kid) from None

    @staticmethod
    def _check_sender(given: Input, refuse: "_Refuse") -> None:
        """The signer, the source that is claimed and the broker's user must be one."""
        holder, is_service = refuse.key.holder, Role.SERVICE in refuse.key.roles
        source = f"tresor/{holder}" if is_service else f"tresor/operator/{holder}"
        refuse.unless(
            refuse.envelope.source == source, "wrong-user", f"source {refuse.envelope.source} is not {source}"
        )
        fits = given.user_id == holder if is_service else bool(given.user_id) and given.user_id not in SERVICES
        refuse.unless(fits, "wrong-user", f"came as broker user {given.user_id!r}")

    def _asked(self, given: Input, now: datetime, kind_of: Any) -> Asked:
        key, fields = self._opened(given, now)
        envelope = _envelope(CommandEnvelope, fields, key)
        refuse = _Refuse(key, envelope)
        self._check_sender(given, refuse)
        refuse.unless(
            envelope.audience == self.service,
            "wrong-audience",
            f"meant for {envelope.audience}, came to {self.service}",
        )
        kind: type[Command] | type[Query] | None = kind_of(envelope.type)
        if kind is None:
            raise Refused("unknown-type", f"{self.service} knows no {envelope.type}", key.kid, envelope.id)
        roles = ", ".join(sorted(kind.roles))
        refuse.unless(
            bool(kind.roles & key.roles),
            "wrong-role",
            f"{envelope.type} wants one of the roles {roles}; key {key.kid} has none",
        )
        refuse.unless(envelope.notbefore <= now + CLOCK_TOLERANCE, "not-yet-valid", f"good from {envelope.notbefore}")
        may = key.covers(envelope.subject) or (issubclass(kind, Query) and envelope.subject == "site")
        refuse.unless(may, "wrong-workspace", f"key {key.kid} is not for {envelope.subject}")
        try:
            message = kind.model_validate(envelope.data)
        except ValidationError as error:
            return Asked(envelope, key, kind, None, first_problems(error))
        fits = message.aggregate == envelope.subject
        refuse.unless(fits, "malformed", f"subject {envelope.subject} is not {message.aggregate}")
        return Asked(envelope, key, kind, message)

    def _command_type(self, name: str) -> type[Command] | None:
        chassis = self.handlers.chassis
        for kind in (chassis.resend, chassis.acknowledge):
            if name == kind.type:
                return kind
        found = self.handlers.messages.get(name)
        return found[0] if found and issubclass(found[0], Command) else None

    def _query_type(self, name: str) -> type[Query] | None:
        found = self.handlers.queries.get(name)
        return found[0] if found else None


def _envelope(model: type[E], fields: Any, key: PublicKey) -> E:
    try:
        return model.model_validate(fields)
    except ValidationError as error:
        first = first_problems(error)[0]
        raise Refused("malformed", f"{first.field}: {first.reason}", key.kid) from None


@dataclass(frozen=True)
class _Refuse:
    key: PublicKey
    envelope: Envelope

    def unless(self, good: bool, reason: str, detail: str) -> None:
        if not good:
            raise Refused(reason, detail, self.key.kid, self.envelope.id)
