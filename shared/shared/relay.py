"""The relay: what was committed to the outbox is told, in order per aggregate, until the broker has confirmed it (I5).

Publishing has a connection of its own: a broker that raises an alarm blocks publishers, and must not block consuming.
A nack, a return or a time-out leaves the row unsent, and it is sent again with the same event id.
"""

import asyncio
import contextlib
import json
from typing import Any, Generic

import aio_pika
from aio_pika.abc import AbstractChannel, AbstractConnection, AbstractExchange

from contracts.envelope import COMMANDS_EXCHANGE, CONTENT_TYPE, EVENTS_EXCHANGE, SIGNATURE_HEADER, Envelope
from shared import metrics
from shared.bus import connect
from shared.db import INTERRUPTED, LOST
from shared.runtime import Runtime, wait
from shared.telemetry import logger
from shared.topology import declare
from shared.work import C

POLL_SECONDS = 0.5
HEAD_SECONDS = 5.0
CONFIRM_TIMEOUT_SECONDS = 10.0
BATCH = 500
LONGEST_BACK_OFF_SECONDS = 5.0
NOTE_SECONDS = 0.05
"""How long what is confirmed waits to be noted with others: what a crash has told once more, which does no harm."""

_UNSENT = """
SELECT aggregate, sequence, event_id::text, type, exchange, body, signature FROM outbox
WHERE sent_at IS NULL AND bucket = ANY($1) AND NOT event_id = ANY($3::uuid[]) ORDER BY aggregate, sequence LIMIT $2
"""
# Row by row, in one round trip: a plan made while the outbox was small must not scan it later.
_SENT = "UPDATE outbox SET sent_at = $3 WHERE aggregate = $1 AND sequence = $2"
_HEADS = "SELECT aggregate, sequence, thinned FROM stream WHERE aggregate !~ '^!'"
HEADS_PER_MESSAGE = 2000


