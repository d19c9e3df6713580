"""`tresor audit` of clouds that Tresor has never seen: everything that is wrong is found, nothing is written."""

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from openstack.config import OpenStackConfig
from openstack.connection import Connection

from network_policy.domain.audit.kinds import KINDS
from operator_cli.exits import Exit
from tests.operator_cli.conftest import Tresor
from tests.operator_cli.crowd import crowd
from twin.testing import RunningTwin, running_twin

NO_CRITICAL_ON_AN_EMPTY_CLOUD = "nothing critical was found"
SITE = {
    "name": "site",
    "zones": {"clinic": {"prefixes": ["192.0.2.0/26"]}},
    "endpoints": {"jumphosts": {"prefixes": ["203.0.113.0/28"]}},
    "reserved_prefixes": ["10.200.0.0/16"],
}


@pytest.fixture
def empty() -> Iterator[RunningTwin]:
    """A twin as it begins."""
    with running_twin("") as twin:
        yield twin


def connect(twin: RunningTwin) -> Any:
    config = OpenStackConfig(config_files=[str(twin.clouds_file)], load_envvars=False)
    return Connection(config=config.get_one(cloud="twin"))


@dataclass
class Wrong:
    """What was made wrong, by kind of finding: the resource that the finding must name."""

    twin: RunningTwin
    resources: dict[str, str]


def server(cloud: Any, name: str, port: Any) -> Any:
    flavor = cloud.compute.find_flavor("tre.small")
    image = cloud.image.find_image("tiny")
    made = cloud.compute.create_server(name=name, flavor_id=flavor.id, image_id=image.id, networks=[{"port": port.id}])
    return cloud.compute.wait_for_server(made, wait=60)


