"""What is repaired as soon as its notification is heard: once, told with who did it, explained after, never in a loop."""

import asyncio
import json
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from bootstrap.leases import BrokerLease, DatabaseLease
from contracts.network_policy import (
    CHASSIS,
    DriftDetected,
    DriftRepaired,
    IsolationProven,
    IsolationViolated,
)
from tests.network_policy.quiet import neutron_is_heard, settled
from tests.network_policy.stage import Stage
from tests.system.chain import ServiceProcess, free_port
from tests.waiting import until
from twin.testing import RunningTwin

NEVER = 3600.0


def calls(twin: RunningTwin, after: int) -> list[dict[str, Any]]:
    """What the service asked Neutron to change after that call."""
    return [each for each in twin.requests(after) if each["user_name"] == "tresor-network-policy"]


async def test_an_undeclared_rule_is_gone_before_anything_is_listed(stage: Stage, twin: RunningTwin) -> None:
    await stage.service(scan_seconds=NEVER)
    groups, _ = await stage.standing()
    await settled(stage)
    before = twin.requests(writes_only=False)[-1]["number"]
    rogue = await stage.open_ssh(groups["compute"])
    repaired = await stage.site.tap.until(DriftRepaired, workspace=stage.name)
    assert repaired.seconds_since_change is not None
    asked = [
        (each["method"], each["path"].rsplit("/", 1)[-1])
        for each in twin.requests(before, writes_only=False)
        if each["user_name"] == "tresor-network-policy" and each["service"] == "neutron"
    ]
    assert asked[0] == ("DELETE", rogue)
    (detected,) = stage.site.tap.of(DriftDetected)
    assert (detected.drift[0].rule_id, detected.seen_by, bool(detected.actor)) == (rogue, "notification", True)
    violated = await stage.site.tap.until(IsolationViolated, workspace=stage.name)
    assert violated.counterexamples[0].rule_ids == (rogue,)
    await stage.site.tap.until(IsolationProven, workspace=stage.name)


async def test_its_own_repair_asks_for_no_more_m3(stage: Stage, twin: RunningTwin) -> None:
    """After the repair and the look that confirms it: not a call, not an event, not a mark."""
    service = await stage.service(scan_seconds=NEVER)
    groups, ports = await stage.standing()
    await stage.open_ssh(groups["login"])
    await stage.cloud(lambda c: c.network.update_port(ports["compute-0"], security_groups=[groups["login"]]))
    await until(lambda: len(stage.site.tap.of(DriftRepaired)) == 2)
    await stage.site.tap.until(IsolationProven, workspace=stage.name)
    await settled(stage)
    before = twin.requests(writes_only=False)[-1]["number"]
    told = len(stage.site.tap.of(DriftDetected)), len(stage.site.tap.of(DriftRepaired))
    assert told == (2, 2)
    await asyncio.sleep(4)
    assert not [each for each in twin.requests(before, writes_only=False) if "network-policy" in each["user_name"]]
    assert told == (len(stage.site.tap.of(DriftDetected)), len(stage.site.tap.of(DriftRepaired)))
    assert await service.pool.fetchval("SELECT count(*) FROM dirty") == 0


async def test_a_doubled_notification_is_one_change(stage: Stage, twin: RunningTwin) -> None:
    await stage.service(scan_seconds=NEVER)
    groups, _ = await stage.standing()
    await settled(stage)
    before = twin.requests()[-1]["number"]
    twin.faults({"kind": "doubled", "event_type": "security_group_rule.create.end", "count": 1})
    rogue = await stage.open_ssh(groups["login"])
    await stage.site.tap.until(IsolationProven, workspace=stage.name)
    await asyncio.sleep(1)
    assert len(stage.site.tap.of(DriftDetected)) == 1
    assert len(stage.site.tap.of(DriftRepaired)) == 1
    deleted = [each for each in calls(twin, before) if each["method"] == "DELETE"]
    assert [each["path"].rsplit("/", 1)[-1] for each in deleted] == [rogue]


async def test_what_neutron_refuses_is_left_to_a_look(stage: Stage, twin: RunningTwin) -> None:
    await stage.service(scan_seconds=NEVER)
    groups, _ = await stage.standing()
    await settled(stage)
    twin.faults({"kind": "503", "service": "neutron", "method": "DELETE", "count": 1, "seconds": 1})
    rogue = await stage.open_ssh(groups["login"])
    await stage.site.tap.until(DriftRepaired, workspace=stage.name)
    assert rogue not in {each.id for each in await stage.rules(groups["login"])}
    outcomes = [each.outcome for each in stage.site.tap.of(CHASSIS.effect) if each.marker == rogue]
    assert outcomes == ["failed", "done"]
    assert len(stage.site.tap.of(DriftDetected)) == 1


async def test_a_declared_rule_is_left_alone(stage: Stage, twin: RunningTwin) -> None:
    """Somebody puts back by hand what is declared: that is no drift."""
    await stage.service(scan_seconds=NEVER)
    groups, _ = await stage.standing()
    await settled(stage)
    lost = next(each for each in await stage.rules(groups["login"]) if each.direction == "ingress")
    await stage.cloud(lambda c: c.network.delete_security_group_rule(lost.id))
    await stage.site.tap.until(DriftRepaired, workspace=stage.name)
    again = [each for each in await stage.rules(groups["login"]) if each.direction == "ingress"]
    assert len(again) == 1
    assert [each.change for event in stage.site.tap.of(DriftDetected) for each in event.drift] == ["rule-removed"]


