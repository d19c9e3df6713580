"""What security groups really let through: asked of OVN's logical flows, which only the real control plane has."""

import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.lab.cloud import Sdk, Workspace, eventually

pytestmark = pytest.mark.lab

Passes = Callable[[Any, Any, str, int], bool]


@pytest.fixture(scope="module")
def net(admin: Sdk, workspace: Workspace) -> Any:
    """A network with one subnet."""
    made = admin.network.create_network(name=workspace.name, project_id=workspace.project_id)
    admin.network.create_subnet(network_id=made.id, project_id=workspace.project_id, ip_version=4, cidr="10.71.0.0/24")
    return made


@pytest.fixture(scope="module")
def make_port(admin: Sdk, workspace: Workspace, net: Any) -> Callable[..., Any]:
    """Makes a port in the groups given."""

    def make(*groups: Any) -> Any:
        return admin.network.create_port(
            network_id=net.id, project_id=workspace.project_id, security_group_ids=[group.id for group in groups]
        )

    return make


@pytest.fixture
def make_group(admin: Sdk, workspace: Workspace) -> Callable[..., Any]:
    """Makes a group that lets out and in only what its rules say."""

    def make(*rules: dict[str, Any]) -> Any:
        group = admin.network.create_security_group(name=workspace.name, project_id=workspace.project_id)
        for rule in group.security_group_rules:
            admin.network.delete_security_group_rule(rule["id"])
        for fields in rules:
            admin.network.create_security_group_rule(
                security_group_id=group.id, project_id=workspace.project_id, **fields
            )
        return group

    return make


@pytest.fixture(scope="module")
def passes(net: Any) -> Passes:
    """Does a new connection from one port to another pass? Traced through the southbound database's flows."""
    socket = Path(os.environ["TRESOR_LAB"]) / "ovn" / "sb.sock"

    def trace(source: Any, target: Any, protocol: str, number: int) -> bool:
        flow = " && ".join(
            (
                f'inport=="{source.id}"',
                f"eth.src=={source.mac_address}",
                f"eth.dst=={target.mac_address}",
                "ip.ttl==64",
                f"ip4.src=={source.fixed_ips[0]['ip_address']}",
                f"ip4.dst=={target.fixed_ips[0]['ip_address']}",
                f"{protocol}.dst=={number}",
            )
        )
        # --ct twice: the connection is new at both ends.
        command = ["ovn-trace", f"--db=unix:{socket}", "--ct=new", "--ct=new", "--minimal", f"neutron-{net.id}", flow]
        answer = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
        # OVN shortens the ids in what it prints.
        return f'output("{target.id[:6]}' in answer.stdout

    return trace


def tcp(direction: str, number: int, **remote: Any) -> dict[str, Any]:
    """A rule for one TCP port."""
    return {
        "direction": direction,
        "protocol": "tcp",
        "port_range_min": number,
        "port_range_max": number,
        **remote,
    }


def test_a_connection_needs_a_rule_at_both_ends(make_group: Any, make_port: Any, passes: Passes) -> None:
    """Egress where it starts and ingress where it ends; nothing else passes, not even the next port."""
    inside = make_port(make_group(tcp("ingress", 22)))
    sender = make_port(make_group(tcp("egress", 22)))
    mute = make_port(make_group())
    eventually(lambda: passes(sender, inside, "tcp", 22))
    assert not passes(sender, inside, "tcp", 23)
    assert not passes(sender, inside, "udp", 22)
    assert not passes(mute, inside, "tcp", 22)
    assert not passes(sender, mute, "tcp", 22)


def test_a_remote_group_means_its_members(admin: Sdk, make_group: Any, make_port: Any, passes: Passes) -> None:
    """Only ports in that group; membership counts from the moment the port joins it, and ends with it."""
    peers = make_group(tcp("egress", 443))
    others = make_group(tcp("egress", 443))
    inside = make_port(make_group(tcp("ingress", 443, remote_group_id=peers.id)))
    peer, other = make_port(peers), make_port(others)
    eventually(lambda: passes(peer, inside, "tcp", 443))
    assert not passes(other, inside, "tcp", 443)
    admin.network.update_port(other, security_group_ids=[others.id, peers.id])
    eventually(lambda: passes(other, inside, "tcp", 443))
    admin.network.update_port(other, security_group_ids=[others.id])
    eventually(lambda: not passes(other, inside, "tcp", 443))


def test_a_port_without_groups_is_cut_off_and_one_without_port_security_is_open(
    admin: Sdk, workspace: Workspace, net: Any, make_group: Any, make_port: Any, passes: Passes
) -> None:
    """No groups means nothing passes; no port security means everything does."""
    sender = make_port(make_group(tcp("egress", 22)))
    lonely = make_port()
    bare = admin.network.create_port(
        network_id=net.id, project_id=workspace.project_id, security_group_ids=[], is_port_security_enabled=False
    )
    eventually(lambda: passes(sender, bare, "tcp", 22))
    assert not passes(sender, lonely, "tcp", 22)


def test_a_new_groups_default_rules_let_everything_out(
    admin: Sdk, workspace: Workspace, make_group: Any, make_port: Any, passes: Passes
) -> None:
    """Which is why they are deleted before a port joins the group."""
    group = admin.network.create_security_group(name=workspace.name, project_id=workspace.project_id)
    inside = make_port(make_group(tcp("ingress", 9999)))
    sender = make_port(group)
    eventually(lambda: passes(sender, inside, "tcp", 9999))
    for rule in group.security_group_rules:
        admin.network.delete_security_group_rule(rule["id"])
    eventually(lambda: not passes(sender, inside, "tcp", 9999))
