"""What a service sets aside: listed, shown, handled again when two people say so, or never."""

import asyncio
import base64
import hashlib
from collections.abc import Callable
from typing import Any

import pytest

from contracts import storage
from contracts.envelope import EVENTS_EXCHANGE, Role
from contracts.parked import MAX_REPLAYS, ParkedListed, ParkedMessage, RefusedListed, SetAside
from contracts.provisioner import NetworkReady
from shared.service import Service
from shared.signing import write_keyring
from shared.testing import Site
from tests.stumbling import Stumbling, make_context, make_handlers

CHASSIS = storage.CHASSIS
SEEN = NetworkReady.model_validate(NetworkReady.example)
WORKSPACE = SEEN.workspace


@pytest.fixture
async def service(site: Site, monkeypatch: pytest.MonkeyPatch) -> Service[Stumbling]:
    """A service that gives up on a message at its second failure."""
    monkeypatch.setattr("shared.lanes.MAX_ATTEMPTS", 2)
    return await site.start(make_handlers(), make_context)


async def parked(site: Site, *generations: int) -> list[ParkedMessage]:
    """Events that the service has set aside, as it lists them."""
    for generation in generations:
        await _one_parked(site, generation)
    listed = await parked_now(site)
    assert len(listed) == len(generations)
    return listed


async def _one_parked(site: Site, generation: int) -> None:
    event_id = await site.tell(SEEN.model_copy(update={"generation": generation}))
    await site.tap.until(CHASSIS.parked, where=lambda told: told.message_id == event_id)


async def replayed(site: Site, messages: list[ParkedMessage], workspace: str = WORKSPACE) -> str:
    """The replay asked for by Ana, approved by Sam; its id."""
    command = CHASSIS.replay(workspace=workspace, messages=tuple(map(named, messages)))
    command_id = await site.command(command)
    waiting = await site.tap.until(CHASSIS.waiting, where=lambda event: event.command_id == command_id)
    await site.command(CHASSIS.approve(workspace=workspace, command_id=command_id, digest=waiting.digest), "sam")
    return command_id


def named(one: ParkedMessage) -> SetAside:
    return SetAside(message_id=one.message_id, digest=one.digest)


async def ended(site: Site, kind: Any, command_id: str) -> Any:
    return await site.tap.until(kind, where=lambda event: event.command_id == command_id)


async def test_what_is_parked_is_listed_and_shown_with_its_bytes(site: Site, service: Service[Stumbling]) -> None:
    (one,) = await parked(site, 1)
    assert (one.message_type, one.subject, one.producer) == (NetworkReady.type, WORKSPACE, "provisioner")
    assert (one.attempts, one.replays, one.error, one.body_base64) == (2, 0, "KeyError: 'internal'", None)
    shown = await site.ask(CHASSIS.list_parked(message_id=one.message_id))
    assert isinstance(shown, ParkedListed)
    body = base64.b64decode(shown.messages[0].body_base64 or "")
    assert f"sha256:{hashlib.sha256(body).hexdigest()}" == one.digest
    assert len(body) == one.size_bytes


async def test_two_people_have_it_handled_again_once_and_in_order(site: Site, service: Service[Stumbling]) -> None:
    messages = await parked(site, 1, 2, 3)
    service.runtime.context.broken = False
    command_id = await site.command(CHASSIS.replay(workspace=WORKSPACE, messages=tuple(map(named, reversed(messages)))))
    waiting = await ended(site, CHASSIS.waiting, command_id)
    assert service.runtime.context.handled == []
    await site.command(CHASSIS.approve(workspace=WORKSPACE, command_id=command_id, digest=waiting.digest), "sam")
    await ended(site, CHASSIS.applied, command_id)
    told = site.tap.of(CHASSIS.replayed)
    assert {(one.message_id, one.holder, one.replays) for one in told} == {
        (one.message_id, "ana", 1) for one in messages
    }
    await site.tell(SEEN.model_copy(update={"generation": 4}))
    await _until(lambda: len(service.runtime.context.handled) == 4)
    assert service.runtime.context.handled == [1, 2, 3, 4]
    assert await parked(site) == []
    again = await replayed(site, messages[:1])
    assert "it is done" in (await ended(site, CHASSIS.rejected, again)).problems[0].reason
    assert service.runtime.context.handled == [1, 2, 3, 4]


async def test_one_person_alone_replays_nothing(site: Site, service: Service[Stumbling]) -> None:
    (one,) = await parked(site, 1)
    service.runtime.context.broken = False
    command_id = await site.command(CHASSIS.replay(workspace=WORKSPACE, messages=(named(one),)))
    waiting = await ended(site, CHASSIS.waiting, command_id)
    own = await site.command(CHASSIS.approve(workspace=WORKSPACE, command_id=command_id, digest=waiting.digest), "ana")
    assert "another person" in (await ended(site, CHASSIS.rejected, own)).problems[0].reason
    assert service.runtime.context.handled == []


async def test_what_fails_again_is_parked_again_and_not_for_ever(site: Site, service: Service[Stumbling]) -> None:
    (one,) = await parked(site, 1)
    for times in range(1, MAX_REPLAYS + 1):
        await ended(site, CHASSIS.applied, await replayed(site, [one]))
        await _until_parked_again(service, one, times)
    (again,) = await parked_now(site)
    assert (again.replays, again.attempts) == (MAX_REPLAYS, 2)
    rejected = await ended(site, CHASSIS.rejected, await replayed(site, [one]))
    assert f"{MAX_REPLAYS} times" in rejected.problems[0].reason


