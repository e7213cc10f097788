"""Datagrams as bytes: the header that all have, and the bodies of those that carry no file bytes.

Pure, and without cryptography: bodies are what is sealed (`keys`). All numbers are big-endian. See
docs/udp-protocol.md, Datagrams.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

VERSION = 1

HEADER = struct.Struct(">IIQ")
"""Kind and session tag, the low half of the sequence number, and an argument that the kind gives its meaning."""

TAG_BYTES = 16
"""What sealing adds to a body."""

OVERHEAD = HEADER.size + TAG_BYTES
"""Bytes of a datagram that are not its body."""

UNKNOWN_LENGTH = (1 << 64) - 1
"""The argument of a probe while the stream has no end yet."""

LARGEST_REPORT = 1100
"""Bytes of a report's body: with header and seal it fits every path of the internet."""


class Kind(IntEnum):
    """What a datagram is, and what its argument says."""

    HELLO = 1
    """Caller: I am here; argument: the size of this datagram."""
    ANSWER = 2
    """Answerer: a hello of this size came through; argument: that size."""
    CONFIRM = 3
    """Caller: your answer came through; argument: the cookie of the answer."""
    DATA = 4
    """Sender: bytes of the stream; argument: their offset."""
    PROBE = 5
    """Sender: report, please; argument: the length of the stream or `UNKNOWN_LENGTH`."""
    REPORT = 6
    """Receiver: what arrived; argument: the offset before which all bytes of the stream are there."""
    CLOSE = 7
    """Either end: nothing more will come; argument: 0 whole, 1 given up."""
    CHALLENGE = 8
    """Answerer: you have another address, it seems; argument: a cookie, for a CONFIRM that is to come from there."""


class MalformedBody(ValueError):
    """An authentic datagram whose body is not what its kind asks for: the peer is of another make or broken."""


@dataclass(frozen=True, slots=True)
class Answer:
    """Body of ANSWER."""

    cookie: int
    """To be named by CONFIRM from the same address: who calls does receive there."""
    buffer: int
    """Bytes the answerer's socket can hold."""

    _LAYOUT = struct.Struct(">QQ")

    def encode(self) -> bytes:
        """The body without padding."""
        return self._LAYOUT.pack(self.cookie, self.buffer)

    @classmethod
    def decode(cls, body: bytes) -> Answer:
        """Read a padded body. MalformedBody when it is too short."""
        return cls(*_fields(cls._LAYOUT, body))


@dataclass(frozen=True, slots=True)
class Confirm:
    """Body of CONFIRM."""

    size: int
    """Bytes of the largest datagram that went there and came back."""
    buffer: int
    """Bytes the caller's socket can hold."""

    _LAYOUT = struct.Struct(">IQ")

    def encode(self) -> bytes:
        """The body."""
        return self._LAYOUT.pack(self.size, self.buffer)

    @classmethod
    def decode(cls, body: bytes) -> Confirm:
        """Read a body. MalformedBody when it is too short."""
        return cls(*_fields(cls._LAYOUT, body))


@dataclass(frozen=True, slots=True)
class Probe:
    """Body of PROBE."""

    resolved: int
    """The sender knows the fate of all its datagrams before this sequence number."""
    asked: int
    """1: reports got lost, describe everything from `resolved` on anew; else 0."""

    _LAYOUT = struct.Struct(">QB")

    def encode(self) -> bytes:
        """The body."""
        return self._LAYOUT.pack(self.resolved, self.asked)

    @classmethod
    def decode(cls, body: bytes) -> Probe:
        """Read a body. MalformedBody when it is too short."""
        return cls(*_fields(cls._LAYOUT, body))


@dataclass(frozen=True, slots=True)
class Report:
    """Body of REPORT: the fate of the sender's datagrams from `low` to before `after`, and how the receiver does."""

    low: int
    """First sequence number described."""
    after: int
    """First one not described any more."""
    missing: tuple[tuple[int, int], ...]
    """What of them did not arrive, as (first, after last), ascending."""
    echo: int
    """The newest datagram that arrived."""
    arrived: int
    """When it did, in microseconds of the receiver's clock."""
    held: int
    """How long ago that was when this report was made, microseconds."""
    received: int
    """Bytes of the stream that arrived so far, each counted once."""
    duplicates: int
    """Datagrams with bytes that were there already."""
    backlog: int
    """Bytes that arrived and wait for a disk."""
    room: int
    """Bytes that may wait in all."""

    _LAYOUT = struct.Struct(">QQQQIQIII")

    @property
    def holds_back(self) -> bool:
        """Whether so much waits for a disk that the sender sends no more than there is room for."""
        return self.backlog > self.room // 8

    def encode(self) -> bytes:
        """The body; `fitting` tells how many ranges it holds at most."""
        fields = self._LAYOUT.pack(
            self.low,
            self.after,
            self.echo,
            self.arrived,
            min(self.held, 0xFFFFFFFF),
            self.received,
            min(self.duplicates, 0xFFFFFFFF),
            min(self.backlog, 0xFFFFFFFF),
            min(self.room, 0xFFFFFFFF),
        )
        ranges = bytearray()
        place = self.low
        for first, after in self.missing:
            _put(ranges, first - place)
            _put(ranges, after - first)
            place = after
        return fields + bytes(ranges)

    @classmethod
    def decode(cls, body: bytes) -> Report:
        """Read a body. MalformedBody when it is not one, or names what it does not describe."""
        low, after_all, echo, arrived, held, received, duplicates, backlog, room = _fields(cls._LAYOUT, body)
        if after_all < low:
            raise MalformedBody("a report's window ends before it begins")
        missing = []
        place, at = low, cls._LAYOUT.size
        while at < len(body):
            skip, at = _get(body, at)
            count, at = _get(body, at)
            first = place + skip
            place = first + count
            if count == 0 or place > after_all:
                raise MalformedBody("a report names what is outside of its window")
            missing.append((first, place))
        return cls(low, after_all, tuple(missing), echo, arrived, held, received, duplicates, backlog, room)


def fitting(low: int, missing: Sequence[tuple[int, int]]) -> int:
    """How many of the ranges a report that begins with `low` can name."""
    left = LARGEST_REPORT - Report._LAYOUT.size
    place = low
    for index, (first, after) in enumerate(missing):
        left -= _width(first - place) + _width(after - first)
        if left < 0:
            return index
        place = after
    return len(missing)


def _fields(layout: struct.Struct, body: bytes) -> tuple[int, ...]:
    if len(body) < layout.size:
        raise MalformedBody(f"{len(body)} bytes where at least {layout.size} belong")
    return layout.unpack_from(body)


def _put(out: bytearray, number: int) -> None:
    """Seven bits a byte, lowest first, the top bit says that more follow."""
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)


def _get(body: bytes, at: int) -> tuple[int, int]:
    number = shift = 0
    while True:
        if at >= len(body) or shift > 56:
            raise MalformedBody("a report's range is cut off")
        byte = body[at]
        at += 1
        number |= (byte & 0x7F) << shift
        if byte < 0x80:
            return number, at
        shift += 7


def _width(number: int) -> int:
    return max(1, (number.bit_length() + 6) // 7)
