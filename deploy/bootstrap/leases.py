"""A part of a broker or a database server for one run: fresh vhosts, a fresh database, and what a test does to them."""

import asyncio
from typing import Any

import asyncpg

from bootstrap.access import BrokerAccess, DatabaseAccess
from bootstrap.broker import PrivateBroker
from bootstrap.broker_admin import BrokerAdmin
from bootstrap.database import PrivateDatabase
from rabbitmq.definitions import vhost_definitions
from rabbitmq.grants import OPENSTACK_VHOST, VHOST


class BrokerLease:
    """Two fresh vhosts on a real broker, Tresor's own and one that plays OpenStack's, with everybody's grants."""

    def __init__(self, access: BrokerAccess, vhost: str, openstack_vhost: str) -> None:
        self.access = access
        self.vhost = vhost
        self.openstack_vhost = openstack_vhost

    @property
    def url(self) -> str:
        """Tresor's vhost as the administrator, who may do everything there."""
        return self.url_of(self.access.administrator)

    @property
    def openstack_url(self) -> str:
        """OpenStack's vhost as the administrator: what the cloud's own services would use."""
        return self.openstack_url_of(self.access.administrator)

    def url_of(self, user: str) -> str:
        """Tresor's vhost as that user (a service's name with hyphens, or `operator`)."""
        return self.access.url(user, self.vhost)

    def openstack_url_of(self, user: str) -> str:
        """OpenStack's vhost as that user."""
        return self.access.url(user, self.openstack_vhost)

    @property
    def management_url(self) -> str:
        """The management API, with the administrator's credentials."""
        return self.access.management_url

    @property
    def admin(self) -> BrokerAdmin:
        """The management API; its methods block."""
        return self.access.admin

    async def create(self) -> None:
        """Make the vhosts and grants."""
        made = vhost_definitions(self.vhost, self.openstack_vhost)
        for permission in made["permissions"]:
            if permission["user"] not in self.access.passwords:
                permission["user"] = self.access.administrator
        await asyncio.to_thread(self.admin.load, made)

    async def drop(self) -> None:
        """Delete both vhosts with all in them."""
        for vhost in (self.vhost, self.openstack_vhost):
            await asyncio.to_thread(self.admin.delete_vhost, vhost)

    async def wipe(self) -> None:
        """Lose every exchange, queue and message; users and grants are there again at once."""
        await self.drop()
        await self.create()

    async def close_connections(self, user: str | None = None) -> int:
        """Close this lease's connections from the broker's side, all or one user's; how many there were.

        The management API shows a new connection only after some seconds; one it doesn't show stays open.
        """
        closed = [
            await asyncio.to_thread(self.admin.close_connections, vhost, user)
            for vhost in (self.vhost, self.openstack_vhost)
        ]
        return sum(closed)

    async def queues(self) -> list[dict[str, Any]]:
        """Queues of Tresor's vhost, as the management API shows them (some seconds old)."""
        return await asyncio.to_thread(self.admin.queues, self.vhost)

    async def exchanges(self) -> list[str]:
        """Exchanges of Tresor's vhost."""
        return await asyncio.to_thread(self.admin.exchanges, self.vhost)

    async def delete_queue(self, queue: str, vhost: str | None = None) -> None:
        """Delete a queue under its consumer."""
        await asyncio.to_thread(self.admin.delete_queue, vhost or self.vhost, queue)

    async def purge_queue(self, queue: str, vhost: str | None = None) -> None:
        """Drop what a queue holds ready."""
        await asyncio.to_thread(self.admin.purge_queue, vhost or self.vhost, queue)

    async def delete_exchange(self, exchange: str, vhost: str | None = None) -> None:
        """Delete an exchange and its bindings."""
        await asyncio.to_thread(self.admin.delete_exchange, vhost or self.vhost, exchange)


class PrivateBrokerLease(BrokerLease):
    """A whole broker of one's own, which may be killed, paused and wiped."""

    def __init__(self, node: PrivateBroker) -> None:
        host, port = node.address
        super().__init__(BrokerAccess(host, port, node.management_url, node.passwords), VHOST, OPENSTACK_VHOST)
        self.node = node

    async def kill(self) -> None:
        """kill -9."""
        await asyncio.to_thread(self.node.kill)

    async def start(self) -> None:
        """Start it again on the same ports, with its data; about five seconds."""
        await asyncio.to_thread(self.node.start)

    async def stop(self) -> None:
        """End it in order."""
        await asyncio.to_thread(self.node.stop)

    async def wipe_data(self) -> None:
        """kill -9, lose all data, start again with users, vhosts and grants only."""
        await asyncio.to_thread(self.node.wipe)

    async def control(self, *arguments: str) -> str:
        """One command of rabbitmqctl; what it prints."""
        return await asyncio.to_thread(self.node.control, *arguments)

    def pause(self) -> None:
        """SIGSTOP: connections stay, nothing answers."""
        self.node.pause()

    def resume(self) -> None:
        """SIGCONT."""
        self.node.resume()


class DatabaseLease:
    """A fresh database on a real server, with a role and a schema per service."""

    def __init__(self, access: DatabaseAccess, name: str) -> None:
        self.access = access
        self.name = name

    def dsn(self, role: str | None = None) -> str:
        """The address as that role (a service's name, hyphens or underscores); the superuser's without one."""
        return self.access.dsn(role.replace("-", "_") if role else None, self.name)

    async def create(self) -> None:
        """Make the database."""
        await self.access.create(self.name)

    async def drop(self) -> None:
        """Drop it under whoever uses it."""
        await self.access.drop(self.name)

    async def end_sessions(self, role: str | None = None) -> int:
        """Terminate the sessions in this database, all or one role's; how many there were."""
        keeper = await asyncpg.connect(self.access.superuser_dsn)
        try:
            rows = await keeper.fetch(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = $1 AND pid <> pg_backend_pid() AND ($2::text IS NULL OR usename = $2)",
                self.name,
                role.replace("-", "_") if role else None,
            )
        finally:
            await keeper.close()
        return len(rows)


class PrivateDatabaseLease(DatabaseLease):
    """A database on a server of one's own, which may be killed and paused."""

    def __init__(self, server: PrivateDatabase, name: str) -> None:
        super().__init__(DatabaseAccess.at(server.dsn()), name)
        self.server = server

    async def kill(self) -> None:
        """kill -9 of the server and all its sessions."""
        await asyncio.to_thread(self.server.kill)

    async def start(self) -> None:
        """Start it again on the same port, with its data (crash recovery included)."""
        await asyncio.to_thread(self.server.start)

    async def stop_immediately(self) -> None:
        """PostgreSQL's immediate shutdown: no checkpoint."""
        await asyncio.to_thread(self.server.stop_immediately)

    def pause(self) -> None:
        """SIGSTOP: sessions stay, nothing answers."""
        self.server.pause()

    def resume(self) -> None:
        """SIGCONT."""
        self.server.resume()
