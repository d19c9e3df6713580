"""`tresor parked`: what services set aside, from the list to the replay that two people order, on a real broker."""

import asyncio
import json

import pytest

from contracts import storage
from contracts.envelope import EVENTS_EXCHANGE
from contracts.provisioner import NetworkReady
from shared.service import Service
from shared.testing import Site
from tests.operator_cli.conftest import Ended, Tresor
from tests.stumbling import Stumbling, make_context, make_handlers

SEEN = NetworkReady.model_validate(NetworkReady.example)


@pytest.fixture
async def served(site: Site, monkeypatch: pytest.MonkeyPatch) -> Service[Stumbling]:
    """The double, running; it sets a message aside at its first failure."""
    monkeypatch.setattr("shared.lanes.MAX_ATTEMPTS", 1)
    return await site.start(make_handlers(), make_context)


@pytest.fixture
def sam(site: Site, operator: Tresor) -> Tresor:
    """The command as Sam, a security officer."""

    async def run(*arguments: str, stdin: str = "", **environment: str) -> Ended:
        return await operator(
            *arguments, stdin=stdin, **{**environment, "TRESOR_SIGNING_KEY_PATH": str(site.keys.path("sam"))}
        )

    return run


async def set_aside(site: Site, *workspaces: str) -> list[str]:
    """Events that the service has parked; their ids."""
    ids = [await site.tell(SEEN.model_copy(update={"workspace": workspace})) for workspace in workspaces]
    for workspace in workspaces:
        await site.tap.until(storage.CHASSIS.parked, workspace=workspace)
    return ids


async def test_what_is_parked_is_read_and_replayed_by_two(
    site: Site, served: Service[Stumbling], operator: Tresor, sam: Tresor
) -> None:
    assert "Nothing is parked." in (await operator("parked")).out
    (message_id,) = await set_aside(site, "openhpc")
    listed = await operator("parked")
    assert listed.code == 0, listed.err
    for words in ("storage", NetworkReady.type, "openhpc", "KeyError: 'internal'", message_id):
        assert words in listed.out
    assert (await operator("parked", "--check", "-o", "json")).code == 1
    shown = await operator("parked", "show", "storage", message_id)
    assert shown.code == 0, shown.err
    assert '"subject": "openhpc"' in shown.out
    served.runtime.context.broken = False
    asked = await operator("parked", "replay", "storage", message_id)
    assert asked.code == 0, asked.err
    (waiting,) = json.loads((await operator("approvals", "-o", "json")).out)["commands"]
    assert f"tresor approve {waiting['command_id']}" in asked.err
    assert (await operator("approve", waiting["command_id"], "--yes")).code == 3
    assert served.runtime.context.handled == []
    approved = await sam("approve", waiting["command_id"], "--yes")
    assert approved.code == 0, approved.err
    assert message_id in approved.err
    async with asyncio.timeout(30):
        while served.runtime.context.handled != [SEEN.generation]:
            await asyncio.sleep(0.1)
    assert (await operator("parked", "--check")).code == 0
    again = await operator("parked", "replay", "storage", message_id)
    assert (again.code, "no message" in again.err) == (1, True)


async def test_the_doctor_says_so(site: Site, served: Service[Stumbling], operator: Tresor) -> None:
    async def found() -> dict[str, str]:
        ended = await operator("doctor", "-o", "json", "--listen", "0")
        (one,) = [check for check in json.loads(ended.out) if check["name"] == "parked messages"]
        return dict(one)

    assert (await found())["state"] == "OK"
    await set_aside(site, "openhpc")
    told = await found()
    assert (told["state"], told["detail"]) == ("WARN", "1 at storage")


async def test_what_is_dropped_leaves_the_list(site: Site, served: Service[Stumbling], operator: Tresor) -> None:
    first, second = await set_aside(site, "openhpc", "genome")
    several = await operator("parked", "drop", "storage", first, second, "--yes")
    assert (several.code, "of several workspaces" in several.err) == (2, True)
    unasked = await operator("parked", "drop", "storage", first)
    assert (unasked.code, "give --yes" in unasked.err) == (2, True)
    dropped = await operator("parked", "drop", "storage", first, "--yes")
    assert dropped.code == 0, dropped.err
    (left,) = json.loads((await operator("parked", "-o", "json")).out)["messages"]
    assert (left["service"], left["message_id"]) == ("storage", second)


async def test_refused_input_is_shown_without_what_a_terminal_would_obey(
    site: Site, served: Service[Stumbling], operator: Tresor
) -> None:
    body = b'{"type": "no.such.thing"} \x1b[2J\xff'
    await site.publish(EVENTS_EXCHANGE, NetworkReady.type, body, None, "provisioner")
    async with asyncio.timeout(30):
        while not (found := json.loads((await operator("parked", "--refused", "-o", "json")).out)["inputs"]):
            await asyncio.sleep(0.1)
    assert (found[0]["reason"], found[0]["came_from"]) == ("unsigned", "bus:event")
    shown = await operator("parked", "show", "storage", found[0]["digest"])
    assert shown.code == 0, shown.err
    assert '{"type": "no.such.thing"}' in shown.out
    assert "\x1b" not in shown.out
    assert "no signature" in (await operator("parked", "--refused")).out


async def test_a_service_that_does_not_answer_is_named(
    site: Site, served: Service[Stumbling], operator: Tresor
) -> None:
    await site.stop(served)
    silent = await operator("parked", "--timeout", "1")
    assert (silent.code, "no answer from storage" in silent.err) == (5, True)


async def test_what_is_wrong_about_it_has_its_code(site: Site, served: Service[Stumbling], operator: Tresor) -> None:
    for arguments, code, words in (
        (("show", "storages", "1"), 2, "there is no service"),
        (("show", "storage", "1"), 2, "no message's id"),
        (("show", "storage", "sha256:" + "0" * 64), 1, "no such message"),
        (("replay", "storage", site.ids.uuid()), 1, "parked"),
    ):
        ended = await operator("parked", *arguments)
        assert (ended.code, words in ended.err) == (code, True), ended.err
