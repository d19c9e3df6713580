"""Our own calls are known by what they did: a request id that somebody copied excuses nothing (row I13)."""

import json
from typing import Any

import pytest
from keystoneauth1.session import Session

from contracts.network_policy import DriftDetected, DriftRepaired
from contracts.openstack import Notification
from network_policy.domain.drift import ProtectPort
from network_policy.domain.rule import ANYWHERE, Rule
from network_policy.handlers.own import is_of, is_own, marker_of_rules, tells_of
from network_policy.store import OwnCall
from shared.cloud import REQUEST_ID_HEADER
from shared.notifications import Raw, decode
from shared.work import Call
from tests.network_policy.quiet import settled
from tests.network_policy.stage import Sdk, Stage
from twin.testing import RunningTwin

NEVER = 3600.0


async def _nothing(_: str) -> None:
    return None


def told(event_type: str, payload: dict[str, Any], request_id: str = "req-ours") -> Notification:
    message = {
        "event_type": event_type, "priority": "INFO", "publisher_id": "network.here", "message_id": "m",
        "timestamp": "2026-03-03 12:00:00.000000", "payload": payload, "_context_global_request_id": request_id,
    }  # fmt: skip
    body = json.dumps({"oslo.version": "2.0", "oslo.message": json.dumps(message)}).encode()
    return decode(Raw(body, "neutron", "notifications.info"))


def port(**changed: Any) -> dict[str, Any]:
    return {
        "port": {
            "id": "p", "project_id": "t", "security_groups": ["g"], "port_security_enabled": True,
            "allowed_address_pairs": [], "revision_number": 7, **changed,
        }
    }  # fmt: skip


def test_a_port_is_ours_as_we_asked_for_it_only() -> None:
    call = Call("port.update", "p", _nothing, ProtectPort("p", ("g",), 6))
    assert tells_of(told("port.update.end", port()), call)
    assert not tells_of(told("port.update.end", port(port_security_enabled=False)), call)
    assert not tells_of(told("port.update.end", port(security_groups=["g", "theirs"])), call)
    assert not tells_of(told("port.update.end", port(allowed_address_pairs=[{"ip_address": "0.0.0.0/0"}])), call)
    assert not tells_of(told("port.update.end", port(id="q")), call)
    assert not tells_of(told("port.delete.end", port()), call)


def test_a_deletion_is_ours_of_the_very_rule() -> None:
    call = OwnCall("rule.delete", "r", None)
    assert is_of(told("security_group_rule.delete.end", {"security_group_rule_id": "r"}), call)
    assert not is_of(told("security_group_rule.delete.end", {"security_group_rule_id": "s"}), call)
    assert not is_of(told("security_group_rule.create.end", {"security_group_rule": {"id": "r"}}), call)


def test_rules_are_ours_if_we_asked_for_exactly_these() -> None:
    rules = [Rule("ingress", "IPv4", 6, port, port, ANYWHERE) for port in (22, 443)]
    call = OwnCall("rules.create", marker_of_rules("g", rules), None)

    def made(*ports: int, group: str = "g") -> Notification:
        bodies = [
            {"id": f"r{port}", "security_group_id": group, "direction": "ingress", "ethertype": "IPv4",
             "protocol": "tcp", "port_range_min": port, "port_range_max": port, "remote_ip_prefix": "0.0.0.0/0"}
            for port in ports
        ]  # fmt: skip
        return told("security_group_rule.create.end", {"security_group_rules": bodies})

    assert is_of(made(443, 22), call)
    assert not is_of(made(22), call)
    assert not is_of(made(22, 443, 80), call)
    assert not is_of(made(22, 443, group="h"), call)


def test_a_group_is_ours_by_its_project_and_name_and_once_known_by_its_id() -> None:
    made = told(
        "security_group.create.end", {"security_group": {"id": "g", "name": "tresor-a-login", "project_id": "t"}}
    )
    assert is_of(made, OwnCall("group.create", "t/tresor-a-login", None))
    assert is_of(made, OwnCall("group.create", "t/tresor-a-login", "g"))
    assert not is_of(made, OwnCall("group.create", "t/tresor-a-login", "another"))
    assert not is_of(made, OwnCall("group.create", "u/tresor-a-login", None))


def test_only_the_caller_s_own_id_counts() -> None:
    calls = {"req-ours": OwnCall("rule.delete", "r", None)}
    deleted = {"security_group_rule_id": "r"}
    assert is_own(told("security_group_rule.delete.end", deleted), calls)
    assert not is_own(told("security_group_rule.delete.end", deleted, "req-another"), calls)


class Copying:
    """An administrator who sends a request id that he has read somewhere."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, admin: Sdk, request_id: str) -> None:
        request = Session.request

        def send(session: Session, *args: Any, **kwargs: Any) -> Any:
            if session is admin.session:
                kwargs["headers"] = {**(kwargs.get("headers") or {}), REQUEST_ID_HEADER: request_id}
            return request(session, *args, **kwargs)

        monkeypatch.setattr(Session, "request", send)


def request_ids(twin: RunningTwin, method: str, part: str) -> list[str]:
    return [
        each["global_request_id"]
        for each in twin.requests()
        if each["user_name"] == "tresor-network-policy" and each["method"] == method and part in each["path"]
    ]


@pytest.mark.parametrize("part", ["/security-group-rules", "/security-groups"])
async def test_a_foreign_rule_with_an_id_of_ours_is_a_finding(
    stage: Stage, twin: RunningTwin, monkeypatch: pytest.MonkeyPatch, part: str
) -> None:
    await stage.service(scan_seconds=NEVER)
    groups, _ = await stage.standing()
    await settled(stage)
    Copying(monkeypatch, stage.admin, request_ids(twin, "POST", part)[-1])
    rogue = await stage.open_ssh(groups["login"])
    await stage.site.tap.until(DriftRepaired, workspace=stage.name)
    (event,) = stage.site.tap.of(DriftDetected)
    assert (event.seen_by, [each.rule_id for each in event.drift]) == ("notification", [rogue])
    assert rogue not in {each.id for each in await stage.rules(groups["login"])}


async def test_a_port_opened_again_with_the_id_of_its_repair_is_a_finding(
    stage: Stage, twin: RunningTwin, monkeypatch: pytest.MonkeyPatch
) -> None:
    await stage.service(scan_seconds=NEVER)
    _, ports = await stage.standing()
    port_id = ports["compute-0"]
    await settled(stage)

    def escape(c: Sdk) -> None:
        c.network.update_port(port_id, port_security_enabled=False, security_groups=[])

    await stage.cloud(escape)
    first = await stage.site.tap.until(DriftRepaired, workspace=stage.name)
    (request_id,) = request_ids(twin, "PUT", port_id)
    Copying(monkeypatch, stage.admin, request_id)
    await stage.cloud(escape)
    await stage.site.tap.until(DriftRepaired, workspace=stage.name, where=lambda event: event != first)
    assert (await stage.cloud(lambda c: c.network.get_port(port_id))).is_port_security_enabled
    assert len(request_ids(twin, "PUT", port_id)) == 2
