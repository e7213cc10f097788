"""Frames survive any way of being cut up; what is no frame is refused and costs nothing."""

from __future__ import annotations

import contextlib
import random
import struct
import tracemalloc
import zlib
from typing import Any

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from asperacentral.openascp.exchange.codec import (
    CONTROL,
    LARGEST_CONTROL,
    LARGEST_DATA,
    PREFACE,
    PRESSED,
    Control,
    Data,
    Decoder,
    Event,
    LocalProtocolError,
    RemoteProtocolError,
    data_head,
    encode_control,
)
from asperacentral.openascp.exchange.elements import more_than

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.binary(max_size=20)
    | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=12,
)
DATA = st.builds(Data, st.integers(0, 2**62), st.binary(min_size=1, max_size=200))


def depth(value: object) -> int:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else None
    return 0 if inner is None else 1 + max(map(depth, inner), default=0)


EVENTS = st.lists(st.builds(Control, VALUES.filter(lambda value: depth(value) <= 8)) | DATA, max_size=6)


def wire(events: list[Event]) -> bytes:
    return PREFACE + b"".join(
        encode_control(event.value)
        if isinstance(event, Control)
        else data_head(event.offset, len(event.data)) + event.data
        for event in events
    )


def joined(events: list[Event]) -> list[Event]:
    """Pieces of data that follow each other, as one."""
    whole: list[Event] = []
    for event in events:
        last = whole[-1] if whole else None
        if (
            isinstance(event, Data)
            and isinstance(last, Data)
            and last.offset + len(last.data) == event.offset
        ):
            whole[-1] = Data(last.offset, last.data + event.data)
        else:
            whole.append(event)
    return whole


@given(EVENTS, st.lists(st.integers(1, 60)))
def test_what_is_written_is_read_however_it_is_cut(events: list[Event], cuts: list[int]) -> None:
    data, decoder, told = wire(events), Decoder(), []
    while data:
        size = cuts.pop() if cuts else len(data)
        told += list(decoder.feed(data[:size]))
        data = data[size:]
    assert joined(told) == joined(events)


def test_every_single_cut_gives_the_same() -> None:
    events: list[Event] = [Control(["a", {"b": b"c"}]), Data(7, b"d" * 30), Data(99, b"e"), Control([1])]
    data = wire(events)
    for place in range(len(data) + 1):
        decoder = Decoder()
        assert joined([*decoder.feed(data[:place]), *decoder.feed(data[place:])]) == events


@pytest.mark.parametrize(
    "bytes_",
    [
        b"Welcome to this host\n",
        b"SSH-2.0-OpenSSH",
        PREFACE + struct.pack(">IB", 10, 3),
        PREFACE + struct.pack(">IB", 0, 0),
        PREFACE + struct.pack(">IB", 1, 0),
        PREFACE + struct.pack(">IB", LARGEST_CONTROL + 2, 0),
        PREFACE + struct.pack(">IB", LARGEST_DATA + 10, 1),
        PREFACE + struct.pack(">IB", 9, 1),
        PREFACE + struct.pack(">IBQ", 10, 1, 2**63) + b"x",
        PREFACE + struct.pack(">IB", 2, 0) + b"\xc1",
        PREFACE + struct.pack(">IB", 5, 0) + b"\xdd\xff\xff\xff",
        PREFACE + struct.pack(">IB", 6, 0) + b"\xdd\xff\xff\xff\xff",
        PREFACE + struct.pack(">IB", 4, 0) + b"\xd4\x01\x00",
        PREFACE + struct.pack(">IB", 3, 0) + b"\x01\x02",
        PREFACE + struct.pack(">IB", 1001, 0) + b"\x91" * 999 + b"\x01",
    ],
)
def test_what_is_no_frame_is_refused_at_once_and_for_ever(bytes_: bytes) -> None:
    decoder = Decoder()
    with pytest.raises(RemoteProtocolError):
        list(decoder.feed(bytes_))
    with pytest.raises(RemoteProtocolError):
        list(decoder.feed(b"more"))


@given(st.binary(max_size=300))
def test_noise_is_an_error_or_nothing(noise: bytes) -> None:
    decoder = Decoder()
    with contextlib.suppress(RemoteProtocolError):
        list(decoder.feed(PREFACE + noise))


