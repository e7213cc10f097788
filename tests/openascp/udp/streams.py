"""Streams for the fast plane's ends in memory: what is sent, and what came."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable


class Source:
    """Bytes, in pieces; between pieces there is nothing for a while."""

    def __init__(self, data: bytes, pauses: int = 0) -> None:
        self._data, self._place, self._pauses = data, 0, pauses
        self.broken: Exception | None = None
        self.held = threading.Event()
        self.held.set()

    def read(self, size: int) -> bytes | None:
        if self.broken:
            raise self.broken
        if not self.held.wait(0.01):
            return b""
        if self._place == len(self._data):
            return None
        if self._pauses:
            self._pauses -= 1
            time.sleep(0.01)
            return b""
        piece = self._data[self._place : self._place + min(size, 100_000)]
        self._place += len(piece)
        return piece


class Sink:
    """Memory; `taken` is called for each write."""

    def __init__(self, size: int, taken: Callable[[], None] = lambda: None) -> None:
        self.data = bytearray(size)
        self.count = 0
        self.waiting = 0
        self._taken = taken

    def write(self, offset: int, data: bytes) -> None:
        self.data[offset : offset + len(data)] = data
        self.count += len(data)
        self._taken()

    @property
    def backlog(self) -> int:
        return self.waiting

    def reaches(self, count: int) -> bool:
        """Whether so many bytes came before a minute has gone."""
        until = time.monotonic() + 60
        while self.count < count and time.monotonic() < until:
            time.sleep(0.01)
        return self.count >= count
