"""Holes: regions of a sparse file that were never written and read as zeros. They do not travel.

The sending half tells them with the entry, the receiving half asks for the rest, and sees before the file gets its
name that nothing but holes is where they are to be. They begin and end where blocks of the checkpoint do.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterable, Iterator

from asperacentral.openascp.exchange.checkpoint import BLOCK

MOST = 1024
"""Holes of one file; whatever more it has travels as zeros."""
_MOST_LOOKS = 16 * MOST

Extents = tuple[tuple[int, int], ...]
"""Offsets and lengths, bytes."""


def found(descriptor: int, size: int) -> Extents:
    """The holes of an open file; none where its file system does not tell. OSError."""
    holes: list[tuple[int, int]] = []
    place = 0
    for _ in range(_MOST_LOOKS):
        start = _seek(descriptor, place, os.SEEK_HOLE, size)
        if start >= size or len(holes) == MOST:
            break
        place = min(_seek(descriptor, start, os.SEEK_DATA, size), size)
        first = -(-start // BLOCK) * BLOCK
        last = place if place == size else place // BLOCK * BLOCK
        if last > first:
            holes.append((first, last - first))
    return tuple(holes)


def check(holes: Extents, size: int) -> None:
    """ValueError for what cannot be the holes of a file of this size."""
    end = 0
    for start, length in holes:
        if start < end or length <= 0 or start % BLOCK:
            raise ValueError("holes out of order")
        end = start + length
        if end > size or (end % BLOCK and end != size):
            raise ValueError("a hole ends where none can")
    if len(holes) > MOST:
        raise ValueError("more holes than a file may have")


def without(extents: Iterable[tuple[int, int]], holes: Extents) -> Iterator[tuple[int, int]]:
    """What of these extents lies in no hole; both are in order."""
    for start, length in extents:
        place, end = start, start + length
        for hole, size in holes:
            if hole < end and hole + size > place:
                if hole > place:
                    yield place, hole - place
                place = min(hole + size, end)
        if place < end:
            yield place, end - place


def over(place: int, holes: Extents) -> int:
    """Where the first byte at or behind `place` is that lies in no hole."""
    for start, length in holes:
        if start <= place < start + length:
            place = start + length
    return place


def leave(descriptor: int, holes: Extents, size: int) -> None:
    """Have the file this size, and zeros in its holes, whatever a former session has left there. OSError."""
    if not holes:
        return
    os.ftruncate(descriptor, size)
    for start, length in holes:
        place, end = start, start + length
        while (place := _seek(descriptor, place, os.SEEK_DATA, size)) < end:
            count = min(_seek(descriptor, place, os.SEEK_HOLE, size), end, place + BLOCK) - place
            place += os.pwrite(descriptor, bytes(count), place)


def _seek(descriptor: int, place: int, what: int, size: int) -> int:
    """The next hole, or the next data; the file's end where there is none. OSError.

    A file system that cannot tell has nothing but data. Whatever else goes wrong says nothing about holes.
    """
    try:
        return os.lseek(descriptor, place, what)
    except OSError as error:
        if error.errno == errno.ENXIO:
            return size
        if error.errno == errno.EINVAL:
            return place if what == os.SEEK_DATA else size
        raise
