"""One seed, one history: ids, delays, order of notifications."""

from typing import Any

from tests.lab.cloud import Sdk
from tests.twin.conftest import connect
from twin.testing import RunningTwin, running_twin


def history(twin: RunningTwin) -> tuple[list[str], list[tuple[str, str]]]:
    """A few calls with the clock stopped in between: ids made, and what was told in which order."""
    admin: Sdk = connect(twin)
    admin.session.post(f"{twin.base_url}/twin/clock", json={"paused": True})
    network = admin.network.create_network(name="n")
    subnet = admin.network.create_subnet(network_id=network.id, ip_version=4, cidr="10.1.0.0/16")
    flavor, image = admin.compute.find_flavor("tre.small"), admin.image.find_image("tiny")
    servers = [
        admin.compute.create_server(
            name=f"s{number}", flavor_id=flavor.id, image_id=image.id, networks=[{"uuid": network.id}]
        )
        for number in range(5)
    ]
    volume = admin.block_storage.create_volume(size=1)
    assert {server.status for server in admin.compute.servers()} == {"BUILD"}
    twin.advance(60)
    assert {server.status for server in admin.compute.servers()} == {"ACTIVE"}
    ports = [port.id for port in admin.network.ports(network_id=network.id)]
    addresses = [port.fixed_ips[0]["ip_address"] for port in admin.network.ports(network_id=network.id)]
    ids = [network.id, subnet.id, flavor.id, volume.id, *(server.id for server in servers), *ports, *addresses]
    return ids, [(one["event_type"], _about(one["payload"])) for one in twin.notifications()]


def _about(payload: dict[str, Any]) -> str:
    data = payload.get("nova_object.data", payload)
    return str(data.get("uuid") or data.get("instance_id") or data.get("volume_id") or "")


def test_the_same_seed_gives_the_same_history() -> None:
    """Another twin, the same seed: the same ids and the same notifications in the same order."""
    found = []
    for _ in range(2):
        with running_twin(amqp_url="", seed=11) as twin:
            found.append(history(twin))
    assert found[0] == found[1]
    assert len(found[0][1]) > 100


def test_a_reset_begins_the_history_again() -> None:
    """In the same process too."""
    with running_twin(amqp_url="", seed=11) as twin:
        first = history(twin)
        twin.reset()
        assert history(twin) == first


def test_another_seed_gives_another_history() -> None:
    """Other ids, and other servers first."""
    with running_twin(amqp_url="", seed=11) as one, running_twin(amqp_url="", seed=12) as other:
        assert history(one)[0] != history(other)[0]
