"""The audit on the cloud under test: what somebody did wrong is found there, and only reading was done."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import openstack.exceptions
import pytest

from network_policy.cloud import reading
from network_policy.cloud.changing import rule_body
from network_policy.domain.hygiene.amendment import amend
from network_policy.domain.hygiene.equality import prove_equal
from tests.lab.cloud import Cloud, Sdk, Tidy, Workspace

ONLY_WITH_A_SITE_FILE = {"tenant-on-reserved-prefix", "tenant-on-internal-network"}

TRESOR = Path(sys.executable).with_name("tresor")
SECONDS = 120


def audit(cloud: Cloud, entry: str, clouds_file: Path | None = None) -> tuple[int, dict[str, Any]]:
    """The command's exit code and what it said, run by its user."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("TRESOR_", "OS_"))}
    command = [str(TRESOR), "audit", "--clouds", str(clouds_file or cloud.clouds_file), "--cloud", entry, "-o", "json"]
    ended = subprocess.run(command, env=clean, capture_output=True, timeout=SECONDS, check=False)
    assert ended.stdout, ended.stderr.decode()
    report: dict[str, Any] = json.loads(ended.stdout)
    return ended.returncode, report


def of_kind(report: dict[str, Any], kind: str) -> set[str]:
    return {each["resource_id"] for each in report["findings"] if each["kind"] == kind}


@pytest.fixture
def wrong(admin: Sdk, workspace: Workspace, prefix: str, tidy: Tidy) -> dict[str, set[str]]:
    """Things made wrong, by the kind of finding that has to name them."""
    network, project = admin.network, workspace.project_id
    home = network.create_network(name=prefix, project_id=project)
    tidy(network.delete_network, home)
    network.create_subnet(network_id=home.id, project_id=project, ip_version=4, cidr="10.61.0.0/24")
    other = network.create_network(name=f"{prefix}-other", project_id=project)
    tidy(network.delete_network, other)
    network.create_subnet(network_id=other.id, project_id=project, ip_version=4, cidr="10.62.0.0/24")
    group = network.create_security_group(name=prefix, project_id=project)
    tidy(network.delete_security_group, group)
    ssh = {"direction": "ingress", "ethertype": "IPv4", "protocol": "tcp", "port_range_min": 22, "port_range_max": 22}
    for more in ({}, {"remote_ip_prefix": "10.0.0.0/8"}, {"remote_ip_prefix": "10.0.0.9/8"}):
        network.create_security_group_rule(security_group_id=group.id, project_id=project, **ssh, **more)

    def port(on: Any, **more: Any) -> str:
        made = network.create_port(network_id=on.id, project_id=project, **more)
        tidy(network.delete_port, made)
        return str(made.id)

    port(home, security_group_ids=[group.id])
    sharing = network.create_rbac_policy(
        object_type="network", object_id=other.id, action="access_as_shared", target_project_id="*", project_id=project
    )
    tidy(network.delete_rbac_policy, sharing)
    mac = "fa:16:3e:7a:00:01"
    options = [{"opt_name": "server-ip-address", "opt_value": "192.0.2.66"}]
    return {
        "world-open-admin": {group.id},
        "rule-repeated": {group.id},
        "rule-shadowed": {group.id},
        "group-not-least": {group.id},
        "port-unfiltered": {port(home, security_groups=[], port_security_enabled=False)},
        "address-pair-anywhere": {port(home, allowed_address_pairs=[{"ip_address": "0.0.0.0/0"}])},
        "port-trusted-owner": {port(home, device_owner="network:dhcp", device_id="nothing")},
        "port-dhcp-options": {port(home, extra_dhcp_opts=options)},
        "shared-with-everybody": {other.id},
        "duplicate-mac": {min(port(home, mac_address=mac), port(other, mac_address=mac))},
    }


def test_what_is_wrong_is_found(cloud: Cloud, wrong: dict[str, set[str]]) -> None:
    """And Neutron's own DHCP, metadata and router ports are not called liars."""
    code, report = audit(cloud, "lab")
    assert code == 1
    missing = {kind: ids for kind, ids in wrong.items() if not ids <= of_kind(report, kind)}
    assert not missing
    assert of_kind(report, "port-trusted-owner") <= wrong["port-trusted-owner"]
    assert report["looked_at"]["all_projects"]
    unread = [each for each in report["not_judged"] if not each["by_nature"]]
    assert {each["what"].partition(":")[0] for each in unread} <= ONLY_WITH_A_SITE_FILE
    assert report["matrix"] is not None


