"""Leases, and calls that change the cloud: one check for each thing that must hold. See `test_self_test`."""

import asyncio

import asyncpg

from contracts import provisioner
from shared.errors import Unknown
from shared.handlers import Handlers, Turn
from shared.work import Work
from tests.faults.ground import LEASE_SECONDS, Ground
from tests.faults.pair import under_way

_STOLEN = """
UPDATE provisioner.lane SET owner = 'another', fence = fence + 1, lease_until = clock_timestamp() + interval '20 seconds'
"""


class Maker:
    """A service that makes one thing per workspace: what it called, and what becomes of its calls."""

    def __init__(self, ground: Ground, *, answers: bool = True) -> None:
        self.ground = ground
        self.answers = answers
        self.calls: list[str] = []
        self.made: set[str] = set()
        self.is_found = False
        self.begun = asyncio.Event()
        self.go_on = asyncio.Event()
        self.go_on.set()
        self.intents_before_the_call: list[int] = []
        self.handlers: Handlers[None] = Handlers(provisioner)
        self.handlers.on(provisioner.CreateWorkspace)(self._create)
        self.handlers.reconcile(self._reconcile)

    async def _create(self, command: provisioner.CreateWorkspace, tx: Work[None]) -> None:
        tx.reconcile(command.document.name)

    async def _reconcile(self, turn: Turn[None]) -> float | None:
        self.begun.set()
        await self.go_on.wait()

        async def call(request_id: str) -> str:
            self.calls.append(request_id)
            self.intents_before_the_call.append(await self._intents(request_id))
            self.made.add(f"thing-{len(self.calls)}")
            if not self.answers:
                raise Unknown("the answer was lost")
            return f"thing-{len(self.calls)}"

        async def find() -> str | None:
            return next(iter(self.made), None) if self.is_found else None

        if not (self.calls and self.answers):
            await turn.effect("thing.create", turn.key, call, find=find)
        async with turn.transaction() as tx:
            tx.emit(provisioner.WorkspaceEmptied(workspace=turn.key, generation=1))
        return None

    async def _intents(self, request_id: str) -> int:
        keeper = await asyncpg.connect(self.ground.database.dsn())
        try:
            found: int = await keeper.fetchval(
                "SELECT count(*) FROM provisioner.intent WHERE request_id = $1 AND state = 'sent'", request_id
            )
            return found
        finally:
            await keeper.close()

    async def has_told(self) -> bool:
        return bool(self.ground.site.tap.of(provisioner.WorkspaceEmptied))

    async def give(self) -> None:
        body, signature, _ = self.ground.signed()
        await self.ground.give(body, signature)


async def a_call_is_written_down_before_it_is_made(ground: Ground) -> None:
    """I13."""
    maker = Maker(ground)
    await ground.start(maker.handlers)
    await maker.give()
    await ground.until(maker.has_told, "the thing is made")
    assert maker.intents_before_the_call == [1]


async def a_call_without_an_answer_is_not_repeated(ground: Ground) -> None:
    """I2: as long as it may still take effect."""
    maker = Maker(ground, answers=False)
    service = await ground.start(maker.handlers)
    await maker.give()
    await ground.told(provisioner.CHASSIS.effect)
    for _ in range(4):  # it is looked at again and again
        await service.pool.execute("UPDATE dirty SET due_at = now()")
        await asyncio.sleep(0.5)
    assert len(maker.calls) == 1


async def what_a_lost_answer_made_is_adopted(ground: Ground) -> None:
    """I2: found by its marker, it is taken for what was asked."""
    maker = Maker(ground, answers=False)
    maker.is_found = True
    service = await ground.start(maker.handlers)
    await maker.give()
    await ground.told(provisioner.CHASSIS.effect)

    async def is_settled() -> bool:
        await service.pool.execute("UPDATE dirty SET due_at = now()")
        return await maker.has_told()

    await ground.until(is_settled, "it is found and adopted")
    assert len(maker.made) == 1


