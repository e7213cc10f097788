"""The bound of what waits for the store and could be done without: records of files and counters.

Counts rows in and out, says which are to be dropped, and tells about it in the log now and then. Knows nothing of
what the rows are. For one thread.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

log = logging.getLogger(__name__)

TELL_INTERVAL = 60.0
"""Seconds between lines in the log."""


class Buffer:
    """A buffer of `capacity` rows; the last write that fits in part is taken whole.

    When it is full, writes are dropped if `drop` says so; otherwise all are taken and have to wait.
    """

    def __init__(self, capacity: int, *, drop: bool, seconds: Callable[[], float] = time.monotonic) -> None:
        self._capacity = capacity
        self._drop = drop
        self._seconds = seconds
        self._told_at = -TELL_INTERVAL
        self._untold = 0
        self.waiting = 0

    def admit(self, rows: int) -> bool:
        """Count rows in; False if they are to be dropped instead."""
        if self.waiting >= self._capacity:
            self._untold += rows
            self._tell_in_time()
            if self._drop:
                return False
        self.waiting += rows
        return True

    def release(self, rows: int) -> None:
        """Count rows out: they are written."""
        self.waiting -= rows
        self._tell_in_time()

    def tell(self) -> None:
        """Log what has not been told yet."""
        if self._untold and self._drop:
            log.error(
                "%d records of files and counters were dropped: more than %d waited for the store",
                self._untold,
                self._capacity,
            )
        elif self._untold:
            log.debug("%d records waited behind more than %d for the store", self._untold, self._capacity)
        self._untold = 0

    def _tell_in_time(self) -> None:
        now = self._seconds()
        if self._untold and now - self._told_at >= TELL_INTERVAL:
            self._told_at = now
            self.tell()
