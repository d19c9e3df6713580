"""One AMQP connection on a blocking socket: the handshake, calls and their answers, heartbeats."""

import select
import selectors
import socket
import ssl
from collections.abc import Callable
from urllib.parse import unquote, urlsplit

import pamqp.frame
from pamqp import base, commands, header, heartbeat

from shared.notifications.frames import MAX_FRAME_BYTES, Control, FrameParser, ProtocolError
from shared.notifications.raw import Raw

CONSUMER_CHANNEL = 1
_READ_BYTES = 64 * 1024
"""What is asked for at once: Python sets all of it aside before it knows how little came."""
_ANSWER_SECONDS = 20.0
_PROBE_CHANNEL = 2


class ChannelRefused(ConnectionError):
    """The broker closed a channel over what was asked on it; `code` is AMQP's reply code."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(f"{code} {text}"[:300])
        self.code = code


class Wire:
    """Belongs to one thread; only `wake` may be called from others."""

    def __init__(
        self,
        url: str,
        client_name: str,
        heartbeat_seconds: int,
        deliver: Callable[[list[Raw], int], None],
        monotonic_seconds: Callable[[], float],
    ) -> None:
        self._parts = urlsplit(url)
        self._client_name = client_name
        self._heartbeat_seconds = heartbeat_seconds
        self._deliver = deliver
        self._seconds = monotonic_seconds
        self._parser = FrameParser(CONSUMER_CHANNEL)
        self._answers: dict[int, list[base.Frame]] = {}
        self._open_channels: set[int] = set()
        self._selector = selectors.DefaultSelector()
        self._wake_in, self._wake_out = socket.socketpair()
        self._wake_in.setblocking(False)
        self._selector.register(self._wake_in, selectors.EVENT_READ)
        self._socket: socket.socket | None = None
        self._sent_at = self._heard_at = self._seconds()

    def wake(self) -> None:
        """Have `step` return. From any thread."""
        try:
            self._wake_out.send(b"w")
        except OSError:
            return

    def connect(self) -> None:
        """Open the connection and the consumer's channel. Raises ConnectionError, OSError."""
        secure = self._parts.scheme == "amqps"
        host = self._parts.hostname or "127.0.0.1"
        plain = socket.create_connection(
            (host, self._parts.port or (5671 if secure else 5672)), timeout=_ANSWER_SECONDS
        )
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket = ssl.create_default_context().wrap_socket(plain, server_hostname=host) if secure else plain
        self._selector.register(self._socket, selectors.EVENT_READ)
        self._send(header.ProtocolHeader().marshal())
        self._expect(0, commands.Connection.Start)
        self._write(0, self._start_ok())
        tune = self._expect(0, commands.Connection.Tune)
        assert isinstance(tune, commands.Connection.Tune)
        beat = min(self._heartbeat_seconds, tune.heartbeat or self._heartbeat_seconds)
        self._heartbeat_seconds = beat
        frame_max = min(MAX_FRAME_BYTES, tune.frame_max or MAX_FRAME_BYTES)
        self._write(0, commands.Connection.TuneOk(tune.channel_max, frame_max, beat))
        vhost = unquote(self._parts.path[1:]) or "/"
        self._write(0, commands.Connection.Open(virtual_host=vhost))
        self._expect(0, commands.Connection.OpenOk)
        self.open_channel(CONSUMER_CHANNEL)

    def _start_ok(self) -> commands.Connection.StartOk:
        user, word = unquote(self._parts.username or "guest"), unquote(self._parts.password or "guest")
        return commands.Connection.StartOk(
            client_properties={
                "product": "tresor",
                "connection_name": self._client_name,
                "capabilities": {
                    "consumer_cancel_notify": True,
                    "connection.blocked": True,
                    "authentication_failure_close": True,
                },
            },
            mechanism="PLAIN",
            response=f"\x00{user}\x00{word}",
            locale="en_US",
        )

    def open_channel(self, channel: int) -> None:
        """Open a channel."""
        self.call(channel, commands.Channel.Open(), commands.Channel.OpenOk)
        self._open_channels.add(channel)

    def probe(self, method: base.Frame, answer: type[base.Frame]) -> base.Frame:
        """Ask on a channel apart, so that a refusal harms nothing else. Raises ChannelRefused."""
        if _PROBE_CHANNEL not in self._open_channels:
            self.open_channel(_PROBE_CHANNEL)
        return self.call(_PROBE_CHANNEL, method, answer)

    def call(self, channel: int, method: base.Frame, answer: type[base.Frame]) -> base.Frame:
        """Ask and wait for the answer; deliveries that come meanwhile are passed on. Raises ChannelRefused."""
        self._write(channel, method)
        return self._expect(channel, answer)

    def _expect(self, channel: int, answer: type[base.Frame]) -> base.Frame:
        deadline = self._seconds() + _ANSWER_SECONDS
        while True:
            for found in self._answers.pop(channel, []):
                if isinstance(found, commands.Channel.Close):
                    raise ChannelRefused(found.reply_code or 0, found.reply_text or "")
                if isinstance(found, answer):
                    return found
                raise ProtocolError(f"{found.name} came instead of {answer.name}")
            left = deadline - self._seconds()
            if left <= 0:
                raise ConnectionError(f"no {answer.name} within {_ANSWER_SECONDS:.0f} s")
            self.step(left)

    def acknowledge(self, tag: int) -> None:
        """All deliveries up to this one are durable."""
        self._write(CONSUMER_CHANNEL, commands.Basic.Ack(tag, multiple=True))

    def step(self, timeout_seconds: float, *, read: bool = True) -> None:
        """Wait for octets, a wake or the time, and deal with what came. `read=False` leaves the broker's octets unread."""
        assert self._socket is not None
        self._beat(read)
        waiting = min(timeout_seconds, self._heartbeat_seconds / 3)
        if not read:
            if select.select([self._wake_in], [], [], max(waiting, 0))[0]:
                self._wake_in.recv(4096)
            return
        pending = isinstance(self._socket, ssl.SSLSocket) and self._socket.pending() > 0
        ready = [key.fileobj for key, _ in self._selector.select(0 if pending else max(waiting, 0))]
        if self._wake_in in ready:
            self._wake_in.recv(4096)
        if self._socket in ready or pending:
            octets = self._socket.recv(_READ_BYTES)
            if not octets:
                raise ConnectionError("the broker closed the connection")
            self._heard_at = self._seconds()
            messages, controls = self._parser.feed(octets)
            if messages:
                self._deliver(messages, self._parser.tag)
            for control in controls:
                self._handle(control)

    def _beat(self, reading: bool) -> None:
        now = self._seconds()
        if now - self._sent_at > self._heartbeat_seconds / 2:
            self._send(heartbeat.Heartbeat().marshal())
        if not reading:
            self._heard_at = now
        elif now - self._heard_at > 2 * self._heartbeat_seconds:
            raise ConnectionError(f"nothing heard from the broker for {2 * self._heartbeat_seconds} s")

    def _handle(self, control: Control) -> None:
        channel, method = control
        if isinstance(method, commands.Connection.Close):
            raise ConnectionError(f"closed by the broker: {method.reply_code} {method.reply_text}"[:300])
        if isinstance(method, commands.Basic.Cancel):
            raise ConnectionError("the broker cancelled the consumer: the queue is gone")
        if isinstance(method, commands.Connection.Blocked | commands.Connection.Unblocked):
            return
        if isinstance(method, commands.Channel.Close):
            self._write(channel, commands.Channel.CloseOk())
            self._open_channels.discard(channel)
            if channel == CONSUMER_CHANNEL:
                raise ChannelRefused(method.reply_code or 0, method.reply_text or "")
        self._answers.setdefault(channel, []).append(method)

    def _write(self, channel: int, method: base.Frame) -> None:
        self._send(pamqp.frame.marshal(method, channel))

    def _send(self, octets: bytes) -> None:
        assert self._socket is not None
        self._socket.sendall(octets)
        self._sent_at = self._seconds()

    def close(self) -> None:
        """Say goodbye if that is possible, and free everything."""
        if self._socket is not None:
            try:
                self._socket.settimeout(0.5)
                self._write(0, commands.Connection.Close(200, "bye", 0, 0))
            except OSError:
                pass
            self._socket.close()
        self._selector.close()
        self._wake_in.close()
        self._wake_out.close()