async def test_what_is_dropped_is_never_handled(site: Site, service: Service[Stumbling]) -> None:
    first, second = await parked(site, 1, 2)
    service.runtime.context.broken = False
    command_id = await site.command(CHASSIS.drop(workspace=WORKSPACE, messages=(named(first),)), "sam")
    await ended(site, CHASSIS.applied, command_id)
    (told,) = site.tap.of(CHASSIS.dropped)
    assert (told.message_id, told.holder) == (first.message_id, "sam")
    assert [one.message_id for one in await parked_now(site)] == [second.message_id]
    rejected = await ended(site, CHASSIS.rejected, await replayed(site, [first, second]))
    assert "it is dropped" in rejected.problems[0].reason
    assert service.runtime.context.handled == [], "all of them, or none"


async def test_only_exactly_what_was_read_is_replayed(site: Site, service: Service[Stumbling]) -> None:
    (one,) = await parked(site, 1)
    other = one.model_copy(update={"digest": "sha256:" + "0" * 64})
    for messages, workspace, words in (
        ([other], WORKSPACE, "with these bytes"),
        ([one], "elsewhere", "of elsewhere"),
        ([one, one], WORKSPACE, "named twice"),
    ):
        rejected = await ended(site, CHASSIS.rejected, await replayed(site, messages, workspace))
        assert words in rejected.problems[0].reason
    assert [each.replays for each in await parked_now(site)] == [0]


async def test_bytes_that_were_changed_in_the_database_are_not_handled(site: Site, service: Service[Stumbling]) -> None:
    (one,) = await parked(site, 1)
    service.runtime.context.broken = False
    await service.runtime.pool.execute("UPDATE inbox SET body = body || ' '::bytea WHERE state = 'parked'")
    rejected = await ended(site, CHASSIS.rejected, await replayed(site, [one]))
    assert "not those that were verified" in rejected.problems[0].reason
    assert service.runtime.context.handled == []


async def test_an_event_of_a_producer_that_is_believed_no_more_is_not_handled(
    site: Site, service: Service[Stumbling]
) -> None:
    (one,) = await parked(site, 1)
    service.runtime.context.broken = False
    lost = site.keys.keys["provisioner"].model_copy(update={"revoked_at": site.clock.now()})
    write_keyring(site.keys.keyring_path, tuple({**site.keys.keys, "provisioner": lost}.values()))
    rejected = await ended(site, CHASSIS.rejected, await replayed(site, [one]))
    assert "no key of provisioner is good" in rejected.problems[0].reason
    assert service.runtime.context.handled == []


async def test_refused_input_is_shown_and_has_no_way_in(site: Site, service: Service[Stumbling]) -> None:
    body = b'{"type": "not.to.be-believed"}'
    await site.publish(EVENTS_EXCHANGE, NetworkReady.type, body, None, "provisioner")
    refused = await site.tap.until(CHASSIS.refused)
    listed = await site.ask(CHASSIS.list_refused())
    assert isinstance(listed, RefusedListed)
    (one,) = listed.inputs
    assert (one.digest, one.reason, one.came_from, one.times) == (refused.digest, "unsigned", "bus:event", 1)
    shown = await site.ask(CHASSIS.list_refused(digest=one.digest))
    assert isinstance(shown, RefusedListed)
    assert base64.b64decode(shown.inputs[0].body_base64 or "") == body
    command = CHASSIS.replay(workspace=WORKSPACE, messages=(SetAside(message_id=site.ids.uuid(), digest=one.digest),))
    command_id = await site.command(command)
    waiting = await ended(site, CHASSIS.waiting, command_id)
    await site.command(CHASSIS.approve(workspace=WORKSPACE, command_id=command_id, digest=waiting.digest), "sam")
    assert "no message" in (await ended(site, CHASSIS.rejected, command_id)).problems[0].reason


async def parked_now(site: Site) -> list[ParkedMessage]:
    listed = await site.ask(CHASSIS.list_parked())
    assert isinstance(listed, ParkedListed)
    return list(listed.messages)


async def _until_parked_again(service: Service[Stumbling], one: ParkedMessage, times: int) -> None:
    async with asyncio.timeout(30):
        while not await service.runtime.pool.fetchval(
            "SELECT 1 FROM inbox WHERE message_id = $1 AND state = 'parked' AND replays = $2", one.message_id, times
        ):
            await asyncio.sleep(0.05)


async def _until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not true():
            await asyncio.sleep(0.05)


async def test_a_key_for_other_workspaces_is_told_of_nothing_set_aside(site: Site, service: Service[Stumbling]) -> None:
    site.keys.add("ben", frozenset({Role.OPERATOR}), workspaces=("physics-*",))
    site.keys.add("eva", frozenset({Role.OPERATOR}), workspaces=(WORKSPACE,))
    (one,) = await parked(site, 1)
    for query in (CHASSIS.list_parked(), CHASSIS.list_parked(message_id=one.message_id)):
        told = [await site.ask(query, holder) for holder in ("ben", "eva")]
        assert [len(each.messages) for each in told if isinstance(each, ParkedListed)] == [0, 1]
    with pytest.raises(AssertionError, match="belongs to no workspace"):
        await site.ask(CHASSIS.list_refused(), "eva")
