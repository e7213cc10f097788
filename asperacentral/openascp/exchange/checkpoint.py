"""The checkpoint of a partial file: which of its blocks are there. Pure: bytes and values, no file.

A header names the source (size, time of last change, path) and the partial file; after it each block of 1 MiB has a
record of 8 bytes, zero until the block is written. A record is a digest of the header, of the block's number and of a
state, so that whatever damages one makes the block one to be sent again, and nothing else. There are two states:
*synced*, the block is on the disk for good, and *written*, it is as good as there for as long as the machine runs: such
a record holds the boot's number and is void after the next one. Of a file that several sessions share, the marks of
their shares follow (see `shares`).
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

BLOCK = 1024 * 1024
RECORD = 8
_MAGIC = b"oaspckpt"
_VERSION = 1
_FIXED = struct.Struct(">8sHQq16sQ16s")
_DIGEST = 16
HEADER = _FIXED.size + _DIGEST


@dataclass(frozen=True, slots=True)
class Identity:
    """What a checkpoint is about: the source as it was scanned, and the partial file by its inode's number."""

    size: int
    modified: int
    path: bytes
    inode: int


class Checkpoint:
    """The checkpoint of one partial file. `nonce` is 16 random bytes, `boot` names this run of the machine."""

    def __init__(self, identity: Identity, nonce: bytes, boot: bytes) -> None:
        self.identity = identity
        self._boot = boot
        fixed = _FIXED.pack(
            _MAGIC,
            _VERSION,
            identity.size,
            identity.modified,
            _digest(identity.path, b""),
            identity.inode,
            nonce,
        )
        self._key = _digest(fixed, b"header")
        self.header = fixed + self._key

    @classmethod
    def read(cls, data: bytes, identity: Identity, boot: bytes) -> Checkpoint | None:
        """The checkpoint that `data` begins with; None when it is damaged, foreign or of another version."""
        if len(data) < HEADER:
            return None
        nonce = _FIXED.unpack_from(data)[-1]
        checkpoint = cls(identity, nonce, boot)
        return checkpoint if checkpoint.header == data[:HEADER] else None

    def present(self, data: bytes) -> list[int]:
        """The blocks that are there, by the records in `data` (header included)."""
        found = []
        for index in range(min(self.blocks, (len(data) - HEADER) // RECORD)):
            start = HEADER + index * RECORD
            record = data[start : start + RECORD]
            if record in (self._record(index, b""), self._record(index, self._boot)):
                found.append(index)
        return found

    @property
    def blocks(self) -> int:
        """How many blocks the file has."""
        return -(-self.identity.size // BLOCK)

    def record(self, index: int, *, synced: bool) -> tuple[int, bytes]:
        """Where to note that a block is there, and what."""
        return HEADER + index * RECORD, self._record(index, b"" if synced else self._boot)

    def mark(self, text: bytes) -> bytes:
        """A record that says `text`, and means this checkpoint only."""
        return _digest(text, self._key)[:RECORD]

    @staticmethod
    def missing(index: int) -> tuple[int, bytes]:
        """Where to note that a block is not there, and what."""
        return HEADER + index * RECORD, bytes(RECORD)

    def _record(self, index: int, boot: bytes) -> bytes:
        return _digest(index.to_bytes(8, "big") + boot, self._key)[:RECORD]


def span(index: int, size: int) -> tuple[int, int]:
    """Offset and length of a block in a file of `size` bytes."""
    start = index * BLOCK
    return start, min(BLOCK, size - start)


def extents_without(present: Iterable[int], size: int, start: int = 0) -> Iterator[tuple[int, int]]:
    """What a file of `size` bytes lacks from `start` on when these blocks are there, as few extents as possible."""
    for index in sorted(present):
        if index * BLOCK > start:
            yield start, index * BLOCK - start
        start = max(start, (index + 1) * BLOCK)
    if start < size:
        yield start, size - start


class BlockTally:
    """Counts bytes until blocks are whole; bytes are told once."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._begun: dict[int, int] = {}

    def add(self, offset: int, length: int) -> list[int]:
        """Bytes were written: the blocks that became whole by them."""
        whole = []
        while length:
            index = offset // BLOCK
            start, block = span(index, self._size)
            part = min(length, start + block - offset)
            count = self._begun.pop(index, 0) + part
            if count == block:
                whole.append(index)
            else:
                self._begun[index] = count
            offset += part
            length -= part
        return whole


def _digest(data: bytes, key: bytes) -> bytes:
    return hashlib.blake2b(data, digest_size=_DIGEST, key=key).digest()