async def test_all_of_it_is_one_trace_m3(
    stage: Stage, twin: RunningTwin, broker: BrokerLease, database: DatabaseLease, tmp_path: Path
) -> None:
    """The notification heard, the repair call, and the look that confirms it, as the process writes them."""
    traces = tmp_path / "traces.jsonl"
    environment = stage.site.environment(
        "network-policy", cloud_name="tresor-network-policy", clouds_path=twin.clouds_file, scan_seconds=NEVER,
        http_port=free_port(), traces_path=traces,
    )  # fmt: skip
    process = ServiceProcess("network-policy", environment, tmp_path / "network-policy.log")
    await process.start()
    try:
        await process.ready()
        await stage.build()
        await stage.declare()
        groups = (await stage.enforced()).groups
        await stage.node("login", 0, dict(groups))
        await neutron_is_heard(broker)
        async with asyncpg.create_pool(database.dsn("network-policy"), min_size=1) as pool:
            await settled(stage, 1, pool)
        rogue = await stage.open_ssh(groups["login"])
        await stage.site.tap.until(IsolationProven, workspace=stage.name)
    finally:
        await process.stop()
    lines = await asyncio.to_thread(traces.read_text)
    spans = [json.loads(line) for line in lines.splitlines()]
    (repair,) = [each for each in spans if each["attributes"].get("marker") == rogue]
    trace = repair["context"]["trace_id"]
    names = [each["name"] for each in spans if each["context"]["trace_id"] == trace]
    assert "notification security_group_rule.create.end" in names
    assert "effect rule.delete" in names
    assert "reconcile" in names
    told = [event for event in stage.site.tap.events if event.get("traceparent", "").split("-")[1:2] == [trace[2:]]]
    kinds = {DriftDetected.type, DriftRepaired.type, IsolationViolated.type, IsolationProven.type, CHASSIS.effect.type}
    assert kinds <= {event["type"] for event in told}


async def test_without_a_sure_lease_nothing_is_called_i18(stage: Stage, twin: RunningTwin) -> None:
    """Another replica may be at this workspace: the notification marks it, and whoever holds the lane repairs."""
    service = await stage.service(scan_seconds=NEVER, lane_lease_seconds=600)
    groups, _ = await stage.standing()
    await settled(stage)
    before = twin.requests()[-1]["number"]
    leases = service.runtime.leases
    leases._good_until_monotonic = 0.0
    rogue = await stage.open_ssh(groups["login"])
    await asyncio.sleep(3)
    assert not calls(twin, before)
    await leases.renew()
    await stage.site.tap.until(DriftRepaired, workspace=stage.name)
    assert [each["path"].rsplit("/", 1)[-1] for each in calls(twin, before) if each["method"] == "DELETE"] == [rogue]
    assert len(stage.site.tap.of(DriftDetected)) == 1


async def test_a_process_that_dies_before_the_call_leaves_it_to_the_next(
    stage: Stage, twin: RunningTwin, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The drift is told and the call is not made: the look that was marked with it repairs, and tells the repair once."""
    service = await stage.service(scan_seconds=NEVER)
    groups, _ = await stage.standing()
    await settled(stage)
    monkeypatch.setattr(service.runtime.urgent, "begin", lambda calls: None)
    rogue = await stage.open_ssh(groups["login"])
    await stage.site.tap.until(DriftDetected, workspace=stage.name)
    await stage.site.tap.until(DriftRepaired, workspace=stage.name)
    await asyncio.sleep(1)
    assert rogue not in {each.id for each in await stage.rules(groups["login"])}
    assert (len(stage.site.tap.of(DriftDetected)), len(stage.site.tap.of(DriftRepaired))) == (1, 1)


async def test_a_port_that_escaped_again_is_put_back_by_the_first_call(stage: Stage, twin: RunningTwin) -> None:
    """Neutron refuses the call, as the port is at another revision; it is out of order just as before, so no look is due."""
    await stage.service(scan_seconds=NEVER)
    groups, ports = await stage.standing()
    await settled(stage)
    before = twin.requests()[-1]["number"]
    twin.faults({"kind": "delayed", "event_type": "port.update.end", "count": 2, "seconds": 3})
    escape: dict[str, Any] = {"port_security_enabled": False, "security_groups": []}
    for _ in range(2):
        await stage.cloud(lambda c: c.network.update_port(ports["compute-0"], **escape))
        await asyncio.sleep(0.4)
    await stage.site.tap.until(DriftRepaired, workspace=stage.name)
    await until(lambda: len(calls(twin, before)) > 2)
    await asyncio.sleep(1)
    port = await stage.cloud(lambda c: c.network.get_port(ports["compute-0"]))
    assert (port.is_port_security_enabled, port.security_group_ids) == (True, [groups["compute"]])
    assert {each.outcome for each in stage.site.tap.of(CHASSIS.effect) if each.step == "port.update"} == {"done"}
    assert [each["status"] for each in calls(twin, before)] == [412, 200, 412]