@pytest.fixture(scope="module")
def wrong() -> Iterator[Wrong]:
    """One of everything."""
    with running_twin("", delay_scale=0.01) as twin:
        cloud = connect(twin)
        found: dict[str, str] = {}
        network = cloud.network
        one = cloud.identity.create_project(name="one", domain_id="default")
        two = cloud.identity.create_project(name="two", domain_id="default")

        def net(name: str, project: Any, cidr: str, **more: Any) -> Any:
            made = network.create_network(name=name, project_id=project.id, **more)
            network.create_subnet(network_id=made.id, ip_version=4, cidr=cidr, project_id=project.id)
            return made

        def group(name: str, project: Any, *rules: dict[str, Any]) -> Any:
            made = network.create_security_group(name=name, project_id=project.id)
            for rule in rules:
                fields = {"direction": "ingress", "ethertype": "IPv4", "project_id": project.id, **rule}
                network.create_security_group_rule(security_group_id=made.id, **fields)
            return made

        def port(name: str, on: Any, project: Any, **more: Any) -> Any:
            return network.create_port(name=name, network_id=on.id, project_id=project.id, **more)

        def tcp(low: int, high: int | None = None, prefix: str | None = None, **more: Any) -> dict[str, Any]:
            return {
                "protocol": "tcp",
                "port_range_min": low,
                "port_range_max": high or low,
                "remote_ip_prefix": prefix,
                **more,
            }

        home, shared = net("home", one, "10.1.0.0/24"), net("shared", one, "10.2.0.0/24")
        network.create_subnet(network_id=home.id, ip_version=6, cidr="fd00:1::/64", project_id=one.id)
        other, joined = net("other", two, "10.200.3.0/24"), net("joined", two, "10.3.0.0/24")
        overlapping = net("overlapping", two, "10.3.0.0/25")
        found["shared-with-everybody"] = network.create_rbac_policy(
            object_type="network",
            object_id=shared.id,
            action="access_as_shared",
            target_project_id="*",
            project_id=one.id,
        ).object_id
        ssh = group("ssh", one, tcp(22))
        web = group("web", one, tcp(80, 81, "0.0.0.0/1"), tcp(80, 81, "128.0.0.0/1"), tcp(8080, ethertype="IPv6"))
        found["world-open-admin"], found["world-open"], found["ipv6-wider-than-ipv4"] = ssh.id, web.id, web.id
        messy = group(
            "messy", two, tcp(22, prefix="10.0.0.0/8"), tcp(22, prefix="10.0.0.9/8"), tcp(22, prefix="10.9.0.0/16"),
            tcp(443, remote_group_id=group("nobody", two).id),
            {"protocol": "tcp", "remote_ip_prefix": "192.0.2.0/24"},
            tcp(22, ethertype="IPv6", prefix="2001:db8::/32"),
        )  # fmt: skip
        for kind in ("rule-repeated", "rule-shadowed", "rule-without-members", "rule-over-broad", "group-not-least"):
            found[kind] = messy.id
        found["rule-ipv6-leftover"] = messy.id
        found["group-unused"] = next(network.security_groups(name="nobody")).id
        found["group-of-no-project"] = network.create_security_group(name="lost", project_id="f" * 32).id
        login = port("login", home, one, security_groups=[ssh.id, web.id], device_owner="compute:nova")
        port("messy", joined, two, security_groups=[messy.id], device_owner="compute:nova")
        plain = port("plain", home, one, device_owner="compute:nova")
        found["default-group-allows"] = plain.security_group_ids[0]
        found["port-unfiltered"] = port(
            "unfiltered",
            home,
            one,
            security_groups=[],
            port_security_enabled=False,
            device_id="x",
            device_owner="compute:nova",
        ).id
        found["port-trusted-owner"] = port("liar", home, one, device_owner="network:dhcp", device_id="nothing").id
        pairs = [{"ip_address": "0.0.0.0/0"}]
        found["address-pair-anywhere"] = port("any", home, one, allowed_address_pairs=pairs).id
        found["address-pair-wide"] = port("wide", home, one, allowed_address_pairs=[{"ip_address": "10.1.0.0/24"}]).id
        options = [{"opt_name": "server-ip-address", "opt_value": "192.0.2.66\ndhcp-script=/tmp/x"}]
        found["port-dhcp-options"] = port("options", home, one, extra_dhcp_opts=options).id
        found["port-direct"] = port("direct", home, one, **{"binding:vnic_type": "direct"}).id
        macs = [port("mac", on, whose, mac_address="fa:16:3e:00:00:01").id for on, whose in ((home, one), (other, two))]
        found["duplicate-mac"] = min(macs)
        parent, child = port("parent", home, one), port("child", shared, one)
        subports = [{"port_id": child.id, "segmentation_type": "vlan", "segmentation_id": 7}]
        found["trunk"] = network.create_trunk(port_id=parent.id, sub_ports=subports, project_id=one.id).id
        port("visitor", shared, two, device_owner="compute:nova")
        found["tenant-on-shared-network"] = shared.id
        found["project-reached-by-others"] = one.id
        public = network.find_network("public")
        found["tenant-on-external-network"] = port("outside", public, two, device_owner="compute:nova").id
        found["tenant-on-reserved-prefix"] = next(network.subnets(network_id=other.id)).id
        router = network.create_router(project_id=one.id, external_gateway_info={"network_id": public.id})
        network.add_interface_to_router(router, subnet_id=next(network.subnets(network_id=home.id, ip_version=4)).id)
        for member, cidr in ((joined, "10.3.0.0/24"), (overlapping, "10.3.0.0/25")):
            between = network.create_router(project_id=two.id)
            network.add_interface_to_router(
                between, subnet_id=next(network.subnets(network_id=member.id, cidr=cidr)).id
            )
            corner = port("corner", other, two)
            network.add_interface_to_router(between, port_id=corner.id)
        found["subnets-overlap"] = next(network.subnets(network_id=joined.id)).id
        floating = network.create_ip(floating_network_id=public.id, port_id=login.id, project_id=one.id)
        found["floating-ip-open"] = floating.id
        template = {"direction": "ingress", "ethertype": "IPv4", "protocol": "tcp", "used_in_non_default_sg": True}
        made = network.post("/default-security-group-rules", json={"default_security_group_rule": template}).json()
        found["default-template-open"] = made["default_security_group_rule"]["id"]
        found["image-format"] = cloud.image.create_image(
            name="odd", disk_format="vmdk", container_format="bare", visibility="public", data=b"0" * 1024
        ).id
        volume = cloud.block_storage.create_volume(name="v", size=1)
        cloud.block_storage.wait_for_status(volume, "available", interval=0.2, wait=30)
        vm = server(cloud, "vm", port("vm", home, one))
        cloud.compute.create_volume_attachment(vm, volume_id=volume.id)
        cloud.block_storage.wait_for_status(volume, "in-use", interval=0.2, wait=30)
        attached = cloud.block_storage.get("/attachments", params={"all_tenants": 1}, microversion="3.27").json()
        for each in attached["attachments"]:
            twin._application.cloud.cinder.attachments.remove(each["id"])
        found["attachment-mismatch"] = volume.id
        yield Wrong(twin, found)


