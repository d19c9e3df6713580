"""What an asker hears."""

from dataclasses import dataclass
from datetime import datetime

from pydantic import ValidationError

from contracts.envelope import Envelope, Message


@dataclass(frozen=True)
class Heard:
    """An event off the bus. `verified`: signed by the service that owns its type."""

    envelope: Envelope
    verified: bool


@dataclass(frozen=True)
class Gap:
    """The connection was lost and is back: what was told in between was not heard."""

    since: datetime


def message_of(envelope: Envelope, messages: dict[str, type[Message]]) -> Message | None:
    """The message in an envelope; None where its type is unknown or it is of a newer version."""
    kind = messages.get(envelope.type)
    if kind is None:
        return None
    try:
        return kind.model_validate(envelope.data)
    except ValidationError:
        return None
