"""The frame parser against pamqp's own writing of the protocol: any cut, any size, any order, and what is no AMQP."""

import struct
from itertools import pairwise
from typing import Any

import pamqp.frame
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pamqp import body as amqp_body
from pamqp import commands, header, heartbeat

from shared.notifications.frames import MAX_FRAME_BYTES, FrameParser, ProtocolError
from shared.notifications.raw import MAX_BODY_BYTES, Raw

CHANNEL = 1


def delivery(tag: int, body: bytes, *, exchange: str = "nova", key: str = "notifications.info", redelivered: bool = False,
             frame_bytes: int = MAX_FRAME_BYTES - 8, consumer: str = "t") -> bytes:  # fmt: skip
    """A delivery as the broker writes it."""
    properties = commands.Basic.Properties(content_type="application/json", delivery_mode=2, headers={"x": 1})
    frames = [
        pamqp.frame.marshal(commands.Basic.Deliver(consumer, tag, redelivered, exchange, key), CHANNEL),
        pamqp.frame.marshal(header.ContentHeader(0, len(body), properties), CHANNEL),
    ]
    parts = [body[begin : begin + frame_bytes] for begin in range(0, len(body), frame_bytes)]
    frames += [pamqp.frame.marshal(amqp_body.ContentBody(part), CHANNEL) for part in parts]
    return b"".join(frames)


def control(method: Any, channel: int = 2) -> bytes:
    return pamqp.frame.marshal(method, channel)


def fed(parser: FrameParser, octets: bytes, cuts: list[int]) -> tuple[list[Raw], list[Any]]:
    """What the parser returns for the octets, cut at these places."""
    messages: list[Raw] = []
    controls: list[Any] = []
    places = sorted({0, len(octets), *(cut % (len(octets) + 1) for cut in cuts)})
    for begin, end in pairwise(places):
        found = parser.feed(octets[begin:end])
        messages += found[0]
        controls += found[1]
    return messages, controls


NAMES = st.text("abcXYZ019_.:-", max_size=40)
DELIVERIES = st.lists(st.tuples(st.binary(max_size=300), NAMES, NAMES, st.booleans(), st.integers(1, 80)), max_size=8)


@settings(max_examples=300, deadline=None)
@given(DELIVERIES, st.lists(st.integers(0, 5000), max_size=30), st.integers(0, 7))
def test_any_deliveries_in_any_portions(wanted: list[Any], cuts: list[int], between: int) -> None:
    octets = b""
    for tag, (body, exchange, key, redelivered, frame_bytes) in enumerate(wanted, start=1):
        octets += delivery(tag, body, exchange=exchange, key=key, redelivered=redelivered, frame_bytes=frame_bytes)
        if tag % 8 == between:
            octets += heartbeat.Heartbeat().marshal() + control(commands.Queue.BindOk())
    parser = FrameParser(CHANNEL)
    messages, controls = fed(parser, octets, cuts)
    expected = [Raw(body, exchange, key, redelivered, len(body)) for body, exchange, key, redelivered, _ in wanted]
    assert messages == expected
    assert parser.tag == len(wanted)
    assert all(channel == 2 and isinstance(method, commands.Queue.BindOk) for channel, method in controls)


def test_every_single_cut() -> None:
    octets = delivery(1, b"a" * 40, frame_bytes=15) + control(commands.Basic.QosOk(), 1) + delivery(2, b"")
    for cut in range(len(octets)):
        messages, controls = fed(FrameParser(CHANNEL), octets, [cut])
        assert [raw.body for raw in messages] == [b"a" * 40, b""]
        assert len(controls) == 1


def test_an_answer_between_the_frames_of_a_delivery() -> None:
    octets = delivery(1, b"abcdef", frame_bytes=3)
    first_end = len(octets) - (8 + 3)
    mixed = octets[:first_end] + control(commands.Exchange.DeclareOk()) + octets[first_end:]
    messages, controls = FrameParser(CHANNEL).feed(mixed)
    assert [raw.body for raw in messages] == [b"abcdef"]
    assert len(controls) == 1


def test_a_body_that_is_too_large_is_not_kept() -> None:
    parser = FrameParser(CHANNEL)
    octets = delivery(1, b"x" * (MAX_BODY_BYTES + 1)) + delivery(2, b"next")
    held = 0
    messages: list[Raw] = []
    for begin in range(0, len(octets), 100_000):
        messages += parser.feed(octets[begin : begin + 100_000])[0]
        held = max(held, sum(map(len, parser._parts)))
    assert messages == [
        Raw(b"", "nova", "notifications.info", False, MAX_BODY_BYTES + 1),
        Raw(b"next", "nova", "notifications.info", False, 4),
    ]
    assert held == 0


def frame(kind: int, channel: int, payload: bytes, end: int = 0xCE) -> bytes:
    return struct.pack(">BHI", kind, channel, len(payload)) + payload + bytes([end])


DELIVER_HEAD = struct.pack(">HH", 60, 60)
BROKEN = {
    "no end mark": frame(1, 2, control(commands.Queue.BindOk())[7:-1], end=0),
    "too large a frame": struct.pack(">BHI", 3, 1, MAX_FRAME_BYTES + 1) + b"x",
    "an unknown kind": frame(4, 1, b"x"),
    "a body without a header": frame(3, 1, b"x"),
    "a header without a delivery": frame(2, 1, struct.pack(">HHQH", 60, 0, 5, 0)),
    "a header cut short": delivery(1, b"")[:0]
    + control(commands.Basic.Deliver("t", 1, False, "e", "k"), 1)
    + frame(2, 1, b"xx"),
    "two deliveries at once": control(commands.Basic.Deliver("t", 1, False, "e", "k"), 1) * 2,
    "more body than announced": control(commands.Basic.Deliver("t", 1, False, "e", "k"), 1)
    + frame(2, 1, struct.pack(">HHQH", 60, 0, 2, 0))
    + frame(3, 1, b"xyz"),
    "a delivery on another channel": control(commands.Basic.Deliver("t", 1, False, "e", "k"), 2),
    "a delivery cut short": frame(1, 1, DELIVER_HEAD + b"\x01t"),
    "names beyond the frame": frame(1, 1, DELIVER_HEAD + b"\x01t" + struct.pack(">QB", 1, 0) + b"\xffe\x01k"),
    "a key beyond the frame": frame(1, 1, DELIVER_HEAD + b"\x01t" + struct.pack(">QB", 1, 0) + b"\x01e\x09k"),
    "a consumer tag beyond the frame": frame(1, 1, DELIVER_HEAD + b"\xfft"),
    "no delivery but its number": frame(1, 1, DELIVER_HEAD),
    "a method that does not exist": frame(1, 2, struct.pack(">HH", 999, 999)),
    "a method cut short": frame(1, 2, struct.pack(">HH", 50, 11) + b"\xff"),
    "a method without a number": frame(1, 2, b"\x00"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_what_is_no_amqp_ends_the_connection(name: str) -> None:
    with pytest.raises(ProtocolError):
        FrameParser(CHANNEL).feed(BROKEN[name])


@settings(max_examples=500, deadline=None)
@given(st.binary(max_size=200), st.integers(0, 400), st.binary(max_size=4))
def test_no_octets_raise_anything_else(noise: bytes, at: int, change: bytes) -> None:
    valid = delivery(1, b"abc") + control(commands.Queue.DeclareOk("q", 1, 2))
    at %= len(valid)
    for octets in (noise, valid[:at] + change + valid[at + len(change) :]):
        try:
            FrameParser(CHANNEL).feed(octets)
        except ProtocolError:
            continue
