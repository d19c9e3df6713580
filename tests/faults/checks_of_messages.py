"""What is stored, handled and told: one check for each thing that must hold. See `test_self_test`."""

import asyncio
from typing import Any

import aio_pika
import asyncpg

import shared.bus
import shared.lanes
import shared.relay
from contracts import network_policy, provisioner
from contracts.chassis import chassis_messages
from contracts.envelope import COMMANDS_EXCHANGE, EVENTS_EXCHANGE, EventEnvelope
from shared.handlers import Handlers
from shared.intake import Delivery, Intake
from shared.relay import Relay
from shared.work import Work
from tests.faults.crash import crash
from tests.faults.ground import Ground

CHASSIS = provisioner.CHASSIS


def worker(ground: Ground) -> Handlers[None]:
    """The provisioner: tells of each workspace once; poison is what it cannot handle."""
    handlers: Handlers[None] = Handlers(provisioner)

    @handlers.on(provisioner.CreateWorkspace)
    async def create(command: provisioner.CreateWorkspace, tx: Work[None]) -> None:
        ground.handled.append(command.document.name)
        if command.document.name == "poison":
            raise ZeroDivisionError("a fault of the handler")
        tx.emit(provisioner.WorkspaceEmptied(workspace=command.document.name, generation=1))

    return handlers


def listener(ground: Ground) -> Handlers[None]:
    """network-policy: hears what the provisioner tells."""
    handlers: Handlers[None] = Handlers(network_policy)

    @handlers.on(provisioner.WorkspaceEmptied)
    async def emptied(seen: provisioner.WorkspaceEmptied, tx: Work[None]) -> None:
        ground.handled.append(f"{seen.workspace} {seen.generation}")
        tx.emit(network_policy.PolicyWithdrawn(workspace=seen.workspace, generation=seen.generation))

    return handlers


def emptied(ground: Ground, sequence: int, event_id: str = "") -> tuple[bytes, str]:
    """The provisioner's event of that number, signed: its generation is its number."""
    message = provisioner.WorkspaceEmptied(workspace="genome-42", generation=sequence)
    event_id = event_id or ground.site.ids.uuid()
    envelope = EventEnvelope(
        id=event_id,
        type=message.type,
        source="tresor/provisioner",
        subject="genome-42",
        time=ground.site.clock.now(),
        dataschema=f"tresor:{message.type}:{message.version}",
        correlationid=event_id,
        sequence=sequence,
        data=message.model_dump(mode="json"),
    )
    body = envelope.model_dump_json(exclude_none=True).encode()
    return body, ground.site.keys.signer("provisioner").sign(body)


async def tell(ground: Ground, event: tuple[bytes, str]) -> None:
    await ground.site.publish(EVENTS_EXCHANGE, provisioner.WorkspaceEmptied.type, *event, "provisioner")


async def a_crash_loses_no_command(ground: Ground) -> None:
    """I1: what the broker handed over is not acknowledged before it is in the database."""
    service = await ground.start(worker(ground))
    ground.sql.stall()
    body, signature, _ = ground.signed()
    await ground.give(body, signature)
    await asyncio.sleep(0.7)
    ground.sql.reset()
    ground.amqp.reset()
    await crash(ground.site, service)
    ground.sql.heal()
    await ground.start(worker(ground))
    await ground.told(CHASSIS.applied)


async def a_database_that_stumbles_loses_no_command(ground: Ground) -> None:
    """I1, trap 10: a lost session is the service's affair, never the message's."""
    await ground.start(worker(ground))
    for number in range(6):
        body, signature, _ = ground.signed(f"w-{number}")
        await asyncio.gather(ground.give(body, signature), ground.database.end_sessions("provisioner"))
    await ground.told(CHASSIS.applied, 6)


async def what_nobody_hears_counts_as_unsent(ground: Ground) -> None:
    """I5, trap 1: a message that the broker returns was not told."""
    service = await ground.start(worker(ground))
    resend = chassis_messages("storage").resend
    async with service.runtime.work() as work:
        work.emit(resend(workspace="genome-42", first=1, last=1))  # no storage runs: nothing routes it
    await asyncio.sleep(1.5)
    assert await service.pool.fetchval("SELECT count(*) FROM outbox WHERE sent_at IS NULL AND type = $1", resend.type)
    async with await aio_pika.connect(ground.broker.url) as connection:
        channel = await connection.channel()
        queue = await channel.declare_queue("tresor.storage.commands", durable=True)
        await queue.bind(COMMANDS_EXCHANGE, "storage.#")

        async def is_there() -> bool:
            return await queue.get(fail=False) is not None

        await ground.until(is_there, "the command is told once somebody hears it")


