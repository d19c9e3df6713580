"""How intake, relay, admission and bus are made wrong, from outside: the code itself has no switch for it."""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import aio_pika
import asyncpg
import pytest
from faststream.rabbit import Channel, RabbitBroker

import shared.admission
import shared.bus
import shared.intake
import shared.lanes
import shared.outbox
import shared.relay
import shared.sequences
import shared.signing
from shared.db import LOST
from tests.faults.ground import Ground

Patch = pytest.MonkeyPatch


def acknowledged_before_commit(patch: Patch, _: Ground) -> None:
    store = shared.intake.Intake.store

    def at_once(self: Any, delivery: Any) -> Any:
        store(self, delivery)
        delivery.stored.set_result(None)
        return delivery.stored

    patch.setattr(shared.intake.Intake, "store", at_once)


def rejected_on_a_database_error(patch: Patch, _: Ground) -> None:
    take = shared.intake.Intake._store_batch

    async def dropped(self: Any, batch: Any) -> None:
        async def no_second_try(_: float) -> None:
            raise LOST[0]

        with pytest.MonkeyPatch.context() as inner:
            inner.setattr(self._runtime.clock, "sleep", no_second_try)
            try:
                await take(self, batch)
            except LOST:
                for delivery in batch:
                    delivery.stored.set_result(None)

    patch.setattr(shared.intake.Intake, "_store_batch", dropped)


def returns_ignored(patch: Patch, _: Ground) -> None:
    publish = aio_pika.Exchange.publish

    async def never_mandatory(self: Any, message: Any, key: str, **options: Any) -> Any:
        return await publish(self, message, key, **{**options, "mandatory": False})

    patch.setattr(aio_pika.Exchange, "publish", never_mandatory)


def confirms_not_awaited(patch: Patch, _: Ground) -> None:
    publish = shared.relay.Relay._publish
    kept: set[Any] = set()

    async def into_the_blue(self: Any, exchange: Any, row: Any) -> None:
        kept.add(asyncio.create_task(publish(self, exchange, row)))

    patch.setattr(shared.relay.Relay, "_publish", into_the_blue)


def failed_publishes_overtaken(patch: Patch, _: Ground) -> None:
    def whatever_was_confirmed(rows: Any, outcomes: Any) -> list[Any]:
        return [row for row, outcome in zip(rows, outcomes, strict=True) if outcome is None]

    patch.setattr(shared.relay, "_confirmed_prefixes", whatever_was_confirmed)


def outbox_outside_the_transaction(patch: Patch, ground: Ground) -> None:
    tell = shared.outbox.tell

    async def by_itself(_: Any, identity: Any, told: Any) -> None:
        own = await asyncpg.connect(
            ground.database.dsn(identity.service), server_settings={"search_path": identity.service.replace("-", "_")}
        )
        await tell(own, identity, told)
        await own.close()

    patch.setattr("shared.work.tell", by_itself)


def duplicates_accepted(patch: Patch, _: Ground) -> None:
    insert = shared.intake._insert

    async def again(work: Any, envelope: Any, *rest: Any) -> bool:
        await work.connection.execute("DELETE FROM inbox WHERE message_id = $1", envelope.id)
        return await insert(work, envelope, *rest)

    patch.setattr(shared.intake, "_insert", again)


def any_number_accepted(patch: Patch, _: Ground) -> None:
    patch.setattr(
        shared.sequences,
        "_NEXT_HEARD",
        """INSERT INTO heard (producer, aggregate, sequence) VALUES ($1, $2, $3)
           ON CONFLICT (producer, aggregate) DO UPDATE SET sequence = $3 RETURNING 1""",
    )


def duplicates_and_any_number_accepted(patch: Patch, ground: Ground) -> None:
    duplicates_accepted(patch, ground)
    any_number_accepted(patch, ground)


def digest_not_compared(patch: Patch, _: Ground) -> None:
    class Same:
        def digest(self) -> bytes:
            return b"the same"

    class Hashes:
        @staticmethod
        def sha256(_: bytes) -> Same:
            return Same()

    patch.setattr(shared.intake, "hashlib", Hashes)


def heads_not_told(patch: Patch, _: Ground) -> None:
    async def nothing(*_: Any) -> None:
        return None

    patch.setattr(shared.relay.Relay, "_tell_heads", nothing)


def signature_not_verified(patch: Patch, _: Ground) -> None:
    def believed(self: Any, body: bytes, signature: str, now: Any) -> Any:
        return self.keys[str(shared.signing._kid(signature.partition("..")[0]))]

    patch.setattr(shared.signing.Keyring, "verify", believed)


def keyring_read_once(patch: Patch, _: Ground) -> None:
    patch.setattr(shared.signing.Keyring, "refresh", lambda _: None)


def expiry_ignored(patch: Patch, _: Ground) -> None:
    patch.setattr(shared.intake, "CLOCK_TOLERANCE", timedelta(days=365))
    decide = shared.lanes.DecideLane._decide

    async def late_or_not(self: Any, row: Any, envelope: Any, work: Any) -> Any:
        return await decide(self, row, envelope.model_copy(update={"executeby": work.now}), work)

    patch.setattr(shared.lanes.DecideLane, "_decide", late_or_not)


def not_asked(reason: str) -> Callable[[Patch, Ground], None]:
    """Admission does not look at one of its conditions."""

    def apply(patch: Patch, _: Ground) -> None:
        unless = shared.admission._Refuse.unless

        def but_for_one(self: Any, good: bool, why: str, detail: str) -> None:
            unless(self, good or why == reason, why, detail)

        patch.setattr(shared.admission._Refuse, "unless", but_for_one)

    return apply


def poison_tried_for_ever(patch: Patch, _: Ground) -> None:
    patch.setattr(shared.lanes, "MAX_ATTEMPTS", 10**9)


def prefetch_unlimited(patch: Patch, _: Ground) -> None:
    def without_a_limit(prefetch_count: int, channel_number: int) -> Channel:
        return Channel(channel_number=channel_number)

    patch.setattr("shared.bus.Channel", without_a_limit)


def consumers_not_watched(patch: Patch, _: Ground) -> None:
    async def asleep(*_: Any) -> None:
        await asyncio.Event().wait()

    patch.setattr(shared.bus.Bus, "_watch", asleep)


def former_connections_left_open(patch: Patch, _: Ground) -> None:
    connect = RabbitBroker.connect

    class Left:
        async def close(self) -> None:
            return None

    async def not_to_be_closed(self: Any) -> Left:
        await connect(self)
        return Left()

    patch.setattr(RabbitBroker, "connect", not_to_be_closed)
