"""Security groups: what network-policy's desired state is written in."""

import openstack.exceptions
import pytest
from openstack.connection import Connection

from tests.lab.cloud import Sdk, Tidy, Workspace, neutron_error
from tests.lab.recorder import Notification, Recorder

NOBODY = "11111111-1111-1111-1111-111111111111"


def test_a_new_group_lets_everything_out(admin: Sdk, workspace: Workspace, prefix: str, tidy: Tidy) -> None:
    """Two egress rules without any limit, IPv4 and IPv6, and no ingress: default-deny starts by deleting them."""
    group = admin.network.create_security_group(name=prefix, project_id=workspace.project_id, description="marker")
    tidy(admin.network.delete_security_group, group)
    assert group.project_id == workspace.project_id
    assert group.stateful is True
    assert group.is_shared is False
    assert {(rule["direction"], rule["ethertype"]) for rule in group.security_group_rules} == {
        ("egress", "IPv4"),
        ("egress", "IPv6"),
    }
    open_fields = (
        "protocol",
        "port_range_min",
        "port_range_max",
        "remote_ip_prefix",
        "remote_group_id",
        "remote_address_group_id",
        "normalized_cidr",
        "description",
    )
    for rule in group.security_group_rules:
        assert {rule[field] for field in open_fields} == {None}
        assert rule["belongs_to_default_sg"] is False
        admin.network.delete_security_group_rule(rule["id"])
    assert admin.network.get_security_group(group.id).security_group_rules == []


def test_names_of_groups_are_no_markers(admin: Sdk, workspace: Workspace, prefix: str, tidy: Tidy) -> None:
    """Two groups may have one name: a retried creation has to look first. Tags filter as they do for networks."""
    made = [admin.network.create_security_group(name=prefix, project_id=workspace.project_id) for _ in range(2)]
    for group in made:
        tidy(admin.network.delete_security_group, group)
    found = admin.network.security_groups(name=prefix, project_id=workspace.project_id)
    assert {group.id for group in found} == {group.id for group in made}
    admin.network.set_tags(made[0], [f"role:{prefix}"])
    assert [group.id for group in admin.network.security_groups(tags=f"role:{prefix}")] == [made[0].id]


def test_a_projects_default_group_is_there_unasked(admin: Sdk, workspace: Workspace) -> None:
    """It lets its own members in and everything out, needs no call to make it."""
    admin.network.delete_security_group(
        admin.network.create_security_group(name=workspace.name, project_id=workspace.project_id)
    )
    (group,) = admin.network.security_groups(name="default", project_id=workspace.project_id)
    assert group.description == "Default security group"
    rules = {(rule["direction"], rule["ethertype"], rule["remote_group_id"]) for rule in group.security_group_rules}
    assert rules == {
        ("ingress", "IPv4", group.id),
        ("ingress", "IPv6", group.id),
        ("egress", "IPv4", None),
        ("egress", "IPv6", None),
    }


def test_the_default_group_comes_in_silence_and_comes_back(
    admin: Sdk, notifications: Recorder, prefix: str, tidy: Tidy
) -> None:
    """An administrator may delete it; the next look at the project makes it anew. Its making is told by no event."""
    project = admin.identity.create_project(name=prefix, domain_id="default")
    tidy(admin.identity.delete_project, project)
    mark = notifications.mark()
    (first,) = admin.network.security_groups(project_id=project.id)
    assert first.name == "default"
    admin.network.delete_security_group(first)
    (second,) = admin.network.security_groups(project_id=project.id)
    tidy(admin.network.delete_security_group, second)
    assert second.name == "default"
    assert second.id != first.id
    told = notifications.wait_for_quiet(
        mark, lambda heard: heard.exchange == "neutron" and (heard.mentions(first.id) or heard.mentions(second.id))
    )
    assert [heard.event_type for heard in told] == ["security_group.delete.start", "security_group.delete.end"]


