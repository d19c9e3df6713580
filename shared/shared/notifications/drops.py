"""What a full queue of notifications dropped is counted, as nothing may be lost without a word.

RabbitMQ tells nobody that it drops a message, but hands it to the queue's dead-letter exchange: a small queue of our own
behind it keeps the latest, and is counted and emptied from time to time. Nobody reads what is in it: the resync finds what
the dropped ones would have told.
"""

from collections.abc import Callable
from typing import Any

from pamqp import commands

from shared.notifications.topology import QueueLimits
from shared.notifications.wire import ChannelRefused, Wire
from shared.telemetry import logger

_ACCESS_REFUSED, _PRECONDITION_FAILED = 403, 406
_KEPT_MESSAGES = 10_000
"""More than that between two countings are counted as so many."""
_KEPT_BYTES = 4 * 1024 * 1024


def dropped_name(queue: str) -> str:
    """The exchange, and the queue, for what `queue` drops."""
    return f"{queue}.dropped"


class Drops:
    """The small queue of one reader. Belongs to the reader's thread."""

    def __init__(self, wire: Wire, queue: str, limits: QueueLimits, tell: Callable[[int], bool]) -> None:
        """`tell` is given how many were dropped since the last time, at the least; False when it is to be told again."""
        self._wire = wire
        self._name = dropped_name(queue)
        self._limits = limits
        self._tell = tell

    def count(self) -> bool:
        """Count, tell and empty; False where the broker lets us not. What is missing of it is made first.

        Emptied once it is told: should this process die between the two, they are told of twice rather than never.
        """
        try:
            waiting = self._declare()
            if self._tell(waiting) and waiting:
                emptied = self._wire.probe(commands.Queue.Purge(queue=self._name), commands.Queue.PurgeOk)
                assert isinstance(emptied, commands.Queue.PurgeOk)
                if (more := (emptied.message_count or 0) - waiting) > 0:  # came meanwhile
                    self._tell(more)
        except ChannelRefused as refused:
            if refused.code not in (_ACCESS_REFUSED, _PRECONDITION_FAILED):
                raise
            logger().warning("notifications.drops_not_counted", queue=self._name, error=str(refused))
            return False
        return True

    def give_up(self) -> None:
        """Take it away, as the queue drops elsewhere: that it is missing says to everybody that nothing is counted."""
        try:
            self._wire.probe(commands.Queue.Delete(queue=self._name), commands.Queue.DeleteOk)
        except ChannelRefused as refused:
            logger().warning("notifications.drops_not_counted", queue=self._name, error=str(refused))

    def _declare(self) -> int:
        """Make it where it is missing; how many messages are in it."""
        name, probe = self._name, self._wire.probe
        # It goes with the queue, which goes with a Tresor that is gone.
        exchange = commands.Exchange.Declare(exchange=name, exchange_type="fanout", durable=True, auto_delete=True)
        probe(exchange, commands.Exchange.DeclareOk)
        arguments: dict[str, Any] = {
            "x-max-length": _KEPT_MESSAGES,
            "x-max-length-bytes": _KEPT_BYTES,
            "x-overflow": "drop-head",
            "x-expires": self._limits.unused_expiry_seconds * 1000,
        }
        declared = probe(
            commands.Queue.Declare(queue=name, durable=True, arguments=arguments), commands.Queue.DeclareOk
        )
        probe(commands.Queue.Bind(queue=name, exchange=name, routing_key=""), commands.Queue.BindOk)
        assert isinstance(declared, commands.Queue.DeclareOk)
        return declared.message_count or 0
