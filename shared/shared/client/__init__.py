"""The bus as an operator's program uses it: sign, command, ask, hear."""

from shared.client.asker import REPEAT_SECONDS, Client
from shared.client.errors import Declined, NobodyThere, NotPermitted, Unanswered, Unreachable
from shared.client.heard import Gap, Heard, message_of
from shared.client.signed import Signed, sign

__all__ = [
    "REPEAT_SECONDS",
    "Client",
    "Declined",
    "Gap",
    "Heard",
    "NobodyThere",
    "NotPermitted",
    "Signed",
    "Unanswered",
    "Unreachable",
    "message_of",
    "sign",
]
