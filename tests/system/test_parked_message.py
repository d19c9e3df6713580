"""An event that a service stumbles over, through the whole chain: set aside, told, and handled again by two people."""

import asyncpg

from bootstrap.leases import DatabaseLease
from contracts import storage
from contracts.parked import ParkedListed, SetAside
from contracts.provisioner import WorkspaceDeclared
from contracts.security_monitor import FindingRaised
from contracts.storage import StorageReady
from tests.system.chain import Chain

NAME = "genome-42"
CHASSIS = storage.CHASSIS
STUMBLE = """
CREATE FUNCTION storage.stumble() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'stumbled'; END $$;
CREATE TRIGGER stumble BEFORE INSERT ON storage.workspace FOR EACH ROW EXECUTE FUNCTION storage.stumble();
"""


async def test_a_workspace_goes_on_once_what_was_set_aside_is_handled_again(
    chain: Chain, database: DatabaseLease
) -> None:
    site, tap = chain.site, chain.site.tap
    own = await asyncpg.connect(database.dsn("storage"))
    await own.execute(STUMBLE)
    await chain.create(chain.document(NAME))
    told = await tap.until(CHASSIS.parked, workspace=NAME, seconds=90)
    assert (told.message_type, told.attempts) == (WorkspaceDeclared.type, 8)
    raised = await tap.until(FindingRaised, where=lambda event: event.finding.rule == "message-parked")
    assert raised.finding.mend == f"tresor parked show storage {told.message_id}"
    await own.execute("DROP TRIGGER stumble ON storage.workspace")
    await own.close()
    listed = await site.ask(CHASSIS.list_parked())
    assert isinstance(listed, ParkedListed)
    assert [(one.message_id, one.subject) for one in listed.messages] == [(told.message_id, NAME)]
    assert not tap.of(StorageReady)
    named = tuple(SetAside(message_id=one.message_id, digest=one.digest) for one in listed.messages)
    command_id = await site.command(CHASSIS.replay(workspace=NAME, messages=named))
    waiting = await tap.until(CHASSIS.waiting, where=lambda event: event.command_id == command_id)
    await site.command(CHASSIS.approve(workspace=NAME, command_id=command_id, digest=waiting.digest), "sam")
    replayed = await tap.until(CHASSIS.replayed, workspace=NAME)
    assert (replayed.message_id, replayed.holder) == (told.message_id, "ana")
    await chain.ready(NAME)
    assert (await site.ask(CHASSIS.list_parked())) == CHASSIS.parked_listed(messages=())
    await chain.delete(NAME)
