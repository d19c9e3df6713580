"""The firehose on a real broker: nothing acknowledged before it is durable, and everything built anew after a fault."""

import asyncio

import aio_pika
import pytest

from bootstrap.leases import BrokerLease, PrivateBrokerLease
from shared import metrics
from shared.notifications import Binding, Firehose
from shared.notifications.raw import MAX_BODY_BYTES
from tests.shared.openstack_side import QUEUE, SERVICE, Collector, publisher, ready_and_unacknowledged, running
from tests.waiting import until


async def test_everything_published_arrives_in_order(broker: BrokerLease) -> None:
    url, collector = broker.openstack_url, Collector()
    async with publisher(url) as cloud:
        await cloud.declare("nova")
        async with running(url, collector.take) as firehose:
            await until(lambda: "nova" in firehose.bound and firehose.connected)
            names = [f"m{number}" for number in range(300)]
            await cloud.publish("nova", *names)
            await cloud.publish("nova", "v", routing_key="versioned_notifications.error")
            await cloud.publish("nova", "not ours", routing_key="conductor")
            await until(lambda: len(collector.names) >= 301)
            await until(lambda: firehose.acknowledged == 301)
    assert collector.names == [*names, "v"]
    first = collector.batches[0][0]
    assert (first.exchange, first.routing_key, first.redelivered) == ("nova", "notifications.info", False)
    assert await ready_and_unacknowledged(url) == (0, 0)


async def test_as_the_service_with_its_own_grants(broker: BrokerLease) -> None:
    collector = Collector()
    async with publisher(broker.openstack_url) as cloud:
        await cloud.declare("nova")
        async with running(broker.openstack_url_of(SERVICE), collector.take) as firehose:
            await until(lambda: "nova" in firehose.bound and firehose.connected)
            await cloud.publish("nova", "a")
            await until(lambda: collector.names == ["a"])


async def test_an_exchange_that_appears_later_is_bound_and_none_is_declared(broker: BrokerLease) -> None:
    url, collector = broker.openstack_url, Collector()
    async with running(url, collector.take) as firehose, publisher(url) as cloud:
        await until(lambda: firehose.connected)
        assert firehose.bound == frozenset()
        assert not {"nova", "neutron", "ironic"} & set(
            await asyncio.to_thread(broker.admin.exchanges, broker.openstack_vhost)
        )
        await cloud.declare("neutron")
        await until(lambda: "neutron" in firehose.bound)
        await cloud.publish("neutron", "n")
        await until(lambda: collector.names == ["n"])


async def test_an_exchange_that_was_made_anew_is_bound_again(broker: BrokerLease) -> None:
    url, collector = broker.openstack_url, Collector()
    async with publisher(url) as cloud, running(url, collector.take) as firehose:
        await cloud.declare("nova")
        await until(lambda: "nova" in firehose.bound)
        await broker.delete_exchange("nova", broker.openstack_vhost)
        await until(lambda: "nova" not in firehose.bound)
        await cloud.declare("nova")
        await until(lambda: "nova" in firehose.bound)
        await cloud.publish("nova", "again")
        await until(lambda: collector.names == ["again"])


async def test_nothing_is_acknowledged_before_the_sink_has_it(broker: BrokerLease) -> None:
    url, collector = broker.openstack_url, Collector()
    collector.gate.clear()
    async with publisher(url) as cloud:
        await cloud.declare("nova")
        async with running(url, collector.take, prefetch=10) as firehose:
            await until(lambda: "nova" in firehose.bound)
            await cloud.publish("nova", *(f"m{number}" for number in range(50)))
            await until(lambda: firehose.received > 0)
            await asyncio.sleep(0.3)
            assert firehose.acknowledged == 0
            assert await ready_and_unacknowledged(url) == (40, 1), "no more than the prefetch is taken"
            collector.gate.set()
            await until(lambda: len(collector.names) == 50)
    assert collector.names == [f"m{number}" for number in range(50)]


async def test_a_sink_that_fails_gets_the_same_batch_again(broker: BrokerLease) -> None:
    url, collector = broker.openstack_url, Collector()
    collector.failures = 3
    async with publisher(url) as cloud:
        await cloud.declare("nova")
        async with running(url, collector.take) as firehose:
            await until(lambda: "nova" in firehose.bound)
            await cloud.publish("nova", "a", "b")
            await until(lambda: firehose.acknowledged == 2)
            assert firehose.sink_failures == 3
            assert firehose.connections == 1
    assert collector.names == ["a", "b"]
    assert await ready_and_unacknowledged(url) == (0, 0)


async def test_a_deleted_queue_is_made_anew(broker: BrokerLease) -> None:
    url, collector = broker.openstack_url, Collector()
    async with publisher(url) as cloud:
        await cloud.declare("nova")
        async with running(url, collector.take) as firehose:
            await until(lambda: "nova" in firehose.bound)
            await broker.delete_queue(QUEUE, broker.openstack_vhost)
            await until(lambda: firehose.connections == 2 and "nova" in firehose.bound and firehose.connected)
            await cloud.publish("nova", "after")
            await until(lambda: collector.names == ["after"])