async def what_is_not_confirmed_counts_as_unsent(ground: Ground) -> None:
    """I5: a row is sent when the broker has said so."""
    service = await ground.start(worker(ground))
    ground.amqp.stall()
    async with service.runtime.work() as work:
        work.emit(provisioner.WorkspaceEmptied(workspace="genome-42", generation=1))
    await asyncio.sleep(1.5)
    assert await service.pool.fetchval("SELECT count(*) FROM outbox WHERE sent_at IS NULL") == 1
    ground.amqp.heal()
    ground.amqp.reset()
    await ground.told(provisioner.WorkspaceEmptied)


async def no_event_counts_as_sent_before_an_earlier_one(ground: Ground) -> None:
    """I4: of an aggregate the rows are marked in their order, also when one of them failed."""
    service = await ground.start(worker(ground))
    failed: list[int] = []
    publish = Relay._publish

    async def at_first_without_the_first(self: Relay[Any], exchange: Any, row: Any) -> None:
        if row["aggregate"] == "genome-42" and row["sequence"] == 1 and not failed:
            failed.append(1)
            raise ConnectionError("a nack")
        await publish(self, exchange, row)

    keeper = await asyncpg.connect(ground.database.dsn())
    await keeper.execute("""
        CREATE TABLE overtaken (aggregate text, sequence bigint);
        CREATE FUNCTION provisioner.in_order() RETURNS trigger SECURITY DEFINER LANGUAGE plpgsql AS $$ BEGIN
            INSERT INTO public.overtaken SELECT aggregate, sequence FROM provisioner.outbox
            WHERE aggregate = NEW.aggregate AND sent_at IS NULL AND sequence < NEW.sequence;
            RETURN NULL;
        END $$;
        CREATE CONSTRAINT TRIGGER in_order AFTER UPDATE OF sent_at ON provisioner.outbox DEFERRABLE INITIALLY DEFERRED
            FOR EACH ROW WHEN (NEW.sent_at IS NOT NULL) EXECUTE FUNCTION provisioner.in_order()""")
    with _replaced(Relay, "_publish", at_first_without_the_first):
        async with service.runtime.work() as work:
            for generation in (1, 2, 3):
                work.emit(provisioner.WorkspaceEmptied(workspace="genome-42", generation=generation))
        await ground.told(provisioner.WorkspaceEmptied, 3)
    overtaken = await keeper.fetch("SELECT * FROM overtaken")
    await keeper.close()
    assert not overtaken


def _replaced(owner: Any, name: str, by: Any) -> Any:
    from unittest.mock import patch

    return patch.object(owner, name, by)


async def what_was_rolled_back_is_not_told(ground: Ground) -> None:
    """I3: an event and the change that it tells of are committed together."""
    service = await ground.start(worker(ground))
    keeper = await asyncpg.connect(ground.database.dsn())
    await keeper.execute("""
        CREATE SEQUENCE provisioner.tries; GRANT USAGE ON SEQUENCE provisioner.tries TO provisioner;
        CREATE FUNCTION provisioner.not_yet() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
            IF nextval('provisioner.tries') <= 2 THEN RAISE EXCEPTION 'not yet' USING ERRCODE = '40001'; END IF;
            RETURN NULL;
        END $$;
        CREATE CONSTRAINT TRIGGER not_yet AFTER UPDATE ON provisioner.inbox DEFERRABLE INITIALLY DEFERRED
            FOR EACH ROW WHEN (NEW.state = 'applied') EXECUTE FUNCTION provisioner.not_yet()""")
    await keeper.close()
    body, signature, _ = ground.signed()
    await ground.give(body, signature)
    await ground.told(CHASSIS.applied)
    assert ground.handled == ["genome-42"] * 3
    told = "SELECT count(*) FROM outbox WHERE type = $1"
    assert await service.pool.fetchval(told, provisioner.WorkspaceEmptied.type) == 1


