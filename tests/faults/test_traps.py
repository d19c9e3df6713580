"""What was measured of RabbitMQ and PostgreSQL, and does not follow from their names (design: traps seen).

By their numbers there: 1, 2, 4, 8 and 10 are checks of the self-test; 3 is the disk alarm, 4 the purge and 11 the broken
notification in the tests of broker, topology and security-monitor. Here are the others.
"""

import asyncio
from pathlib import Path

import aio_pika
import aiormq
import pytest

from bootstrap.leases import BrokerLease, DatabaseLease
from contracts import provisioner
from contracts.envelope import COMMANDS_EXCHANGE, CONTENT_TYPE, SIGNATURE_HEADER
from tests.faults.checks_of_messages import CHASSIS, worker
from tests.faults.ground import ground

PATIENCE_SECONDS = 30.0
TOO_LARGE_BYTES = 17 * 1024 * 1024


async def test_5_the_broker_takes_no_message_of_any_size(broker: BrokerLease) -> None:
    """Its own default is 128 MiB; what is above ours ends the channel, and reaches nobody."""
    async with await aio_pika.connect(broker.url) as connection:
        channel = await connection.channel()
        with pytest.raises((aiormq.exceptions.AMQPError, aio_pika.exceptions.AMQPException)):
            await channel.default_exchange.publish(aio_pika.Message(bytes(TOO_LARGE_BYTES)), "nowhere")


async def test_6_a_queue_with_one_active_consumer_is_not_polled(
    broker: BrokerLease, database: DatabaseLease, tmp_path: Path
) -> None:
    """`basic.get` is refused there, so nothing of ours may rely on it."""
    async with ground(broker, database, tmp_path, PATIENCE_SECONDS) as here:
        await here.start(worker(here))
        async with await aio_pika.connect(broker.url) as connection:
            channel = await connection.channel()
            queue = await channel.get_queue("tresor.provisioner.commands", ensure=False)
            with pytest.raises((aiormq.exceptions.AMQPError, aio_pika.exceptions.AMQPException)):
                await queue.get(fail=False)


@pytest.mark.parametrize("user", [None, "provisioner"])
async def test_7_who_publishes_is_told_by_the_broker(
    broker: BrokerLease, database: DatabaseLease, tmp_path: Path, user: str | None
) -> None:
    """It refuses a forged `user_id` and takes a message without one: that one is refused by us."""
    async with ground(broker, database, tmp_path, PATIENCE_SECONDS) as here:
        await here.start(worker(here))
        body, signature, _ = here.signed()
        message = aio_pika.Message(
            body, content_type=CONTENT_TYPE, headers={SIGNATURE_HEADER: signature}, user_id=user
        )  # fmt: skip
        async with await aio_pika.connect(broker.url_of("operator")) as connection:
            channel = await connection.channel(on_return_raises=True)
            exchange = await channel.get_exchange(COMMANDS_EXCHANGE, ensure=False)
            if user is not None:
                with pytest.raises((aiormq.exceptions.AMQPError, aio_pika.exceptions.AMQPException)):
                    await exchange.publish(message, provisioner.CreateWorkspace.type)
                return
            await exchange.publish(message, provisioner.CreateWorkspace.type)
        await here.told(CHASSIS.refused)
        assert [one.reason for one in here.site.tap.of(CHASSIS.refused)] == ["wrong-user"]
        assert not here.handled


async def test_9_the_first_events_of_an_aggregate_at_once(
    broker: BrokerLease, database: DatabaseLease, tmp_path: Path
) -> None:
    """There is no row to lock yet; they get numbers all the same, one after the other (I4)."""
    async with ground(broker, database, tmp_path, PATIENCE_SECONDS) as here:
        service = await here.start(worker(here))

        async def tell(generation: int) -> None:
            async with service.runtime.work() as work:
                work.emit(provisioner.WorkspaceEmptied(workspace="genome-42", generation=generation))

        await asyncio.gather(*(tell(generation) for generation in range(1, 9)))
        rows = await service.pool.fetch("SELECT sequence FROM outbox WHERE aggregate = 'genome-42' ORDER BY sequence")
        assert [row["sequence"] for row in rows] == list(range(1, 9))
