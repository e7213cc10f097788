"""What has arrived of a sequence that grows: everything before its end, but for the holes.

Serves sequence numbers as well as offsets of the stream. Pure. Ranges are (first, after last).
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right


class Holes:
    """Ranges that have not arrived below `end`. Adding at the end is cheap, filling a hole is a binary search."""

    def __init__(self, end: int = 0) -> None:
        self.end = end
        """After the last that arrived."""
        self._starts: list[int] = []
        self._stops: list[int] = []

    @property
    def first_missing(self) -> int:
        """Everything before this has arrived."""
        return self._starts[0] if self._starts else self.end

    def __len__(self) -> int:
        return len(self._starts)

    def __contains__(self, number: int) -> bool:
        """Whether a number has arrived."""
        if number >= self.end:
            return False
        index = bisect_right(self._starts, number) - 1
        return index < 0 or number >= self._stops[index]

    def add(self, start: int, stop: int) -> list[tuple[int, int]]:
        """A range arrives; what of it was not there yet, ascending."""
        if start >= self.end:
            if start > self.end:
                self._starts.append(self.end)
                self._stops.append(start)
            self.end = stop
            return [(start, stop)]
        new = self._fill(start, min(stop, self.end))
        if stop > self.end:
            new.append((self.end, stop))
            self.end = stop
        return new

    def missing_from(self, start: int) -> int:
        """The first from `start` on that has not arrived."""
        index = bisect_right(self._stops, start)
        return max(start, self._starts[index]) if index < len(self._starts) else self.end

    def within(self, start: int, stop: int) -> list[tuple[int, int]]:
        """The holes in a range, cut to it."""
        index = bisect_right(self._stops, start)
        found = []
        while index < len(self._starts) and self._starts[index] < stop:
            found.append((max(self._starts[index], start), min(self._stops[index], stop)))
            index += 1
        return found

    def forget(self, below: int) -> None:
        """Take everything below as arrived."""
        count = bisect_right(self._stops, below)
        del self._starts[:count], self._stops[:count]
        if self._starts and self._starts[0] < below:
            self._starts[0] = below

    def _fill(self, start: int, stop: int) -> list[tuple[int, int]]:
        index = bisect_left(self._starts, start)
        if index < len(self._starts) and self._starts[index] == start and self._stops[index] == stop:
            del self._starts[index], self._stops[index]
            return [(start, stop)]
        new = self.within(start, stop)
        if new:
            left = bisect_right(self._stops, start)
            right = bisect_left(self._starts, stop)
            edges = [(self._starts[left], new[0][0]), (new[-1][1], self._stops[right - 1])]
            kept = [edge for edge in edges if edge[0] < edge[1]]
            self._starts[left:right] = [edge[0] for edge in kept]
            self._stops[left:right] = [edge[1] for edge in kept]
        return new
