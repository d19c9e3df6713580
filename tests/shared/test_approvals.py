"""Two people for what opens (invariant I8): a command waits for another's approval of its very bytes."""

import asyncio
import hashlib
from datetime import datetime, timedelta
from typing import Any

import pytest

from contracts import network_policy
from contracts.approvals import ApprovalsListed
from contracts.envelope import Role
from contracts.network_policy import ReleaseWorkspace
from shared.handlers import Handlers
from shared.service import Service
from shared.signing import write_keyring
from shared.testing import Site
from shared.work import Work

CHASSIS = network_policy.CHASSIS
QUARANTINE = "0198c0de-0000-7000-8000-000000000009"
RELEASE = ReleaseWorkspace(workspace="genome-42", quarantine_id=QUARANTINE, reason="looked over")


class Decided:
    """What the service has begun."""

    def __init__(self) -> None:
        self.commands: list[tuple[str, ReleaseWorkspace]] = []


def make_handlers() -> Handlers[Decided]:
    handlers: Handlers[Decided] = Handlers(network_policy)

    @handlers.on(ReleaseWorkspace)
    async def release(command: ReleaseWorkspace, tx: Work[Decided]) -> None:
        tx.context.commands.append((tx.holder, command))

    return handlers


async def make_context(*_: object) -> Decided:
    return Decided()


@pytest.fixture
async def service(site: Site) -> Service[Decided]:
    """A service with one command that another person has to approve."""
    return await site.start(make_handlers(), make_context)


async def asked(site: Site, holder: str = "ana", **fields: Any) -> tuple[str, str]:
    """The command given; its id and digest, once it waits."""
    command_id = await site.command(RELEASE, holder, **fields)
    waiting = await site.tap.until(CHASSIS.waiting, where=lambda event: event.command_id == command_id)
    assert (waiting.holder, waiting.approvals) == (holder, 1)
    return command_id, waiting.digest


async def judged(site: Site, kind: Any, command_id: str, digest: str, holder: str, **fields: Any) -> str:
    """An approval or denial; its own id."""
    return await site.command(
        kind.model_validate({"workspace": "genome-42", "command_id": command_id, "digest": digest, **fields}), holder
    )


async def refused(site: Site, judgement_id: str) -> str:
    """Why a judgement was rejected."""
    told = await site.tap.until(CHASSIS.rejected, where=lambda event: event.command_id == judgement_id)
    assert told.command_type == CHASSIS.approve.type
    return told.problems[0].reason


async def test_it_waits_and_is_begun_once_another_has_approved(site: Site, service: Service[Decided]) -> None:
    command_id, digest = await asked(site)
    assert digest.startswith("sha256:")
    listed = await site.ask(CHASSIS.list_approvals())
    assert isinstance(listed, ApprovalsListed)
    (waiting,) = listed.commands
    assert waiting.digest == f"sha256:{hashlib.sha256(waiting.body.encode()).hexdigest()}" == digest
    assert service.runtime.context.commands == []
    await judged(site, CHASSIS.approve, command_id, digest, "sam")
    applied = await site.tap.until(CHASSIS.applied, where=lambda event: event.command_id == command_id)
    assert applied.holder == "ana"
    (approved,) = site.tap.of(CHASSIS.approved)
    assert (approved.approver, approved.left, approved.digest) == ("sam", 0, digest)
    assert service.runtime.context.commands == [("ana", RELEASE)]
    empty = await site.ask(CHASSIS.list_approvals())
    assert isinstance(empty, ApprovalsListed)
    assert empty.commands == ()


async def test_nobody_approves_their_own_command(site: Site, service: Service[Decided]) -> None:
    command_id, digest = await asked(site)
    judgement = await judged(site, CHASSIS.approve, command_id, digest, "ana")
    assert "another person" in await refused(site, judgement)
    assert service.runtime.context.commands == []
    await judged(site, CHASSIS.approve, command_id, digest, "sam")
    await site.tap.until(CHASSIS.applied, where=lambda event: event.command_id == command_id)


async def test_a_second_key_does_not_make_a_second_person(site: Site, service: Service[Decided]) -> None:
    command_id, digest = await asked(site)
    site.keys.add("ana-laptop", frozenset({Role.OPERATOR}))
    laptop = site.keys.keys["ana-laptop"].model_copy(update={"holder": "ana"})
    write_keyring(site.keys.keyring_path, tuple({**site.keys.keys, "ana-laptop": laptop}.values()))
    judgement = await site.command(
        CHASSIS.approve(workspace="genome-42", command_id=command_id, digest=digest),
        "ana-laptop",
        source="tresor/operator/ana",
    )
    assert "another person" in await refused(site, judgement)
    assert service.runtime.context.commands == []


@pytest.mark.parametrize("holder", ["ada", "storage"])
async def test_who_may_not_approve_is_refused_with_one_security_event(
    site: Site, service: Service[Decided], holder: str
) -> None:
    command_id, digest = await asked(site)
    judgement = await judged(site, CHASSIS.approve, command_id, digest, holder)
    told = await site.tap.until(CHASSIS.refused, where=lambda event: event.message_id == judgement)
    assert told.reason == "wrong-role"
    assert len(site.tap.of(CHASSIS.refused)) == 1
    assert service.runtime.context.commands == []


