"""The consumers that are compared, each in a process of its own: `python -m tests.bench.consumers NAME …`."""

import asyncio
import sys
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import asyncpg
import orjson
import uvloop

from contracts.audit import OPENSTACK, Entry
from security_monitor.handlers.notifications import entry_of
from security_monitor.store import audit
from shared import interpreter
from shared.clock import SystemClock
from shared.db import Pool, open_pool
from shared.notifications import Binding, Firehose, Raw, decode, seal, sealed_ahead
from shared.notifications.frame_reader import FrameReader
from shared.notifications.subscription import Reader, Subscription
from tests.bench.measuring import Meter, quantile

if TYPE_CHECKING:  # what one consumer needs must not weigh on another's memory
    from aio_pika.abc import AbstractIncomingMessage

BATCH = 1000
_OSLO_SECONDS = 200
"""After that the listener is measured on what it has taken."""
SERVICE = "security-monitor"


def _entries(batch: list[Raw]) -> list[Entry]:
    return [entry_of(seal(raw)) for raw in batch]


async def _audited(pool: Pool, batch: list[Raw]) -> int:
    """Append the batch to the log; returns the nanosecond of the commit's end."""
    entries = _entries(batch)
    async with pool.acquire() as connection:
        async with connection.transaction():
            await audit.append(connection, OPENSTACK, entries, datetime.now(UTC))
        return time.time_ns()


async def _firehose(
    amqp: str,
    sink: Callable[[list[Raw]], Awaitable[None]],
    reader: Callable[[Subscription], Reader] = FrameReader,
    prepare: Callable[[Raw], Raw] | None = None,
) -> tuple[Firehose, asyncio.Task[None]]:
    firehose = Firehose(
        amqp,
        service=SERVICE,
        sink=sink,
        bindings=[Binding("nova", ("notifications.*",))],
        reader=reader,
        prepare=prepare,
    )
    return firehose, asyncio.create_task(firehose.run())


async def tresor(amqp: str, dsn: str, wanted: int, reader: Callable[[Subscription], Reader] = FrameReader) -> None:
    """Scan, take out secrets, chain, refuse doubles, COPY, commit; then acknowledge."""
    meter, done = Meter(wanted), asyncio.Event()
    pool = await open_pool(dsn, SERVICE, SystemClock())

    async def sink(batch: list[Raw]) -> None:
        meter.first()
        await _audited(pool, batch)
        if meter.count(len(batch)):
            done.set()

    firehose, running = await _firehose(amqp, sink, reader, sealed_ahead)
    await done.wait()
    meter.report()
    firehose.stop()
    await running


async def tresor_pika(amqp: str, dsn: str, wanted: int) -> None:
    """The same on pika."""
    from tests.bench.pika_reader import PikaReader

    await tresor(amqp, dsn, wanted, PikaReader)


async def decided(amqp: str, dsn: str, wanted: int) -> None:
    """Full decode to typed models, a decision on each, an outbox row for each, commit; then acknowledge."""
    meter, done = Meter(wanted), asyncio.Event()
    pool = await asyncpg.create_pool(dsn, min_size=1, max_size=2)
    await pool.execute("DROP TABLE IF EXISTS bench_outbox")
    await pool.execute(
        "CREATE TABLE bench_outbox (aggregate text, sequence bigint, body bytea, PRIMARY KEY (aggregate, sequence))"
    )
    sequences: dict[str, int] = {}

    def decide(raw: Raw) -> tuple[str, int, bytes]:
        seen = decode(raw)
        aggregate = seen.payload.owner_project_id or seen.project_id or "site"
        sequences[aggregate] = sequence = sequences.get(aggregate, 0) + 1
        verdict = "changed" if seen.phase in ("end", None) else "begun"
        body = {
            "id": seen.message_id,
            "type": seen.event_type,
            "subject": seen.resource_id,
            "time": seen.timestamp,
            "request": seen.request_id,
            "verdict": verdict,
        }
        return aggregate, sequence, orjson.dumps(body)

    async def sink(batch: list[Raw]) -> None:
        meter.first()
        rows = [decide(raw) for raw in batch]
        async with pool.acquire() as connection, connection.transaction():
            await connection.copy_records_to_table("bench_outbox", records=rows)
        if meter.count(len(batch)):
            done.set()

    firehose, running = await _firehose(amqp, sink)
    await done.wait()
    meter.report()
    firehose.stop()
    await running
    await pool.close()


async def aio_pika_bare(amqp: str, _: str, wanted: int) -> None:
    """Take and acknowledge, a hundred at once; nothing is kept."""
    import aio_pika

    meter = Meter(wanted)
    connection = await aio_pika.connect(amqp)
    channel = await connection.channel()
    await channel.set_qos(prefetch_count=2000)
    queue = await channel.declare_queue(QUEUE, passive=True)
    done = asyncio.Event()

    async def take(message: "AbstractIncomingMessage") -> None:
        meter.first()
        if meter.count(1):
            done.set()
        if meter.done % 100 == 0 or meter.done >= wanted:
            await message.ack(multiple=True)

    await queue.consume(take)
    await done.wait()
    meter.report()
    await connection.close()


