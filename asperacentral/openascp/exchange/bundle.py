"""A bundle: small files that are one extent of the stream, one behind the other, behind each a mark of one byte. Pure.

Ten thousand small files would be ten thousand needs, extents and verdicts, each of which costs more than the few bytes
of the file. In a bundle they are laid out by one message, and the mark says what a verdict would: that the file was
read and is still what was announced (`GOOD`). Behind what will not come there is `VOID`, as in all filling, and the
verdict comes by itself and says why.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator
from itertools import accumulate
from typing import NamedTuple

from asperacentral.openascp.exchange.checkpoint import BLOCK

SMALL = 64 * 1024
"""Bytes of the largest file in a bundle."""
LARGEST = BLOCK
"""Bytes of a bundle: it is laid out as a whole, and filled when its files have gone."""
MOST_FILES = 512

GOOD = b"\1"
VOID = b"\0"


class Part(NamedTuple):
    """Bytes `start` to `end` of the file `number`, from 0, of a bundle; its last byte is the mark."""

    number: int
    start: int
    end: int


class Shape:
    """Where in a bundle each file lies; `sizes` are those of the files, bytes."""

    __slots__ = ("_ends",)

    def __init__(self, sizes: Iterable[int]) -> None:
        self._ends = list(accumulate(size + len(GOOD) for size in sizes))

    @property
    def length(self) -> int:
        """Bytes of the whole."""
        return self._ends[-1] if self._ends else 0

    def parts(self, start: int, length: int) -> Iterator[Part]:
        """What `length` bytes at `start` are. ValueError outside the bundle."""
        if length < 0 or start < 0 or start + length > self.length:
            raise ValueError(f"{length} bytes at {start} are not in the bundle")
        end = start + length
        number = bisect_right(self._ends, start)
        begin = self._ends[number - 1] if number else 0
        while start < end:
            until = self._ends[number]
            stop = min(until, end)
            yield Part(number, start - begin, stop - begin)
            start = stop
            begin = until
            number += 1
