"""A queue that takes nothing, or is not there: for a while nobody notices, for longer it is told."""

import asyncio
from collections.abc import Callable
from pathlib import Path

from bootstrap.leases import BrokerLease
from contracts import provisioner
from shared.testing import Site
from tests.operator_cli.conftest import Tresor
from tests.operator_cli.provisioner_double import make_context, make_handlers
from tests.operator_cli.queues import COMMANDS, full_queue, given


async def test_a_queue_that_refuses_for_a_moment_is_offered_the_command_again(
    site: Site, operator: Tresor, broker: BrokerLease, document_file: Callable[..., Path]
) -> None:
    async with full_queue(broker) as queue:
        arguments = ("workspace", "create", "-f", str(document_file()), "--timeout", "8")
        creating = asyncio.create_task(operator(*arguments))
        await asyncio.sleep(4)
        assert not creating.done()
        await queue.purge()
        async with asyncio.timeout(8):
            while (taken := await queue.get(fail=False)) is None:
                await asyncio.sleep(0.1)
        assert b"provisioner.workspace.create" in taken.body
        ended = await creating
        assert (ended.code, "did not say within 8 s that it has the command" in ended.err) == (5, True), ended.err


async def test_a_queue_that_stays_full_is_told(
    site: Site, operator: Tresor, broker: BrokerLease, document_file: Callable[..., Path]
) -> None:
    async with full_queue(broker):
        ended = await operator("workspace", "create", "-f", str(document_file()))
    assert (ended.code, "the queue of provisioner is full" in ended.err) == (5, True), ended.err


async def test_a_queue_that_goes_with_the_command_in_it_gets_it_again(
    site: Site, operator: Tresor, broker: BrokerLease, document_file: Callable[..., Path]
) -> None:
    """A service may make its queue anew (decision record 0003): the command is published until somebody has it."""
    service = await site.start(make_handlers(), make_context)
    await site.stop(service)
    creating = asyncio.create_task(operator("workspace", "create", "-f", str(document_file())))
    await given(broker, 1)
    await broker.delete_queue(COMMANDS)
    await asyncio.sleep(6)  # longer than it takes to publish the same bytes again
    await site.start(make_handlers(), make_context)
    ended = await creating
    assert ended.code == 0, ended.err
    assert len(site.tap.of(provisioner.WorkspaceReady)) == 1
