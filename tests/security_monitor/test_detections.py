"""The log judged in a running service: what is found, once, through restarts and redeliveries, with rules that change."""

from pathlib import Path
from typing import Any

import pytest

from bootstrap.leases import BrokerLease
from contracts.network_policy import DriftDetected
from contracts.provisioner import NodeActive, WorkspaceDeclared
from contracts.security_monitor import DetectionList, FindingRaised, FindingResolved, ListDetections
from security_monitor.handlers import handlers
from security_monitor.main import make_context
from security_monitor.settings import Settings
from security_monitor.store.rule_files import SHIPPED
from shared.notifications import Raw
from shared.service import Service
from shared.testing import Site
from tests.security_monitor.test_service import publish
from tests.shared.recording import notification, recorded, wrapped
from tests.waiting import until


async def start(site: Site, **more: Any) -> Service[Any]:
    service = await site.start(handlers, make_context, Settings, detection_seconds=0.1, **more)
    await until(lambda: service.firehose is not None and service.firehose.connected)
    return service


async def judged(service: Service[Any]) -> bool:
    """Whether everything in the log has been judged, and there is something."""
    rows = await service.pool.fetch(
        """SELECT head.position, reader.position AS judged FROM audit_head AS head JOIN audit_reader AS reader
           USING (stream) WHERE reader.reader = 'detections' AND head.stream = 'openstack'"""
    )
    return all(row["position"] == row["judged"] > 0 for row in rows)


def found(site: Site) -> dict[str, FindingRaised]:
    """What was raised, by rule."""
    return {told.finding.rule: told for told in site.tap.of(FindingRaised)}


def refused_login(number: int, at: str = "2026-11-21 02:35:38.670724") -> Raw:
    payload = {"typeURI": "x", "outcome": "failure", "initiator": {"id": "u1", "username": "ana"}}
    body = notification("identity.authenticate", payload, message_id=f"login-{number}", timestamp=at)
    return wrapped({**body, "_context_user_id": "u1"}, "keystone")


async def test_the_recorded_stream_of_a_real_openstack_is_judged(site: Site, broker: BrokerLease) -> None:
    site.site_path.write_text(
        "name: test-site\napi_addresses: [10.0.0.0/8]\napi_users: [nova, neutron]\nimage_ids: [none-of-them]\n"
    )
    service = await start(site)
    await publish(broker, list(recorded()))
    await until(lambda: judged(service), 60)
    wanted = {
        "authentication-failed",
        "credential-created",
        "direct-api-user",
        "hypervisor-down",
        "image-not-allowed",
        "login-from-elsewhere",
        "project-deleted",
        "server-evacuated",
        "user-created",
    }
    await until(lambda: wanted <= found(site).keys())
    over = {"credential-created", "hypervisor-down", "image-not-allowed", "user-created"}
    await until(lambda: over <= {told.finding.rule for told in site.tap.of(FindingResolved)})
    rules = found(site)
    assert rules["login-from-elsewhere"].finding.cause.startswith("127.0.0.1 lies in none")
    makers = [told.finding for told in site.tap.of(FindingRaised) if told.finding.rule == "direct-api-user"]
    assert [each.title.startswith("pi-") for each in makers] == [True], "neither Nova nor Neutron"
    assert "live-migration-without-end" not in rules
    assert "cleaning-missing" not in rules
    assert not await service.pool.fetchval("SELECT count(*) FROM detection_memory WHERE until <= now()")


async def test_a_window_outlives_a_restart_and_counts_what_is_delivered_again_once(
    site: Site, broker: BrokerLease
) -> None:
    service = await start(site)
    await publish(broker, [refused_login(number) for number in range(6)])
    await until(lambda: judged(service))
    await site.stop(service)
    service = await start(site)
    await publish(broker, [refused_login(number) for number in range(9)] * 2)

    async def nine() -> bool:
        told = await service.pool.fetchval("SELECT count(*) FROM finding WHERE rule = 'authentication-failed'")
        return bool(told == 9)

    await until(nine)
    assert "keystone-guessing" not in found(site), "nine of ten, however often they are delivered"
    await publish(broker, [refused_login(9)])
    told = await site.tap.until(FindingRaised, where=lambda one: one.finding.rule == "keystone-guessing")
    assert told.finding.mend == "openstack user set --disable u1"
    assert told.finding.runbook == "docs/runbooks/detections.md#keystone-guessing"
    await publish(broker, [refused_login(number) for number in range(10, 25)])
    await until(lambda: len([one for one in site.tap.of(FindingRaised) if "login" in one.finding.title.lower()]) >= 1)
    await until(lambda: judged(service))
    raised = [one for one in site.tap.of(FindingRaised) if one.finding.rule == "keystone-guessing"]
    assert len(raised) == 1, "as long as it is open there is no second one about the same user"


