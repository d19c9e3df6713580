"""Bare-metal nodes and their provision states."""

import json
from collections.abc import Iterator
from typing import Any

import openstack.exceptions
import pytest

from tests.lab.cloud import Sdk, body_of, eventually
from tests.lab.recorder import Recorder

WAIT_SECONDS = 60
MICROVERSION = "1.90"


@pytest.fixture
def node(system: Sdk, prefix: str) -> Iterator[Any]:
    """An enrolled node of fake hardware."""
    made = system.baremetal.create_node(
        name=prefix,
        driver="fake-hardware",
        resource_class="baremetal",
        properties={"cpus": 8, "memory_mb": 16384, "local_gb": 100, "cpu_arch": "x86_64"},
    )
    yield made
    # In maintenance a node may be deleted in almost any state.
    system.baremetal.set_node_maintenance(made)
    eventually(lambda: not system.baremetal.get_node(made.id).reservation)
    system.baremetal.delete_node(made)


def test_a_new_node_is_enrolled(node: Any, system: Sdk) -> None:
    """It is nobody's, has no power state yet and is in no maintenance."""
    assert (node.provision_state, node.power_state, node.is_maintenance) == ("enroll", None, False)
    assert node.instance_id is None
    assert system.baremetal.get_node(node.name).id == node.id


def post(system: Sdk, path: str, body: dict[str, Any]) -> Any:
    """Ironic's answer, whatever its status. The SDK's own calls try a 409 again for a quarter of a minute."""
    return system.baremetal.post(path, json=body, microversion=MICROVERSION, raise_exc=False, retriable_status_codes=[])


def test_a_nodes_name_is_unique(node: Any, system: Sdk) -> None:
    """The second is a 409: names are markers in Ironic."""
    refused = post(system, "/nodes", {"name": node.name, "driver": "fake-hardware"})
    assert refused.status_code == 409
    fault = json.loads(refused.json()["error_message"])
    assert fault["faultstring"] == f"A node with name {node.name} already exists."


def test_the_way_to_active_and_back(node: Any, system: Sdk, notifications: Recorder) -> None:
    """enroll, manageable, available, active, available; the steps after the first are told at their start and end."""
    mark = notifications.mark()
    baremetal = system.baremetal

    def reach(target: str) -> str:
        now = baremetal.set_node_provision_state(node, target, wait=True, timeout=WAIT_SECONDS)
        return str(now.provision_state)

    states = [reach("manage"), reach("provide")]
    baremetal.update_node(
        node, instance_info={"image_source": "http://127.0.0.1:1/x.img", "image_checksum": "0" * 32, "root_gb": 1}
    )
    states += [reach("active"), reach("deleted")]
    assert states == ["manageable", "available", "active", "available"]
    told = notifications.wait_for_quiet(mark, lambda heard: heard.exchange == "ironic" and heard.mentions(node.id))
    assert {heard.routing_key for heard in told} == {"ironic_versioned_notifications.info"}
    assert {heard.publisher for heard in told} == {"ironic-api", "ironic-conductor"}
    steps = [heard for heard in told if heard.event_type.startswith("baremetal.node.provision_set")]
    assert [heard.payload["uuid"] for heard in steps] == [node.id] * len(steps)
    assert {heard.event_type.rsplit(".", 1)[1] for heard in steps} == {"start", "end", "success"}
    # The end of a node's verification (manageable) is sometimes told and sometimes not.
    ended = [heard.payload["provision_state"] for heard in steps if heard.event_type.endswith(".end")]
    assert [state for state in ended if state != "manageable"] == ["available", "active", "available"]


def test_an_action_out_of_place_is_400(node: Any, system: Sdk) -> None:
    """An enrolled node cannot be deployed; the error sits as JSON text in error_message."""
    with pytest.raises(openstack.exceptions.BadRequestException) as refused:
        system.baremetal.set_node_provision_state(node, "active")
    fault = json.loads(body_of(refused)["error_message"])
    assert fault["faultcode"] == "Client"
    assert 'The requested action "active" can not be performed on node' in fault["faultstring"]


def test_power_is_told(node: Any, system: Sdk, notifications: Recorder) -> None:
    """power_set.start and .end from the conductor, with what was asked and what came of it."""
    baremetal = system.baremetal
    baremetal.set_node_provision_state(node, "manage", wait=True, timeout=WAIT_SECONDS)
    mark = notifications.mark()
    baremetal.set_node_power_state(node, "power on", wait=True, timeout=WAIT_SECONDS)
    told = notifications.wait_for(
        mark, lambda heard: heard.event_type.startswith("baremetal.node.power_set") and heard.mentions(node.id), 2
    )
    assert [heard.event_type for heard in told] == ["baremetal.node.power_set.start", "baremetal.node.power_set.end"]
    assert told[0].payload["to_power"] == "power on"
    assert told[1].payload["power_state"] == "power on"


def test_a_port_belongs_to_a_node_and_a_mac_to_one_port(node: Any, system: Sdk, prefix: str) -> None:
    """The same MAC address again is a 409."""
    address = "52:54:00:" + ":".join(prefix[-6:][at : at + 2] for at in (0, 2, 4))
    made = system.baremetal.create_port(node_id=node.id, address=address)
    assert post(system, "/ports", {"node_uuid": node.id, "address": address}).status_code == 409
    assert [port.address for port in system.baremetal.ports(details=True, node=node.id)] == [address]
    system.baremetal.delete_port(made)


def test_an_unknown_node_is_404(system: Sdk) -> None:
    """Also by name."""
    with pytest.raises(openstack.exceptions.NotFoundException):
        system.baremetal.get_node("11111111-1111-1111-1111-111111111111")
    assert system.baremetal.find_node("nobody-of-that-name") is None