async def audited(
    tresor: Tresor, twin: RunningTwin, *more: str, cloud: str = "twin"
) -> tuple[int, dict[str, Any], str]:
    ended = await tresor("audit", "--clouds", str(twin.clouds_file), "--cloud", cloud, "-o", "json", *more)
    return ended.code, json.loads(ended.out) if ended.out else {}, ended.err


def site_file(folder: Path) -> str:
    path = folder / "site.yaml"
    path.write_text(yaml.safe_dump(SITE))
    return str(path)


ELSEWHERE = {"rule-unclear", "agent-linuxbridge", "agent-down"}
"""What the twin's Neutron, as the real one, refuses to hold: tested on the inventory itself."""


async def test_everything_that_is_wrong_is_found(tresor: Tresor, wrong: Wrong, tmp_path: Path) -> None:
    code, report, _ = await audited(tresor, wrong.twin, "--site", site_file(tmp_path))
    assert code == Exit.NEGATIVE
    told = {(each["kind"], each["resource_id"]) for each in report["findings"]}
    missing = {kind: resource for kind, resource in wrong.resources.items() if (kind, resource) not in told}
    assert not missing
    assert {kind.name for kind in KINDS} == wrong.resources.keys() | ELSEWHERE
    for finding in report["findings"]:
        assert finding["severity_id"] in range(1, 6)
        assert finding["why"]
        assert finding["rows"]
    severities = {
        each["kind"]: each["severity"]
        for each in report["findings"]
        if each["resource_id"] == wrong.resources[each["kind"]]
    }
    assert severities["world-open-admin"] == severities["floating-ip-open"] == "critical"
    assert severities["port-dhcp-options"] == severities["tenant-on-reserved-prefix"] == "critical"
    assert [each["severity_id"] for each in report["findings"]] == sorted(
        (each["severity_id"] for each in report["findings"]), reverse=True
    )
    assert all(each["by_nature"] for each in report["not_judged"])


async def test_what_the_api_cannot_tell_is_never_called_good(tresor: Tresor, wrong: Wrong) -> None:
    _, report, _ = await audited(tresor, wrong.twin)
    not_judged = {each["what"]: each["why"] for each in report["not_judged"]}
    assert "live migration without isolate_vif (LP 1734320)" in not_judged
    assert any(what.startswith("tenant-on-reserved-prefix") for what in not_judged), "no site file was given"
    assert "tenant-on-reserved-prefix" not in {each["kind"] for each in report["findings"]}


async def test_the_matrix_says_who_reaches_whom(tresor: Tresor, wrong: Wrong) -> None:
    _, report, _ = await audited(tresor, wrong.twin)
    certain = {(cell["from"], cell["to"]): cell["what"] for cell in report["matrix"] if cell["certain"]}
    assert "tcp 22" in certain["outside", "one"]
    assert ("one", "outside") in certain
    assert ("two", "one") in certain, "the visitor on the shared network"
    assert ("outside", "nobody") not in certain


async def test_nothing_is_written_ever(tresor: Tresor, wrong: Wrong, tmp_path: Path) -> None:
    """Every call that came in is a GET but the login."""
    seen = wrong.twin.requests(writes_only=False)
    before = seen[-1]["number"] if seen else 0
    await audited(tresor, wrong.twin, "--html", str(tmp_path / "report.html"))
    calls = wrong.twin.requests(before, writes_only=False)
    assert len(calls) > 15
    writes = {
        (call["method"], call["service"], call["path"]) for call in calls if call["method"] not in ("GET", "HEAD")
    }
    assert writes == {("POST", "keystone", "/v3/auth/tokens")}


