"""Rules out of a JSON file: Neutron's own answers, or what `openstack security group rule list -f json --long` prints."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from network_policy.domain.hygiene.unclear import UNCLEAR_BY, unclear
from network_policy.domain.rule import ICMP, ICMPV6, protocol_number, read_rule
from network_policy.domain.world import GroupRule

MAX_RULES = 100_000


class NotAListing(Exception):
    """The document holds no rules in a form that is known."""


@dataclass(frozen=True)
class ListedGroup:
    """A group of a listing; `unclear` says by rule id why a rule is left alone."""

    id: str
    name: str
    rules: tuple[GroupRule, ...]
    unclear: Mapping[str, str]


def read_listing(document: Any) -> tuple[ListedGroup, ...]:
    """The groups of a parsed document. Raises NotAListing."""
    bodies, names = _bodies(document)
    if len(bodies) > MAX_RULES:
        raise NotAListing(f"{len(bodies)} rules; at most {MAX_RULES} are read")
    groups: dict[str, tuple[list[GroupRule], dict[str, str]]] = {group_id: ([], {}) for group_id in names}
    for position, body in enumerate(bodies):
        group_id = str(body.get("security_group_id") or "")
        rule_id = str(body.get("id") or f"rule-{position + 1}")
        rules, left_alone = groups.setdefault(group_id, ([], {}))
        why = str(body.get("unclear") or "") or unclear(body)
        if why:
            left_alone[rule_id] = why
        rules.append(read_group_rule(rule_id, group_id, body))
    return tuple(
        ListedGroup(group_id, names.get(group_id, ""), tuple(rules), left_alone)
        for group_id, (rules, left_alone) in groups.items()
    )


def read_group_rule(rule_id: str, group_id: str, fields: Mapping[str, Any]) -> GroupRule:
    """A rule with Neutron's fields; an unclear one in its widest meaning."""
    given: dict[str, Any] = {name: fields.get(name) for name in UNCLEAR_BY}
    if given["direction"] not in ("ingress", "egress"):
        given["direction"] = "ingress"
    for name in ("port_range_min", "port_range_max"):
        text = str(given[name] if given[name] is not None else "")
        given[name] = int(text) if text.isdigit() else None
    return GroupRule(rule_id, group_id, read_rule(**given))


def _bodies(document: Any) -> tuple[list[Mapping[str, Any]], dict[str, str]]:
    if isinstance(document, Mapping) and isinstance(document.get("security_group"), Mapping):
        document = {"security_groups": [document["security_group"]]}
    if isinstance(document, Mapping) and isinstance(document.get("security_groups"), list):
        groups = [_mapping(group) for group in document["security_groups"]]
        names = {str(group.get("id") or ""): str(group.get("name") or "") for group in groups}
        bodies: list[Mapping[str, Any]] = [
            {"security_group_id": group.get("id"), **_mapping(rule)}
            for group in groups
            for rule in _sequence(group.get("security_group_rules"))
        ]
        return bodies, names
    if isinstance(document, Mapping) and isinstance(document.get("security_group_rules"), list):
        return [_mapping(rule) for rule in document["security_group_rules"]], {}
    if isinstance(document, Mapping) and isinstance(document.get("rules"), list):  # openstack security group show
        group_id = str(document.get("id") or "")
        shown: list[Mapping[str, Any]] = [
            {"security_group_id": group_id, **_mapping(rule)} for rule in document["rules"]
        ]
        return shown, {group_id: str(document.get("name") or "")}
    if isinstance(document, list):
        rows = [_mapping(row) for row in document]
        return [dict(_row(row)) if "IP Protocol" in row or "Ethertype" in row else row for row in rows], {}
    raise NotAListing(
        "neither `security_groups`, `security_group_rules` nor the list of `openstack security group rule list -f json`"
    )


def _mapping(value: Any) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise NotAListing("a rule or group is no object")
    return value


def _sequence(value: Any) -> Sequence[Any]:
    return value if isinstance(value, list) else ()


def _row(row: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """A row of the command's table as Neutron's fields."""
    ethertype = str(row.get("Ethertype") or "IPv4")
    protocol = str(row.get("IP Protocol") or "")
    yield "id", row.get("ID")
    yield "security_group_id", row.get("Security Group")
    yield "ethertype", ethertype
    yield "protocol", None if protocol.lower() in ("", "any", "none") else protocol
    yield "remote_ip_prefix", row.get("IP Range") or None
    yield "remote_group_id", row.get("Remote Security Group") or None
    yield "remote_address_group_id", row.get("Remote Address Group") or None
    if "Direction" not in row:
        yield "unclear", "the listing lacks the direction: list with --long"
        return
    yield "direction", row["Direction"]
    ports = str(row.get("Port Range") or "")
    if protocol_number(protocol, "IPv6" if ethertype.lower() == "ipv6" else "IPv4") in (ICMP, ICMPV6):
        kind, _, code = ports.partition(":")
        if not (kind.startswith("type=") and code.startswith("code=")):
            yield "unclear", "the command's list leaves out ICMP type 0 and code 0; give the API's answer instead"
            return
        yield "port_range_min", kind.removeprefix("type=")
        yield "port_range_max", code.removeprefix("code=")
    elif ports:
        low, _, high = ports.partition(":")
        yield "port_range_min", low
        yield "port_range_max", high or low
