"""A deployment for one test: services in this process or as processes, and an operator, on a real broker and database."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import aio_pika
from aio_pika.abc import AbstractIncomingMessage
from aio_pika.exceptions import AMQPConnectionError, DeliveryError
from pydantic import SecretStr

from contracts.envelope import (
    COMMANDS_EXCHANGE,
    CONTENT_TYPE,
    EVENTS_EXCHANGE,
    QUERIES_EXCHANGE,
    SIGNATURE_HEADER,
    Answer,
    Command,
    CommandEnvelope,
    Event,
    EventEnvelope,
    Query,
)
from contracts.services import SERVICES
from shared.clock import Clock, Ids, SystemClock
from shared.handlers import Handlers
from shared.service import Service
from shared.settings import ServiceSettings
from shared.testing.keys import Keys
from shared.testing.tap import PATIENCE_SECONDS, Tap
from shared.topology import declare

OFFERS = 25
OFFER_PAUSE_SECONDS = 0.2


class Site:
    """One deployment for one test: keys, broker, database, services, an operator and a tap."""

    def __init__(
        self,
        folder: Path,
        url_of: Callable[[str], str],
        dsn_of: Callable[[str], str],
        admin_url: str,
        *,
        openstack_url_of: Callable[[str], str] | None = None,
        clock: Clock | None = None,
        ids: Ids | None = None,
    ) -> None:
        self.clock = clock or SystemClock()
        self.ids = ids or Ids()
        self.folder = folder
        self.keys = Keys(folder / "keys", self.clock)
        self.site_path = folder / "site.yaml"
        if not self.site_path.exists():
            self.site_path.write_text("name: test-site\n")
        self._url_of = url_of
        self._dsn_of = dsn_of
        self._admin_url = admin_url
        self._openstack_url_of = openstack_url_of
        self._services: list[Service[Any]] = []
        self._sequences: dict[tuple[str, str], int] = {}
        self.tap = Tap()

    @asynccontextmanager
    async def open(self) -> AsyncIterator["Site"]:
        """Connect the tap and the operator; at the end stop every service that was started."""
        self._connection = await aio_pika.connect_robust(self._admin_url)
        self._channel = await self._connection.channel(on_return_raises=True)
        listening = asyncio.Event()
        tapping = asyncio.create_task(self._listen(listening))
        await listening.wait()
        try:
            yield self
        finally:
            tapping.cancel()
            for service in reversed(self._services):
                with contextlib.suppress(Exception):
                    await service.stop()
            await self._connection.close()

    async def _listen(self, listening: asyncio.Event) -> None:
        """Hear every event, through whatever is done to the broker."""
        name = f"tresor.operator.tap-{self.ids.uuid()[:8]}"
        while True:
            with contextlib.suppress(Exception):
                connection = await aio_pika.connect(self._admin_url, timeout=5)
                async with connection:
                    channel = await connection.channel()
                    await declare(channel, ())
                    queue = await channel.declare_queue(name, durable=True)
                    await queue.consume(self.tap.take)
                    while not connection.is_closed:
                        async with asyncio.timeout(5):
                            await declare(channel, ())
                            seen = await channel.declare_queue(name, durable=True)
                            await seen.bind(EVENTS_EXCHANGE, "#")
                        if not seen.declaration_result.consumer_count:
                            break
                        listening.set()
                        await asyncio.sleep(1)
            await asyncio.sleep(0.3)

    def settings(self, service: str, **more: Any) -> dict[str, Any]:
        """What that service's settings are here."""
        made: dict[str, Any] = {
            "amqp_url": SecretStr(self._url_of(service)),
            "database_dsn": SecretStr(self._dsn_of(service)),
            "keyring_path": self.keys.keyring_path,
            "signing_key_path": self.keys.path(service),
            "site_path": self.site_path,
            "mode": "enforce",
            **more,
        }
        if self._openstack_url_of is not None:
            made.setdefault("openstack_amqp_url", SecretStr(self._openstack_url_of(service)))
        return made

    def environment(self, service: str, **more: Any) -> dict[str, str]:
        """The same as environment variables, for a service as a process of its own."""
        plain = {
            name: value.get_secret_value() if isinstance(value, SecretStr) else str(value)
            for name, value in self.settings(service, **more).items()
        }
        return {f"TRESOR_{name.upper()}": value for name, value in plain.items()}

    async def start(
        self,
        handlers: Handlers[Any],
        make_context: Callable[[Any, Any], Awaitable[Any]],
        settings_class: type[ServiceSettings] = ServiceSettings,
        clock: Clock | None = None,
        **more: Any,
    ) -> Service[Any]:
        """Start a service in this process, with a clock of its own where one is given; returns when it consumes."""
        settings = settings_class(**self.settings(handlers.service, **more))
        service: Service[Any] = Service(settings, handlers, make_context, clock or self.clock, self.ids)
        await service.start()
        self._services.append(service)
        async with asyncio.timeout(PATIENCE_SECONDS):
            await service.bus.connected.wait()
            await service.relay.connected.wait()
        return service

    async def stop(self, service: Service[Any]) -> None:
        """Stop one that `start` started."""
        self.forget(service)
        await service.stop()

    def forget(self, service: Service[Any]) -> None:
        """It is not to be stopped at the end, as it has ended otherwise."""
        self._services.remove(service)

    def command_envelope(self, message: Command | Query, holder: str, **fields: Any) -> CommandEnvelope:
        """The envelope of a command or query of `holder`."""
        now = self.clock.now()
        message_id = self.ids.uuid()
        made: dict[str, Any] = {
            "id": message_id,
            "type": message.type,
            "source": f"tresor/{holder}" if holder in SERVICES else f"tresor/operator/{holder}",
            "subject": message.aggregate,
            "time": now,
            "dataschema": f"tresor:{message.type}:{message.version}",
            "correlationid": message_id,
            "audience": message.owner(),
            "notbefore": now,
            "expiresat": now + timedelta(minutes=5),
            "executeby": now + timedelta(minutes=5),
            "data": message.model_dump(mode="json", by_alias=True),
        }
        return CommandEnvelope(**{**made, **fields})

    async def publish(
        self,
        exchange: str,
        key: str,
        body: bytes,
        signature: str | None,
        user: str,
        offers: int = OFFERS,
        **properties: Any,
    ) -> None:
        """Publish raw bytes as that broker user; again for a while when no queue takes them, as the command line does.

        Raises DeliveryError when none did, after so many `offers`.
        """
        headers: dict[str, Any] = {} if signature is None else {SIGNATURE_HEADER: signature}
        message = aio_pika.Message(
            body, content_type=CONTENT_TYPE, user_id=user, headers=headers,
            delivery_mode=aio_pika.DeliveryMode.PERSISTENT, **properties,
        )  # fmt: skip
        for _ in range(offers - 1):
            with contextlib.suppress(DeliveryError, AMQPConnectionError):
                await self._offer(message, exchange, key, user)
                return
            await asyncio.sleep(OFFER_PAUSE_SECONDS)
        await self._offer(message, exchange, key, user)

    async def _offer(self, message: aio_pika.Message, exchange: str, key: str, user: str) -> None:
        connection = await aio_pika.connect(self._url_of(user))
        async with connection:
            channel = await connection.channel(on_return_raises=True)
            found = await channel.get_exchange(exchange, ensure=False)
            await found.publish(message, key, mandatory=True)

    async def command(self, message: Command, holder: str = "ana", **fields: Any) -> str:
        """Give a signed command; returns its id."""
        envelope = self.command_envelope(message, holder, **fields)
        body = envelope.model_dump_json(exclude_none=True).encode()
        user = holder if holder in SERVICES else "operator"
        await self.publish(COMMANDS_EXCHANGE, message.type, body, self.keys.signer(holder).sign(body), user)
        return envelope.id

    async def tell(self, message: Event, **fields: Any) -> str:
        """Tell an event as its owner, which must not run here itself; returns its id."""
        owner, aggregate = message.owner(), message.aggregate
        sequence = self._sequences[owner, aggregate] = self._sequences.get((owner, aggregate), 0) + 1
        event_id = self.ids.uuid()
        made: dict[str, Any] = {
            "id": event_id,
            "type": message.type,
            "source": f"tresor/{owner}",
            "subject": aggregate,
            "time": self.clock.now(),
            "dataschema": f"tresor:{message.type}:{message.version}",
            "correlationid": event_id,
            "sequence": sequence,
            "data": message.model_dump(mode="json", by_alias=True),
        }
        body = EventEnvelope(**{**made, **fields}).model_dump_json(exclude_none=True).encode()
        await self.publish(EVENTS_EXCHANGE, message.type, body, self.keys.signer(owner).sign(body), owner)
        return event_id

    async def ask(self, query: Query, holder: str = "ana", seconds: float = PATIENCE_SECONDS) -> Answer:
        """Ask a query; returns its answer. Raises AssertionError with the problems when it is refused."""
        envelope = self.command_envelope(query, holder)
        body = envelope.model_dump_json(exclude_none=True).encode()
        answered: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

        async def take(message: AbstractIncomingMessage) -> None:
            await message.ack()
            if not answered.done():
                answered.set_result(message.body)

        queue = await self._channel.declare_queue(f"tresor.operator.ask-{envelope.id[:8]}", auto_delete=True)
        tag = await queue.consume(take)
        await self.publish(
            QUERIES_EXCHANGE, query.type, body, self.keys.signer(holder).sign(body), "operator",
            reply_to=queue.name, correlation_id=envelope.id,
        )  # fmt: skip
        content = json.loads(await asyncio.wait_for(answered, seconds))
        await queue.cancel(tag)
        assert content["type"] == query.answer.type, content
        return query.answer.model_validate(content["data"])