def test_an_application_credential_that_may_only_read_is_enough(
    cloud: Cloud, admin: Sdk, wrong: dict[str, set[str]], prefix: str, tidy: Tidy, tmp_path: Path
) -> None:
    """Of an administrator, with access rules for GET: it reads all projects, and writes nothing whatever it tries."""
    user = admin.current_user_id
    services = ("network", "compute", "block-storage", "image", "identity")
    rules = [{"service": each, "method": "GET", "path": "/**"} for each in services]
    made = admin.identity.create_application_credential(user, prefix, access_rules=rules)
    tidy(admin.identity.delete_application_credential, user, made)
    entry = {
        "auth_type": "v3applicationcredential",
        "auth": {
            "auth_url": admin.config.auth["auth_url"],
            "application_credential_id": made.id,
            "application_credential_secret": made.secret,
        },
        "region_name": "RegionOne",
    }
    path = tmp_path / "clouds.yaml"
    path.write_text(json.dumps({"clouds": {"auditor": entry}}))
    code, report = audit(cloud, "auditor", path)
    assert code == 1
    assert wrong["world-open-admin"] <= of_kind(report, "world-open-admin")
    unread = [each for each in report["not_judged"] if not each["by_nature"]]
    assert {each["what"].partition(":")[0] for each in unread} <= ONLY_WITH_A_SITE_FILE, unread
    auditor = Cloud(cloud.name, path, cloud.bus_url).connect("auditor")
    with pytest.raises(openstack.exceptions.HttpException) as refused:
        auditor.network.create_security_group(name=prefix)
    assert refused.value.status_code in (401, 403)


def test_a_reader_judges_its_own_project_and_says_what_it_did_not_see(
    cloud: Cloud, admin: Sdk, workspace: Workspace, wrong: dict[str, set[str]], prefix: str, tidy: Tidy, tmp_path: Path
) -> None:
    """As Neutron's own policies have it."""
    secret = f"{prefix}-for-the-test"
    user = admin.identity.create_user(name=prefix, password=secret, domain_id="default")
    tidy(admin.identity.delete_user, user)
    admin.identity.assign_project_role_to_user(workspace.project_id, user, admin.identity.find_role("reader"))
    auth = {
        "auth_url": admin.config.auth["auth_url"],
        "username": prefix,
        "password": secret,
        "project_id": workspace.project_id,
        "user_domain_name": "Default",
    }
    path = tmp_path / "clouds.yaml"
    path.write_text(json.dumps({"clouds": {"reader": {"auth": auth, "region_name": "RegionOne"}}}))
    code, report = audit(cloud, "reader", path)
    assert code == 1
    assert wrong["world-open-admin"] <= of_kind(report, "world-open-admin")
    assert not report["looked_at"]["all_projects"]
    unread = {each["what"].partition(":")[0] for each in report["not_judged"] if not each["by_nature"]}
    assert {"other projects", "agent-linuxbridge", "group-of-no-project"} <= unread


def test_neutron_takes_the_smaller_set_in_the_order_told(
    admin: Sdk, workspace: Workspace, prefix: str, tidy: Tidy
) -> None:
    """New rules go in beside the old ones, which go out afterwards; what is left permits what there was (M9)."""
    network, project = admin.network, workspace.project_id
    group = network.create_security_group(name=prefix, project_id=project)
    tidy(network.delete_security_group, group)
    ports = ((1, 1023), (1024, 65535), (22, 22))
    messy = [
        {"protocol": "tcp", "port_range_min": low, "port_range_max": high, "remote_ip_prefix": cidr}
        for low, high in ports
        for cidr in ("10.0.0.0/9", "10.128.0.0/9", "10.128.0.7/9")
    ]
    messy += [{"protocol": "icmp", "port_range_min": 8, "port_range_max": code} for code in (0, 1)]
    messy += [
        {"protocol": "icmp", "port_range_min": 8},
        {"protocol": "udp", "remote_group_id": group.id},
        {"protocol": "udp"},
    ]
    for fields in messy:
        network.create_security_group_rule(
            security_group_id=group.id, project_id=project, direction="ingress", ethertype="IPv4", **fields
        )
    before = reading.group(network.get(f"/security-groups/{group.id}").json()["security_group"])
    amendment = amend(before.id, before.rules)
    assert len(amendment.removed) > len(amendment.added) > 0
    for rule in amendment.added:
        network.create_security_group_rule(**rule_body(group.id, project, rule))
    for each in amendment.removed:
        network.delete_security_group_rule(each.id, ignore_missing=False)
    after = reading.group(network.get(f"/security-groups/{group.id}").json()["security_group"])
    assert len(after.rules) == amendment.rules_after == 5, "tcp, icmp type 8, udp, and the two that let everything out"
    assert prove_equal([each.rule for each in before.rules], [each.rule for each in after.rules]).is_equal
    assert not amend(after.id, after.rules).commands
