"""File transfers that have ended, gathered for a moment: a session of small files ends thousands of them a second,
and a write for each would cost far more than its row.

Knows no store: `write` is called with what has been gathered once the moment is over.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from asperacentral.central.model import FileRecord
from asperacentral.central.ports import Clock, DelayedCall

GATHER_TIME = 0.05
"""Seconds that the first of them waits."""


class Gathered:
    """What is to be written soon. Whoever writes something that comes after it takes it along, by `take`."""

    def __init__(self, clock: Clock, write: Callable[[], object]) -> None:
        self._clock = clock
        self._write = write
        self._files: list[FileRecord] = []
        self._timer: DelayedCall | None = None

    def add(self, files: Iterable[FileRecord]) -> None:
        """Keep these for a moment."""
        self._files += files
        if self._timer is None:
            self._timer = self._clock.callLater(GATHER_TIME, self._over)

    def take(self) -> tuple[FileRecord, ...]:
        """All that is kept, in the order it came; nothing is kept after this."""
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        self._timer = None
        files, self._files = tuple(self._files), []
        return files

    def _over(self) -> None:
        self._timer = None
        self._write()
