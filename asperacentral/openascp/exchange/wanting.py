"""What the receiving half still wants of a file, and what it compares before it wants it. Pure."""

from __future__ import annotations

from collections import deque

from asperacentral.openascp import overwrite
from asperacentral.openascp.exchange.deciding import Comparison, Outcome
from asperacentral.openascp.exchange.messages import Entry
from asperacentral.openascp.exchange.target import Target
from asperacentral.openascp.plan import PlannedFile

SAMPLES = 16
"""Blocks of a partial file that are looked at on resume level 2."""


WINDOWS = (64 * 1024 * 1024, 1024 * 1024 * 1024)
"""Least and most bytes of the stream laid out and not yet written. It is no memory: what waits to be written is."""
WINDOW_SECONDS = 8.0
"""What the target rate moves in this time may be laid out: several round trips by satellite, much of it lost."""


def window(target_rate: int) -> int:
    """Bytes that may be laid out for a session of this target rate, Kbps."""
    least, most = WINDOWS
    return max(least, min(int(target_rate * 125 * WINDOW_SECONDS), most))


class Wanted:
    """A file whose extents are still to be laid out, in part or as a whole."""

    __slots__ = ("begun", "missing", "target")

    def __init__(self, target: Target) -> None:
        self.target = target
        self.missing = deque(target.missing)
        self.begun = False

    def slice(self, size: int) -> tuple[tuple[int, int], ...]:
        """The next extents, `size` bytes at most."""
        taken = []
        while self.missing and size > 0:
            offset, length = self.missing.popleft()
            part = min(length, size)
            taken.append((offset, part))
            size -= part
            if part < length:
                self.missing.appendleft((offset + part, length - part))
        return tuple(taken)


def samples(present: list[int]) -> list[int]:
    """The first, the last and evenly spread ones."""
    if len(present) <= SAMPLES:
        return present
    return [present[place * (len(present) - 1) // (SAMPLES - 1)] for place in range(SAMPLES)]


def differing(indexes: list[int], ours: tuple[bytes, ...], theirs: tuple[bytes, ...]) -> set[int]:
    """Which blocks differ; all when one side cannot tell."""
    if not len(indexes) == len(ours) == len(theirs):
        return set(indexes)
    return {index for index, mine, other in zip(indexes, ours, theirs, strict=True) if mine != other}


def ranges_of(comparison: Comparison) -> tuple[tuple[int, int], ...]:
    """What to compare, in as few parts as the comparison has."""
    size = comparison.target.entry.size
    if comparison.decision is overwrite.Decision.COMPARE_ALL:
        return ((0, size),)
    return tuple(overwrite.ranges(comparison.decision, size, size))


def planned(entry: Entry, shown: bytes, outcome: Outcome) -> PlannedFile:
    """A file as observers hear of it, by what becomes of it."""
    target = outcome.target if isinstance(outcome, Comparison) else outcome
    place, part = b"", None
    if isinstance(target, Target):
        place = target.place
        part = None if target.share is None else (target.share.start, target.share.end)
    return PlannedFile(shown, place, entry.size, entry.id, entry.argument, part=part)
