"""AMQP 0-9-1 as far as publishing with confirms goes: a library for it takes longer to import than a hook may run.

Source: the AMQP 0-9-1 specification, and RabbitMQ's guides on confirms and on `user-id`.
"""

import socket
import struct
from types import TracebackType
from typing import Self

from operator_cli.burst_hook.sealing import Sealed
from operator_cli.burst_hook.settings import Broker

EXCHANGE = "tresor.commands"
CONTENT_TYPE = "application/cloudevents+json"
SIGNATURE_HEADER = "tresor-jws"

_METHOD, _HEADER, _BODY, _HEARTBEAT, _END = 1, 2, 3, 8, 0xCE
_START, _START_OK, _TUNE, _TUNE_OK, _OPEN = (10, 10), (10, 11), (10, 30), (10, 31), (10, 40)
_CLOSE, _CLOSE_OK = (10, 50), (10, 51)
_CHANNEL_OPEN, _CHANNEL_CLOSE, _SELECT, _SELECT_OK = (20, 10), (20, 40), (85, 10), (85, 11)
_PUBLISH, _RETURN, _ACK, _NACK = (60, 40), (60, 50), (60, 80), (60, 120)
_CONTENT_TYPE, _HEADERS, _DELIVERY_MODE, _MESSAGE_ID, _USER_ID = 1 << 15, 1 << 13, 1 << 12, 1 << 7, 1 << 4
_MAX_FRAME = 1024 * 1024


class Away(Exception):
    """The broker did not take it: it is to be sent again later."""


class Publisher:
    """A connection that publishes commands one by one, each confirmed before the next."""

    def __init__(self, broker: Broker, password: str, timeout_seconds: float) -> None:
        """Raises Away."""
        self._user, self._buffer = broker.user, b""
        try:
            self._socket = socket.create_connection((broker.host, broker.port), timeout_seconds)
        except OSError as error:
            raise Away(f"{broker.host}:{broker.port}: {error}") from None
        try:
            self._open(broker, password)
        except (OSError, Away) as error:
            self._socket.close()
            raise Away(f"{broker.host}:{broker.port}: {error}") from None

    def _open(self, broker: Broker, password: str) -> None:
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if broker.ca_path:
            import ssl

            self._socket = ssl.create_default_context(cafile=broker.ca_path).wrap_socket(
                self._socket, server_hostname=broker.host
            )
        self._socket.sendall(b"AMQP\x00\x00\x09\x01")
        self._expect(_START)
        login = f"\0{broker.user}\0{password}".encode()
        self._send(_method(0, _START_OK, _table({}) + _short("PLAIN") + _long(login) + _short("en_US")))
        tune = self._expect(_TUNE)
        (frame_max,) = struct.unpack(">I", tune[2:6])
        self._frame_max = min(frame_max or _MAX_FRAME, _MAX_FRAME)
        self._send(
            _method(0, _TUNE_OK, struct.pack(">HIH", 1, self._frame_max, 0)),
            _method(0, _OPEN, _short(broker.vhost) + b"\0\0"),
            _method(1, _CHANNEL_OPEN, b"\0"),
            _method(1, _SELECT, b"\0"),
        )
        self._expect(_SELECT_OK)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self._send(_method(0, _CLOSE, struct.pack(">H", 200) + _short("") + b"\0\0\0\0"))
            if kind is None:
                self._expect(_CLOSE_OK)
        except (OSError, Away):
            pass  # what was published is confirmed
        finally:
            self._socket.close()

    def publish(self, sealed: Sealed) -> None:
        """Returns when the broker has it on disk. Raises Away when it is refused or no queue takes it."""
        flags = _CONTENT_TYPE | _HEADERS | _DELIVERY_MODE | _MESSAGE_ID | _USER_ID
        properties = (
            _short(CONTENT_TYPE) + _table({SIGNATURE_HEADER: sealed.signature}) + b"\x02" + _short(sealed.id)
            + _short(self._user)
        )  # fmt: skip
        header = struct.pack(">HHQH", 60, 0, len(sealed.body), flags) + properties
        size = self._frame_max - 8
        parts = [sealed.body[start : start + size] for start in range(0, len(sealed.body), size)]
        mandatory = b"\x01"
        try:
            self._send(
                _method(1, _PUBLISH, b"\0\0" + _short(EXCHANGE) + _short(sealed.type) + mandatory),
                _frame(_HEADER, 1, header),
                *(_frame(_BODY, 1, part) for part in parts),
            )
            returned = False
            while True:
                method, _ = self._read_method()
                returned |= method == _RETURN
                if method == _NACK:
                    raise Away("the queue takes no more")
                if method == _ACK:
                    break
            if returned:
                raise Away("no queue takes commands for burst-scheduler")
        except OSError as error:
            raise Away(str(error)) from None

    def _send(self, *frames: bytes) -> None:
        self._socket.sendall(b"".join(frames))

    def _expect(self, wanted: tuple[int, int]) -> bytes:
        while True:
            method, arguments = self._read_method()
            if method == wanted:
                return arguments

    def _read_method(self) -> tuple[tuple[int, int], bytes]:
        """The next method; contents of returned messages are passed over. Raises Away when the broker closes."""
        while True:
            kind, _, size = struct.unpack(">BHI", self._take(7))
            if size > _MAX_FRAME:
                raise Away("the broker speaks no AMQP 0-9-1")
            payload = self._take(size + 1)
            if payload[-1] != _END:
                raise Away("the broker speaks no AMQP 0-9-1")
            if kind != _METHOD:
                continue
            method = struct.unpack(">HH", payload[:4])
            if method in (_CLOSE, _CHANNEL_CLOSE):
                length = payload[6]
                raise Away(payload[7 : 7 + length].decode(errors="replace"))
            return (method[0], method[1]), payload[4:-1]

    def _take(self, count: int) -> bytes:
        while len(self._buffer) < count:
            chunk = self._socket.recv(65_536)
            if not chunk:
                raise Away("the broker closed the connection")
            self._buffer += chunk
        taken, self._buffer = self._buffer[:count], self._buffer[count:]
        return taken


def _frame(kind: int, channel: int, payload: bytes) -> bytes:
    return struct.pack(">BHI", kind, channel, len(payload)) + payload + bytes((_END,))


def _method(channel: int, method: tuple[int, int], arguments: bytes) -> bytes:
    return _frame(_METHOD, channel, struct.pack(">HH", *method) + arguments)


def _short(text: str) -> bytes:
    octets = text.encode()
    return bytes((len(octets),)) + octets


def _long(octets: bytes) -> bytes:
    return struct.pack(">I", len(octets)) + octets


def _table(fields: dict[str, str]) -> bytes:
    return _long(b"".join(_short(name) + b"S" + _long(value.encode()) for name, value in fields.items()))
