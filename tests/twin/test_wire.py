"""Notifications on a real broker: exchanges, envelope, context, and the faults of notifications."""

import asyncio
import json

from bootstrap.leases import BrokerLease
from tests.lab.cloud import eventually
from tests.lab.recorder import Notification, Recorder
from tests.twin.conftest import connect
from twin.testing import RunningTwin

GLOBAL_ID = "req-11111111-2222-3333-4444-555555555555"


def of_group(heard: Notification) -> bool:
    """Of a security group's making or end."""
    return heard.event_type.startswith("security_group.")


def test_the_callers_request_id_is_in_the_context(loud_twin: RunningTwin, heard: Recorder) -> None:
    """X-OpenStack-Request-ID becomes _context_global_request_id; the call's own id is the answer's header."""
    admin = connect(loud_twin)
    mark = heard.mark()
    answer = admin.network.post(
        "/security-groups", json={"security_group": {"name": "g"}}, headers={"X-OpenStack-Request-ID": GLOBAL_ID}
    )
    (end,) = heard.wait_for(mark, lambda one: one.event_type == "security_group.create.end")
    assert end.message["_context_global_request_id"] == GLOBAL_ID
    assert end.message["_context_request_id"] == answer.headers["X-Openstack-Request-Id"]
    assert end.message["_context_project_id"] == admin.current_project_id
    assert end.envelope["oslo.version"] == "2.0"
    assert end.routing_key == "notifications.info"


def test_the_request_id_travels_from_nova_to_neutron(loud_twin: RunningTwin, heard: Recorder) -> None:
    """The port that Nova makes is told with Nova's request id as the global one."""
    admin = connect(loud_twin)
    network = admin.network.create_network(name="n")
    admin.network.create_subnet(network_id=network.id, ip_version=4, cidr="10.1.0.0/24")
    mark = heard.mark()
    server = admin.compute.create_server(
        name="s",
        flavor_id=admin.compute.find_flavor("tre.small").id,
        image_id=admin.image.find_image("tiny").id,
        networks=[{"uuid": network.id}],
    )
    (end,) = heard.wait_for(mark, lambda one: one.event_type == "instance.create.end")
    (port,) = heard.wait_for(mark, lambda one: one.event_type == "port.create.end")
    assert end.payload["uuid"] == server.id
    assert port.message["_context_global_request_id"] == end.message["_context_request_id"]
    assert end.exchange == "nova"
    assert end.routing_key == "versioned_notifications.info"


def test_lost(loud_twin: RunningTwin, heard: Recorder) -> None:
    """The effect is there, its notification is not."""
    admin = connect(loud_twin)
    loud_twin.faults({"kind": "lost", "service": "neutron", "event_type": r"security_group\.create\.end"})
    mark = heard.mark()
    group = admin.network.create_security_group(name="g")
    admin.network.delete_security_group(group)
    told = heard.wait_for(mark, lambda one: one.event_type == "security_group.delete.end")
    assert told
    assert [one.event_type for one in heard.since(mark, of_group)] == [
        "security_group.create.start",
        "security_group.delete.start",
        "security_group.delete.end",
    ]


def test_doubled_is_the_same_message_twice(loud_twin: RunningTwin, heard: Recorder) -> None:
    """With one message id, as a redelivery has."""
    loud_twin.faults({"kind": "doubled", "event_type": r"security_group\.create\.end"})
    mark = heard.mark()
    connect(loud_twin).network.create_security_group(name="g")
    first, second = heard.wait_for(mark, lambda one: one.event_type == "security_group.create.end", 2)
    assert first.message["message_id"] == second.message["message_id"]
    assert json.dumps(first.payload) == json.dumps(second.payload)


def test_reordered_is_overtaken_by_the_next(loud_twin: RunningTwin, heard: Recorder) -> None:
    """create.end after the delete.start that followed it."""
    admin = connect(loud_twin)
    group = admin.network.create_security_group(name="g")
    loud_twin.faults({"kind": "reordered", "event_type": r"security_group\.delete\.start", "count": 1})
    mark = heard.mark()
    admin.network.delete_security_group(group)
    heard.wait_for(mark, of_group, 2)
    assert [one.event_type for one in heard.since(mark, of_group)] == [
        "security_group.delete.end",
        "security_group.delete.start",
    ]


def test_delayed_comes_later(loud_twin: RunningTwin, heard: Recorder) -> None:
    """Nothing until the time is over on the twin's clock."""
    admin = connect(loud_twin)
    loud_twin.faults({"kind": "delayed", "seconds": 3600, "event_type": r"security_group\.create\.end"})
    mark = heard.mark()
    group = admin.network.create_security_group(name="g")
    admin.network.delete_security_group(group)
    heard.wait_for(mark, lambda one: one.event_type == "security_group.delete.end")
    assert "security_group.create.end" not in [one.event_type for one in heard.since(mark)]
    loud_twin.advance(3600)
    heard.wait_for(mark, lambda one: one.event_type == "security_group.create.end")


def test_order_is_kept_within_a_service(loud_twin: RunningTwin, heard: Recorder) -> None:
    """What arrives from an exchange is what was emitted, in that order."""
    admin = connect(loud_twin)
    mark = heard.mark()
    emitted = len(loud_twin.notifications())
    for number in range(20):
        admin.network.delete_security_group(admin.network.create_security_group(name=f"g{number}"))
    wanted = [
        (one["event_type"], json.dumps(one["payload"], sort_keys=True))
        for one in loud_twin.notifications()[emitted:]
        if one["exchange"] == "neutron"
    ]
    assert len(wanted) == 80
    told = heard.wait_for(mark, lambda one: one.exchange == "neutron", 80)
    assert [(one.event_type, json.dumps(one.payload, sort_keys=True)) for one in told] == wanted


async def test_after_the_broker_lost_everything_the_twin_publishes_again(
    broker: BrokerLease, loud_twin: RunningTwin
) -> None:
    """Exchanges are declared anew at the next publish, as OpenStack's services do."""
    admin = connect(loud_twin)
    await asyncio.to_thread(admin.network.create_security_group, name="before")
    await broker.wipe()
    with Recorder(loud_twin.bus_url) as recorder:

        def told() -> bool:
            admin.network.delete_security_group(admin.network.create_security_group(name="after"))
            return bool(recorder.since(0, of_group))

        await asyncio.to_thread(eventually, told, 60.0)
