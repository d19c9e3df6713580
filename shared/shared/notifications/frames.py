"""AMQP 0-9-1 frames in a stream of octets: deliveries read by hand, everything else left to pamqp.

Nine frames of ten belong to deliveries (basic.deliver, its header, its body), three a message; they are the only ones
worth the speed. Source: the AMQP 0-9-1 specification, sections 2.3 and 4.2.
"""

import struct
from typing import Any

import pamqp.exceptions
import pamqp.frame

from shared.notifications.raw import MAX_BODY_BYTES, Raw

_FRAME = struct.Struct(">BHI")
_METHOD = struct.Struct(">HH")
_BODY_SIZE = struct.Struct(">Q")
_TAG = struct.Struct(">QB")
_END = 0xCE
_METHOD_FRAME, _HEADER_FRAME, _BODY_FRAME, _HEARTBEAT_FRAME = 1, 2, 3, 8
_DELIVER = (60, 60)
_BODY_SIZE_AT = 4
MAX_FRAME_BYTES = 131_072

Control = tuple[int, Any]
"""A channel and a method of pamqp's."""


class ProtocolError(ConnectionError):
    """The other side sent what AMQP 0-9-1 does not allow here."""


class FrameParser:
    """Feed it octets in any portions; it returns whole messages and control methods, in order."""

    def __init__(self, consumer_channel: int) -> None:
        self._channel = consumer_channel
        self._rest = b""
        self._names: dict[bytes, tuple[str, str]] = {}
        self._delivering = False
        self._sized = False
        self._redelivered = False
        self._exchange = self._routing_key = ""
        self._next_tag = 0
        self._body_bytes = 0
        self._missing_bytes = 0
        self._parts: list[bytes] = []
        self.tag = 0
        """The delivery tag of the last whole message."""

    def feed(self, octets: bytes) -> tuple[list[Raw], list[Control]]:
        """The messages and control methods that end within these octets. Raises ProtocolError."""
        data = self._rest + octets if self._rest else octets
        messages: list[Raw] = []
        controls: list[Control] = []
        at, end = 0, len(data)
        while end - at > 7:
            kind, channel, size = _FRAME.unpack_from(data, at)
            if size > MAX_FRAME_BYTES:
                raise ProtocolError(f"a frame of {size} octets")
            begin = at + 7
            stop = begin + size
            if stop >= end:
                break
            if data[stop] != _END:
                raise ProtocolError("a frame without its end mark")
            if kind == _BODY_FRAME and channel == self._channel:
                self._body(data, begin, stop, messages)
            elif kind == _HEADER_FRAME and channel == self._channel:
                self._header(data, begin, size, messages)
            elif kind == _METHOD_FRAME and size >= 4 and _METHOD.unpack_from(data, begin) == _DELIVER:
                self._deliver(data, channel, begin, stop)
            elif kind == _METHOD_FRAME:
                controls.append((channel, _control(data[at : stop + 1])))
            elif kind != _HEARTBEAT_FRAME:
                raise ProtocolError(f"a frame of kind {kind} on channel {channel}")
            at = stop + 1
        self._rest = data[at:]
        return messages, controls

    def _deliver(self, data: bytes, channel: int, begin: int, stop: int) -> None:
        if channel != self._channel or self._delivering:
            raise ProtocolError("a delivery where none may come")
        tag_at = begin + 5 + data[begin + 4]
        names_at = tag_at + 9
        if names_at + 2 > stop:
            raise ProtocolError("a delivery that is cut short")
        self._next_tag, redelivered = _TAG.unpack_from(data, tag_at)
        self._redelivered = redelivered == 1
        names = data[names_at:stop]
        found = self._names.get(names)
        if found is None:
            found = self._read_names(names)
        self._exchange, self._routing_key = found
        self._delivering, self._sized = True, False

    def _read_names(self, names: bytes) -> tuple[str, str]:
        length = names[0]
        key_at = length + 2
        if key_at > len(names) or key_at + names[length + 1] != len(names):
            raise ProtocolError("a delivery whose names are cut short")
        found = names[1 : length + 1].decode("utf-8", "replace"), names[key_at:].decode("utf-8", "replace")
        if len(self._names) < 4096:
            self._names[names] = found
        return found

    def _header(self, data: bytes, begin: int, size: int, messages: list[Raw]) -> None:
        if not self._delivering or self._sized or size < 14:
            raise ProtocolError("a content header where none may come")
        (self._body_bytes,) = _BODY_SIZE.unpack_from(data, begin + _BODY_SIZE_AT)
        self._missing_bytes = self._body_bytes
        self._parts = []
        self._sized = True
        if not self._body_bytes:
            self._complete(b"", messages)

    def _body(self, data: bytes, begin: int, stop: int, messages: list[Raw]) -> None:
        size = stop - begin
        if not self._sized or size > self._missing_bytes:
            raise ProtocolError("a body where none may come")
        self._missing_bytes -= size
        if size == self._body_bytes and size <= MAX_BODY_BYTES:
            self._complete(data[begin:stop], messages)
            return
        if self._body_bytes <= MAX_BODY_BYTES:
            self._parts.append(data[begin:stop])
        if not self._missing_bytes:
            self._complete(b"".join(self._parts), messages)
            self._parts = []

    def _complete(self, body: bytes, messages: list[Raw]) -> None:
        messages.append(Raw(body, self._exchange, self._routing_key, self._redelivered, self._body_bytes))
        self.tag = self._next_tag
        self._delivering = self._sized = False


def _control(frame: bytes) -> Any:
    try:
        return pamqp.frame.unmarshal(frame)[2]
    except (pamqp.exceptions.PAMQPException, ValueError, struct.error, IndexError, KeyError, TypeError) as error:
        raise ProtocolError(f"a method that can't be read: {error}") from None
