"""The map of a session's stream: which bytes of it are which bytes of which file. Pure.

The stream has no marks in it. Both halves lay the same extents one after the other, in the order in which the
receiving half asked for them, and so agree about every byte. What was written is forgotten, so a map stays as small
as what is under way.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator
from typing import NamedTuple


class Piece(NamedTuple):
    """`length` bytes of file `file` at `offset`, which are those of the stream at `stream`."""

    file: int
    offset: int
    length: int
    stream: int


class Layout:
    """The extents of one stream that are not yet done."""

    def __init__(self) -> None:
        self._starts: list[int] = []
        self._pieces: list[Piece] = []
        self._forgotten = 0  # pieces at the beginning of the lists that are done
        self._end = 0
        self._done = 0

    @property
    def end(self) -> int:
        """The stream's length as laid so far, bytes."""
        return self._end

    @property
    def done(self) -> int:
        """All bytes before this one were advanced over."""
        return self._done

    @property
    def pending(self) -> int:
        """How many extents are not done."""
        return len(self._pieces) - self._forgotten

    def append(self, file: int, extents: Iterable[tuple[int, int]]) -> None:
        """Lay extents (offset and length in the file) at the stream's end. ValueError for one that is none."""
        for offset, length in extents:
            if offset < 0 or length <= 0:
                raise ValueError(f"{length} bytes at {offset} are no extent")
            self._starts.append(self._end)
            self._pieces.append(Piece(file, offset, length, self._end))
            self._end += length

    def locate(self, start: int, length: int) -> Iterator[Piece]:
        """The pieces of files that `length` bytes of the stream at `start` are. ValueError outside what is laid."""
        if length < 0 or start < self._done or start + length > self._end:
            raise ValueError(f"{length} bytes at {start} are not on the map")
        place = bisect_right(self._starts, start, lo=self._forgotten) - 1
        while length:
            whole = self._pieces[place]
            skip = start - whole.stream
            taken = min(length, whole.length - skip)
            yield Piece(whole.file, whole.offset + skip, taken, start)
            start += taken
            length -= taken
            place += 1

    def advance(self, to: int) -> list[Piece]:
        """All before `to` is done: what became so, and is forgotten. ValueError beyond what is laid."""
        if to <= self._done:
            return []
        pieces = list(self.locate(self._done, to - self._done))
        self._done = to
        self._forget()
        return pieces

    def _forget(self) -> None:
        first = self._forgotten
        while first < len(self._pieces) and self._starts[first] + self._pieces[first].length <= self._done:
            first += 1
        self._forgotten = first
        if first > 1000 and first * 2 > len(
            self._pieces
        ):  # seldom, so that each piece is moved once on average
            del self._starts[:first], self._pieces[:first]
            self._forgotten = 0


class Contiguous:
    """How far a stream is there without a gap, told in pieces of any order that do not overlap."""

    def __init__(self) -> None:
        self.end = 0
        self._later: dict[int, int] = {}  # start -> end of pieces beyond a gap

    def add(self, start: int, length: int) -> int:
        """A piece came; where the first gap is now."""
        self._later[start] = start + length
        while (end := self._later.pop(self.end, None)) is not None:
            self.end = end
        return self.end
