"""A running broker and a running database, however they were found, and the credentials of everybody on them."""

import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import quote, urlsplit, urlunsplit

import asyncpg

from bootstrap.broker_admin import BrokerAdmin
from bootstrap.places import CHECKOUT
from postgres.passwords import ROLES, passwords_sql
from rabbitmq.definitions import ADMINISTRATOR, definitions
from rabbitmq.grants import USERS

ROLES_SQL: Final = CHECKOUT / "deploy" / "postgres" / "roles.sql"
_ROLES_LOCK: Final = 0x54524553
"""An advisory lock of the maintenance database: roles belong to the whole server, so two runs must not make them at once."""


def derived_password(secret: str, name: str) -> str:
    """The password of that user, from a secret only the deployment knows.

    Whoever holds the administrator's password of a server that is shared by several runs finds the same ones, and
    nothing has to be stored.
    """
    return hmac.digest(secret.encode(), f"tresor {name}".encode(), "sha256").hex()[:40]


@dataclass(frozen=True)
class BrokerAccess:
    """A broker's addresses and its users' passwords."""

    host: str
    port: int
    management_url: str
    passwords: Mapping[str, str]
    """Of the administrator and of every user in rabbitmq.grants."""
    scheme: str = "amqp"
    administrator: str = ADMINISTRATOR

    @classmethod
    def at(cls, amqp_url: str, management_url: str = "") -> "BrokerAccess":
        """Somebody else's broker, from an AMQP address with an administrator's credentials.

        `management_url` is by default port 15672 of the same host, with the same credentials. Makes the users there.
        """
        parts = urlsplit(amqp_url)
        host, user, word = parts.hostname or "127.0.0.1", parts.username or "", parts.password or ""
        management = management_url or f"http://{quote(user)}:{quote(word)}@{host}:15672"
        passwords = {name: derived_password(word, name) for name in USERS} | {user: word}
        access = cls(host, parts.port or 5672, management, passwords, parts.scheme or "amqp", administrator=user)
        users = definitions({ADMINISTRATOR: "", **passwords})["users"]
        access.admin.load({"users": [one for one in users if one["name"] in USERS]})
        return access

    @property
    def admin(self) -> BrokerAdmin:
        """The management API."""
        return BrokerAdmin(self.management_url)

    def url(self, user: str, vhost: str) -> str:
        """The AMQP address for that user and vhost."""
        word = quote(self.passwords[user], safe="")
        return f"{self.scheme}://{quote(user, safe='')}:{word}@{self.host}:{self.port}/{quote(vhost, safe='')}"


@dataclass
class DatabaseAccess:
    """A database server's address, as its superuser, and the roles' passwords."""

    superuser_dsn: str
    """Of the maintenance database (`postgres`)."""
    passwords: Mapping[str, str]
    _passwords_set: bool = field(default=False, repr=False)

    @classmethod
    def at(cls, dsn: str) -> "DatabaseAccess":
        """A server by its superuser's address; the roles' passwords follow from the superuser's."""
        word = urlsplit(dsn).password or ""
        return cls(dsn, {role: derived_password(word, role) for role in ROLES})

    def dsn(self, role: str | None, database: str) -> str:
        """The address for that role and database; the superuser's for None."""
        parts = urlsplit(self.superuser_dsn)
        where = parts.netloc.rpartition("@")[2]
        login = parts.netloc.rpartition("@")[0] if role is None else f"{role}:{self.passwords[role]}"
        return urlunsplit((parts.scheme, f"{login}@{where}", f"/{database}", parts.query, ""))

    async def create(self, database: str) -> None:
        """Make a database with the roles' schemas in it."""
        keeper = await asyncpg.connect(self.superuser_dsn)
        try:
            await keeper.execute(f'CREATE DATABASE "{database}" TEMPLATE template0')
            await keeper.execute("SELECT pg_advisory_lock($1)", _ROLES_LOCK)
            inside = await asyncpg.connect(self.dsn(None, database))
            try:
                await inside.execute(ROLES_SQL.read_text())
                if not self._passwords_set:
                    await inside.execute(passwords_sql(self.passwords))
                    self._passwords_set = True
            finally:
                await inside.close()
        finally:
            await keeper.close()

    async def drop(self, database: str) -> None:
        """Drop a database under whoever uses it. One that is not there is fine."""
        keeper = await asyncpg.connect(self.superuser_dsn)
        try:
            await keeper.execute(f'DROP DATABASE IF EXISTS "{database}" WITH (FORCE)')
        finally:
            await keeper.close()