def test_the_default_group_keeps_its_name(admin: Sdk, workspace: Workspace) -> None:
    """Renaming it is a 409."""
    (group,) = admin.network.security_groups(name="default", project_id=workspace.project_id)
    with pytest.raises(openstack.exceptions.ConflictException) as refused:
        admin.network.update_security_group(group, name="other")
    assert neutron_error(refused)["type"] == "SecurityGroupCannotUpdateDefault"


def test_a_member_may_not_delete_the_default_group(admin: Sdk, workspace: Workspace, prefix: str, tidy: Tidy) -> None:
    """What an administrator may, a member may not: 409."""
    member = admin.identity.create_user(name=prefix, password="conformance", domain_id="default")
    tidy(admin.identity.delete_user, member)
    admin.identity.assign_project_role_to_user(workspace.project_id, member, admin.identity.find_role("member"))
    own = Connection(
        region_name="RegionOne",
        auth={
            "auth_url": admin.session.auth.auth_url,
            "username": prefix,
            "password": "conformance",
            "project_id": workspace.project_id,
            "user_domain_name": "Default",
        },
    )
    (group,) = own.network.security_groups(name="default")
    with pytest.raises(openstack.exceptions.ConflictException) as refused:
        own.network.delete_security_group(group)
    assert neutron_error(refused)["type"] == "SecurityGroupCannotRemoveDefault"


def test_revision_numbers_count_rules_too(admin: Sdk, workspace: Workspace, prefix: str, tidy: Tidy) -> None:
    """Each rule added or removed, and each update, counts the group's revision up: a cheap sign of drift."""
    group = admin.network.create_security_group(name=prefix, project_id=workspace.project_id)
    tidy(admin.network.delete_security_group, group)

    def revision() -> int:
        number: int = admin.network.get_security_group(group.id).revision_number
        return number

    seen = [revision()]
    rule = admin.network.create_security_group_rule(
        security_group_id=group.id, project_id=workspace.project_id, direction="ingress", protocol="tcp"
    )
    seen.append(revision())
    admin.network.update_security_group(group.id, description="new")
    seen.append(revision())
    admin.network.delete_security_group_rule(rule)
    seen.append(revision())
    assert seen == [1, 2, 3, 4]


def test_if_match_guards_an_update(admin: Sdk, workspace: Workspace, prefix: str, tidy: Tidy) -> None:
    """`If-Match: revision_number=N` updates only what still has that revision; else 412, and nothing changes."""
    group = admin.network.create_security_group(name=prefix, project_id=workspace.project_id)
    tidy(admin.network.delete_security_group, group)
    path, body = f"/security-groups/{group.id}", {"security_group": {"description": "guarded"}}
    stale = admin.network.put(
        path, json=body, headers={"If-Match": f"revision_number={group.revision_number - 1}"}, raise_exc=False
    )
    assert stale.status_code == 412
    assert stale.json()["NeutronError"]["type"] == "RevisionNumberConstraintFailed"
    assert admin.network.get_security_group(group.id).description == ""
    fresh = admin.network.put(
        path, json=body, headers={"If-Match": f"revision_number={group.revision_number}"}, raise_exc=False
    )
    assert fresh.status_code == 200
    assert fresh.json()["security_group"]["revision_number"] == group.revision_number + 1


def test_a_group_in_use_is_not_deleted(admin: Sdk, workspace: Workspace, prefix: str, tidy: Tidy) -> None:
    """409 SecurityGroupInUse for a group on a port."""
    net = admin.network.create_network(name=prefix, project_id=workspace.project_id)
    tidy(admin.network.delete_network, net)
    group = admin.network.create_security_group(name=prefix, project_id=workspace.project_id)
    tidy(admin.network.delete_security_group, group)
    port = admin.network.create_port(network_id=net.id, project_id=workspace.project_id, security_group_ids=[group.id])
    tidy(admin.network.delete_port, port)
    with pytest.raises(openstack.exceptions.ConflictException) as refused:
        admin.network.delete_security_group(group)
    assert neutron_error(refused)["type"] == "SecurityGroupInUse"