async def test_an_approval_of_other_words_is_refused(site: Site, service: Service[Decided]) -> None:
    command_id, _ = await asked(site)
    judgement = await judged(site, CHASSIS.approve, command_id, "sha256:" + "0" * 64, "sam")
    assert "another than was approved" in await refused(site, judgement)
    judgement = await judged(site, CHASSIS.approve, site.ids.uuid(), "sha256:" + "0" * 64, "sam")
    assert "waits here" in await refused(site, judgement)
    assert service.runtime.context.commands == []


async def test_an_approval_is_good_for_one_command_and_once(site: Site, service: Service[Decided]) -> None:
    command_id, digest = await asked(site)
    await judged(site, CHASSIS.approve, command_id, digest, "sam")
    await site.tap.until(CHASSIS.applied, where=lambda event: event.command_id == command_id)
    judgement = await judged(site, CHASSIS.approve, command_id, digest, "sam")
    assert "it is applied" in await refused(site, judgement)
    other_id, other_digest = await asked(site)
    assert other_digest != digest
    judgement = await judged(site, CHASSIS.approve, other_id, digest, "sam")
    assert "another than was approved" in await refused(site, judgement)
    assert len(service.runtime.context.commands) == 1


async def test_it_ends_by_itself_when_nobody_approves_in_time(site: Site, service: Service[Decided]) -> None:
    soon = site.clock.now() + timedelta(seconds=2)
    command_id, digest = await asked(site, executeby=soon)
    (waiting,) = site.tap.of(CHASSIS.waiting)
    assert waiting.waits_until == soon
    told = await site.tap.until(CHASSIS.rejected, where=lambda event: event.command_id == command_id)
    assert "in time" in told.problems[0].reason
    judgement = await judged(site, CHASSIS.approve, command_id, digest, "sam")
    assert "it is rejected" in await refused(site, judgement)
    assert service.runtime.context.commands == []


async def test_a_late_approval_is_refused(site: Site, service: Service[Decided]) -> None:
    command_id, digest = await asked(site)
    past = site.clock.now() - timedelta(seconds=1)
    await _set(service, "UPDATE timer SET due_at = $1", past + timedelta(hours=1))
    await _set(service, "UPDATE inbox SET next_attempt_at = $1 WHERE state = 'waiting'", past)
    judgement = await judged(site, CHASSIS.approve, command_id, digest, "sam")
    assert (await refused(site, judgement)).startswith("too late")
    assert service.runtime.context.commands == []


async def _set(service: Service[Decided], statement: str, value: datetime) -> None:
    await service.runtime.pool.execute(statement, value)


@pytest.mark.parametrize(("holder", "verb"), [("ana", "withdrawn"), ("sam", "denied")])
async def test_it_is_withdrawn_or_denied(site: Site, service: Service[Decided], holder: str, verb: str) -> None:
    command_id, digest = await asked(site)
    await judged(site, CHASSIS.deny, command_id, digest, holder, reason="not yet")
    told = await site.tap.until(CHASSIS.rejected, where=lambda event: event.command_id == command_id)
    assert told.problems[0].reason == f"{verb} by {holder}: not yet"
    assert service.runtime.context.commands == []


async def test_an_approver_whose_key_is_revoked_does_not_count(site: Site, service: Service[Decided]) -> None:
    """The approval is stored; by the time the command is decided its approver may not approve any more."""
    command_id, digest = await asked(site)
    sam = site.keys.keys["sam"].model_copy(update={"revoked_at": site.clock.now() - timedelta(seconds=1)})
    await service.runtime.pool.execute(
        "INSERT INTO approval SELECT digest, 'sam', message_id, message_id, received_at FROM inbox WHERE state = 'waiting'"
    )
    write_keyring(site.keys.keyring_path, tuple({**site.keys.keys, "sam": sam}.values()))
    await service.runtime.pool.execute(
        "UPDATE inbox SET state = 'pending', next_attempt_at = now() WHERE state = 'waiting'"
    )
    async with asyncio.timeout(30):
        while len(site.tap.of(CHASSIS.waiting)) < 2:
            await asyncio.sleep(0.1)
    assert site.tap.of(CHASSIS.waiting)[1].approved_by == ()
    assert service.runtime.context.commands == []
    site.keys.add("eve", frozenset({Role.SECURITY_OFFICER}))
    await judged(site, CHASSIS.approve, command_id, digest, "eve")
    await site.tap.until(CHASSIS.applied, where=lambda event: event.command_id == command_id)


async def test_what_waits_is_listed_to_those_whose_key_covers_it(site: Site, service: Service[Decided]) -> None:
    site.keys.add("ben", frozenset({Role.OPERATOR}), workspaces=("physics-*",))
    command_id, _ = await asked(site)
    told = [await site.ask(CHASSIS.list_approvals(command_id=command_id), holder) for holder in ("ben", "sam")]
    assert [len(each.commands) for each in told if isinstance(each, ApprovalsListed)] == [0, 1]
