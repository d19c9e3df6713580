"""The ends of a quarantine on a real broker and database, against the twin or the lab: row L27, invariant I8."""

import asyncio

import pytest

from contracts.network_policy import (
    CHASSIS,
    DriftDetected,
    ListQuarantines,
    QuarantinesListed,
)
from tests.network_policy.quarantines import (
    NEVER,
    approved,
    asked_to_release,
    floating_ip,
    ordered,
    port,
    port_of,
    released,
    until_port,
)
from tests.network_policy.stage import Stage


async def test_two_quarantines_of_one_port_are_released_one_by_one(stage: Stage) -> None:
    await stage.service(scan_seconds=NEVER, quarantine_down_seconds=0.0)
    groups, ports = await stage.standing()
    role, node = await ordered(stage, role="login"), await ordered(stage, node=f"{stage.name}-login-0")
    await released(stage, role.quarantine_id)
    assert (await port(stage, ports["login-0"])).security_group_ids == [node.group_id]
    await released(stage, node.quarantine_id)
    await until_port(stage, ports["login-0"], security_group_ids=[groups["login"]], is_admin_state_up=True)
    assert not stage.site.tap.of(DriftDetected)


@pytest.mark.parametrize("generation", [None, 2])
async def test_a_release_at_another_generation_is_refused_i8(stage: Stage, generation: int | None) -> None:
    await stage.service(scan_seconds=NEVER)
    _, ports = await stage.standing()
    told = await ordered(stage)
    command_id, digest = await asked_to_release(stage, told.quarantine_id, generation)
    await approved(stage, command_id, digest)
    refused = await stage.site.tap.until(CHASSIS.rejected, where=lambda event: event.command_id == command_id)
    assert "generation" in refused.problems[0].reason
    assert (await port(stage, ports["login-0"])).security_group_ids == [told.group_id]


async def test_what_can_not_be_given_back_is_said(stage: Stage) -> None:
    await stage.service(scan_seconds=NEVER)
    _, ports = await stage.standing()
    gone, elsewhere = await floating_ip(stage, ports["login-0"]), await floating_ip(stage, ports["compute-0"])
    told = await ordered(stage)
    assert told.floating_ips == 2
    other = await stage.cloud(lambda c: c.network.create_port(network_id=stage.network, project_id=stage.project))
    del other
    await stage.cloud(lambda c: c.network.delete_ip(gone))
    ended = await released(stage, told.quarantine_id)
    assert [word for text in ended.not_restored for word in text.split() if word == "gone"] == ["gone"]
    assert await port_of(stage, elsewhere) == ports["compute-0"]


async def test_a_workspace_that_is_deleted_ends_its_quarantine(stage: Stage) -> None:
    await stage.service(scan_seconds=NEVER)
    await stage.standing()
    told = await ordered(stage)
    await stage.delete()
    async with asyncio.timeout(20):
        while True:
            listed = await stage.site.ask(ListQuarantines(of=stage.name, ended=True))
            assert isinstance(listed, QuarantinesListed)
            if listed.quarantines[0].state == "released":
                break
            await asyncio.sleep(0.2)
    left = await stage.cloud(lambda c: [each.id for each in c.network.security_groups()])
    assert told.group_id not in left