async def test_a_file_for_a_browser_that_fetches_and_runs_nothing(tresor: Tresor, wrong: Wrong, tmp_path: Path) -> None:
    cloud = connect(wrong.twin)
    evil = cloud.network.create_security_group(name="<script>alert(1)</script>")
    cloud.network.create_security_group_rule(
        security_group_id=evil.id,
        direction="ingress",
        ethertype="IPv4",
        protocol="tcp",
        port_range_min=23,
        port_range_max=23,
    )
    await audited(tresor, wrong.twin, "--html", str(tmp_path / "report.html"))
    cloud.network.delete_security_group(evil)
    text = (tmp_path / "report.html").read_text()
    assert "&lt;script&gt;alert(1)" in text
    assert "<script" not in text
    assert "src=" not in text
    assert "href=" not in text
    for kind in ("world-open-admin", "attachment-mismatch"):
        assert kind in text


async def test_names_steer_neither_terminal_nor_reader(tresor: Tresor, empty: RunningTwin) -> None:
    """A tenant calls its group what it likes, and an administrator reads it."""
    cloud = connect(empty)
    project = cloud.identity.create_project(name="p\x1b]0;owned\x07", domain_id="default")
    cloud.network.create_security_group(name="g\x1b[2J\u202egood", project_id=project.id)
    where = ("--clouds", str(empty.clouds_file), "--cloud", "twin")
    for more in (("--full",), ("-o", "json"), ("-o", "yaml")):
        ended = await tresor("audit", *where, *more)
        assert "good" in ended.out
        assert not {"\x1b", "\x07", "\u202e"} & set(ended.out), more
        assert "\\u001b" not in ended.out
    ended = await tresor("policy", "minimise", next(cloud.network.security_groups(project_id=project.id)).id, *where)
    assert not {"\x1b", "\u202e"} & set(ended.out)


async def test_the_table_names_the_command_that_mends_it(tresor: Tresor, wrong: Wrong) -> None:
    ended = await tresor("audit", "--clouds", str(wrong.twin.clouds_file), "--cloud", "twin")
    assert ended.code == Exit.NEGATIVE
    assert "CRITICAL" in ended.out
    assert f"openstack floating ip unset --port {wrong.resources['floating-ip-open']}" in ended.out
    assert "docs/runbooks/audit.md#floating-ip-open" in ended.out
    assert "not judged" in ended.out
    assert "reading twin" in ended.err, "the progress goes to standard error"


async def test_a_cloud_without_fault_is_0_and_7_while_something_is_unjudged(
    tresor: Tresor, empty: RunningTwin, tmp_path: Path
) -> None:
    code, report, _ = await audited(tresor, empty, "--site", site_file(tmp_path))
    assert code == Exit.OK
    assert report["counts"]["critical"] == 0
    code, _, said = await audited(tresor, empty)
    assert code == Exit.NOT_JUDGED
    assert NO_CRITICAL_ON_AN_EMPTY_CLOUD in said


async def test_a_group_is_minimised_straight_from_the_cloud(tresor: Tresor, wrong: Wrong) -> None:
    """By its id or name, by GET; nothing is changed."""
    where = ("--clouds", str(wrong.twin.clouds_file), "--cloud", "twin")
    before = wrong.twin.requests(writes_only=False)[-1]["number"]
    for name in ("messy", wrong.resources["group-not-least"]):
        ended = await tresor("policy", "minimise", name, *where, "-o", "json")
        assert ended.code == Exit.OK, ended.err
        (group,) = json.loads(ended.out)
        assert (group["group_id"], group["name"]) == (wrong.resources["group-not-least"], "messy")
        assert len(group["commands"]) == 2, "a repeat and a shadowed rule"
    assert (await tresor("policy", "minimise", "nobody-at-all", *where)).code == Exit.NEGATIVE
    assert {call["service"] for call in wrong.twin.requests(before)} == {"keystone"}


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        ({"kind": "503", "service": "neutron", "path": ".*/rbac-policies.*"}, "shared-with-everybody"),
        ({"kind": "500", "service": "cinder"}, "attachment-mismatch"),
        ({"kind": "500", "service": "neutron", "path": ".*/ports.*"}, "port-unfiltered"),
    ],
)
async def test_a_list_that_fails_is_not_judged_and_not_good(
    tresor: Tresor, empty: RunningTwin, fault: dict[str, Any], kind: str, tmp_path: Path
) -> None:
    empty.faults(fault)
    code, report, _ = await audited(tresor, empty, "--site", site_file(tmp_path))
    assert code == Exit.NOT_JUDGED
    assert any(each["what"].startswith(f"{kind}:") for each in report["not_judged"])
    assert (report["matrix"] is None) == (kind == "port-unfiltered")