async def every_call_has_an_outcome(ground: Ground) -> None:
    """I13, I15: also one whose answer was lost, once everything is as it should be."""
    maker = Maker(ground, answers=False)
    service = await ground.start(maker.handlers)
    await maker.give()
    await ground.told(provisioner.CHASSIS.effect)
    maker.answers = True  # what is there is seen: no call is planned again
    await service.pool.execute("UPDATE dirty SET due_at = now()")

    async def nothing_is_left() -> bool:
        return not await under_way(service)

    await ground.until(nothing_is_left, "nothing is under way")


async def who_lost_the_lease_writes_nothing(ground: Ground) -> None:
    """I18: a worker that stood still while another took its key."""
    maker = Maker(ground)
    maker.go_on.clear()
    await ground.start(maker.handlers)
    await maker.give()
    await asyncio.wait_for(maker.begun.wait(), 20)
    keeper = await asyncpg.connect(ground.database.dsn())
    await keeper.execute(_STOLEN)
    await keeper.close()
    maker.go_on.set()
    await ground.never(maker.has_told, "it told of the key of another", 2.0)
    assert not maker.calls, "it called for the key of another"


async def who_lost_the_lease_decides_nothing(ground: Ground) -> None:
    """I18: the same for messages, although this replica believes in its lease."""
    maker = Maker(ground)
    service = await ground.start(maker.handlers)
    service.tasks["leases"].cancel()
    keeper = await asyncpg.connect(ground.database.dsn())
    await keeper.execute(_STOLEN)
    await keeper.close()
    held = dict(service.runtime.leases.held)
    service.runtime.leases._good_until_monotonic += 3600
    await maker.give()

    async def is_decided() -> bool:
        return bool(await service.pool.fetchval("SELECT 1 FROM inbox WHERE state <> 'pending'"))

    assert held
    await ground.never(is_decided, "it decided for the key of another", 2.0)


async def who_waited_too_long_does_not_call(ground: Ground) -> None:
    """I18: between the written intent and the call the lease may have ended."""
    keeper = await asyncpg.connect(ground.database.dsn())
    maker = Maker(ground)
    await ground.start(maker.handlers)
    await keeper.execute(f"""
        CREATE FUNCTION provisioner.slowly() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
            PERFORM pg_sleep({LEASE_SECONDS + 1}); RETURN NULL;
        END $$;
        CREATE TRIGGER slowly AFTER INSERT ON provisioner.intent
            FOR EACH ROW EXECUTE FUNCTION provisioner.slowly()""")
    await maker.give()

    async def has_called() -> bool:
        return bool(maker.calls)

    await ground.never(has_called, "it called without a lease", LEASE_SECONDS + 4)
    assert await keeper.fetchval("SELECT count(*) FROM provisioner.intent") == 1
    await keeper.close()


async def leases_are_kept(ground: Ground) -> None:
    """I15: a service that lives holds its lanes."""
    service = await ground.start(Maker(ground).handlers)
    for _ in range(4):
        await asyncio.sleep(LEASE_SECONDS / 2)
        assert not await under_way(service)


async def what_was_marked_meanwhile_is_looked_at_again(ground: Ground) -> None:
    """A key that changes while it is looked at is looked at once more."""
    looks: list[str] = []
    begun, go_on = asyncio.Event(), asyncio.Event()
    handlers: Handlers[None] = Handlers(provisioner)

    @handlers.on(provisioner.CreateWorkspace)
    async def create(command: provisioner.CreateWorkspace, tx: Work[None]) -> None:
        tx.reconcile(command.document.name)

    @handlers.reconcile
    async def reconcile(turn: Turn[None]) -> float | None:
        looks.append(turn.key)
        begun.set()
        await go_on.wait()
        return None

    await ground.start(handlers)
    body, signature, _ = ground.signed()
    await ground.give(body, signature)
    await asyncio.wait_for(begun.wait(), 20)
    body, signature, _ = ground.signed()
    await ground.give(body, signature)
    await ground.told(provisioner.CHASSIS.applied, 2)
    go_on.set()

    async def again() -> bool:
        return len(looks) == 2

    await ground.until(again, "it is looked at again")