async def aio_pika_copy(amqp: str, dsn: str, wanted: int) -> None:
    """Decode with orjson, COPY with a unique message id, commit; then acknowledge the batch."""
    import aio_pika

    meter = Meter(wanted)
    pool = await asyncpg.create_pool(dsn, min_size=1, max_size=2)
    await pool.execute("DROP TABLE IF EXISTS bench_copy")
    await pool.execute("CREATE TABLE bench_copy (message_id text PRIMARY KEY, type text, body bytea)")
    connection = await aio_pika.connect(amqp)
    channel = await connection.channel()
    await channel.set_qos(prefetch_count=2000)
    queue = await channel.declare_queue(QUEUE, passive=True)
    waiting: list[AbstractIncomingMessage] = []
    arrived = asyncio.Event()

    async def take(message: "AbstractIncomingMessage") -> None:
        meter.first()
        waiting.append(message)
        arrived.set()

    await queue.consume(take)
    while meter.done < wanted:
        await arrived.wait()
        arrived.clear()
        batch, waiting = waiting, []
        if not batch:
            continue
        rows = []
        for message in batch:
            inner = orjson.loads(orjson.loads(message.body)["oslo.message"])
            rows.append((inner["message_id"], inner["event_type"], message.body))
        async with pool.acquire() as keeper:
            await keeper.copy_records_to_table("bench_copy", records=rows)
        await batch[-1].ack(multiple=True)
        meter.count(len(batch))
    meter.report()
    await connection.close()
    await pool.close()


QUEUE = f"tresor.{SERVICE}.notifications"


def oslo_batch(amqp: str, _: str, wanted: int) -> None:
    """oslo.messaging's own batch listener; nothing is kept."""
    import oslo_messaging
    from oslo_config import cfg

    meter = Meter(wanted)
    conf = cfg.ConfigOpts()
    conf([], project="bench")
    transport = oslo_messaging.get_notification_transport(conf, url=amqp.replace("amqp://", "rabbit://"))

    class Endpoint:
        def info(self, messages: list[dict[str, Any]]) -> None:
            meter.first()
            if meter.count(len(messages)):
                meter.report()

    listener = oslo_messaging.get_batch_notification_listener(
        transport,
        [oslo_messaging.Target(topic="notifications", exchange="nova")],
        [Endpoint()],
        executor="threading",
        batch_size=BATCH,
        batch_timeout=0.1,
    )
    listener.start()
    deadline = time.monotonic() + _OSLO_SECONDS
    while meter.done < wanted and time.monotonic() < deadline:
        time.sleep(0.05)
    if meter.done < wanted:
        meter.report(incomplete=1)
    time.sleep(0.5)
    listener.stop()
    listener.wait()


async def latency(amqp: str, dsn: str, wanted: int) -> None:
    """From the publishing to the commit of the audit row."""
    meter, done = Meter(wanted), asyncio.Event()
    pool = await open_pool(dsn, SERVICE, SystemClock())
    took_ms: list[float] = []

    async def sink(batch: list[Raw]) -> None:
        meter.first()
        durable_ns = await _audited(pool, batch)
        for raw in batch:
            message_id = raw.body[raw.body.index(b'message_id\\": \\"') + 16 :][:19]
            took_ms.append((durable_ns - int(message_id)) / 1e6)
        if meter.count(len(batch)):
            done.set()

    firehose, running = await _firehose(amqp, sink, prepare=sealed_ahead)
    while not firehose.connected:
        await asyncio.sleep(0.05)
    print("consuming", flush=True)
    await done.wait()
    settled = took_ms[len(took_ms) // 10 :]
    meter.report(p50_ms=quantile(settled, 0.5), p99_ms=quantile(settled, 0.99), longest_ms=max(settled))
    firehose.stop()
    await running


CONSUMERS: dict[str, Any] = {
    "tresor": tresor,
    "tresor-pika": tresor_pika,
    "tresor-decided": decided,
    "aio-pika": aio_pika_bare,
    "aio-pika-copy": aio_pika_copy,
    "oslo-batch": oslo_batch,
    "latency": latency,
}


def main() -> None:
    name, amqp, dsn, wanted = sys.argv[1:5]
    consumer = CONSUMERS[name]
    if asyncio.iscoroutinefunction(consumer):
        interpreter.settle()
        uvloop.run(consumer(amqp, dsn, int(wanted)))
    else:
        consumer(amqp, dsn, int(wanted))


if __name__ == "__main__":
    main()