async def test_a_reader_of_one_project_judges_that_and_says_so(tresor: Tresor, wrong: Wrong, tmp_path: Path) -> None:
    cloud = connect(wrong.twin)
    project = cloud.identity.find_project("one")
    user = cloud.identity.create_user(name="auditor", password="for-the-test", domain_id="default")
    cloud.identity.assign_project_role_to_user(project, user, cloud.identity.find_role("reader"))
    entry = {
        "auth": {"auth_url": wrong.twin.auth_url, "username": "auditor", "password": "for-the-test", "project_name": "one",
                 "user_domain_name": "Default", "project_domain_name": "Default"},
        "region_name": "RegionOne",
    }  # fmt: skip
    path = tmp_path / "clouds.yaml"
    path.write_text(yaml.safe_dump({"clouds": {"reader": entry}}))
    before = wrong.twin.requests(writes_only=False)[-1]["number"]
    ended = await tresor("audit", "--clouds", str(path), "--cloud", "reader", "-o", "json")
    report = json.loads(ended.out)
    assert ended.code == Exit.NEGATIVE, "its own SSH is open to the world"
    assert report["looked_at"]["all_projects"] is False
    what = {each["what"]: each["why"] for each in report["not_judged"]}
    assert "other projects" in what
    assert any(name.startswith("agent-linuxbridge") and "list is empty" in why for name, why in what.items())
    assert any(name.startswith("group-of-no-project") for name in what)
    assert wrong.resources["world-open-admin"] in {each["resource_id"] for each in report["findings"]}
    assert {call["method"] for call in wrong.twin.requests(before)} == {"POST"}


async def test_a_login_that_is_refused_and_a_cloud_that_is_away(
    tresor: Tresor, empty: RunningTwin, tmp_path: Path
) -> None:
    document = {
        "clouds": {"twin": {**empty.clouds("twin"), "auth": {**empty.clouds("twin")["auth"], "password": "wrong"}}}
    }
    path = tmp_path / "clouds.yaml"
    path.write_text(yaml.safe_dump(document))
    ended = await tresor("audit", "--clouds", str(path), "--cloud", "twin")
    assert (ended.code, ended.out) == (Exit.NOT_PERMITTED, "")
    document["clouds"]["twin"]["auth"]["auth_url"] = "http://127.0.0.1:9/v3"
    path.write_text(yaml.safe_dump(document))
    ended = await tresor("audit", "--clouds", str(path), "--cloud", "twin")
    assert (ended.code, ended.out) == (Exit.UNREACHABLE, "")
    ended = await tresor("audit", "--clouds", str(path), "--cloud", "nobody")
    assert ended.code == Exit.USAGE


async def test_713_servers_in_100_projects_within_a_minute_l25(
    tresor: Tresor, empty: RunningTwin, tmp_path: Path
) -> None:
    crowd(empty)
    began = time.monotonic()
    code, report, _ = await audited(tresor, empty, "--site", site_file(tmp_path), "--html", str(tmp_path / "r.html"))
    took_seconds = time.monotonic() - began
    assert code == Exit.OK, report["counts"]
    assert report["looked_at"]["ports"] > 713
    assert report["looked_at"]["projects"] >= 100
    assert took_seconds < 60
