"""Which notifications tell of nothing but a call of this service: by what the call did, not by its request id alone.

A request id stands in Neutron's logs, and whoever reads it may send it with a change of his own.
"""

import hashlib
from collections.abc import Iterable, Mapping
from datetime import datetime

from contracts.openstack import Notification
from contracts.openstack.neutron import NetworkPayload, Port, SecurityGroup, SecurityGroupRule
from network_policy import store
from network_policy.domain.drift import ProtectPort
from network_policy.domain.rule import Rule
from network_policy.handlers.told import rule_of
from network_policy.store import OwnCall
from shared.db import Connection
from shared.work import Call

_EVENTS = {
    "group.create": "security_group.create",
    "group.delete": "security_group.delete",
    "group.stateful": "security_group.update",
    "rules.create": "security_group_rule.create",
    "rule.delete": "security_group_rule.delete",
    "port.update": "port.update",
    "port.quarantine": "port.update",
    "port.release": "port.update",
    "port.raise": "port.update",
    "port.delete": "port.delete",
}
"""What Neutron says of each step."""


def marker_of_rules(group_id: str, rules: Iterable[Rule]) -> str:
    """What a call that makes these rules is known by: the same in whatever order they are told."""
    keys = sorted(str(rule.key()) for rule in rules)
    return f"{group_id}/{hashlib.sha256(repr(keys).encode()).hexdigest()[:16]}"


def marker_of_group(project_id: str, name: str) -> str:
    """What a call that makes a group is known by. A workspace made again has other groups of the same names."""
    return f"{project_id}/{name}"


def tells_of(seen: Notification, call: Call) -> bool:
    """Whether it tells of exactly what a call of this process asked for."""
    if not is_of(seen, OwnCall(call.step, call.marker, None)):
        return False
    if not isinstance(call.asked, ProtectPort):
        return True
    (port,) = seen.payload.resources if isinstance(seen.payload, NetworkPayload) else ()
    return (
        isinstance(port, Port)
        and port.security_groups is not None
        and sorted(port.security_groups) == sorted(call.asked.group_ids)
        and port.port_security_enabled is True
        and not port.allowed_address_pairs
    )


def is_of(seen: Notification, call: OwnCall) -> bool:
    """Whether it is about the resource that the call was about, and of its kind of change."""
    payload = seen.payload
    if not isinstance(payload, NetworkPayload) or _EVENTS.get(call.step) != seen.event_type.rpartition(".")[0]:
        return False
    if call.step == "rules.create":
        told = [each for each in payload.resources if isinstance(each, SecurityGroupRule)]
        rules = [rule for each in told if (rule := rule_of(each)) is not None]
        groups = {each.security_group_id for each in told}
        return (
            len(groups) == 1 and len(rules) == len(told) and marker_of_rules(groups.pop() or "", rules) == call.marker
        )
    if call.step == "group.create":
        group = payload.resource
        is_it = isinstance(group, SecurityGroup) and call.resource_id in (None, group.id)
        return is_it and group is not None and marker_of_group(group.project_id or "", group.name or "") == call.marker
    return payload.resource_ids == (call.marker,)


async def own_calls(connection: Connection, heard: Iterable[Notification], now: datetime) -> Mapping[str, OwnCall]:
    """The calls of this service, whichever replica made them, whose request ids these notifications carry."""
    request_ids = {each.global_request_id for each in heard if each.global_request_id}
    return await store.own_calls(connection, request_ids, now) if request_ids else {}


def is_own(seen: Notification, calls: Mapping[str, OwnCall]) -> bool:
    """Whether it tells of one of these calls. What values it set, whoever asks has to look at."""
    call = calls.get(seen.global_request_id or "")
    return call is not None and is_of(seen, call)
