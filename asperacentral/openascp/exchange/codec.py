"""The bytes between two halves as frames, and frames as bytes. Pure: bytes in, events out.

Each side begins with `PREFACE`. Then come frames: a length of 4 bytes (big-endian, of all that follows it), a kind of
1 byte, a body. Kind `CONTROL` has a msgpack value as its body, kind `PRESSED` the same pressed by zlib, for peers that
know it; kind `DATA` has an offset of 8 bytes in the stream and bytes of it. A data frame is told in pieces as they
arrive, so that a large one needs no room. Whatever breaks a rule is a `RemoteProtocolError`, after which the peer
cannot be understood any more.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NoReturn

import msgpack

from asperacentral.openascp.exchange.elements import more_than

PREFACE = b"\xf0openascp\n"
"""No text begins with it, and read as the length of an SFTP packet it is more than any server takes."""
CONTROL = 0
DATA = 1
PRESSED = 2
WORTH_PRESSING = 512
"""Bytes of a body that is pressed where the peer knows that."""
MOST_TIMES = 32
"""How much longer than it came a pressed message may become: names and times in a row are far from it."""
LARGEST_CONTROL = 4 * 1024 * 1024
MOST_VALUES = 256 * 1024
"""In one message: more would take far more memory than the message has bytes."""
LARGEST_DATA = 1024 * 1024
LARGEST_OFFSET = 2**63 - 1
DEEPEST = 8
_HEAD = struct.Struct(">IB")
_OFFSET = struct.Struct(">Q")
_QUICKLY = 1
"""The level of zlib: many names and times in a row shrink to a third by it, and it costs a microsecond for each."""


class RemoteProtocolError(Exception):
    """The peer does not speak the exchange's language; the text says what was wrong."""


class LocalProtocolError(Exception):
    """We were about to send what no peer would take."""


@dataclass(frozen=True, slots=True)
class Control:
    """A control frame's value: nothing but None, booleans, integers, bytes, texts, lists and dictionaries."""

    value: Any


@dataclass(frozen=True, slots=True)
class Data:
    """Bytes of the stream, beginning at `offset`."""

    offset: int
    data: bytes


Event = Control | Data


def encode_control(value: Any, *, press: bool = False) -> bytes:
    """A control frame, pressed if it may be and is worth it. LocalProtocolError when it is too large or cannot be
    written.
    """
    try:
        body: bytes = msgpack.packb(value, use_bin_type=True)
    except (ValueError, TypeError, OverflowError) as error:
        raise LocalProtocolError(f"a message cannot be written: {error}") from error
    if len(body) > LARGEST_CONTROL:
        raise LocalProtocolError(f"a message of {len(body)} bytes is too large")
    if press and len(body) >= WORTH_PRESSING:
        pressed = zlib.compress(body, _QUICKLY)
        if len(pressed) < len(body) <= MOST_TIMES * len(pressed):
            return _HEAD.pack(len(pressed) + 1, PRESSED) + pressed
    return _HEAD.pack(len(body) + 1, CONTROL) + body


def data_head(offset: int, size: int) -> bytes:
    """What goes before `size` bytes of the stream to make a data frame of them."""
    if not 0 < size <= LARGEST_DATA or not 0 <= offset <= LARGEST_OFFSET - size:
        raise LocalProtocolError(f"{size} bytes at {offset} make no data frame")
    return _HEAD.pack(size + 1 + _OFFSET.size, DATA) + _OFFSET.pack(offset)


