"""What a look and a scan read of projects that share things, of trunks, segments and DHCP options (rows C11, I5, M1)."""

import asyncio
from typing import Any
from uuid import uuid4

import openstack.exceptions
import pytest

from network_policy.cloud.observing import ObservingCloud, networks_of
from network_policy.domain.filters import Claim
from network_policy.domain.proof import Prover
from network_policy.domain.world import Sharing, Trunk, World
from shared.clock import SystemClock
from shared.cloud import Cloud as Reader
from tests.lab.cloud import Cloud, Sdk, Tidy, Workspace, neutron_error
from tests.network_policy.enclaves import Enclave, document

GUEST, THIRD = uuid4().hex, uuid4().hex
"""Neutron asks nobody whether a project exists."""
DOCUMENT = document()


@pytest.fixture
def observing(cloud: Cloud) -> ObservingCloud:
    return ObservingCloud(Reader("lab", cloud.clouds_file, SystemClock()))


def worlds(observing: ObservingCloud, project_id: str) -> tuple[World, World]:
    """The surroundings as one look lists them, and all of the cloud."""

    async def read() -> tuple[World, World]:
        groups, ports = await asyncio.gather(observing.groups(project_id), observing.ports(project_id))
        networks = networks_of((), ports)
        return await observing.surroundings(project_id, groups, ports, networks), await observing.whole_world()

    return asyncio.run(read())


class Parts:
    """Makes things of any project, and tidies them up."""

    def __init__(self, admin: Sdk, tidy: Tidy, name: str) -> None:
        self.network, self.tidy, self.name = admin.network, tidy, name

    def net(self, project_id: str, cidr: str) -> Any:
        made = self.network.create_network(name=self.name, project_id=project_id)
        self.tidy(self.network.delete_network, made)
        self.network.create_subnet(network_id=made.id, project_id=project_id, ip_version=4, cidr=cidr)
        return made

    def group(self, project_id: str, *rules: dict[str, Any]) -> Any:
        made = self.network.create_security_group(name=self.name, project_id=project_id)
        self.tidy(self.network.delete_security_group, made)
        for rule in self.network.security_group_rules(security_group_id=made.id):
            self.network.delete_security_group_rule(rule)
        for fields in rules:
            self.network.create_security_group_rule(
                security_group_id=made.id, project_id=project_id, ether_type="IPv4", **fields
            )
        return made

    def port(self, project_id: str, on: Any, *groups: Any, **fields: Any) -> Any:
        ids = [group.id for group in groups]
        made = self.network.create_port(network_id=on.id, project_id=project_id, security_group_ids=ids, **fields)
        self.tidy(self.network.delete_port, made)
        return made

    def share(self, kind: str, shared: Any, target: str) -> Any:
        made = self.network.create_rbac_policy(
            object_type=kind, object_id=shared.id, action="access_as_shared", target_project_id=target
        )
        self.tidy(self.network.delete_rbac_policy, made)
        return made


@pytest.fixture
def parts(admin: Sdk, tidy: Tidy, prefix: str) -> Parts:
    return Parts(admin, tidy, prefix)


def verdicts(seen: World, whole: World, project_id: str, port_roles: dict[str, str]) -> tuple[set[str], set[str]]:
    policy = Enclave(DOCUMENT, project_id).policy
    claim = Claim(DOCUMENT.name, project_id, policy, {}, port_roles)
    found = [Prover(world, [claim]).prove(DOCUMENT.name).counterexamples for world in (seen, whole)]
    look, scan = ({f"{each.source} > {each.destination}: {each.protocol}" for each in told} for told in found)
    return look, scan


def test_a_look_says_what_a_scan_says_of_what_is_shared_i5_m1(
    workspace: Workspace, observing: ObservingCloud, parts: Parts
) -> None:
    ours = workspace.project_id
    net, afar = parts.net(ours, "10.78.0.0/24"), parts.net(GUEST, "10.79.0.0/24")
    group = parts.group(ours, {"direction": "ingress", "remote_ip_prefix": "10.78.0.0/24"})
    strange = parts.group(THIRD)
    theirs = parts.group(GUEST, {"direction": "egress"}, {"direction": "ingress", "remote_group_id": strange.id})
    policies = [
        parts.share("network", net, GUEST),
        parts.share("security_group", group, GUEST),
        parts.share("security_group", strange, GUEST),
    ]
    node = parts.port(ours, net, group, name=f"{DOCUMENT.name}-login-0")
    guest = parts.port(GUEST, net, theirs)
    member = parts.port(GUEST, afar, group, theirs)
    seen, whole = worlds(observing, ours)
    assert {node.id, guest.id, member.id} <= {port.id for port in seen.ports}
    assert {group.id, theirs.id, strange.id} <= {each.id for each in seen.groups}
    of_ours = {Sharing(policies[0].id, "network", net.id, GUEST, "access_as_shared"),
               Sharing(policies[1].id, "security_group", group.id, GUEST, "access_as_shared")}  # fmt: skip
    assert of_ours <= set(seen.sharings)
    assert set(seen.sharings) <= set(whole.sharings)
    assert {each.id for each in policies} <= {each.id for each in whole.sharings}
    look, scan = verdicts(seen, whole, ours, {node.id: "login"})
    assert look == scan
    assert any(guest.id in words for words in scan)


