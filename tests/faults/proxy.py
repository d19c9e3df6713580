"""A wire that a test may break: TCP from a service to its broker or database, through this process.

What TCP itself would do is left to it: packets lost on the way show as lateness, a partition as silence that ends with
all that was sent meanwhile, and only a peer that forgot the connection (or a box between that did) as a reset.
"""

import asyncio
import contextlib
import random
import socket
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Literal
from urllib.parse import urlsplit, urlunsplit

Way = Literal["up", "down"]
"""`up` is from the client to the server."""
PUBLISH = b"\x00\x3c\x00\x28"
"""AMQP's basic.publish: class 60, method 40."""
COMMIT = b"COMMIT;"
RETRANSMIT_SECONDS = 0.25
"""What one lost packet costs: about the least that Linux waits before it sends it again."""


@dataclass(eq=False)
class _Link:
    """One client's connection."""

    client: asyncio.StreamWriter
    server: asyncio.StreamWriter
    is_deaf: bool = False
    """The server's words reach the client no more."""


class Wire:
    """Listens on a port of its own and passes on, as long as nothing is broken."""

    def __init__(self, host: str, port: int, seed: int | str = 0) -> None:
        self._where = host, port
        self._chance = random.Random(seed)
        self._links: set[_Link] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._open: dict[Way, asyncio.Event] = {"up": asyncio.Event(), "down": asyncio.Event()}
        self._cut_after: tuple[bytes, int] | None = None
        self.delay_seconds = 0.0
        """Of every portion, each way."""
        self.loss = 0.0
        """The share of portions that come late by a retransmission."""
        self.is_refusing = False
        """New connections are reset."""
        self.cuts = 0
        """Connections that were reset after a pattern."""
        self.heal()

    @asynccontextmanager
    async def listening(self) -> AsyncIterator["Wire"]:
        """Open it; at the end reset whatever is connected."""
        self._server = await asyncio.start_server(self._connected, "127.0.0.1", 0)
        self.port: int = self._server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            self._server.close()
            self.reset()
            for task in self._tasks:
                task.cancel()

    @property
    def connections(self) -> int:
        """How many are open."""
        return len(self._links)

    def through(self, url: str) -> str:
        """That URL, through this wire."""
        parts = urlsplit(url)
        login, at, _ = parts.netloc.rpartition("@")
        return urlunsplit(parts._replace(netloc=f"{login}{at}127.0.0.1:{self.port}"))

    def stall(self, *ways: Way) -> None:
        """A partition, both ways where none is named: nothing passes, and nobody is told."""
        for way in ways or ("up", "down"):
            self._open[way].clear()

    def heal(self) -> None:
        """All passes again, at once, what waited first."""
        for way in self._open.values():
            way.set()
        self.delay_seconds, self.loss, self.is_refusing, self._cut_after = 0.0, 0.0, False, None

    def reset(self) -> None:
        """RST to both ends of every connection."""
        for link in tuple(self._links):
            self._reset(link)

    def strike(self, chance: random.Random) -> None:
        """One of the things that go wrong on a wire, until `heal`."""
        match chance.choice(("silent", "half", "late", "lossy", "reset", "refused")):
            case "silent":
                self.stall()
            case "half":
                self.stall(chance.choice(("up", "down")))
            case "late":
                self.delay_seconds = chance.uniform(0.02, 0.2)
            case "lossy":
                self.loss = chance.uniform(0.05, 0.4)
            case "reset":
                self.reset()
            case _:
                self.is_refusing = True
                self.reset()

    def cut_after(self, pattern: bytes, times: int = 1) -> None:
        """So many times: what holds `pattern` still reaches the server, its answer is lost, and then comes an RST."""
        self._cut_after = pattern, times

    @staticmethod
    def _reset(link: _Link) -> None:
        for writer in (link.client, link.server):
            with contextlib.suppress(OSError):
                found = writer.get_extra_info("socket")
                found.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            writer.transport.abort()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            back, forth = await asyncio.open_connection(*self._where)
        except OSError:
            writer.transport.abort()
            return
        link = _Link(writer, forth)
        if self.is_refusing:
            self._reset(link)
            return
        self._links.add(link)
        pumps = {
            asyncio.create_task(self._pump(link, reader, forth, "up")),
            asyncio.create_task(self._pump(link, back, writer, "down")),
        }
        self._tasks |= pumps
        await asyncio.wait(pumps)
        self._tasks -= pumps
        self._links.discard(link)

    async def _pump(self, link: _Link, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, way: Way) -> None:
        with contextlib.suppress(OSError):
            while portion := await reader.read(65536):
                if self.delay_seconds:
                    await asyncio.sleep(self.delay_seconds)
                if self.loss and self._chance.random() < self.loss:
                    await asyncio.sleep(RETRANSMIT_SECONDS)
                await self._open[way].wait()
                if way == "up" and self._cut_after is not None and self._cut_after[0] in portion:
                    self._deafen(link)
                if way == "down" and link.is_deaf:
                    continue
                writer.write(portion)
                await writer.drain()
        await self._open[way].wait()  # nobody hears of a peer's end through a partition
        with contextlib.suppress(OSError):
            writer.close()

    def _deafen(self, link: _Link) -> None:
        assert self._cut_after is not None
        pattern, times = self._cut_after
        self._cut_after = (pattern, times - 1) if times > 1 else None
        self.cuts += 1
        link.is_deaf = True
        asyncio.get_running_loop().call_later(0.1, self._reset, link)  # the server has done by then what it was told