class Decoder:
    """Reads what a peer sends, in whatever pieces it comes."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._greeted = False
        self._offset = 0
        self._data_left = 0
        self._broken = False

    @property
    def greeted(self) -> bool:
        """Whether the peer has begun as a half does."""
        return self._greeted

    def feed(self, data: bytes) -> Iterator[Event]:
        """Take bytes and tell what is in them. RemoteProtocolError, and then no more may be fed."""
        if self._broken:
            self._fail("bytes after an error")
        if self._data_left and not self._buffer:  # the usual case by far: more of a data frame
            taken = data[: self._data_left]
            yield self._piece(taken)
            data = data[len(taken) :]
        self._buffer += data
        while (event := self._next()) is not None:
            yield event

    def _next(self) -> Event | None:
        if not self._greeted and not self._greeting():
            return None
        if self._data_left:
            return self._piece(self._cut(self._data_left)) if self._buffer else None
        if len(self._buffer) < _HEAD.size:
            return None
        length, kind = _HEAD.unpack_from(self._buffer)
        if kind == DATA:
            return self._begin_data(length)
        if kind not in (CONTROL, PRESSED):
            self._fail(f"a frame of unknown kind {kind}")
        if not 1 < length <= LARGEST_CONTROL + 1:
            self._fail(f"a message of {length} bytes")
        if len(self._buffer) < 4 + length:
            return None
        body = self._cut(4 + length)[_HEAD.size :]
        return Control(self._value(self._unpressed(body) if kind == PRESSED else body))

    def _greeting(self) -> bool:
        start = bytes(self._buffer[: len(PREFACE)])
        if not PREFACE.startswith(start):
            self._fail("it does not begin as a half of a session does")
        if len(start) < len(PREFACE):
            return False
        del self._buffer[: len(PREFACE)]
        self._greeted = True
        return True

    def _begin_data(self, length: int) -> Event | None:
        size = length - 1 - _OFFSET.size
        if not 0 < size <= LARGEST_DATA:
            self._fail(f"a data frame of {length} bytes")
        if len(self._buffer) <= _HEAD.size + _OFFSET.size:
            return None
        (self._offset,) = _OFFSET.unpack_from(self._buffer, _HEAD.size)
        if self._offset > LARGEST_OFFSET - size:
            self._fail("an offset beyond all streams")
        del self._buffer[: _HEAD.size + _OFFSET.size]
        self._data_left = size
        return self._piece(self._cut(size))

    def _piece(self, data: bytes) -> Data:
        piece = Data(self._offset, data)
        self._offset += len(data)
        self._data_left -= len(data)
        return piece

    def _cut(self, size: int) -> bytes:
        data = bytes(self._buffer[:size])
        del self._buffer[:size]
        return data

    def _unpressed(self, body: bytes) -> bytes:
        """What was pressed; never more of it is made than a message may have."""
        press = zlib.decompressobj()
        most = min(LARGEST_CONTROL, MOST_TIMES * len(body))
        try:
            whole = press.decompress(body, most + 1)
        except zlib.error:
            self._fail("a pressed message cannot be read")
        if not press.eof or press.unused_data or len(whole) > most:
            self._fail("a pressed message is too large, or not whole")
        return whole

    def _value(self, body: bytes) -> Any:
        if len(body) > MOST_VALUES and more_than(MOST_VALUES, body):  # a value takes a byte at least
            self._fail(f"a message of more than {MOST_VALUES} values")
        try:
            value = msgpack.unpackb(body, raw=False, strict_map_key=False, ext_hook=_no_extension)
        except (ValueError, TypeError, RecursionError, msgpack.exceptions.UnpackException) as error:
            self._fail(f"a message cannot be read: {type(error).__name__}")
        if type(value) in _NESTING and _deeper_than(value, DEEPEST):
            self._fail("a message is nested too deeply")
        return value

    def _fail(self, text: str) -> NoReturn:
        self._broken = True
        self._buffer.clear()
        raise RemoteProtocolError(text)


def _no_extension(code: int, _: bytes) -> NoReturn:
    raise ValueError(f"extension {code}")


_NESTING = (list, dict)


def _deeper_than(value: list[Any] | dict[Any, Any], depth: int) -> bool:
    """Whether lists and dictionaries are nested deeper; walks only as deep as that, all of one depth at a time."""
    level = [value]
    for _ in range(depth):
        level = [
            each
            for outer in level
            for each in (outer.values() if type(outer) is dict else outer)
            if type(each) in _NESTING
        ]
        if not level:
            return False
    return True