def test_a_group_named_by_anothers_rule_goes_and_takes_the_rule_along(
    admin: Sdk, workspace: Workspace, prefix: str, tidy: Tidy
) -> None:
    """Being a rule's remote group is no use: the group is deleted, and that rule of the other group with it."""
    remote = admin.network.create_security_group(name=f"{prefix}-remote", project_id=workspace.project_id)
    group = admin.network.create_security_group(name=prefix, project_id=workspace.project_id)
    tidy(admin.network.delete_security_group, group)
    rule = admin.network.create_security_group_rule(
        security_group_id=group.id,
        project_id=workspace.project_id,
        direction="ingress",
        protocol="tcp",
        remote_group_id=remote.id,
    )
    admin.network.delete_security_group(remote)
    assert rule.id not in {found.id for found in admin.network.security_group_rules(security_group_id=group.id)}


def test_group_events(admin: Sdk, workspace: Workspace, notifications: Recorder, prefix: str) -> None:
    """create.end carries the group with its default rules; the deletion is told, that of its rules is not."""
    mark = notifications.mark()
    group = admin.network.create_security_group(name=prefix, project_id=workspace.project_id)
    admin.network.update_security_group(group, description="new")
    admin.network.delete_security_group(group)

    def about(heard: Notification) -> bool:
        return heard.exchange == "neutron" and (heard.mentions(prefix) or heard.mentions(group.id))

    told = notifications.wait_for_quiet(mark, about)
    assert [heard.event_type for heard in told] == [
        f"security_group.{action}.{phase}" for action in ("create", "update", "delete") for phase in ("start", "end")
    ]
    assert {(heard.exchange, heard.routing_key, heard.publisher) for heard in told} == {
        ("neutron", "notifications.info", "network")
    }
    assert told[1].payload["security_group"]["id"] == group.id
    assert len(told[1].payload["security_group"]["security_group_rules"]) == 2
    assert told[3].payload["security_group"]["description"] == "new"
    assert told[5].payload["security_group_id"] == group.id
    assert told[5].payload["security_group"]["name"] == prefix


def test_an_unknown_group_is_404(admin: Sdk) -> None:
    """SecurityGroupNotFound."""
    with pytest.raises(openstack.exceptions.NotFoundException) as refused:
        admin.network.get_security_group(NOBODY)
    assert neutron_error(refused)["type"] == "SecurityGroupNotFound"


def test_address_groups_change_in_place(
    admin: Sdk, workspace: Workspace, notifications: Recorder, prefix: str, tidy: Tidy
) -> None:
    """Addresses come and go by actions of their own, which no event tells; in use by a rule the group stays (409)."""
    addresses = admin.network.create_address_group(
        name=prefix, project_id=workspace.project_id, addresses=["192.0.2.0/28"]
    )
    tidy(admin.network.delete_address_group, addresses)
    group = admin.network.create_security_group(name=prefix, project_id=workspace.project_id)
    tidy(admin.network.delete_security_group, group)
    rule = admin.network.create_security_group_rule(
        security_group_id=group.id,
        project_id=workspace.project_id,
        direction="egress",
        remote_address_group_id=addresses.id,
    )
    assert (rule.remote_address_group_id, rule.remote_ip_prefix) == (addresses.id, None)
    with pytest.raises(openstack.exceptions.ConflictException) as refused:
        admin.network.delete_address_group(addresses)
    assert neutron_error(refused)["type"] == "AddressGroupInUse"
    mark = notifications.mark()
    admin.network.add_addresses_to_address_group(addresses, ["198.51.100.7/32"])
    assert set(admin.network.get_address_group(addresses.id).addresses) == {"192.0.2.0/28", "198.51.100.7/32"}
    admin.network.remove_addresses_from_address_group(addresses, ["192.0.2.0/28"])
    assert admin.network.get_address_group(addresses.id).addresses == ["198.51.100.7/32"]
    told = notifications.wait_for_quiet(
        mark, lambda heard: heard.exchange == "neutron" and heard.mentions(addresses.id)
    )
    assert told == []
