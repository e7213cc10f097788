"""Places in the stream of changes, and numbers of file transfers: both only ever grow, also across restarts."""

from __future__ import annotations

from collections.abc import Callable


class Stamps:
    """Gives `change` numbers and local ids.

    A change number is the time in microseconds, pushed on where that would not grow: what was given out before a
    crash but never written is still behind what is given out after it.
    """

    def __init__(self, seconds: Callable[[], float], last_change: int = 0, last_local_id: int = 0) -> None:
        self._seconds = seconds
        self.change = last_change
        self.local_id = last_local_id

    def next_change(self) -> int:
        """The next place in the stream of changes."""
        self.change = max(self.change + 1, int(self._seconds() * 1e6))
        return self.change

    def reserve(self, count: int) -> int:
        """The first of `count` places in a row: for what is numbered elsewhere."""
        first = self.next_change()
        self.change += max(0, count - 1)
        return first

    def next_local_id(self) -> int:
        """The next number of a file transfer."""
        self.local_id += 1
        return self.local_id
