"""security-monitor as a whole: what it hears is in the log, in the SIEM's file, and found where it is a finding."""

import asyncio
import json
import os
import sys
from pathlib import Path
from typing import Any

import aio_pika

from bootstrap.leases import BrokerLease
from contracts.audit import verify_export
from contracts.network_policy import DriftDetected, DriftRepaired, PolicyEnforced
from contracts.provisioner import CHASSIS as PROVISIONER
from contracts.security_monitor import (
    CHASSIS,
    AuditHead,
    FindingList,
    FindingRaised,
    FindingResolved,
    ListFindings,
    ShowAudit,
)
from security_monitor.handlers import handlers
from security_monitor.main import make_context
from security_monitor.settings import Settings
from security_monitor.store import audit
from shared.db import transaction
from shared.notifications import Raw
from shared.service import Service
from shared.testing import Site
from tests.shared.recording import notification, recorded, wrapped
from tests.waiting import until

POLICY: dict[str, Any] = dict(PolicyEnforced.example)
PROJECT = str(POLICY["project_id"])


async def start(site: Site, siem: Path | None = None) -> Service[Any]:
    return await site.start(handlers, make_context, Settings, siem_path=siem, siem_seconds=0.2)


async def publish(broker: BrokerLease, deliveries: list[Raw]) -> None:
    """What OpenStack would publish, on its exchanges, after the service has bound its queue."""
    connection = await aio_pika.connect(broker.openstack_url)
    async with connection:
        channel = await connection.channel()
        for name in sorted({raw.exchange for raw in deliveries}):
            await channel.declare_exchange(name, aio_pika.ExchangeType.TOPIC)
            queue = "tresor.security-monitor.notifications"
            for topic in ("notifications", "versioned_notifications", "ironic_versioned_notifications"):
                await (await channel.get_queue(queue)).bind(name, f"{topic}.*")
        for raw in deliveries:
            exchange = await channel.get_exchange(raw.exchange, ensure=False)
            await exchange.publish(aio_pika.Message(raw.body), raw.routing_key)


async def rows(service: Service[Any], stream: str) -> int:
    async with transaction(service.pool) as connection:
        return (await audit.head(connection, stream)).position


def siem_lines(path: Path) -> list[dict[str, Any]]:
    """The whole lines; the last one may be on its way into the file."""
    if not path.exists():
        return []
    return [json.loads(line) for line in path.read_text().splitlines(keepends=True) if line.endswith("\n")]


async def test_the_recorded_stream_reaches_the_log_and_the_siem(
    site: Site, broker: BrokerLease, tmp_path: Path
) -> None:
    siem = tmp_path / "siem" / "ocsf.jsonl"
    service = await start(site, siem)
    assert service.firehose is not None
    await until(lambda: service.firehose.connected)  # type: ignore[union-attr]
    await publish(broker, [*recorded(), *recorded()[:50]])

    async def all_in() -> bool:
        return await rows(service, "openstack") == len(recorded())

    await until(all_in, 40)
    await until(
        lambda: len([one for one in siem_lines(siem) if one["metadata"]["log_name"] == "openstack"]) >= len(recorded()),
        40,
    )
    written = [one for one in siem_lines(siem) if one["metadata"]["log_name"] == "openstack"]
    assert [one["metadata"]["sequence"] for one in written] == list(range(1, len(recorded()) + 1))
    async with transaction(service.pool) as connection:
        count, ends, found = verify_export([line async for line in audit.export(connection)])
    assert found is None
    assert count >= ends["openstack"].position == len(recorded())
    shown = await site.ask(ShowAudit(verify=True), "ada")
    assert isinstance(shown, AuditHead)
    assert shown.verified
    assert shown.rows >= len(recorded())


async def test_the_export_of_a_running_service_verifies_offline(
    site: Site, broker: BrokerLease, tmp_path: Path
) -> None:
    service = await start(site)
    await until(lambda: service.firehose.connected)  # type: ignore[union-attr]
    await publish(broker, list(recorded()[:60]))

    async def all_in() -> bool:
        return await rows(service, "openstack") == 60

    await until(all_in)
    exporting = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "security_monitor.main", "export",
        env={**os.environ, **site.environment("security-monitor")}, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    said, _ = await exporting.communicate()
    assert exporting.returncode == 0
    lines = said.decode().splitlines()
    count, ends, found = verify_export(lines)
    assert (ends["openstack"].position, found) == (60, None)
    assert count >= 60
    assert verify_export([line for line in lines if '"position":30,' not in line])[2] is not None


async def test_drift_is_a_finding_until_it_is_repaired(site: Site, tmp_path: Path) -> None:
    siem = tmp_path / "ocsf.jsonl"
    await start(site, siem)
    await site.tell(DriftDetected.model_validate(DriftDetected.example))
    raised = await site.tap.until(FindingRaised)
    assert raised.finding.severity == "critical"
    assert "0.0.0.0/0" in raised.finding.cause
    assert raised.finding.actor == DriftDetected.example["actor"]
    open_ones = await site.ask(ListFindings(of="openhpc"), "sam")
    assert isinstance(open_ones, FindingList)
    assert [one.finding_id for one in open_ones.findings] == [raised.finding.finding_id]
    await site.tell(DriftRepaired.model_validate(DriftRepaired.example))
    resolved = await site.tap.until(FindingResolved)
    assert resolved.finding.finding_id == raised.finding.finding_id
    assert resolved.finding.resolved_at is not None
    after = await site.ask(ListFindings(of="openhpc"), "sam")
    assert isinstance(after, FindingList)
    assert after.findings == ()

    def detections() -> list[int]:
        return [one["activity_id"] for one in siem_lines(siem) if one["class_uid"] == 2004]

    await until(lambda: detections() == [1, 3])


