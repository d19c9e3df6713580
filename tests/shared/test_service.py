"""The chassis end to end: a command to its outcome, events in order, queries, on a real broker and database."""

import asyncio
from dataclasses import dataclass

import pytest

from contracts import network_policy, provisioner, storage
from contracts.envelope import Problem
from contracts.examples import DOCUMENT
from contracts.workspace import Workspace
from shared.errors import Rejected, Unknown
from shared.handlers import Handlers, Turn
from shared.testing import Site
from shared.work import Work
from tests.waiting import until


@dataclass
class Seen:
    """What the tests' service was told."""

    looked_at: list[str]


def make_handlers() -> Handlers[Seen]:
    handlers: Handlers[Seen] = Handlers(provisioner)

    @handlers.on(provisioner.CreateWorkspace)
    async def create(command: provisioner.CreateWorkspace, tx: Work[Seen]) -> None:
        if command.document.name == "forbidden":
            raise Rejected([Problem(field="document.name", reason="this name is not allowed")])
        tx.emit(provisioner.WorkspaceEmptied(workspace=command.document.name, generation=1))
        tx.reconcile(command.document.name)

    @handlers.reconcile
    async def reconcile(turn: Turn[Seen]) -> float | None:
        turn.context.looked_at.append(turn.key)

        async def call(request_id: str) -> str:
            return "made-it"

        await turn.effect("thing.create", f"{turn.key}-thing", call)
        return None

    @handlers.answer(provisioner.ListWorkspaces)
    async def listed(query: provisioner.ListWorkspaces, tx: Work[Seen]) -> provisioner.WorkspaceList:
        return provisioner.WorkspaceList(workspaces=(), truncated=query.deleted)

    return handlers


async def make_context(*_: object) -> Seen:
    return Seen([])


def document(name: str = "genome-42") -> Workspace:
    return Workspace.model_validate({**DOCUMENT, "name": name})


async def test_a_command_is_accepted_applied_and_its_key_looked_at(site: Site) -> None:
    service = await site.start(make_handlers(), make_context)
    command_id = await site.command(provisioner.CreateWorkspace(document=document()))
    chassis = provisioner.CHASSIS
    assert (await site.tap.until(chassis.accepted)).command_id == command_id
    assert (await site.tap.until(chassis.applied)).command_id == command_id
    effect = await site.tap.until(chassis.effect)
    assert (effect.step, effect.outcome, effect.resource_id) == ("thing.create", "done", "made-it")
    assert service.runtime.context.looked_at == ["genome-42"]


async def test_a_rejection_says_why_and_changes_nothing(site: Site) -> None:
    await site.start(make_handlers(), make_context)
    await site.command(provisioner.CreateWorkspace(document=document("forbidden")))
    rejected = await site.tap.until(provisioner.CHASSIS.rejected)
    assert rejected.problems == (Problem(field="document.name", reason="this name is not allowed"),)
    assert not site.tap.of(provisioner.WorkspaceEmptied)


async def test_a_query_is_answered_to_its_asker(site: Site) -> None:
    await site.start(make_handlers(), make_context)
    answer = await site.ask(provisioner.ListWorkspaces(deleted=True), "ada")
    assert isinstance(answer, provisioner.WorkspaceList)
    assert answer.truncated


async def test_events_are_handled_in_order_and_lost_ones_are_asked_for(site: Site) -> None:
    told: list[int] = []
    handlers: Handlers[None] = Handlers(network_policy)

    @handlers.on(provisioner.WorkspaceEmptied)
    async def emptied(seen: provisioner.WorkspaceEmptied, tx: Work[None]) -> None:
        told.append(seen.generation)
        tx.emit(network_policy.PolicyWithdrawn(workspace=seen.workspace, generation=seen.generation))

    async def nothing(*_: object) -> None:
        return None

    await site.start(make_handlers(), make_context)
    lost = [await site.command(provisioner.CreateWorkspace(document=document())) for _ in range(3)]
    await until(lambda: {one.command_id for one in site.tap.of(provisioner.CHASSIS.applied)} == set(lost))
    await site.start(handlers, nothing)  # its queue is made only now: all that was told before is lost to it
    await site.tap.until(network_policy.PolicyWithdrawn, workspace="genome-42", seconds=20)
    assert told[:1] == [1]
    assert storage.OWNER not in handlers.producers()


@pytest.mark.parametrize(
    ("holder", "reason"), [("ada", "wrong-role"), ("sam", "wrong-role"), ("network-policy", "wrong-role")]
)
async def test_who_may_not_command_is_refused_with_one_security_event(site: Site, holder: str, reason: str) -> None:
    await site.start(make_handlers(), make_context)
    await site.command(provisioner.CreateWorkspace(document=document()), holder)
    refused = await site.tap.until(provisioner.CHASSIS.refused)
    assert refused.reason == reason
    assert not site.tap.of(provisioner.CHASSIS.accepted)


async def test_a_lost_answer_is_settled_once_all_is_as_it_should_be(site: Site) -> None:
    """I13: every effect has an outcome row, also when its answer never came and its result was observed."""
    handlers: Handlers[Seen] = Handlers(provisioner)
    made: list[str] = []

    @handlers.on(provisioner.CreateWorkspace)
    async def create(command: provisioner.CreateWorkspace, tx: Work[Seen]) -> None:
        tx.reconcile(command.document.name)

    @handlers.reconcile
    async def reconcile(turn: Turn[Seen]) -> float | None:
        async def call(request_id: str) -> str:
            made.append(request_id)
            raise Unknown("the answer was lost")

        if not made:
            await turn.effect("thing.create", f"{turn.key}-thing", call)
        return None

    service = await site.start(handlers, make_context)
    await site.command(provisioner.CreateWorkspace(document=document()))
    effect = await site.tap.until(provisioner.CHASSIS.effect)
    assert effect.outcome == "unknown"
    async with asyncio.timeout(20):
        while await service.pool.fetchval("SELECT count(*) FROM intent WHERE state <> 'done'"):
            await asyncio.sleep(0.1)
    assert len(made) == 1


async def test_events_on_their_way_are_not_asked_for_again(site: Site) -> None:
    """A head overtakes events that are only late: nothing is resent."""
    await site.start(make_handlers(), make_context)
    handlers: Handlers[None] = Handlers(network_policy)

    @handlers.on(provisioner.WorkspaceEmptied)
    async def emptied(seen: provisioner.WorkspaceEmptied, tx: Work[None]) -> None:
        tx.emit(network_policy.PolicyWithdrawn(workspace=seen.workspace, generation=seen.generation))

    async def nothing(*_: object) -> None:
        return None

    await site.start(handlers, nothing)
    for number in range(40):
        await site.command(provisioner.CreateWorkspace(document=document(f"w-{number}")))
        await asyncio.sleep(0.2)  # for longer than a head's period
    await site.tap.until(network_policy.PolicyWithdrawn, workspace="w-39")
    numbered = [event["id"] for event in site.tap.events if "sequence" in event]
    assert len(numbered) == len(set(numbered))
