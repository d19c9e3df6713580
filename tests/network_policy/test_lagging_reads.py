"""A Neutron whose reads lag behind its writes: what a call has just made is in no list, and 404 by its id (I2)."""

from network_policy.domain.names import group_name
from tests.network_policy.stage import Stage
from twin.testing import RunningTwin


async def test_the_policy_is_enforced_with_one_group_a_role(stage: Stage, twin: RunningTwin) -> None:
    await stage.build()
    await stage.service(scan_seconds=2.0)
    twin.faults({"kind": "unseen", "service": "neutron", "method": "GET", "seconds": 2})
    await stage.declare()
    groups = (await stage.enforced()).groups
    twin.clear_faults()
    standing = await stage.cloud(
        lambda c: sorted((group.name, group.id) for group in c.network.security_groups(project_id=stage.project))
    )
    assert [each for each in standing if each[0] != "default"] == sorted(
        (group_name(stage.name, role), group_id) for role, group_id in groups.items()
    )
