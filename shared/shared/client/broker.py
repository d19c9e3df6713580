"""A broker as its user meets it: where it is, a connection to it, and what its refusals mean."""

import asyncio
from contextlib import suppress
from urllib.parse import unquote, urlsplit

import aio_pika
from aio_pika.abc import AbstractChannel, AbstractConnection, AbstractQueue
from aio_pika.exceptions import (
    CONNECTION_EXCEPTIONS,
    AMQPError,
    AuthenticationError,
    ChannelClosed,
    ProbableAuthenticationError,
)

from shared.client.errors import NobodyThere, NotPermitted, Unreachable, reason_of
from shared.errors import TresorError

CONNECT_SECONDS = 8.0
CLOSE_SECONDS = 2.0
MAX_WAITING_MESSAGES = 5_000


class Broker:
    """One virtual host and one user of a broker, by its AMQP URL."""

    def __init__(self, url: str) -> None:
        self._url = url

    @property
    def where(self) -> str:
        """The broker without its password, for a person."""
        parts = urlsplit(self._url)
        return f"{parts.hostname}:{parts.port or 5672}{parts.path}"

    @property
    def user(self) -> str:
        """The broker's user."""
        return unquote(urlsplit(self._url).username or "guest")

    async def connect(self) -> AbstractConnection:
        """A new connection. Raises Unreachable or NotPermitted."""
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                return await aio_pika.connect(self._url, timeout=CONNECT_SECONDS, heartbeat=15)
        except TimeoutError:
            raise self.silent() from None
        except (AuthenticationError, ProbableAuthenticationError):
            raise NotPermitted(f"the broker at {self.where} refuses user '{self.user}' or its password") from None
        except (*CONNECTION_EXCEPTIONS, AMQPError, OSError) as error:
            text = reason_of(error)
            if "ACCESS_REFUSED" in text or "NOT_ALLOWED" in text:
                raise NotPermitted(f"the broker at {self.where} refuses user '{self.user}': {text}") from None
            raise Unreachable(f"the broker at {self.where} can't be reached: {text}") from None

    async def own_queue(self, channel: AbstractChannel, name: str) -> AbstractQueue:
        """A queue that nobody else reads and that goes with its connection. Raises as `refusal` says, or Unreachable."""
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                return await channel.declare_queue(
                    name, exclusive=True, auto_delete=True, arguments={"x-max-length": MAX_WAITING_MESSAGES}
                )
        except ChannelClosed as error:
            raise self.refusal(error, f"make its queue {name}") from None
        except TimeoutError:
            raise self.silent() from None

    def silent(self) -> Unreachable:
        """It did not answer in time."""
        return Unreachable(f"the broker at {self.where} did not answer within {CONNECT_SECONDS:.0f} s")

    def refusal(self, error: ChannelClosed, doing: str) -> TresorError:
        """What the broker means that closes a channel when asked to do something."""
        text = reason_of(error)
        if "ACCESS_REFUSED" in text:
            return NotPermitted(f"the broker does not let user '{self.user}' {doing}")
        if "NOT_FOUND" in text:
            return NobodyThere(f"can't {doing}: {text}")
        return Unreachable(f"can't {doing}: {text}")


class Line:
    """A connection that is made when it is wanted, and anew when it was lost."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self._connection: AbstractConnection | None = None

    async def open(self) -> AbstractConnection:
        """The connection. Raises as `Broker.connect`."""
        if self._connection is None or self._connection.is_closed:
            self._connection = await self._broker.connect()
        return self._connection

    async def close(self) -> None:
        """End it, within two seconds: a blocked broker must not hold us."""
        lost, self._connection = self._connection, None
        if lost is not None and not lost.is_closed:
            with suppress(Exception):  # it ends either way
                async with asyncio.timeout(CLOSE_SECONDS):
                    await lost.close()