async def test_closed_connections_lose_nothing(broker: BrokerLease) -> None:
    url, collector = broker.openstack_url, Collector()
    async with publisher(url) as cloud:
        await cloud.declare("nova")
        async with running(broker.openstack_url_of(SERVICE), collector.take) as firehose:
            await until(lambda: "nova" in firehose.bound)
            await cloud.publish("nova", "before")
            await until(lambda: collector.names == ["before"])

            async def closed() -> bool:
                return await broker.close_connections(SERVICE) > 0

            await until(closed)
            await cloud.publish("nova", "meanwhile")
            await until(lambda: "meanwhile" in collector.names)
            assert firehose.connections == 2


async def test_a_wiped_broker_is_served_again(private_broker: PrivateBrokerLease) -> None:
    url, collector = private_broker.openstack_url, Collector()
    async with running(url, collector.take) as firehose:
        await until(lambda: firehose.connected)
        await private_broker.wipe_data()
        await until(lambda: firehose.connected and firehose.connections > 1, 40)
        async with publisher(url) as cloud:
            await cloud.declare("nova")
            await until(lambda: "nova" in firehose.bound)
            await cloud.publish("nova", "new world")
            await until(lambda: collector.names == ["new world"])


async def test_a_queue_with_other_arguments_is_used_as_it_is(broker: BrokerLease) -> None:
    url, collector = broker.openstack_url, Collector()
    async with publisher(url) as cloud:
        await cloud.declare("nova")
        connection = await aio_pika.connect(url)
        async with connection:
            await (await connection.channel()).declare_queue(QUEUE, durable=True)
        async with running(url, collector.take) as firehose:
            await until(lambda: "nova" in firehose.bound and firehose.connected)
            await cloud.publish("nova", "a")
            await until(lambda: collector.names == ["a"])


async def test_the_oldest_go_when_nobody_reads(broker: BrokerLease) -> None:
    url, collector = broker.openstack_url, Collector()
    async with publisher(url) as cloud:
        await cloud.declare("nova")
        async with running(url, collector.take) as firehose:
            await until(lambda: "nova" in firehose.bound)
        await cloud.publish("nova", *(f"m{number}" for number in range(1100)))
        async with running(url, collector.take) as firehose:
            await until(lambda: len(collector.names) >= 1000)
            await until(lambda: firehose.dropped >= 100)
            await asyncio.sleep(1.5)  # it is counted again
            assert firehose.dropped == 100
    assert collector.names == [f"m{number}" for number in range(100, 1100)]


async def test_what_is_dropped_while_it_is_read_is_counted(broker: BrokerLease) -> None:
    """A sink that is slow, as its database is: what the queue lets go meanwhile is noticed while it does."""
    url, collector = broker.openstack_url_of(SERVICE), Collector()
    collector.gate.clear()
    before = metrics.NOTIFICATIONS_DROPPED._value.get()
    async with publisher(broker.openstack_url) as cloud:
        await cloud.declare("nova")
        async with running(url, collector.take, prefetch=10) as firehose:
            await until(lambda: "nova" in firehose.bound)
            await cloud.publish("nova", *(f"m{number}" for number in range(1010 + 50)))
            await until(lambda: firehose.dropped == 50)
            await cloud.publish("nova", *(f"n{number}" for number in range(7)))
            await until(lambda: firehose.dropped == 57)
            assert metrics.NOTIFICATIONS_DROPPED._value.get() == before + 57
            collector.gate.set()
            await until(lambda: len(collector.names) == 1010)
            assert firehose.connections == 1


async def test_an_oversized_body_is_cut_and_the_next_arrives(broker: BrokerLease) -> None:
    url, collector = broker.openstack_url, Collector()
    async with publisher(url) as cloud:
        await cloud.declare("nova")
        async with running(url, collector.take) as firehose:
            await until(lambda: "nova" in firehose.bound)
            await cloud.publish_bytes("nova", b"x" * (MAX_BODY_BYTES + 1))
            await cloud.publish_bytes("nova", b"")
            await cloud.publish("nova", "next")
            await until(lambda: "next" in collector.names)
    taken = [raw for batch in collector.batches for raw in batch]
    assert [(len(raw.body) > 0, raw.size_bytes) for raw in taken[:2]] == [(False, MAX_BODY_BYTES + 1), (False, 0)]


@pytest.mark.parametrize("url", ["amqp://guest:guest@127.0.0.1:1/", "amqp://nobody:wrong@{host}:{port}/none"])
async def test_a_broker_that_refuses_is_asked_again_until_stopped(broker: BrokerLease, url: str) -> None:
    collector = Collector()
    asked = url.format(host=broker.access.host, port=broker.access.port)
    async with running(asked, collector.take) as firehose:
        await until(lambda: firehose.connections >= 2)
        assert not firehose.connected


async def test_cancelling_ends_the_thread_and_gives_messages_back(broker: BrokerLease) -> None:
    url, collector = broker.openstack_url, Collector()
    collector.gate.clear()
    firehose = Firehose(url, service=SERVICE, sink=collector.take, bindings=[Binding("nova", ("notifications.*",))])
    async with publisher(url) as cloud:
        await cloud.declare("nova")
        task = asyncio.create_task(firehose.run())
        await until(lambda: "nova" in firehose.bound)
        await cloud.publish("nova", "a", "b")
        await until(lambda: firehose.received > 0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

        async def given_back() -> bool:
            return await ready_and_unacknowledged(url) == (2, 0)

        await until(given_back)