def test_a_subport_may_be_another_projects_and_is_its_servers_c11_m1(
    admin: Sdk, workspace: Workspace, observing: ObservingCloud, parts: Parts, tidy: Tidy
) -> None:
    ours = workspace.project_id
    net, afar = parts.net(ours, "10.80.0.0/24"), parts.net(GUEST, "10.81.0.0/24")
    inside = parts.group(ours, {"direction": "ingress", "remote_ip_prefix": "10.80.0.0/24"}, {"direction": "egress"})
    node, sub = parts.port(ours, net, inside), parts.port(ours, net, inside)
    parent = parts.port(GUEST, afar)
    carried = {"port_id": sub.id, "segmentation_type": "vlan", "segmentation_id": 100}
    made = admin.network.create_trunk(name=parts.name, project_id=GUEST, port_id=parent.id, sub_ports=[carried])
    tidy(admin.network.delete_trunk, made)
    seen, whole = worlds(observing, ours)
    for world in (seen, whole):
        assert Trunk(made.id, GUEST, parent.id, (sub.id,)) in world.trunks
        assert next(port for port in world.ports if port.id == sub.id).is_subport
        assert parent.id in {port.id for port in world.ports}
    look, scan = verdicts(seen, whole, ours, {node.id: "login", sub.id: "compute"})
    assert look == scan
    assert any(f"port {sub.id} of project {GUEST}" in words for words in scan)


def test_each_segment_is_one_networks_and_administrators_are_told_which_c10(
    admin: Sdk, workspace: Workspace, observing: ObservingCloud, parts: Parts
) -> None:
    one, other = parts.net(workspace.project_id, "10.82.0.0/24"), parts.net(workspace.project_id, "10.83.0.0/24")
    whole = worlds(observing, workspace.project_id)[1]
    wires = {network.id: network.wires for network in whole.networks}
    assert wires[one.id] == (f"geneve  {one.provider_segmentation_id}",)
    assert set(wires[one.id]).isdisjoint(wires[other.id])
    told = [each for each in wires.values() if each]
    assert len(told) == len({each for every in told for each in every})
    flat = next(network for network in admin.network.networks() if network.provider_network_type == "flat")
    with pytest.raises(openstack.exceptions.ConflictException) as refused:
        admin.network.create_network(
            project_id=workspace.project_id,
            provider_network_type="flat",
            provider_physical_network=flat.provider_physical_network,
        )
    assert neutron_error(refused)["type"] == "FlatNetworkInUse"


def test_a_ports_own_dhcp_options_are_read_and_taken_away(
    admin: Sdk, workspace: Workspace, observing: ObservingCloud, parts: Parts
) -> None:
    net = parts.net(workspace.project_id, "10.84.0.0/24")
    options = [
        {"opt_name": "router", "opt_value": "10.84.0.66", "ip_version": 4},
        {"opt_name": "67", "opt_value": "boot\nevil", "ip_version": 4},
    ]
    plain = parts.port(workspace.project_id, net)
    made = parts.port(workspace.project_id, net, extra_dhcp_opts=options[:1])
    seen, whole = worlds(observing, workspace.project_id)
    for world in (seen, whole):
        told = {port.id: port.dhcp_options for port in world.ports}
        assert (told[plain.id], told[made.id]) == ((), ("router=10.84.0.66",))
    admin.network.update_port(made, extra_dhcp_opts=[{"opt_name": "router", "opt_value": None}])
    assert admin.network.get_port(made.id).extra_dhcp_opts == []
    with pytest.raises(openstack.exceptions.BadRequestException):
        parts.port(workspace.project_id, net, extra_dhcp_opts=options[1:])
