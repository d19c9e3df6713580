"""A withdrawal that somebody's port holds up: who it is, is told; it goes on by itself."""

import asyncio

import pytest

from contracts.network_policy import PolicyWithdrawn, WithdrawalHeld
from network_policy.handlers import withdrawing
from tests.network_policy.stage import Stage
from twin.testing import RunningTwin

NEVER = 3600.0


def deletes(twin: RunningTwin, group_id: str) -> int:
    """How often the group was tried to be deleted."""
    return sum(call["method"] == "DELETE" and call["path"].endswith(group_id) for call in twin.requests())


async def test_who_holds_a_group_is_told_and_it_goes_when_they_are_gone(
    stage: Stage, twin: RunningTwin, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(withdrawing, "TOLD_AFTER_SECONDS", 1.0)
    await stage.service(scan_seconds=NEVER)
    groups, _ = await stage.standing()
    stranger = await stage.cloud(lambda c: c.identity.create_project(name=f"{stage.name}-other", domain_id="default"))
    port = await stage.cloud(
        lambda c: c.network.create_port(
            network_id=stage.network, project_id=stranger.id, security_groups=[groups["login"]],
            device_owner="compute:nova", device_id="somebodys-server",
        )
    )  # fmt: skip
    try:
        await stage.delete()
        held = await stage.site.tap.until(WithdrawalHeld, workspace=stage.name, seconds=30)
        (holder,) = held.holders
        assert (holder.port_id, holder.group_id) == (port.id, groups["login"])
        assert (holder.project_id, holder.device_id) == (stranger.id, "somebodys-server")
        left = await stage.cloud(lambda c: {group.id for group in c.network.security_groups(project_id=stage.project)})
        assert groups["compute"] not in left, "what nobody holds is gone"
        await asyncio.sleep(3.0)
        assert await asyncio.to_thread(deletes, twin, groups["login"]) == 1, "it is looked for, not tried in vain"
        assert len(stage.site.tap.of(WithdrawalHeld)) == 1
        assert not stage.site.tap.of(PolicyWithdrawn)
    finally:
        await stage.cloud(lambda c: c.network.delete_port(port))
    await stage.site.tap.until(PolicyWithdrawn, workspace=stage.name, seconds=60)
    await stage.cloud(lambda c: c.identity.delete_project(stranger))


async def test_ports_that_are_going_are_no_news(stage: Stage) -> None:
    await stage.service(scan_seconds=NEVER)
    groups, _ = await stage.standing()
    port = await stage.cloud(
        lambda c: c.network.create_port(network_id=stage.network, security_groups=[groups["login"]])
    )
    await stage.delete()
    await asyncio.sleep(2.5)
    await stage.cloud(lambda c: c.network.delete_port(port))
    await stage.site.tap.until(PolicyWithdrawn, workspace=stage.name, seconds=60)
    assert not stage.site.tap.of(WithdrawalHeld)
