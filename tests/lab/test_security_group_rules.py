"""Rules: what Neutron takes for the same rule, what it refuses, what it tells."""

from collections.abc import Callable, Iterator
from typing import Any

import openstack.exceptions
import pytest

from tests.lab.cloud import Sdk, Workspace, neutron_error
from tests.lab.recorder import Notification, Recorder

AddRule = Callable[..., Any]
NOBODY = "11111111-1111-1111-1111-111111111111"


@pytest.fixture
def group(admin: Sdk, workspace: Workspace, prefix: str) -> Iterator[Any]:
    """A group with no rule in it."""
    made = admin.network.create_security_group(name=prefix, project_id=workspace.project_id)
    for rule in made.security_group_rules:
        admin.network.delete_security_group_rule(rule["id"])
    yield made
    admin.network.delete_security_group(made)


@pytest.fixture
def add(admin: Sdk, workspace: Workspace, group: Any) -> AddRule:
    """Adds a rule to the group."""

    def add_rule(**fields: Any) -> Any:
        return admin.network.create_security_group_rule(
            **{
                "security_group_id": group.id,
                "project_id": workspace.project_id,
                "direction": "ingress",
                "ethertype": "IPv4",
                **fields,
            }
        )

    return add_rule


SSH = {"protocol": "tcp", "port_range_min": 22, "port_range_max": 22, "remote_ip_prefix": "10.0.0.0/8"}


def test_a_rule_comes_back_as_sent(add: AddRule, group: Any, workspace: Workspace) -> None:
    """With the normalised prefix beside the one sent, an empty description and revision 0."""
    rule = add(**SSH)
    assert (rule.protocol, rule.port_range_min, rule.port_range_max) == ("tcp", 22, 22)
    assert (rule.remote_ip_prefix, rule.normalized_cidr) == ("10.0.0.0/8", "10.0.0.0/8")
    assert (rule.remote_group_id, rule.remote_address_group_id) == (None, None)
    assert (rule.description, rule.revision_number, rule.project_id) == ("", 0, workspace.project_id)
    assert rule.security_group_id == group.id


@pytest.mark.parametrize(
    "same",
    [
        pytest.param(SSH, id="the very same"),
        pytest.param({**SSH, "description": "other words"}, id="another description"),
        pytest.param({**SSH, "protocol": "6"}, id="the protocol by number"),
    ],
)
def test_the_same_rule_twice_is_409_and_names_the_first(add: AddRule, same: dict[str, Any]) -> None:
    """A retried creation therefore makes no second rule, and the message tells the id of the one that is there."""
    first = add(**SSH)
    with pytest.raises(openstack.exceptions.ConflictException) as refused:
        add(**same)
    error = neutron_error(refused)
    assert error["type"] == "SecurityGroupRuleExists"
    assert error["message"] == f"Security group rule already exists. Rule id is {first.id}."


def test_no_prefix_is_the_same_as_every_address(add: AddRule) -> None:
    """0.0.0.0/0 and no prefix are duplicates of each other."""
    ports = {"protocol": "tcp", "port_range_min": 23, "port_range_max": 23}
    add(**ports, remote_ip_prefix="0.0.0.0/0")
    with pytest.raises(openstack.exceptions.ConflictException):
        add(**ports)


def test_host_bits_make_another_rule_of_the_same_meaning(add: AddRule) -> None:
    """10.0.0.9/8 beside 10.0.0.0/8 is taken: to compare rules, compare normalized_cidr."""
    first, second = add(**SSH), add(**{**SSH, "remote_ip_prefix": "10.0.0.9/8"})
    assert first.id != second.id
    assert second.remote_ip_prefix == "10.0.0.9/8"
    assert second.normalized_cidr == first.normalized_cidr == "10.0.0.0/8"


@pytest.mark.parametrize(
    ("fields", "kind"),
    [
        ({"protocol": "tcp", "port_range_min": 24, "port_range_max": 23}, "SecurityGroupInvalidPortRange"),
        ({"port_range_min": 24, "port_range_max": 24}, "SecurityGroupProtocolRequiredWithPorts"),
        (
            {"protocol": "tcp", "ethertype": "IPv6", "remote_ip_prefix": "10.0.0.0/8"},
            "SecurityGroupRuleParameterConflict",
        ),
        ({"protocol": "nonsense"}, "SecurityGroupRuleInvalidProtocol"),
        ({"protocol": "tcp", "remote_ip_prefix": "10.0.0.0/99"}, "InvalidCIDR"),
        ({"direction": "sideways"}, "HTTPBadRequest"),
    ],
)
def test_nonsense_is_400_with_a_type_of_its_own(add: AddRule, fields: dict[str, Any], kind: str) -> None:
    """Neutron checks what a rule says."""
    with pytest.raises(openstack.exceptions.BadRequestException) as refused:
        add(**fields)
    assert neutron_error(refused)["type"] == kind


def test_only_one_kind_of_remote(add: AddRule, group: Any) -> None:
    """A prefix and a group together are 400 (the type's name is Neutron's spelling)."""
    with pytest.raises(openstack.exceptions.BadRequestException) as refused:
        add(remote_group_id=group.id, remote_ip_prefix="10.0.0.0/8")
    assert neutron_error(refused)["type"] == "SecurityGroupMultipleRemoteEntites"


