"""The servers the tests get are real, separate, and survive what tests do to them."""

import aio_pika
import asyncpg
import pytest

from bootstrap.leases import BrokerLease, DatabaseLease, PrivateBrokerLease, PrivateDatabaseLease


async def test_a_service_reaches_its_vhosts(broker: BrokerLease) -> None:
    for url in (
        broker.url_of("network-policy"),
        broker.openstack_url_of("network-policy"),
        broker.url,
        broker.openstack_url,
    ):
        connection = await aio_pika.connect(url)
        assert await connection.channel()
        await connection.close()


async def test_a_role_reaches_its_schema(database: DatabaseLease) -> None:
    connection = await asyncpg.connect(database.dsn("network-policy"))
    await connection.execute("CREATE TABLE own (id int PRIMARY KEY)")
    assert await connection.fetchval("SELECT schemaname FROM pg_tables WHERE tablename = 'own'") == "network_policy"
    await connection.close()


async def test_a_killed_broker_comes_back_on_its_port_with_its_data(private_broker: PrivateBrokerLease) -> None:
    connection = await aio_pika.connect(private_broker.url)
    channel = await connection.channel()
    await channel.declare_queue("tresor.storage.kept", durable=True, arguments={"x-queue-type": "quorum"})
    await private_broker.kill()
    assert not private_broker.node.is_running()
    await private_broker.start()
    again = await aio_pika.connect(private_broker.url)
    await (await again.channel()).declare_queue("tresor.storage.kept", passive=True)
    await again.close()


async def test_a_wiped_broker_has_its_users_and_nothing_else(private_broker: PrivateBrokerLease) -> None:
    connection = await aio_pika.connect(private_broker.url)
    await (await connection.channel()).declare_queue("tresor.storage.lost", durable=True)
    await private_broker.wipe_data()
    again = await aio_pika.connect(private_broker.url_of("storage"))
    channel = await again.channel()
    with pytest.raises(aio_pika.exceptions.ChannelNotFoundEntity):
        await channel.declare_queue("tresor.storage.lost", passive=True)
    await again.close()


async def test_a_killed_database_keeps_what_was_committed(private_database: PrivateDatabaseLease) -> None:
    connection = await asyncpg.connect(private_database.dsn("storage"))
    await connection.execute("CREATE TABLE kept AS SELECT 1 AS one")
    await private_database.kill()
    assert not private_database.server.is_running()
    with pytest.raises((asyncpg.PostgresError, asyncpg.InterfaceError, OSError)):
        await connection.fetchval("SELECT one FROM kept")
    await private_database.start()
    again = await asyncpg.connect(private_database.dsn("storage"))
    assert await again.fetchval("SELECT one FROM kept") == 1
    await again.close()
