"""Every user's rights on a real broker: what each may do, and that all else is refused.

The expectations are written here from the topology, not taken from the grants.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress

import aio_pika
import pytest
from aio_pika.abc import AbstractChannel, AbstractConnection
from aio_pika.exceptions import AMQPError, ChannelPreconditionFailed
from aiormq.abc import FieldTable
from aiormq.exceptions import ChannelAccessRefused

from bootstrap.leases import BrokerLease
from contracts import envelope
from contracts.services import SERVICES
from rabbitmq import grants
from shared.notifications import topology as notifications

TOPIC = aio_pika.ExchangeType.TOPIC
Action = Callable[[AbstractChannel], Awaitable[object]]


def declare_exchange(name: str, kind: aio_pika.ExchangeType = TOPIC) -> Action:
    return lambda channel: channel.declare_exchange(name, kind, durable=True)


def delete_exchange(name: str) -> Action:
    return lambda channel: channel.exchange_delete(name)


def declare_queue(name: str) -> Action:
    arguments: FieldTable = {"x-queue-type": "quorum"}
    return lambda channel: channel.declare_queue(name, durable=True, arguments=arguments)


def delete_queue(name: str) -> Action:
    return lambda channel: channel.queue_delete(name)


def publish(exchange: str, key: str, user_id: str | None = None) -> Action:
    async def run(channel: AbstractChannel) -> None:
        target = await channel.get_exchange(exchange, ensure=False) if exchange else channel.default_exchange
        await target.publish(aio_pika.Message(b"{}", user_id=user_id), key, mandatory=False, timeout=10)

    return run


def bind(queue: str, exchange: str, key: str) -> Action:
    async def run(channel: AbstractChannel) -> None:
        await (await channel.get_queue(queue, ensure=False)).bind(exchange, key)

    return run


def consume(queue: str) -> Action:
    async def run(channel: AbstractChannel) -> None:
        await (await channel.get_queue(queue, ensure=False)).get(fail=False)

    return run


def purge(queue: str) -> Action:
    async def run(channel: AbstractChannel) -> None:
        await (await channel.get_queue(queue, ensure=False)).purge()

    return run


async def is_allowed(connection: AbstractConnection, action: Action) -> bool:
    channel = await connection.channel()
    try:
        await action(channel)
    except ChannelAccessRefused:
        return False
    finally:
        with suppress(AMQPError, RuntimeError):
            await channel.close()
    return True


async def wrong_ones(connection: AbstractConnection, expected: dict[str, tuple[bool, Action]]) -> list[str]:
    """The expectations the broker does not meet."""
    wrong = []
    for name, (allowed, action) in expected.items():
        if await is_allowed(connection, action) != allowed:
            wrong.append(f"{name}: should be {'allowed' if allowed else 'refused'}")
    return wrong


@pytest.fixture
async def wired(broker: BrokerLease) -> AsyncIterator[BrokerLease]:
    """The exchanges, and a queue per user, made by the administrator, who may do everything."""
    connection = await aio_pika.connect(broker.url)
    channel = await connection.channel()
    for name in ("tresor.commands", "tresor.events", "tresor.queries"):
        await channel.declare_exchange(name, TOPIC, durable=True)
    for user in (*SERVICES, "operator"):
        await channel.declare_queue(f"tresor.{user}.work", durable=True)
    cloud = await aio_pika.connect(broker.openstack_url)
    cloud_channel = await cloud.channel()
    for name in ("nova", "neutron", "openstack", "secret"):
        await cloud_channel.declare_exchange(name, TOPIC)
    for name in ("notifications.info", "tresor.other.notifications"):
        await cloud_channel.declare_queue(name)
    yield broker
    await connection.close()
    await cloud.close()


@pytest.mark.parametrize("service", SERVICES)
async def test_a_service_on_tresors_vhost(wired: BrokerLease, service: str) -> None:
    own, others = f"tresor.{service}.work", [other for other in SERVICES if other != service]
    expected: dict[str, tuple[bool, Action]] = {
        "declare its queue": (True, declare_queue(f"tresor.{service}.commands")),
        "consume its queue": (True, consume(own)),
        "purge its queue": (True, purge(own)),
        "declare a queue outside": (False, declare_queue("tresor.elsewhere")),
        "declare a queue that only begins like its own": (False, declare_queue(f"tresor.{service}x.work")),
        "declare a foreign exchange": (False, declare_exchange("tresor.other")),
        "answer a query": (True, publish("", "tresor.operator.work")),
        "speak under its own name": (True, publish("tresor.events", f"{service}.thing.done", user_id=service)),
        "ask a query": (False, publish("tresor.queries", f"{others[0]}.workspace.show")),
        "publish an event with no key": (False, publish("tresor.events", "")),
        "publish a command with no key": (False, publish("tresor.commands", "")),
        "publish a query with no key": (False, publish("tresor.queries", "")),
        "publish a command to nobody": (False, publish("tresor.commands", "other.workspace.create")),
        "publish an event of a lookalike": (False, publish("tresor.events", f"{service}x.thing.done")),
        "publish to amq.topic": (False, publish("amq.topic", f"{service}.thing.done")),
        "hear every event": (True, bind(own, "tresor.events", "#")),
        "hear its commands": (True, bind(own, "tresor.commands", f"{service}.#")),
        "hear its queries": (True, bind(own, "tresor.queries", f"{service}.#")),
    }
    for exchange in ("tresor.commands", "tresor.queries"):
        for pattern in ("#", "*.workspace.create", "*.#", ""):
            expected[f"bind {pattern!r} of {exchange}"] = (False, bind(own, exchange, pattern))
    for name in ("tresor.commands", "tresor.events", "tresor.queries"):
        expected[f"declare {name}"] = (True, declare_exchange(name))
    expected["command itself"] = (True, publish("tresor.commands", f"{service}.workspace.create"))
    for other in (*others, "operator"):
        theirs = f"tresor.{other}.work"
        expected[f"declare a queue of {other}"] = (False, declare_queue(f"tresor.{other}.commands"))
        expected[f"delete the queue of {other}"] = (False, delete_queue(theirs))
        expected[f"consume the queue of {other}"] = (False, consume(theirs))
        expected[f"purge the queue of {other}"] = (False, purge(theirs))
        expected[f"bind the queue of {other}"] = (False, bind(theirs, "tresor.events", "#"))
        expected[f"publish an event of {other}"] = (False, publish("tresor.events", f"{other}.thing.done"))
        expected[f"command {other}"] = (
            other != "operator",
            publish("tresor.commands", f"{other}.workspace.quarantine"),
        )
        expected[f"read the commands of {other}"] = (False, bind(own, "tresor.commands", f"{other}.#"))
        expected[f"read the queries to {other}"] = (False, bind(own, "tresor.queries", f"{other}.#"))
    connection = await aio_pika.connect(wired.url_of(service))
    assert await wrong_ones(connection, expected) == []
    await connection.close()


async def test_a_batch_systems_hooks(wired: BrokerLease) -> None:
    """They ask for nodes, and neither read nor make anything."""
    expected: dict[str, tuple[bool, Action]] = {
        "ask for nodes": (True, publish("tresor.commands", "burst-scheduler.nodes.resume", user_id="scheduler")),
        "ask for nodes of another": (False, publish("tresor.commands", "provisioner.nodes.resume")),
        "publish a command with no key": (False, publish("tresor.commands", "")),
        "publish an event": (False, publish("tresor.events", "burst-scheduler.nodes.wanted")),
        "ask a query": (False, publish("tresor.queries", "burst-scheduler.nodes.list")),
        "publish through the default exchange": (False, publish("", "tresor.burst-scheduler.work")),
        "declare a queue": (False, declare_queue("tresor.scheduler.work")),
        "declare an exchange": (False, declare_exchange("tresor.commands")),
        "consume a queue": (False, consume("tresor.burst-scheduler.work")),
        "purge a queue": (False, purge("tresor.burst-scheduler.work")),
    }
    for service in SERVICES:
        name = f"command {service} otherwise"
        expected[name] = (False, publish("tresor.commands", f"{service}.workspace.delete"))
    connection = await aio_pika.connect(wired.url_of("scheduler"))
    assert await wrong_ones(connection, expected) == []
    await connection.close()


@pytest.mark.parametrize("user", [*SERVICES, "operator", "scheduler"])
async def test_nobody_speaks_under_another_name(wired: BrokerLease, user: str) -> None:
    connection = await aio_pika.connect(wired.url_of(user))
    channel = await connection.channel()
    other = "storage" if user != "storage" else "provisioner"
    with pytest.raises(ChannelPreconditionFailed):
        await publish("tresor.commands", "burst-scheduler.nodes.resume", user_id=other)(channel)
    await connection.close()


async def test_the_operator(wired: BrokerLease) -> None:
    own = "tresor.operator.work"
    expected: dict[str, tuple[bool, Action]] = {
        "declare its queue": (True, declare_queue("tresor.operator.answers")),
        "consume its queue": (True, consume(own)),
        "declare a queue outside": (False, declare_queue("tresor.elsewhere")),
        "hear every event": (True, bind(own, "tresor.events", "#")),
        "publish an event": (False, publish("tresor.events", "operator.thing.done")),
        "publish an event with no key": (False, publish("tresor.events", "")),
        "publish through the default exchange": (False, publish("", "tresor.storage.work")),
        "publish a command to nobody": (False, publish("tresor.commands", "operator.workspace.create")),
        "publish a command with no key": (False, publish("tresor.commands", "")),
    }
    for name in ("tresor.commands", "tresor.events", "tresor.queries"):
        expected[f"declare {name}"] = (False, declare_exchange(name))
        expected[f"delete {name}"] = (False, delete_exchange(name))
    for service in SERVICES:
        theirs = f"tresor.{service}.work"
        expected[f"command {service}"] = (True, publish("tresor.commands", f"{service}.workspace.create"))
        expected[f"ask {service}"] = (True, publish("tresor.queries", f"{service}.workspace.show"))
        expected[f"publish an event of {service}"] = (False, publish("tresor.events", f"{service}.thing.done"))
        expected[f"read the commands of {service}"] = (False, bind(own, "tresor.commands", f"{service}.#"))
        expected[f"read the queries to {service}"] = (False, bind(own, "tresor.queries", f"{service}.#"))
        expected[f"consume the queue of {service}"] = (False, consume(theirs))
        expected[f"purge the queue of {service}"] = (False, purge(theirs))
        expected[f"delete the queue of {service}"] = (False, delete_queue(theirs))
    connection = await aio_pika.connect(wired.url_of("operator"))
    assert await wrong_ones(connection, expected) == []
    await connection.close()


@pytest.mark.parametrize("service", SERVICES)
async def test_a_service_on_openstacks_vhost(wired: BrokerLease, service: str) -> None:
    own = f"tresor.{service}.notifications"
    expected: dict[str, tuple[bool, Action]] = {
        "declare its queue": (True, declare_queue(own)),
        "consume its queue": (True, consume(own)),
        "declare OpenStack's queue": (False, declare_queue("notifications.error")),
        "consume OpenStack's queue": (False, consume("notifications.info")),
        "purge OpenStack's queue": (False, purge("notifications.info")),
        "delete OpenStack's queue": (False, delete_queue("notifications.info")),
        "consume another service's queue": (False, consume("tresor.other.notifications")),
        "read an exchange that is none of the known": (False, bind(own, "secret", "notifications.*")),
        "publish through the default exchange": (False, publish("", "notifications.info")),
        "declare the exchange for what its queue drops": (
            True,
            declare_exchange(f"{own}.dropped", aio_pika.ExchangeType.FANOUT),
        ),
        "declare an exchange": (False, declare_exchange("tresor.mine")),
    }
    for exchange in ("nova", "neutron", "openstack"):
        for key in ("notifications.*", "versioned_notifications.*", "ironic_versioned_notifications.info", "tresor.*"):
            expected[f"bind {key} of {exchange}"] = (True, bind(own, exchange, key))
        for key in ("#", "*.*", "conductor", "compute.host1", "", "notifications", "xnotifications.info"):
            # Remote procedure calls go through the same exchanges, with tokens in them.
            expected[f"bind {key!r} of {exchange}"] = (False, bind(own, exchange, key))
        expected[f"declare {exchange}"] = (False, declare_exchange(exchange))
        expected[f"delete {exchange}"] = (False, delete_exchange(exchange))
        expected[f"publish a notification to {exchange}"] = (False, publish(exchange, "notifications.info"))
        expected[f"publish a call to {exchange}"] = (False, publish(exchange, "conductor"))
    connection = await aio_pika.connect(wired.openstack_url_of(service))
    assert await wrong_ones(connection, expected) == []
    await connection.close()


async def test_the_operator_and_guest_stay_outside(wired: BrokerLease) -> None:
    with pytest.raises(AMQPError):
        await aio_pika.connect(wired.openstack_url_of("operator"))
    for vhost in (wired.vhost, "%2F"):
        with pytest.raises(AMQPError):
            await aio_pika.connect(f"amqp://guest:guest@{wired.access.host}:{wired.access.port}/{vhost}")
    assert "guest" not in [user["name"] for user in wired.admin.request("GET", "/users")]


async def test_every_topic_exchange_has_an_entry_for_every_user(wired: BrokerLease) -> None:
    """One that is missing leaves the exchange open to the user."""
    entries = {
        (entry["user"], entry["exchange"])
        for entry in wired.admin.request("GET", f"/vhosts/{wired.vhost}/topic-permissions")
    }
    exchanges = {name for name in await wired.exchanges() if name.startswith("tresor.")}
    assert len(exchanges) == 3
    assert entries >= {(user, exchange) for user in (*SERVICES, "operator") for exchange in exchanges}


def test_the_grants_name_what_the_services_use() -> None:
    exchanges = (envelope.COMMANDS_EXCHANGE, envelope.EVENTS_EXCHANGE, envelope.QUERIES_EXCHANGE)
    assert exchanges == (grants.COMMANDS, grants.EVENTS, grants.QUERIES)
    assert set(grants.OPENSTACK_EXCHANGES) == set(notifications.EXCHANGES)