async def a_doubled_event_is_handled_once(ground: Ground) -> None:
    """I4."""
    await ground.start(listener(ground))
    first = emptied(ground, 1)
    await tell(ground, first)
    await ground.told(network_policy.PolicyWithdrawn)
    for event in (first, first, emptied(ground, 2)):
        await tell(ground, event)
    await ground.told(network_policy.PolicyWithdrawn, 2)
    assert ground.handled == ["genome-42 1", "genome-42 2"]


async def a_gap_is_not_passed_over(ground: Ground) -> None:
    """I4, trap 4: what comes after a lost event waits for it."""
    await ground.start(listener(ground))
    first, second, third = (emptied(ground, number) for number in (1, 2, 3))
    for event in (first, third, second, third):
        await tell(ground, event)
        await asyncio.sleep(0.3)
    await ground.told(network_policy.PolicyWithdrawn, 3)
    assert ground.handled == ["genome-42 1", "genome-42 2", "genome-42 3"]


async def a_lost_end_is_asked_for(ground: Ground) -> None:
    """I6: that the last events of an aggregate were lost is found out although nothing follows them."""
    with _replaced(shared.relay, "HEAD_SECONDS", 1.0):
        await ground.start(worker(ground))
        body, signature, _ = ground.signed()
        await ground.give(body, signature)
        await ground.told(CHASSIS.applied)
        await ground.start(listener(ground))  # only from here there is a queue for them
        await ground.told(network_policy.PolicyWithdrawn)


async def a_poison_message_is_parked(ground: Ground) -> None:
    """I14: it ends, it is kept, and nobody else has to wait for it."""
    with _replaced(shared.lanes, "LONGEST_BACK_OFF_SECONDS", 0.1):
        service = await ground.start(worker(ground))
        for name in ("poison", "w-1", "w-2"):
            body, signature, _ = ground.signed(name)
            await ground.give(body, signature)
        await ground.told(CHASSIS.applied, 2)
        await ground.told(CHASSIS.failed)
        assert await service.pool.fetchval("SELECT count(*) FROM quarantine WHERE reason = 'parked'") == 1


async def what_is_taken_in_is_bounded(ground: Ground) -> None:
    """I16: with the database away no more is taken from the broker than was settled."""
    deliveries: list[Delivery] = []
    store = Intake.store

    def counted(self: Intake[Any], delivery: Delivery) -> asyncio.Future[None]:
        deliveries.append(delivery)
        return store(self, delivery)

    async def in_memory() -> bool:
        return sum(not delivery.stored.done() for delivery in deliveries) >= 16

    with _replaced(Intake, "store", counted):
        await ground.start(listener(ground), prefetch=16)
        ground.sql.stall()
        for number in range(1, 33):
            await tell(ground, emptied(ground, number))
        await ground.until(in_memory, "as many are taken as may be")
        await asyncio.sleep(0.5)
        taken = sum(not delivery.stored.done() for delivery in deliveries)
        assert taken <= 16, f"{taken} messages lie in memory"
    ground.sql.heal()
    await ground.told(network_policy.PolicyWithdrawn, 32)


async def a_deleted_queue_is_found_out(ground: Ground) -> None:
    """Traps 2 and 8: nobody tells a consumer that its queue has gone."""
    await ground.start(worker(ground))
    await ground.broker.delete_queue("tresor.provisioner.commands")
    body, signature, _ = ground.signed()

    async def is_applied() -> bool:
        try:
            await ground.give(body, signature)
        except Exception:  # nothing routes it yet
            await asyncio.sleep(0.5)
        return bool(ground.site.tap.of(CHASSIS.applied))

    await ground.until(is_applied, "a command is taken in again")


async def a_rebuilt_session_leaves_nothing_open(ground: Ground) -> None:
    """Trap 8: what is built anew while messages are being stored replaces what was there."""
    await ground.start(worker(ground))
    before = ground.amqp.connections
    ground.sql.stall()
    body, signature, _ = ground.signed()
    await ground.give(body, signature)
    await asyncio.sleep(0.5)

    async def lost(*_: Any) -> dict[str, int]:
        raise ConnectionError("the broker sees no consumer")

    with _replaced(shared.bus, "declare", lost):
        await asyncio.sleep(shared.bus.WATCH_SECONDS + 1)
    await asyncio.sleep(4)  # longer than an orderly stop is waited for
    ground.sql.heal()
    await ground.told(CHASSIS.applied)

    async def as_many_as_before() -> bool:
        return ground.amqp.connections <= before

    await ground.until(as_many_as_before, f"{before} connections")
