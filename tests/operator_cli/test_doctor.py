"""`tresor doctor` on a broker with a service, without one, and with rights as they should not be."""

import asyncio
import json
from typing import Any

import aio_pika
import pytest

from bootstrap.leases import BrokerLease
from operator_cli.doctor.openstack_bus import transient_queues_denied
from operator_cli.doctor.rights import judge
from rabbitmq.definitions import vhost_definitions
from rabbitmq.grants import VHOST
from shared.client.probes import publisher_of
from shared.testing import Site
from tests.operator_cli.conftest import Ended, Tresor
from tests.operator_cli.provisioner_double import make_context, make_handlers
from tests.shared.openstack_side import QUEUE, SERVICE, running
from tests.waiting import until


def states(ended: Ended) -> dict[str, str]:
    """Each check's state."""
    return {f"{check['area']}: {check['name']}": check["state"] for check in json.loads(ended.out)}


async def test_what_is_there_is_ok_and_what_is_not_fails_with_a_remedy(
    site: Site, operator: Tresor, broker: BrokerLease
) -> None:
    service = await site.start(make_handlers(), make_context)
    port = await service.health.port()
    ended = await operator(
        "doctor", "-o", "json", "--listen", "0",
        TRESOR_READY_URLS=f"http://127.0.0.1:{port}/readyz,http://127.0.0.1:1/readyz",
        TRESOR_MANAGEMENT_URL=broker.management_url,
        TRESOR_OPENSTACK_AMQP_URL=broker.openstack_url_of("security-monitor"),
    )  # fmt: skip
    found = states(ended)
    assert ended.code == 1, "four services are not there"
    assert {
        "broker: reachable": "OK",
        "broker: exchanges": "OK",
        "broker: queues of provisioner": "OK",
        "broker: queues of storage": "FAIL",
        "broker: may hear events": "OK",
        "broker: may no more than needed": "OK",
        "broker: guest is gone": "OK",
        "rights: user storage": "OK",
        "services: your key": "OK",
        "services: provisioner answers": "OK",
        "services: storage answers": "FAIL",
        f"services: ready http://127.0.0.1:{port}/readyz": "OK",
        "services: ready http://127.0.0.1:1/readyz": "FAIL",
        "OpenStack's bus: reachable": "OK",
        "OpenStack's bus: exchanges": "WARN",
        "OpenStack's bus: our queues": "FAIL",
    }.items() <= found.items(), found
    for check in json.loads(ended.out):
        assert check["remedy"] or check["state"] == "OK", check
    await site.stop(service)
    stopped = states(await operator("doctor", "-o", "json", "--listen", "0"))
    assert stopped["broker: queues of provisioner"] == "FAIL", "the queue is there, and nobody reads it"


async def test_a_queue_that_drops_without_being_counted_is_warned_of(operator: Tresor, broker: BrokerLease) -> None:
    """Its reader takes away what it would count with, so that anybody sees it."""

    async def asked() -> str:
        url = broker.openstack_url_of(SERVICE)
        async with running(url, lambda batch: asyncio.sleep(0)) as firehose:
            await until(lambda: firehose.connected)
            ended = await operator("doctor", "-o", "json", "--listen", "0", TRESOR_OPENSTACK_AMQP_URL=url)
        return states(ended)["OpenStack's bus: drops are counted"]

    async with await aio_pika.connect(broker.openstack_url) as connection:
        channel = await connection.channel()
        await channel.declare_queue(QUEUE, durable=True, arguments={"x-max-length": 500_000})
        assert await asked() == "WARN"
        await channel.queue_delete(QUEUE)
        assert await asked() == "OK"


async def test_an_administrator_as_operator_is_warned_of(site: Site, operator: Tresor, broker: BrokerLease) -> None:
    ended = await operator("doctor", "-o", "json", "--listen", "0", TRESOR_AMQP_URL=broker.url)
    assert states(ended)["broker: may no more than needed"] == "WARN"


def test_rights_as_they_are_deployed_are_good_and_open_ones_are_not() -> None:
    made: dict[str, Any] = vhost_definitions()
    permissions = [one for one in made["permissions"] if one["vhost"] == VHOST]
    topics = [one for one in made["topic_permissions"] if one["vhost"] == VHOST]
    assert {check.state for check in judge(permissions, topics)} == {"OK"}
    without_topics = judge(permissions, [one for one in topics if one["user"] != "storage"])
    assert [check.state for check in without_topics] == ["OK", "OK", "WARN", "OK", "OK"]
    absent = judge([one for one in permissions if one["user"] != "storage"], topics)
    assert [check.state for check in absent] == ["OK", "OK", "FAIL", "OK", "OK"]
    wide = [{**one, "write": ".*"} if one["user"] == "storage" else one for one in permissions]
    assert [check.state for check in judge(wide, topics)] == ["OK", "OK", "WARN", "OK", "OK"]


@pytest.mark.parametrize(
    ("version", "warned"),
    [("3.10.8", False), ("4.2.9", False), ("4.3.0", True), ("4.10.1", True), ("5.0", True), ("", False)],
)
def test_brokers_that_deny_transient_queues_are_warned_of(version: str, warned: bool) -> None:
    assert (transient_queues_denied(version) is not None) is warned


def test_a_notifications_publisher_is_read_from_both_envelopes() -> None:
    inner = json.dumps({"publisher_id": "network.ctl"})
    assert publisher_of(json.dumps({"oslo.version": "2.0", "oslo.message": inner}).encode()) == "network.ctl"
    assert publisher_of(inner.encode()) == "network.ctl"
    for broken in (b"", b"[]", b"{", b"[" * 60_000, b'{"oslo.message": "{"}', b"x" * 100_000):
        assert publisher_of(broken) == "?"