class Relay(Generic[C]):
    """Tells a service's events and commands."""

    def __init__(self, runtime: Runtime[C], url: str) -> None:
        self._runtime = runtime
        self._url = url
        self._next_head = 0.0
        self._confirmed = 0
        self._unnoted: dict[str, tuple[str, int]] = {}
        """Confirmed by the broker and not yet noted in the outbox: aggregate and sequence by the event's id."""
        self._note_at = 0.0
        self.connected = asyncio.Event()

    async def run(self) -> None:
        """Tell, for ever."""
        pause = 0.2
        while True:
            connection: AbstractConnection | None = None
            confirmed = self._confirmed
            try:
                connection = await connect(self._url, f"{self._runtime.identity.service} relay")
                async with asyncio.timeout(CONFIRM_TIMEOUT_SECONDS):
                    channel = await connection.channel(publisher_confirms=True, on_return_raises=True)
                    await declare(channel, ())
                    exchanges = {
                        name: await channel.get_exchange(name, ensure=False)
                        for name in (EVENTS_EXCHANGE, COMMANDS_EXCHANGE)
                    }
                self.connected.set()
                await self._tell_for_ever(connection, channel, exchanges)
            except Exception as error:
                logger().warning(
                    "relay.lost", error=f"{type(error).__name__}: {error}"[:300], retry_after_seconds=pause
                )
            finally:
                self.connected.clear()
                for end in (self._note, *(() if connection is None else (connection.close,))):
                    with contextlib.suppress(Exception):
                        await asyncio.wait_for(end(), 3)
            await self._runtime.clock.sleep(self._runtime.identity.ids.jittered(pause))
            pause = min(2 * pause, LONGEST_BACK_OFF_SECONDS) if self._confirmed == confirmed else 0.2

    async def _tell_for_ever(
        self, connection: AbstractConnection, channel: AbstractChannel, exchanges: dict[str, AbstractExchange]
    ) -> None:
        while not connection.is_closed and not channel.is_closed:
            sent = await self._tell_some(exchanges)
            now = self._runtime.clock.monotonic_seconds()
            if now >= self._next_head:
                self._next_head = now + HEAD_SECONDS
                await self._tell_heads(exchanges[EVENTS_EXCHANGE])
            if now >= self._note_at or len(self._unnoted) >= BATCH:
                await self._note()
            if sent < BATCH:
                await wait(self._runtime.wakes.relay, NOTE_SECONDS if self._unnoted else POLL_SECONDS)
        raise ConnectionError("the connection was closed")

    async def _tell_some(self, exchanges: dict[str, AbstractExchange]) -> int:
        held = [bucket for bucket in self._runtime.leases.held if self._runtime.leases.holds(bucket) is not None]
        try:
            rows = await self._runtime.pool.fetch(_UNSENT, held, BATCH, list(self._unnoted))
        except LOST as error:
            logger().warning("relay.database-lost", error=str(error) or type(error).__name__)
            await self._runtime.clock.sleep(0.5)
            return 0
        metrics.EVENTS_UNSENT.set(len(rows))
        if not rows:
            return 0
        # All in flight at once; the broker keeps the order of a channel, so an aggregate's order is its rows' order.
        outcomes = await asyncio.gather(
            *(self._publish(exchanges[row["exchange"]], row) for row in rows),
            return_exceptions=True,
        )
        confirmed = _confirmed_prefixes(rows, outcomes)
        failures = [outcome for outcome in outcomes if isinstance(outcome, BaseException)]
        if confirmed:
            if not self._unnoted:
                self._note_at = self._runtime.clock.monotonic_seconds() + NOTE_SECONDS
            self._unnoted |= {row["event_id"]: (row["aggregate"], row["sequence"]) for row in confirmed}
            self._confirmed += len(confirmed)
            metrics.EVENTS_SENT.inc(len(confirmed))
        if failures:
            raise failures[0]
        return len(rows)

    async def _note(self) -> None:
        """Write what was confirmed into the outbox, so that it is not told again."""
        if not self._unnoted:
            return
        noted, now = dict(self._unnoted), self._runtime.clock.now()
        self._unnoted.clear()
        try:
            await self._runtime.pool.executemany(_SENT, [(*one, now) for one in noted.values()])
        except INTERRUPTED:  # told but not noted: told once more
            logger().warning("relay.not-noted", events=len(noted))

    async def _publish(self, exchange: AbstractExchange, row: Any) -> None:
        message = aio_pika.Message(
            row["body"],
            message_id=row["event_id"],
            type=row["type"],
            content_type=CONTENT_TYPE,
            delivery_mode=aio_pika.DeliveryMode.PERSISTENT,
            user_id=self._runtime.identity.service,
            headers={SIGNATURE_HEADER: row["signature"]},
        )
        await exchange.publish(message, row["type"], mandatory=True, timeout=CONFIRM_TIMEOUT_SECONDS)

    async def _tell_heads(self, exchange: AbstractExchange) -> None:
        """How far each aggregate has come: whoever missed the last events finds out. Not stored; the next one follows."""
        if self._runtime.leases.holds(0) is None:
            return
        try:
            rows = await self._runtime.pool.fetch(_HEADS)
        except LOST:
            return
        identity, kind = self._runtime.identity, self._runtime.handlers.chassis.head
        for start in range(0, len(rows), HEADS_PER_MESSAGE):
            some = rows[start : start + HEADS_PER_MESSAGE]
            heads = kind(
                heads={row["aggregate"]: row["sequence"] for row in some},
                thinned={row["aggregate"]: row["thinned"] for row in some if row["thinned"]},
            )
            event_id = identity.ids.uuid()
            body = (
                Envelope(
                    id=event_id,
                    type=kind.type,
                    source=identity.source,
                    subject="site",
                    time=self._runtime.clock.now(),
                    dataschema=f"tresor:{kind.type}:{kind.version}",
                    correlationid=event_id,
                    data=json.loads(heads.model_dump_json()),
                )
                .model_dump_json(exclude_none=True)
                .encode()
            )
            message = aio_pika.Message(
                body,
                message_id=event_id,
                type=kind.type,
                content_type=CONTENT_TYPE,
                user_id=identity.service,
                expiration=HEAD_SECONDS,
                headers={SIGNATURE_HEADER: identity.signer.sign(body)},
            )
            await exchange.publish(message, kind.type, mandatory=False, timeout=CONFIRM_TIMEOUT_SECONDS)


def _confirmed_prefixes(rows: list[Any], outcomes: list[BaseException | None]) -> list[Any]:
    """Of each aggregate the rows up to its first failure: a later one must not count as sent before an earlier one."""
    confirmed: list[Any] = []
    broken: set[str] = set()
    for row, outcome in zip(rows, outcomes, strict=True):
        if outcome is not None:
            broken.add(row["aggregate"])
        elif row["aggregate"] not in broken:
            confirmed.append(row)
    return confirmed