async def test_a_sensitive_role_of_a_document_counts(site: Site, broker: BrokerLease) -> None:
    service = await start(site)
    declared = {**WorkspaceDeclared.example}
    roles = [{**role, "sensitive": role["name"] == "login"} for role in declared["document"]["roles"]]
    declared["document"] = {**declared["document"], "sensitivity": "internal", "roles": roles}
    await site.tell(WorkspaceDeclared.model_validate(declared))
    active = NodeActive.model_validate({**NodeActive.example, "workspace": declared["document"]["name"]})
    await site.tell(active)

    async def known() -> bool:
        return bool(await service.pool.fetchval("SELECT count(*) FROM node_told JOIN workspace_told USING (workspace)"))

    await until(known)
    floating = {"id": "f", "project_id": "p", "floating_ip_address": "192.0.2.9", "port_id": "port"}
    for number, server in enumerate(("somebody-elses", active.server_id)):
        payload = {"floatingip": {**floating, "id": f"f{number}", "port_details": {"device_id": server}}}
        await publish(broker, [wrapped(notification("floatingip.create.end", payload, message_id=server), "neutron")])
    told = (await site.tap.until(FindingRaised)).finding
    assert (told.rule, told.workspace) == ("floating-ip-on-sensitive", active.workspace)
    assert f"role {active.role}" in told.cause
    assert told.mend == "openstack floating ip unset --port f1"
    await until(lambda: judged(service))
    assert len(site.tap.of(FindingRaised)) == 1


async def test_what_does_not_come_in_its_time_is_found(site: Site, broker: BrokerLease, tmp_path: Path) -> None:
    rule = (SHIPPED / "live-migration-without-end.yaml").read_text()
    quick = rule.replace("timespan: 30m", "timespan: 3s").replace("at: 2m", "at: 2s")
    folder = tmp_path / "rules"
    folder.mkdir()
    (folder / "quick.yaml").write_text(quick)
    await start(site, detections_path=folder)
    kind = "compute.instance.live_migration"
    messages = [
        notification(f"{kind}.pre.start", {"instance_id": server}, message_id=f"{server}-1") for server in ("s1", "s2")
    ]
    ended = notification(f"{kind}._post.end", {"instance_id": "s1"}, message_id="s1-2")
    await publish(broker, [wrapped(message) for message in (*messages, ended)])
    told = (await site.tap.until(FindingRaised)).finding
    assert told.rule == "live-migration-without-end"
    assert "s2" in told.title
    late = notification(f"{kind}._post.end", {"instance_id": "s2"}, message_id="s2-2", timestamp=None)
    await publish(broker, [wrapped(late)])
    over = (await site.tap.until(FindingResolved)).finding
    assert over.finding_id == told.finding_id
    assert len(site.tap.of(FindingRaised)) == 1


async def test_rules_are_read_again_and_bad_ones_leave_the_old_ones_in_force(
    site: Site, broker: BrokerLease, tmp_path: Path
) -> None:
    folder = tmp_path / "rules"
    folder.mkdir()
    await start(site, detections_path=folder)
    shipped = (SHIPPED / "world-open.yaml").read_text()
    mine = shipped.replace("id: world-open", "id: mine").replace("A rule of project", "Here: a rule of project")
    (folder / "mine.yaml").write_text(mine)

    async def names() -> DetectionList:
        answer = await site.ask(ListDetections(), "sam")
        assert isinstance(answer, DetectionList)
        return answer

    async def has_mine() -> bool:
        return "mine" in {each.rule for each in (await names()).detections}

    await until(has_mine)
    (folder / "mine.yaml").write_text(mine.replace("condition: made", "condition: mad"))
    told = (await site.tap.until(FindingRaised)).finding
    assert told.rule == "detections-refused"
    assert "mine.yaml, line " in told.cause
    assert "there is no selection 'mad'" in told.cause
    assert "no selection 'mad'" in (await names()).refused
    assert await has_mine()
    payload = {
        "security_group_rule": {"id": "r", "project_id": "p", "direction": "ingress", "remote_ip_prefix": "::/0"}
    }
    await publish(broker, [wrapped(notification("security_group_rule.create.end", payload), "neutron")])
    both = {"mine", "world-open"}
    await until(lambda: both <= found(site).keys())
    assert found(site)["mine"].finding.title == "Here: a rule of project p admits the whole world"
    (folder / "mine.yaml").write_text(mine)
    over = await site.tap.until(FindingResolved)
    assert over.finding.rule == "detections-refused"
    one = await site.ask(ListDetections(rule="mine"), "sam")
    assert isinstance(one, DetectionList)
    assert [(each.origin, each.text) for each in one.detections] == [("mine.yaml", mine)]


@pytest.mark.parametrize("count", [4, 5])
async def test_events_of_tresors_own_are_judged(site: Site, count: int) -> None:
    await start(site)
    drift = DriftDetected.model_validate(DriftDetected.example)
    for _ in range(count):
        await site.tell(drift)
    if count == 5:
        told = await site.tap.until(FindingRaised, where=lambda one: one.finding.rule == "drift-again-and-again")
        assert told.finding.workspace == drift.workspace
        return
    await until(lambda: len(site.tap.of(FindingRaised)) == count)
    assert found(site).keys() == {"policy-drift"}
