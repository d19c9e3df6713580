"""Where the self-test's checks play: a site whose services reach broker and database over wires that can be broken."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from bootstrap.leases import BrokerLease, DatabaseLease
from contracts import provisioner
from contracts.examples import DOCUMENT
from contracts.services import SERVICES
from contracts.workspace import Workspace
from shared.handlers import Handlers
from shared.service import Service
from shared.testing import Site
from tests.faults.pair import nothing
from tests.faults.proxy import Wire

LEASE_SECONDS = 3.0


@dataclass
class Ground:
    """One site for one check."""

    site: Site
    broker: BrokerLease
    database: DatabaseLease
    amqp: Wire
    sql: Wire
    patience_seconds: float
    """Within it what should happen has happened."""
    handled: list[str] = field(default_factory=list)
    """What the services' handlers were given, in order."""

    async def start(self, handlers: Handlers[None], **settings: Any) -> Service[None]:
        """Start a service on the wires."""
        return await self.site.start(handlers, nothing, lane_lease_seconds=LEASE_SECONDS, **settings)

    async def until(self, holds: Callable[[], Awaitable[bool]], what: str) -> None:
        """Raises AssertionError when it does not come to hold in time."""
        try:
            async with asyncio.timeout(self.patience_seconds):
                while not await holds():
                    await asyncio.sleep(0.05)
        except TimeoutError:
            raise AssertionError(f"not within {self.patience_seconds} s: {what}") from None

    async def never(self, holds: Callable[[], Awaitable[bool]], what: str, seconds: float) -> None:
        """Raises AssertionError as soon as it holds, within that long."""
        for _ in range(int(seconds / 0.05)):
            assert not await holds(), what
            await asyncio.sleep(0.05)

    async def told(self, kind: Any, count: int = 1, workspace: str | None = None) -> None:
        """Until so many of those events were told."""

        async def are_there() -> bool:
            return len(self.site.tap.of(kind, workspace)) >= count

        await self.until(are_there, f"{count} x {kind.type}")

    def signed(self, name: str = "genome-42", holder: str = "ana", **fields: Any) -> tuple[bytes, str, str]:
        """A command to create a workspace: its bytes, its signature, its id."""
        message = provisioner.CreateWorkspace(document=Workspace.model_validate({**DOCUMENT, "name": name}))
        envelope = self.site.command_envelope(message, holder, **fields)
        body = envelope.model_dump_json(exclude_none=True).encode()
        return body, self.site.keys.signer(holder).sign(body), envelope.id

    async def give(self, body: bytes, signature: str | None, user: str = "operator") -> None:
        """Publish a command's bytes."""
        await self.site.publish("tresor.commands", provisioner.CreateWorkspace.type, body, signature, user)

    def changed(self, body: bytes) -> bytes:
        """The same command about another workspace."""
        fields = json.loads(body)
        fields["subject"] = fields["data"]["document"]["name"] = "genome-43"
        return json.dumps(fields).encode()


@asynccontextmanager
async def ground(
    broker: BrokerLease, database: DatabaseLease, folder: Path, patience_seconds: float
) -> AsyncIterator[Ground]:
    """An open site; services come with the check."""
    to_broker, to_database = urlsplit(broker.url), urlsplit(database.dsn())
    amqp = Wire(str(to_broker.hostname), int(to_broker.port or 0))
    sql = Wire(str(to_database.hostname), int(to_database.port or 0))
    async with amqp.listening(), sql.listening():

        def url_of(user: str) -> str:
            return amqp.through(broker.url_of(user)) if user in SERVICES else broker.url_of(user)

        def dsn_of(service: str) -> str:
            return sql.through(database.dsn(service))

        async with Site(folder, url_of, dsn_of, broker.url).open() as site:
            yield Ground(site, broker, database, amqp, sql, patience_seconds)
            amqp.heal()
            sql.heal()