async def test_a_change_that_nobody_can_be_named_for_is_a_finding_that_says_so(site: Site, tmp_path: Path) -> None:
    await start(site, tmp_path / "ocsf.jsonl")
    unnamed = {**DriftDetected.example, "actor": "", "request_id": "", "seen_by": "scan", "happened_at": None}
    await site.tell(DriftDetected.model_validate(unnamed))
    raised = await site.tap.until(FindingRaised)
    assert "nobody can be named" in raised.finding.title
    assert "no notification names who did it" in raised.finding.cause
    assert raised.finding.actor == ""


async def test_a_repeated_event_is_one_row_and_one_finding(site: Site) -> None:
    service = await start(site)
    rejected = PROVISIONER.rejected.model_validate(PROVISIONER.rejected.example)
    event_id = await site.tell(rejected)
    raised = await site.tap.until(FindingRaised)
    assert raised.finding.rule == "command-rejected"
    assert raised.finding.severity == "low"
    assert raised.finding.resolved_at is not None, "an occurrence is over when it is told"
    site._sequences.clear()
    await site.tell(rejected, id=event_id)
    await site.tell(PolicyEnforced.model_validate(POLICY))

    async def three() -> bool:
        return await rows(service, "tresor") >= 3

    await until(three)
    assert len(site.tap.of(FindingRaised)) == 1


async def test_broken_notifications_are_put_aside_and_the_rest_is_kept(site: Site, broker: BrokerLease) -> None:
    service = await start(site)
    await until(lambda: service.firehose.connected)  # type: ignore[union-attr]
    secret = b'{"event_type": "a.b", "password": "hunter2hunter2", '
    deliveries = [
        wrapped(notification("compute.instance.update", {"n": 1}, message_id="good-1")),
        Raw(b"not JSON", "nova", "notifications.info"),
        Raw(secret, "nova", "notifications.info"),
        wrapped(notification("compute.instance.update", {"n": 2}, message_id="good-2")),
    ]
    await publish(broker, deliveries)
    refused = CHASSIS.refused
    await until(lambda: len(site.tap.of(refused)) == 2)
    assert await rows(service, "openstack") == 2
    kept = await service.pool.fetch("SELECT body, reason FROM quarantine ORDER BY quarantine_id")
    assert [row["reason"] for row in kept] == ["bad-notification"] * 2
    assert kept[0]["body"] == b"not JSON"
    assert b"hunter2" not in kept[1]["body"]
    finding = await site.tap.until(FindingRaised, where=lambda one: one.finding.rule == "input-refused")
    assert finding.finding.severity == "low"


async def test_a_rule_open_to_the_world_outside_of_workspaces_is_a_finding(site: Site, broker: BrokerLease) -> None:
    service = await start(site)
    await until(lambda: service.firehose.connected)  # type: ignore[union-attr]
    await site.tell(PolicyEnforced.model_validate(POLICY))

    async def known() -> bool:
        return bool(await service.pool.fetchval("SELECT count(*) FROM project"))

    await until(known)

    def rule(number: int, project: str, prefix: str | None, **more: Any) -> Raw:
        fields = {"id": f"rule-{number}", "project_id": project, "direction": "ingress", "ethertype": "IPv4", **more}
        payload = {"security_group_rule": {**fields, "protocol": "tcp", "port_range_min": 22, "port_range_max": 22,
                                           "remote_ip_prefix": prefix, "security_group_id": "g"}}  # fmt: skip
        return wrapped(notification("security_group_rule.create.end", payload, message_id=f"r{number}"), "neutron")

    await publish(
        broker,
        [
            rule(1, PROJECT, "0.0.0.0/0"),
            rule(2, "stranger", "10.0.0.0/8"),
            rule(3, "stranger", None, remote_group_id="g"),
            rule(4, "stranger", "0.0.0.0/0", direction="egress"),
            rule(5, "stranger", "::/0"),
        ],
    )
    found = await site.tap.until(FindingRaised, where=lambda one: one.finding.rule == "world-open")
    assert found.finding.state == "open"
    assert found.finding.mend == "openstack security group rule delete rule-5"
    await asyncio.sleep(0.3)
    assert len(site.tap.of(FindingRaised)) == 1, "a workspace's rules are network-policy's to judge"


async def test_a_restart_goes_on_where_it_stopped(site: Site, broker: BrokerLease, tmp_path: Path) -> None:
    siem = tmp_path / "ocsf.jsonl"
    service = await start(site, siem)
    await until(lambda: service.firehose.connected)  # type: ignore[union-attr]
    await publish(broker, list(recorded()[:100]))
    await until(lambda: len(siem_lines(siem)) >= 100)
    await site.stop(service)
    await publish(broker, list(recorded()[100:200]))
    with siem.open("a") as file:
        file.write('{"a line that a crash cut')
    service = await start(site, siem)

    async def all_in() -> bool:
        return await rows(service, "openstack") == 200

    await until(all_in)

    def positions() -> list[int]:
        whole = [json.loads(line) for line in siem.read_text().splitlines() if "crash cut" not in line]
        return [one["metadata"]["sequence"] for one in whole if one["metadata"]["log_name"] == "openstack"]

    await until(lambda: len(set(positions())) == 200)
    # At least once (I19): what was written when the stop came in between is written again, and can be told by its number.
    assert list(dict.fromkeys(positions())) == list(range(1, 201))
