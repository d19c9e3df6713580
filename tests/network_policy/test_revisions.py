"""What somebody changes between the look and the call is looked at again, never overwritten (Neutron's 412; I9)."""

import asyncio
from typing import Any

from tests.network_policy.quarantines import port
from tests.network_policy.stage import Stage
from twin.testing import RunningTwin

NEVER = 3600.0
PATIENCE_SECONDS = 30.0


async def answers(twin: RunningTwin, port_id: str) -> list[int]:
    """What Neutron answered to the service's changes of the port."""
    calls: list[dict[str, Any]] = await asyncio.to_thread(twin.requests)
    return [
        call["status"]
        for call in calls
        if call["method"] == "PUT" and call["path"].endswith(port_id) and call["user_name"] == "tresor-network-policy"
    ]


async def test_a_port_that_changed_meanwhile_is_read_again_before_it_is_put_back(
    stage: Stage, twin: RunningTwin
) -> None:
    await stage.service(scan_seconds=NEVER)
    groups, ports = await stage.standing()
    port_id = ports["login-0"]
    # Two changes of the port take Neutron a while: the one that is to be repaired, and the repair, which is overtaken.
    slow = {
        "kind": "slow",
        "service": "neutron",
        "method": "PUT",
        "path": f"ports/{port_id}",
        "seconds": 4.0,
        "count": 2,
    }
    (rule,) = await asyncio.to_thread(twin.faults, slow)
    await stage.cloud(lambda c: c.network.update_port(port_id, security_groups=[groups["compute"]]))
    async with asyncio.timeout(20):
        while not any(each["struck"] == 2 for each in await asyncio.to_thread(twin.faults) if each["id"] == rule["id"]):
            await asyncio.sleep(0.02)
    await stage.cloud(lambda c: c.network.update_port(port_id, description="changed meanwhile"))
    async with asyncio.timeout(PATIENCE_SECONDS):
        while 412 not in await answers(twin, port_id):
            await asyncio.sleep(0.1)
        while (await port(stage, port_id)).security_group_ids != [groups["login"]]:
            await asyncio.sleep(0.1)
    assert 200 in await answers(twin, port_id)
    assert (await port(stage, port_id)).description == "changed meanwhile"