def test_a_remote_group_has_to_be_there(add: AddRule, group: Any) -> None:
    """404 for one that is not; the group itself is a fine remote."""
    assert add(remote_group_id=group.id).remote_group_id == group.id
    with pytest.raises(openstack.exceptions.NotFoundException) as refused:
        add(remote_group_id=NOBODY)
    assert neutron_error(refused)["type"] == "SecurityGroupNotFound"


def test_icmp_has_type_and_code_in_the_ports(add: AddRule) -> None:
    """Type 8 code 0 is an echo request, although the range then runs backwards."""
    rule = add(protocol="icmp", port_range_min=8, port_range_max=0)
    assert (rule.port_range_min, rule.port_range_max) == (8, 0)


def test_dhcp_and_metadata_rules_are_plain_rules(add: AddRule) -> None:
    """What a default-deny group needs so that a server gets an address and its metadata."""
    dhcp = add(direction="egress", protocol="udp", port_range_min=67, port_range_max=67)
    metadata = add(
        direction="egress", protocol="tcp", port_range_min=80, port_range_max=80, remote_ip_prefix="169.254.169.254/32"
    )
    assert dhcp.normalized_cidr is None
    assert metadata.normalized_cidr == "169.254.169.254/32"


def test_a_rule_does_not_change(admin: Sdk, add: AddRule) -> None:
    """Ports, protocol, direction and remote are read-only: a change is a new rule and the old one's deletion."""
    rule = add(**SSH)
    answer = admin.network.put(
        f"/security-group-rules/{rule.id}", json={"security_group_rule": {"port_range_max": 30}}, raise_exc=False
    )
    assert answer.status_code == 400
    error = answer.json()["NeutronError"]
    assert (error["type"], error["message"]) == (
        "HTTPBadRequest",
        "Cannot update read-only attribute port_range_max",
    )


def test_many_rules_in_one_request_are_all_or_none(admin: Sdk, add: AddRule, group: Any, workspace: Workspace) -> None:
    """The bulk form answers with all rules; with one duplicate in it nothing is made."""

    def bulk(*ports: int) -> Any:
        rules = [
            {
                "security_group_id": group.id,
                "project_id": workspace.project_id,
                "direction": "egress",
                "protocol": "udp",
                "port_range_min": port,
                "port_range_max": port,
            }
            for port in ports
        ]
        return admin.network.post("/security-group-rules", json={"security_group_rules": rules}, raise_exc=False)

    made = bulk(53, 123)
    assert made.status_code == 201
    assert [rule["port_range_min"] for rule in made.json()["security_group_rules"]] == [53, 123]
    again = bulk(514, 53)
    assert again.status_code == 409
    there = {rule.port_range_min for rule in admin.network.security_group_rules(security_group_id=group.id)}
    assert there == {53, 123}


def test_rule_events_name_the_rule_and_the_group(admin: Sdk, add: AddRule, group: Any, notifications: Recorder) -> None:
    """create.end and delete.end carry the whole rule; delete.start its id alone. The group itself is not told."""
    notifications.wait_for(
        0, lambda heard: heard.event_type == "security_group.create.end" and heard.mentions(group.id)
    )
    mark = notifications.mark()
    rule = add(**SSH)
    admin.network.delete_security_group_rule(rule)

    def about(heard: Notification) -> bool:
        # The deletions of the group's default rules, done by the fixture, may be told after the mark.
        started = heard.event_type == "security_group_rule.create.start" and heard.mentions(group.id)
        on_the_group = heard.event_type.startswith("security_group.") and heard.mentions(group.id)
        return heard.exchange == "neutron" and (heard.mentions(rule.id) or started or on_the_group)

    told = notifications.wait_for_quiet(mark, about)
    assert [heard.event_type for heard in told] == [
        f"security_group_rule.{action}.{phase}" for action in ("create", "delete") for phase in ("start", "end")
    ]
    create_start, create_end, delete_start, delete_end = (heard.payload for heard in told)
    assert create_start["security_group_rule"]["security_group_id"] == group.id
    assert "id" not in create_start["security_group_rule"]
    assert create_end["security_group_rule"]["id"] == rule.id
    assert create_end["security_group_rule"]["normalized_cidr"] == "10.0.0.0/8"
    assert delete_start == {"security_group_rule_id": rule.id}
    assert delete_end["security_group_rule_id"] == rule.id
    assert delete_end["security_group_rule"]["security_group_id"] == group.id


def test_deleting_a_rule_twice_is_404(admin: Sdk, add: AddRule) -> None:
    """SecurityGroupRuleNotFound: a repeated deletion is told apart from a refused one."""
    rule = add(**SSH)
    admin.network.delete_security_group_rule(rule)
    with pytest.raises(openstack.exceptions.NotFoundException) as refused:
        admin.network.delete_security_group_rule(rule, ignore_missing=False)
    assert neutron_error(refused)["type"] == "SecurityGroupRuleNotFound"
