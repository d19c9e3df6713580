"""What OpenStack does not tell, the twin does not tell either (facts 4 and 5)."""

from typing import Any

from tests.lab.cloud import MANILA_MICROVERSION, Sdk, eventually
from twin.testing import RunningTwin

MANILA = {"X-OpenStack-Manila-API-Version": MANILA_MICROVERSION}


def told(twin: RunningTwin, prefix: str) -> list[str]:
    """Event types of a kind, since the reset."""
    return [one["event_type"] for one in twin.notifications() if one["event_type"].startswith(prefix)]


def test_addresses_come_and_go_in_silence(twin: RunningTwin, admin: Sdk) -> None:
    """create and delete are told; add_addresses and remove_addresses, which change what passes, are not."""
    group = admin.network.create_address_group(name="a", addresses=["192.0.2.0/28"])
    before = told(twin, "")
    admin.network.add_addresses_to_address_group(group, ["198.51.100.0/24"])
    admin.network.remove_addresses_from_address_group(group, ["192.0.2.0/28"])
    assert told(twin, "") == before
    assert admin.network.get_address_group(group.id).addresses == ["198.51.100.0/24"]


def test_the_default_group_is_born_in_silence(twin: RunningTwin, admin: Sdk) -> None:
    """Looking is enough to make it, and no event says so."""
    project = admin.identity.create_project(name="p", domain_id="default")
    assert [group.name for group in admin.network.security_groups(project_id=project.id)] == ["default"]
    assert told(twin, "security_group") == []


def test_rules_die_with_their_group_in_silence(twin: RunningTwin, admin: Sdk) -> None:
    """One delete for the group, none for its rules."""
    group = admin.network.create_security_group(name="g")
    rules = [rule["id"] for rule in group.security_group_rules]
    assert len(rules) == 2
    admin.network.delete_security_group(group)
    assert told(twin, "security_group_rule") == []
    assert all(admin.network.find_security_group_rule(rule, ignore_missing=True) is None for rule in rules)


def test_subnets_die_with_their_network_in_silence(twin: RunningTwin, admin: Sdk) -> None:
    """One delete for the network, none for its subnet."""
    network = admin.network.create_network(name="n")
    subnet = admin.network.create_subnet(network_id=network.id, ip_version=4, cidr="10.1.0.0/24")
    admin.network.delete_network(network)
    assert told(twin, "subnet.delete") == []
    assert admin.network.find_subnet(subnet.id, ignore_missing=True) is None


def test_a_bulk_create_is_one_event(twin: RunningTwin, admin: Sdk) -> None:
    """create.start and create.end once, the payload under the plural."""
    body = {"networks": [{"name": "one"}, {"name": "two"}]}
    assert len(admin.network.post("/networks", json=body).json()["networks"]) == 2
    assert told(twin, "network.create") == ["network.create.start", "network.create.end"]
    payload: dict[str, Any] = twin.notifications()[-1]["payload"]
    assert [network["name"] for network in payload["networks"]] == ["one", "two"]


def test_access_to_a_share_is_given_and_taken_in_silence(twin: RunningTwin, admin: Sdk) -> None:
    """queued_to_apply, active with its key, gone: no event of it at all."""
    manila = admin.shared_file_system
    body = {"share": {"share_proto": "CEPHFS", "size": 1, "share_type": "cephfs"}}
    share = manila.post("/shares", json=body, headers=MANILA).json()["share"]["id"]

    def status() -> Any:
        return manila.get(f"/shares/{share}", headers=MANILA).json()["share"]["status"]

    eventually(lambda: status() == "available")
    before = told(twin, "")
    asked = {"allow_access": {"access_type": "cephx", "access_to": "alice", "access_level": "rw"}}
    rule = manila.post(f"/shares/{share}/action", json=asked, headers=MANILA).json()["access"]
    assert (rule["state"], rule["access_key"]) == ("queued_to_apply", None)

    def rules() -> Any:
        return manila.get(f"/share-access-rules?share_id={share}", headers=MANILA).json()["access_list"]

    (active,) = eventually(lambda: [one for one in rules() if one["state"] == "active"])
    assert active["access_key"].startswith("AQ")
    denied = {"deny_access": {"access_id": rule["id"]}}
    assert manila.post(f"/shares/{share}/action", json=denied, headers=MANILA).status_code == 202
    eventually(lambda: not rules())
    assert told(twin, "") == before


def test_a_port_says_down_and_is_active(twin: RunningTwin, admin: Sdk) -> None:
    """The update that binds a server's port says DOWN; that the port came up is told by nobody."""
    network = admin.network.create_network(name="n")
    admin.network.create_subnet(network_id=network.id, ip_version=4, cidr="10.1.0.0/24")
    port = admin.network.create_port(network_id=network.id)
    server = admin.compute.create_server(
        name="s",
        flavor_id=admin.compute.find_flavor("tre.small").id,
        image_id=admin.image.find_image("tiny").id,
        networks=[{"port": port.id}],
    )
    admin.compute.wait_for_server(server, interval=0.1)
    assert admin.network.get_port(port.id).status == "ACTIVE"
    said = [one["payload"]["port"]["status"] for one in twin.notifications() if one["event_type"] == "port.update.end"]
    assert said == ["DOWN"]