def test_a_peer_is_known_by_its_preface() -> None:
    decoder = Decoder()
    assert list(decoder.feed(PREFACE[:3])) == [] and not decoder.greeted
    assert list(decoder.feed(PREFACE[3:])) == [] and decoder.greeted


def test_what_no_peer_would_take_is_not_written() -> None:
    for value in (b"x" * LARGEST_CONTROL, 2**64, object()):
        with pytest.raises(LocalProtocolError):
            encode_control(value)
    for offset, size in ((0, 0), (-1, 1), (0, LARGEST_DATA + 1), (2**63 - 1, 1)):
        with pytest.raises(LocalProtocolError):
            data_head(offset, size)


def test_control_bodies_are_plain_msgpack() -> None:
    assert msgpack.unpackb(encode_control(["keepalive", {}])[5:]) == ["keepalive", {}]


def pressed(body: bytes) -> bytes:
    return PREFACE + struct.pack(">IB", len(body) + 1, PRESSED) + body


@given(VALUES, st.integers(0, 60))
def test_pressed_messages_are_read_as_plain_ones(value: Any, times: int) -> None:
    whole = [value] * times
    frame = encode_control(whole, press=True)
    assert len(frame) <= len(encode_control(whole))
    assert list(Decoder().feed(PREFACE + frame)) == [Control(whole)]


def test_only_what_becomes_shorter_is_pressed_and_not_by_too_much() -> None:
    names = [b"folder/file%d" % number for number in range(100)]
    assert encode_control(names, press=True)[4] == PRESSED
    assert encode_control(["x" * 5000], press=True)[4] == CONTROL
    assert encode_control(["x" * 50], press=True)[4] == CONTROL
    assert encode_control([random.Random(1).randbytes(5000)], press=True)[4] == CONTROL


@pytest.mark.parametrize(
    "body",
    [
        zlib.compress(msgpack.packb([0] * 5000)),
        zlib.compress(msgpack.packb(random.Random(1).randbytes(LARGEST_CONTROL))),
        zlib.compress(bytes(200_000_000)),
        zlib.compress(b"\xc0")[:-1],
        zlib.compress(b"\xc0") + b"more",
        zlib.compress(b""),
        b"no such thing",
    ],
    ids=["too many times", "too large", "far too large", "cut", "more behind", "nothing", "noise"],
)
def test_what_was_not_pressed_well_is_refused_and_costs_nothing(body: bytes) -> None:
    tracemalloc.start()
    try:
        with pytest.raises(RemoteProtocolError):
            list(Decoder().feed(pressed(body)))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 4 * LARGEST_CONTROL


NOTHINGS = {"lists": b"\x90", "tables": b"\x80", "numbers": b"\x00", "texts": b"\xa0", "nothing": b"\xc0"}


@pytest.mark.parametrize("of", NOTHINGS)
def test_a_message_of_a_great_many_nothings_is_refused_before_they_are_made(of: str) -> None:
    body = b"\xdd" + struct.pack(">I", LARGEST_CONTROL - 5) + NOTHINGS[of] * (LARGEST_CONTROL - 5)
    frame = PREFACE + struct.pack(">IB", len(body) + 1, 0) + body
    decoder = Decoder()
    tracemalloc.start()
    try:
        with pytest.raises(RemoteProtocolError, match="values"):
            list(decoder.feed(frame))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 4 * LARGEST_CONTROL


def test_a_message_of_few_large_values_is_taken_however_long() -> None:
    value = ["entries", {"entries": [b"x" * 250_000] * 16}]
    assert list(Decoder().feed(PREFACE + encode_control(value))) == [Control(value)]


@given(VALUES)
def test_values_are_counted_as_they_are_read(value: Any) -> None:
    text, count = msgpack.packb(value), count_of(value)
    assert more_than(count - 1, text) and not more_than(count, text)


def count_of(value: Any) -> int:
    if isinstance(value, dict):
        return 1 + sum(count_of(key) + count_of(each) for key, each in value.items())
    return 1 + (sum(map(count_of, value)) if isinstance(value, list) else 0)


@given(st.binary(max_size=100))
def test_whatever_is_counted_ends(noise: bytes) -> None:
    more_than(50, noise)
