"""Digests of parts of files, by which two halves compare what they have."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Sequence

from asperacentral.openascp.confined import Files
from asperacentral.openascp.failures import Failure

DIGEST_SIZE = 16
_READ = 1024 * 1024


def digests_of(files: Files, place: bytes, ranges: Sequence[tuple[int, int]]) -> tuple[bytes, ...]:
    """A digest of each range of a file, BLAKE2b of 16 bytes; none at all when it cannot be read whole."""
    try:
        descriptor = files.open_file(place, os.O_RDONLY)
    except OSError:
        return ()
    try:
        return digests_at(descriptor, ranges)
    finally:
        os.close(descriptor)


def digests_at(descriptor: int, ranges: Sequence[tuple[int, int]]) -> tuple[bytes, ...]:
    """As `digests_of`, of an open file."""
    return digests_by(lambda offset, size: os.pread(descriptor, size, offset), ranges)


def digests_by(read: Callable[[int, int], bytes], ranges: Sequence[tuple[int, int]]) -> tuple[bytes, ...]:
    """As `digests_of`, of what `read(offset, size)` gives."""
    try:
        return tuple(_digest(read, offset, length) for offset, length in ranges)
    except (OSError, EOFError, Failure):
        return ()


def _digest(read: Callable[[int, int], bytes], offset: int, length: int) -> bytes:
    taken = hashlib.blake2b(digest_size=DIGEST_SIZE)
    while length:
        data = read(offset, min(length, _READ))
        if not data:
            raise EOFError
        taken.update(data)
        offset += len(data)
        length -= len(data)
    return taken.digest()
